"""Log-probabilities that a model gives to known targets, by teacher forcing."""

from typing import Any

from keras import ops

from seq2seq_zoo.decoding.program import Program
from seq2seq_zoo.layers.readouts.readout import PAD
from seq2seq_zoo.layers.readouts.tokens import Tokens


class Scorer(Program):
    """Scores targets by teacher forcing.

    Args:
        model: a `Seq2Seq`, or any model that has a `readout` and gives the logits of `(sources, targets)`.

    Call arguments:
        inputs: a mapping of `sources`, as the model's encoder takes them, and `targets`: ids `(batch, target length)`,
            padded with 0.

    Returns:
        A mapping of tensors `(batch, target length)`: `log_probs`, the log-probability of each target, 0 for padding;
        and `most_likely`, whether no other token is more likely, false for padding.

    Raises:
        ValueError: the model's outputs are not tokens.
    """

    def __init__(self, model: Any, **kwargs: Any):
        super().__init__(model, **kwargs)
        if not isinstance(model.readout, Tokens):
            raise ValueError(
                f"Log-probabilities need a model that outputs tokens, but this model's readout is "
                f"{type(model.readout).__name__}."
            )

    def max_steps(self, inputs: dict[str, Any]) -> int:
        """The steps of the encoder and those of the decoder."""
        return inputs["sources"].shape[1] + inputs["targets"].shape[1]

    def call(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Score the targets."""
        logits = self.model((inputs["sources"], inputs["targets"]))
        targets = ops.cast(inputs["targets"], "int32")
        log_probs = ops.log_softmax(ops.cast(logits, "float32"))
        of_targets = ops.squeeze(ops.take_along_axis(log_probs, targets[..., None], axis=-1), -1)
        best = ops.max(ops.where(self.model.readout.never_generated, -float("inf"), log_probs), axis=-1)
        real = ops.not_equal(targets, PAD)
        return {
            "log_probs": ops.where(real, of_targets, 0.0),
            "most_likely": ops.logical_and(real, ops.greater_equal(of_targets, best)),
        }
