"""What an output is, and how it becomes the next step's input."""

from typing import Any

import keras
from keras import ops

from seq2seq_zoo.layers.cells import matmul
from seq2seq_zoo.layers.part import Part, as_ids
from seq2seq_zoo.options import NonNegative, Positive, checked

PAD = 0


def argmax(scores: Any) -> Any:
    """The first place of the greatest score on the last axis, int32.

    Keras's own treats -0.0 and 0.0 as different numbers, by operations on bits that exported graphs do not have.
    """
    size = scores.shape[-1]
    greatest = ops.equal(scores, ops.max(scores, axis=-1, keepdims=True))
    return ops.min(ops.where(greatest, ops.arange(size, dtype="int32"), size - 1), axis=-1)


class Readout(Part):
    """From a step's features to its output, and from an output to the next step's input.

    Abstract. Subclasses say what an output is; decoders and searches know outputs only through these methods.
    """

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

    def first(self, batch: Any) -> Any:
        """What stands before the first output, for a batch."""
        raise NotImplementedError

    def shift(self, targets: Any) -> Any:
        """What a step reads when it is told the right answers: the target before its own, after `first`."""
        first = ops.expand_dims(self.first(ops.shape(targets)[0]), 1)
        return ops.concatenate([ops.cast(first, targets.dtype), targets[:, :-1]], axis=1)

    def embed(self, outputs: Any) -> Any:
        """Outputs as the next step reads them: a last axis of `width`."""
        raise NotImplementedError

    def choose(self, logits: Any) -> Any:
        """The likeliest output."""
        raise NotImplementedError

    def ends(self, outputs: Any) -> Any:
        """Which outputs end their sequence: boolean."""
        raise NotImplementedError

    def mask(self, targets: Any) -> Any:
        """Which targets are real, not padding: boolean `(batch, length)`."""
        raise NotImplementedError

    def read(self, features: Any) -> Any:
        """A step's features as its output distribution (or value)."""
        raise NotImplementedError


class Masked(keras.layers.Layer):
    """Outputs that carry a mask, so that Keras's losses and metrics leave padding out: `(outputs, mask)` to outputs."""

    def call(self, inputs: tuple[Any, Any]) -> Any:
        """The outputs as they are."""
        return inputs[0]

    def compute_mask(self, inputs: tuple[Any, Any], previous: Any = None) -> Any:
        """The mask."""
        return inputs[1]


@keras.saving.register_keras_serializable("seq2seq_zoo")
class Tokens(Readout):
    """Symbols: logits out; the embedding of the chosen symbol in.

    Padding is id 0. The padding and start ids are never chosen; their logits stay as they are.

    Args:
        vocabulary_size: number of symbol ids, padding, start and end included.
        embedding_dim: width of the symbols' vectors; the decoder's units if not given.
        tied: whether the output matrix is the embedding's transpose (a projection to the embedding's width comes
            before it where the features are not that wide).
        start: id that stands before the first symbol.
        end: id that ends a sequence.

    Raises:
        ValueError: the ids are not distinct, or not below the vocabulary size; or tied without an embedding to tie to.

    Reference:
        Tying: Press and Wolf 2017, arXiv:1608.05859.
    """

    @checked
    def __init__(
        self,
        vocabulary_size: Positive,
        embedding_dim: Positive | None = None,
        tied: bool = False,
        start: NonNegative = 1,
        end: NonNegative = 2,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if len({PAD, start, end}) < 3 or not max(start, end) < vocabulary_size:
            raise ValueError(
                f"Padding (0), start and end must be three ids below vocabulary_size={vocabulary_size}, "
                f"got start={start} and end={end}."
            )
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
        self.tied = tied
        self.start = start
        self.end = end

    def build(self, features: int, feeds_back: bool) -> None:
        """Create the embedding (where outputs are fed back) and the output matrix."""
        self.embedding = self.projection = self.kernel = None
        if feeds_back:
            self.embedding = self.add_weight(
                shape=(self.vocabulary_size, self.width), initializer="uniform", name="embedding"
            )
        elif self.tied:
            raise ValueError("tied=True needs a mode that reads its own outputs: there is no embedding to tie to.")
        if not self.tied:
            self.kernel = self.add_weight(
                shape=(features, self.vocabulary_size), initializer="glorot_uniform", name="kernel"
            )
        elif features != self.width:
            self.projection = self.add_weight(
                shape=(features, self.width), initializer="glorot_uniform", name="projection"
            )
        self.bias = self.add_weight(shape=(self.vocabulary_size,), initializer="zeros", name="bias")
        self.built = True

    @property
    def width(self) -> int:
        """Width of the symbols' vectors."""
        assert self.embedding_dim is not None  # the decoder fills it in
        return self.embedding_dim

    def first(self, batch: Any) -> Any:
        """The start id."""
        return ops.full((batch,), self.start, dtype="int32")

    def embed(self, outputs: Any) -> Any:
        """The symbols' vectors."""
        return ops.take(self.embedding, as_ids(outputs, type(self).__name__), axis=0)

    def choose(self, logits: Any) -> Any:
        """The likeliest symbol, other than padding and start."""
        return argmax(ops.where(self.never, -float("inf"), logits))

    @property
    def never(self) -> Any:
        """Which ids are not for saying: boolean `(vocabulary_size,)`."""
        ids = ops.arange(self.vocabulary_size)
        return ops.logical_or(ops.equal(ids, PAD), ops.equal(ids, self.start))

    def ends(self, outputs: Any) -> Any:
        """Whether the end id was said."""
        return ops.equal(outputs, self.end)

    def mask(self, targets: Any) -> Any:
        """Whatever is not padding."""
        return ops.not_equal(targets, PAD)

    def read(self, features: Any) -> Any:
        """Logits, in float32 whatever the policy."""
        if self.projection is not None:
            features = matmul(features, self.projection)
        kernel = ops.transpose(self.embedding) if self.tied else self.kernel
        return ops.cast(matmul(features, kernel) + self.bias, "float32")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "embedding_dim": self.embedding_dim,
            "tied": self.tied,
            "start": self.start,
            "end": self.end,
        }
