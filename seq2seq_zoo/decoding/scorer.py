"""Log-probabilities that a model gives to known targets, by teacher forcing."""

from typing import Any

import keras
from keras import ops

from seq2seq_zoo.layers.readouts.readout import PAD
from seq2seq_zoo.layers.readouts.tokens import Tokens


class Scorer(keras.Model):
    """Scores targets by teacher forcing. A Keras model itself, so that Keras compiles it on any backend.

    Args:
        model: a `Seq2Seq`, or any model that has a `readout` and gives the logits of `(sources, targets)`.

    Call arguments:
        inputs: a pair of sources and target ids `(batch, target length)`, padded with 0.

    Returns:
        A mapping of tensors `(batch, target length)`: `log_probs`, the log-probability of each target, 0 for padding;
        and `most_likely`, whether no other token is more likely, false for padding.

    Raises:
        ValueError: the model's outputs are not tokens.
    """

    def __init__(self, model: Any, **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(model.readout, Tokens):
            raise ValueError(
                f"Log-probabilities need a model that outputs tokens, but this model's readout is "
                f"{type(model.readout).__name__}."
            )
        self.model = model

    def build(self, input_shape: Any) -> None:
        """Create the model's weights, if it has none yet."""
        if not self.model.built:
            self.model.build(input_shape)

    def call(self, inputs: tuple[Any, Any]) -> dict[str, Any]:
        """Score the targets."""
        _, targets = inputs
        targets = ops.cast(targets, "int32")
        log_probs = ops.log_softmax(ops.cast(self.model(inputs), "float32"))
        of_targets = ops.squeeze(ops.take_along_axis(log_probs, targets[..., None], axis=-1), -1)
        best = ops.max(ops.where(self.model.readout.never_generated, -float("inf"), log_probs), axis=-1)
        real = ops.not_equal(targets, PAD)
        return {
            "log_probs": ops.where(real, of_targets, 0.0),
            "most_likely": ops.logical_and(real, ops.greater_equal(of_targets, best)),
        }
