"""What an output is, and how it becomes the next step's input."""

from typing import Any

import keras
from keras import ops

from seq2seq_zoo.config.registry import Registry
from seq2seq_zoo.layers.products import EmbeddingLookup
from seq2seq_zoo.layers.sublayer import Sublayer

PAD = 0


def argmax(scores: Any) -> Any:
    """The first place of the greatest score on the last axis, int32.

    Keras's own treats -0.0 and 0.0 as different numbers, by operations on bits that exported graphs do not have.
    """
    size = scores.shape[-1]
    greatest = ops.equal(scores, ops.max(scores, axis=-1, keepdims=True))
    return ops.min(ops.where(greatest, ops.arange(size, dtype="int32"), size - 1), axis=-1)


class Readout(Sublayer):
    """From a step's features to its output, and from an output to the next step's input.

    Abstract. Subclasses say what an output is; decoders and searches know outputs only through these methods.
    """

    vocabulary_size: int | None = None
    """How many tokens there are; `None` where outputs are numbers."""
    feeds_back_features: bool = False
    """Whether a step hands a vector on to the next one, which reads that and not an output; known when it is built."""

    def set_default_width(self, units: int) -> None:
        """Settle what was left open, by the units of the decoder to which this readout belongs."""

    def build(self, features: int, feeds_back: bool) -> None:
        """Create the weights.

        Args:
            features: width of what a step hands over.
            feeds_back: whether the decoder reads its own outputs.
        """
        raise NotImplementedError

    @property
    def width(self) -> int:
        """Width of an embedded output: what the next step reads."""
        raise NotImplementedError

    @property
    def output_width(self) -> int:
        """Width of what `read` returns."""
        raise NotImplementedError

    def initial_output(self, batch: Any) -> Any:
        """What stands before the first output, for a batch."""
        raise NotImplementedError

    def shift(self, targets: Any, before: Any = None) -> Any:
        """What a step reads when it is told the right answers: the target before its own, after what was `before` them:
        `first` if not given."""
        before = self.initial_output(ops.shape(targets)[0]) if before is None else before
        return ops.concatenate([ops.cast(before[:, None], targets.dtype), targets[:, :-1]], axis=1)

    def embed(self, outputs: Any) -> Any:
        """Outputs as the next step reads them: a last axis of `width`."""
        raise NotImplementedError

    def lookup(self, outputs: Any) -> EmbeddingLookup | None:
        """The same, where outputs are tokens with vectors."""
        return None

    def predict(self, logits: Any) -> Any:
        """The likeliest output, given what `read` returns."""
        raise NotImplementedError

    def is_end(self, outputs: Any) -> Any:
        """Which outputs end their sequence: boolean."""
        raise NotImplementedError

    def mask(self, targets: Any) -> Any:
        """Which targets are real, not padding: boolean `(batch, length)`."""
        raise NotImplementedError

    def project_feedback(self, features: Any) -> Any:
        """What the next step reads, and what `read` then makes this one's output of, where a readout `carries`."""
        raise NotImplementedError

    def read(self, features: Any) -> Any:
        """A step's features as its output distribution (or value)."""
        raise NotImplementedError

    def training_outputs(self, features: Any, targets: Any) -> Any:
        """What a training step puts out that is told its targets: as `read`, or less if the loss needs no more."""
        del targets
        return self.read(features)

    def loss_targets(self, targets: Any, outputs: Any) -> Any:
        """The targets that a loss compares with the outputs of `read` or `training_outputs`."""
        del outputs
        return targets

    def loss(self, label_smoothing: float = 0.0) -> keras.losses.Loss:
        """What a model with this readout is trained with.

        Args:
            label_smoothing: share of the target's probability given to all tokens alike.

        Raises:
            ValueError: smoothing, where outputs are numbers.
        """
        raise NotImplementedError


class ReadoutLossModel(keras.Model):
    """A model whose outputs are compared with the answers that its `readout` has for the targets. Abstract."""

    readout: Any

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The compiled loss."""
        return super().compute_loss(x, self.readout.loss_targets(y, y_pred), y_pred, sample_weight, training)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """The compiled metrics."""
        return super().compute_metrics(x, self.readout.loss_targets(y, y_pred), y_pred, sample_weight)


readouts: Registry[Readout] = Registry("readout", base=Readout, serializable=keras.saving.register_keras_serializable)


class WithMask(keras.layers.Layer):
    """Outputs that carry a mask, so that Keras's losses and metrics leave padding out: `(outputs, mask)` to outputs."""

    def call(self, inputs: tuple[Any, Any]) -> Any:
        """The outputs as they are."""
        return inputs[0]

    def compute_mask(self, inputs: tuple[Any, Any], previous: Any = None) -> Any:
        """The mask."""
        return inputs[1]
