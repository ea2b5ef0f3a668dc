"""Forced log-probabilities: how likely a model finds outputs that it is given."""

from typing import Any

import keras
from keras import ops

from seq2seq_zoo.layers.readout import PAD


class Scorer(keras.Model):
    """The log-probability of each given target, as a Keras model of its own, so that Keras compiles it on any backend.

    Args:
        model: a model of `(sources, targets)` to logits.

    Call arguments:
        inputs: sources, and target ids `(batch, target length)` padded with 0.

    Returns:
        `(batch, target length)`; 0 on padding.
    """

    def __init__(self, model: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self.model = model

    def build(self, input_shape: Any) -> None:
        """Create the model's weights, where it has not been called yet."""
        if not self.model.built:
            self.model.build(input_shape)

    def call(self, inputs: tuple[Any, Any]) -> Any:
        """Score."""
        _, targets = inputs
        targets = ops.cast(targets, "int32")
        log_probs = ops.log_softmax(ops.cast(self.model(inputs), "float32"))
        found = ops.squeeze(ops.take_along_axis(log_probs, targets[..., None], axis=-1), -1)
        return ops.where(ops.equal(targets, PAD), 0.0, found)
