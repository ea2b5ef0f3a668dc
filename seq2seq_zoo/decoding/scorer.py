"""Forced log-probabilities: how likely a model finds outputs that it is given."""

from typing import Any

import keras
from keras import ops

from seq2seq_zoo.layers.readouts.readout import PAD
from seq2seq_zoo.layers.readouts.tokens import Tokens


class Scorer(keras.Model):
    """How likely given targets are, as a Keras model of its own, so that Keras compiles it on any backend.

    Args:
        model: a `Seq2Seq`, or whatever has its `readout` and makes logits of `(sources, targets)`.

    Call arguments:
        inputs: sources, and target ids `(batch, target length)` padded with 0.

    Returns:
        A mapping of tensors `(batch, target length)`: `log_probs`, 0 on padding; `likeliest`, whether no other output
        is likelier, false on padding.

    Raises:
        ValueError: outputs that are not tokens.
    """

    def __init__(self, model: Any, **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(model.readout, Tokens):
            raise ValueError(f"A log-probability is a token's, but this model puts out {type(model.readout).__name__}.")
        self.model = model

    def build(self, input_shape: Any) -> None:
        """Create the model's weights, where it has not been called yet."""
        if not self.model.built:
            self.model.build(input_shape)

    def call(self, inputs: tuple[Any, Any]) -> dict[str, Any]:
        """Score."""
        _, targets = inputs
        targets = ops.cast(targets, "int32")
        log_probs = ops.log_softmax(ops.cast(self.model(inputs), "float32"))
        found = ops.squeeze(ops.take_along_axis(log_probs, targets[..., None], axis=-1), -1)
        best = ops.max(ops.where(self.model.readout.never_generated, -float("inf"), log_probs), axis=-1)
        real = ops.not_equal(targets, PAD)
        return {
            "log_probs": ops.where(real, found, 0.0),
            "most_likely": ops.logical_and(real, ops.greater_equal(found, best)),
        }
