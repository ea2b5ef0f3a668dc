"""The loss of token models."""

from typing import Any

import keras
from keras import ops

from seq2seq_zoo.options import Fraction, checked


@keras.saving.register_keras_serializable("seq2seq_zoo")
class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy from logits against ids, with the target's probability shared out a little over all symbols.

        loss = (1 - e) * -log p[y] + e * mean over k of -log p[k]

    Without smoothing it is Keras's `SparseCategoricalCrossentropy(from_logits=True)`, which knows no smoothing.
    Padding is left out by the mask that a decoder's logits carry.

    Args:
        label_smoothing: the share `e`.
        name: as in Keras.
        reduction: as in Keras.
        dtype: as in Keras.

    Example:

    >>> import numpy as np
    >>> loss = SmoothedCrossentropy(label_smoothing=0.1)
    >>> round(float(loss(np.array([[1]]), np.array([[[0.0, 0.0]]]))), 4)
    0.6931

    Reference:
        Szegedy et al. 2016, arXiv:1512.00567, section 7.
    """

    @checked
    def __init__(
        self,
        label_smoothing: Fraction = 0.0,
        name: str = "smoothed_crossentropy",
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each target: `(batch, length)` ids and `(batch, length, vocabulary_size)` logits."""
        log_probs = ops.log_softmax(y_pred, axis=-1)
        ids = ops.expand_dims(ops.cast(y_true, "int32"), -1)
        loss = -ops.squeeze(ops.take_along_axis(log_probs, ids, axis=-1), -1)
        if self.label_smoothing:
            loss = (1 - self.label_smoothing) * loss - self.label_smoothing * ops.mean(log_probs, axis=-1)
        return loss

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}
