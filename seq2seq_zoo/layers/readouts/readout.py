"""The base class of readouts: what an output is, and how it becomes the next step's input."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

from seq2seq_zoo.config.options import checked
from seq2seq_zoo.config.registry import Registry
from seq2seq_zoo.layers.products import EmbeddingLookup
from seq2seq_zoo.layers.sublayer import Tensor, WithKernelAndBias

PAD = 0
"""The id of padding."""


def argmax(scores: Tensor) -> Tensor:
    """The index of the greatest score on the last axis, the first one if there are several; int32.

    The `argmax` of Keras distinguishes -0.0 from 0.0 by operations on bits that exported graphs do not support.
    """
    size = scores.shape[-1]
    if 0 in scores.shape:  # an empty batch, whose greatest Keras refuses to take
        return ops.zeros(scores.shape[:-1], dtype="int32")
    greatest = ops.equal(scores, ops.max(scores, axis=-1, keepdims=True))
    return ops.min(ops.where(greatest, ops.arange(size, dtype="int32"), size - 1), axis=-1)


class TeacherForcing(NamedTuple):
    """What a teacher-forced pass needs of a batch of targets; from `Readout.teacher_forcing`."""

    previous: Tensor
    """What each step reads as its previous output: the targets, shifted by one."""
    mask: Tensor
    """Which targets are real: boolean `(batch, length)`."""
    training_outputs: Callable[[Tensor], Tensor]
    """From the features of all steps to the outputs that the loss needs in training."""


class Readout(WithKernelAndBias):
    """From a step's features to its output, and from an output to the next step's input.

    Abstract: a subclass defines what an output is. Decoders and searches use outputs only through these methods.

    Arguments are those of `WithKernelAndBias`.
    """

    vocabulary_size: int | None = None
    """The number of tokens; `None` if outputs are real values."""
    feeds_back_features: bool = False
    """Whether the next step reads a projection of the features, from `project_feedback`, and not an output; known once
    the readout is built."""

    @checked
    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self._has_own_policy = kwargs.get("dtype") is not None

    def set_default_width(self, units: int) -> None:
        """Set the width of embedded outputs if it was not given, from the decoder's units."""

    def set_default_policy(self, policy: Any) -> None:
        """Compute in the decoder's precision if none was given."""
        if not self._has_own_policy:
            self.dtype_policy = policy

    def build(self, features: int, feeds_back: bool) -> None:
        """Create the weights.

        Args:
            features: width of a step's features.
            feeds_back: whether the decoder reads its own outputs.
        """
        raise NotImplementedError  # abstract: each kind of output defines it

    @property
    def width(self) -> int:
        """The width of an embedded output, as the next step reads it."""
        raise NotImplementedError  # abstract: each kind of output defines it

    @property
    def output_width(self) -> int:
        """The width of what `read` returns."""
        raise NotImplementedError  # abstract: each kind of output defines it

    # === From an output to the next step's input ===

    def initial_output(self, batch: Any) -> Tensor:
        """What the first step reads as its previous output, for a batch of the given size."""
        raise NotImplementedError  # abstract: each kind of output defines it

    def embed(self, outputs: Tensor) -> Tensor:
        """Outputs as the next step reads them, with a last axis of `width`."""
        raise NotImplementedError  # abstract: each kind of output defines it

    def lookup(self, outputs: Tensor) -> EmbeddingLookup | None:
        """`embed` as a lookup in a matrix, which may be multiplied by a kernel first; `None` if it is not a lookup."""
        return None

    def project_feedback(self, features: Tensor) -> Tensor:
        """What the next step reads if `feeds_back_features`; `read` then takes it in place of the features."""
        raise NotImplementedError  # abstract: each kind of output defines it

    # === From features to an output ===

    def read(self, features: Tensor) -> Tensor:
        """Logits, or whatever else the distribution of an output takes, from a step's features."""
        raise NotImplementedError  # abstract: each kind of output defines it

    def predict(self, logits: Tensor) -> Tensor:
        """The most likely output, given what `read` returns."""
        raise NotImplementedError  # abstract: each kind of output defines it

    def is_end(self, outputs: Tensor) -> Tensor:
        """Which outputs end their sequence: boolean."""
        raise NotImplementedError  # abstract: each kind of output defines it

    # === Training ===

    def teacher_forcing(self, targets: Tensor, before: Tensor | None = None) -> TeacherForcing:
        """What a teacher-forced pass needs of a batch of targets.

        Args:
            targets: `(batch, length, ...)`.
            before: the outputs before the targets, `(batch, ...)`; the initial output if not given.
        """
        first = self.initial_output(ops.shape(targets)[0]) if before is None else before
        previous = ops.concatenate([ops.cast(first[:, None], targets.dtype), targets[:, :-1]], axis=1)
        return TeacherForcing(previous, self.mask(targets), lambda features: self.training_outputs(features, targets))

    def mask(self, targets: Tensor) -> Tensor:
        """Which targets are real, not padding: boolean `(batch, length)`."""
        raise NotImplementedError  # abstract: each kind of output defines it

    def training_outputs(self, features: Tensor, targets: Tensor) -> Tensor:
        """What a teacher-forced training step puts out: as `read`, or less if the loss needs no more."""
        del targets
        return self.read(features)

    def loss_targets(self, targets: Tensor, outputs: Tensor) -> Tensor:
        """The targets in the form in which the loss compares them with these outputs."""
        del outputs
        return targets

    def loss(self, label_smoothing: float = 0.0) -> keras.losses.Loss:
        """The loss that a model with this readout is trained with.

        Args:
            label_smoothing: share of each target's probability that is spread over all tokens.

        Raises:
            ValueError: label smoothing, where outputs are real values.
        """
        raise NotImplementedError  # abstract: each kind of output defines it


class ReadoutLossModel(keras.Model):
    """A model whose losses and metrics take the targets in the form of its readout's `loss_targets`. Abstract."""

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
    """Attaches a mask to outputs for the losses and metrics of Keras: takes `(outputs, mask)`, returns the outputs."""

    def call(self, inputs: tuple[Any, Any]) -> Any:
        """The outputs, unchanged."""
        return inputs[0]

    def compute_mask(self, inputs: tuple[Any, Any], previous: Any = None) -> Any:
        """The mask."""
        return inputs[1]
