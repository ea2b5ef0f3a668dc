"""Losses: of tokens, of normal distributions and of quantiles."""

import math
from typing import Any

import keras
from keras import ops

from seq2seq_zoo.config.options import Fraction, Probability, checked
from seq2seq_zoo.layers.saving import WithConfig


@keras.saving.register_keras_serializable("seq2seq_zoo")
class SmoothedCrossentropy(WithConfig, keras.losses.Loss):
    """Cross-entropy of token ids under logits, with label smoothing.

        loss = (1 - e) * -log p[y] + e * mean over k of -log p[k]

    Without smoothing it equals Keras's `SparseCategoricalCrossentropy(from_logits=True)`, which has no smoothing. The
    mask attached to a decoder's logits excludes padding.

    Args:
        label_smoothing: `e`, the share of the target's probability that is spread evenly over all tokens.
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
        """The loss of each target: ids `(batch, length)` and logits `(batch, length, vocabulary_size)`."""
        log_probs = ops.log_softmax(y_pred, axis=-1)
        ids = ops.expand_dims(ops.cast(y_true, "int32"), -1)
        loss = -ops.squeeze(ops.take_along_axis(log_probs, ids, axis=-1), -1)
        if self.label_smoothing:
            loss = (1 - self.label_smoothing) * loss - self.label_smoothing * ops.mean(log_probs, axis=-1)
        return loss


@keras.saving.register_keras_serializable("seq2seq_zoo")
class GaussianNLL(WithConfig, keras.losses.Loss):
    """Negative log-likelihood of targets under normal distributions, one for each feature.

        loss = mean over features of  ((y - m) / exp(s))^2 / 2 + s + log(2 pi) / 2

    Args:
        name: as in Keras.
        reduction: as in Keras.
        dtype: as in Keras.

    Example:

    >>> import numpy as np
    >>> round(float(GaussianNLL()(np.array([[[3.0]]]), np.array([[[1.0, 0.0]]]))), 4)
    2.9189
    """

    @checked
    def __init__(self, name: str = "gaussian_nll", reduction: str | None = "sum_over_batch_size", dtype: Any = None):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each step: targets `(..., size)`; means, then logarithms of scales, `(..., 2 * size)`."""
        mean, log_scale = ops.split(y_pred, 2, axis=-1)
        z = (y_true - mean) * ops.exp(-log_scale)
        return ops.mean(0.5 * z * z + log_scale, axis=-1) + 0.5 * math.log(2 * math.pi)


@keras.saving.register_keras_serializable("seq2seq_zoo")
class PinballLoss(WithConfig, keras.losses.Loss):
    """Pinball loss, which a quantile `q` minimizes: a unit above the prediction costs `q`, a unit below it `1 - q`.

        loss = mean over features and quantiles of  max(q (y - p), (q - 1) (y - p))

    Args:
        quantiles: the levels `q`, in the order of the predictions.
        name: as in Keras.
        reduction: as in Keras.
        dtype: as in Keras.

    Example:

    >>> import numpy as np
    >>> loss = PinballLoss((0.1, 0.5))  # predictions 0 and 0, target 2
    >>> round(float(loss(np.array([[[2.0]]]), np.array([[[0.0, 0.0]]]))), 4)
    0.6

    Reference:
        Koenker and Bassett 1978, "Regression quantiles".
    """

    @checked
    def __init__(
        self,
        quantiles: tuple[Probability, ...],
        name: str = "pinball",
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.quantiles = quantiles

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each step: targets `(..., size)`; `size` numbers for each quantile, `(..., quantiles * size)`."""
        count = len(self.quantiles)
        error = ops.tile(y_true, (*[1] * (len(y_true.shape) - 1), count)) - y_pred
        q = ops.repeat(ops.array(self.quantiles, y_pred.dtype), y_true.shape[-1])
        return ops.mean(ops.maximum(q * error, (q - 1) * error), axis=-1)
