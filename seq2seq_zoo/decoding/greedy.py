"""Greedy search: the likeliest output at every step."""

from typing import Any, NamedTuple

import keras
from keras import ops

from seq2seq_zoo.layers.readout import PAD


class Generated(NamedTuple):
    """What a search returns, one row a source."""

    ids: Any
    """`(batch, length)`: the outputs, the end id included; 0 after it."""
    lengths: Any
    """`(batch,)`: outputs before the end."""
    log_probs: Any
    """`(batch, length)`: log-probability of each output, the end included; 0 after it."""
    weights: Any = None
    """`(batch, length, source length)`: where each output looked; 0 after the end; `None` if the mode does not."""


class Greedy(keras.Model):
    """Greedy search over a model, as a Keras model of its own, so that Keras compiles it on any backend.

    Stops as soon as every row has ended.

    Args:
        model: a `Seq2Seq`.
        max_length: the most outputs.

    Call arguments:
        inputs: sources, as the model's encoder takes them.

    Returns:
        The fields of a `Generated`; no weights in a mode that does not look.
    """

    def __init__(self, model: Any, max_length: int, **kwargs: Any):
        super().__init__(dtype=model.decoder.dtype_policy, **kwargs)  # whose step runs here, outside its call
        self.model = model
        self.max_length = max_length

    def build(self, input_shape: Any) -> None:
        """Create the model's weights, where it has not been called yet."""
        if not self.model.built:
            self.model.build(input_shape)

    def call(self, inputs: Any) -> dict[str, Any]:
        """Search."""
        decoder, readout = self.model.decoder, self.model.decoder.readout
        memory, states = decoder.begin(self.model.encoder(inputs))

        def choose(logits, _):
            chosen = readout.choose(logits)
            log_prob = ops.squeeze(ops.take_along_axis(ops.log_softmax(logits), chosen[:, None], axis=-1), -1)
            return chosen, (chosen, log_prob)

        (ids, log_probs), weights = decoder.run(memory, states, choose, length=self.max_length, early=True)
        ids, log_probs = ops.transpose(ids), ops.transpose(log_probs)
        ends = ops.cast(readout.ends(ids), "int32")
        # The loop goes on for a row that has ended while others have not, and leaves zeros where it never went.
        real = ops.logical_and(ops.equal(ops.cumsum(ends, axis=1) - ends, 0), ops.not_equal(ids, PAD))
        found = {
            "ids": ops.where(real, ids, PAD),
            "lengths": ops.sum(ops.cast(real, "int32") * (1 - ends), axis=1),
            "log_probs": ops.where(real, log_probs, 0.0),
        }
        if weights is not None:
            found["weights"] = ops.where(real[:, :, None], ops.transpose(weights, (1, 0, 2)), 0.0)
        return found
