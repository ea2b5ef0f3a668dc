"""What an output is, and how it becomes the next step's input."""

from statistics import NormalDist
from typing import Any, Literal

import keras
from keras import ops

from seq2seq_zoo.layers.activations import activation_of, name_of
from seq2seq_zoo.layers.cells import Symbols, matmul
from seq2seq_zoo.layers.part import Part, as_ids, real_vectors
from seq2seq_zoo.losses import GaussianNLL, PinballLoss, SmoothedCrossentropy
from seq2seq_zoo.options import NonNegative, Positive, PositiveFloat, checked
from seq2seq_zoo.registry import Registry

PAD = 0
STRUCK_OUT = -1e9
"""The logit of what must not be counted: nothing to a softmax, and no infinity."""


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

    vocabulary_size: int | None = None
    """How many symbols there are; `None` where outputs are numbers."""
    carries: bool = False
    """Whether a step hands a vector on to the next one, which reads that and not an output; known when it is built."""

    def settle(self, units: int) -> None:
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

    def first(self, batch: Any) -> Any:
        """What stands before the first output, for a batch."""
        raise NotImplementedError

    def shift(self, targets: Any, before: Any = None) -> Any:
        """What a step reads when it is told the right answers: the target before its own, after what was `before` them:
        `first` if not given."""
        before = self.first(ops.shape(targets)[0]) if before is None else before
        return ops.concatenate([ops.cast(before[:, None], targets.dtype), targets[:, :-1]], axis=1)

    def embed(self, outputs: Any) -> Any:
        """Outputs as the next step reads them: a last axis of `width`."""
        raise NotImplementedError

    def symbols(self, outputs: Any) -> Symbols | None:
        """The same, where outputs are symbols with vectors."""
        return None

    def choose(self, logits: Any) -> Any:
        """The likeliest output, given what `read` returns."""
        raise NotImplementedError

    def ends(self, outputs: Any) -> Any:
        """Which outputs end their sequence: boolean."""
        raise NotImplementedError

    def mask(self, targets: Any) -> Any:
        """Which targets are real, not padding: boolean `(batch, length)`."""
        raise NotImplementedError

    def hand_on(self, features: Any) -> Any:
        """What the next step reads, and what `read` then makes this one's output of, where a readout `carries`."""
        raise NotImplementedError

    def read(self, features: Any) -> Any:
        """A step's features as its output distribution (or value)."""
        raise NotImplementedError

    def read_forced(self, features: Any, targets: Any) -> Any:
        """What a training step puts out that is told its targets: as `read`, or less if the loss needs no more."""
        del targets
        return self.read(features)

    def answers(self, targets: Any, outputs: Any) -> Any:
        """What a loss compares with outputs of `read` or `read_forced`: the targets, unless the outputs are fewer."""
        del outputs
        return targets

    def loss(self, label_smoothing: float = 0.0) -> keras.losses.Loss:
        """What a model with this readout is trained with.

        Args:
            label_smoothing: share of the target's probability given to all symbols alike.

        Raises:
            ValueError: smoothing, where outputs are numbers.
        """
        raise NotImplementedError


class Compared(keras.Model):
    """A model whose outputs are compared with the answers that its `readout` has for the targets. Abstract."""

    readout: Any

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The compiled loss."""
        return super().compute_loss(x, self.readout.answers(y, y_pred), y_pred, sample_weight, training)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """The compiled metrics."""
        return super().compute_metrics(x, self.readout.answers(y, y_pred), y_pred, sample_weight)


readouts: Registry[Readout] = Registry("readout", base=Readout, serializable=keras.saving.register_keras_serializable)


class Masked(keras.layers.Layer):
    """Outputs that carry a mask, so that Keras's losses and metrics leave padding out: `(outputs, mask)` to outputs."""

    def call(self, inputs: tuple[Any, Any]) -> Any:
        """The outputs as they are."""
        return inputs[0]

    def compute_mask(self, inputs: tuple[Any, Any], previous: Any = None) -> Any:
        """The mask."""
        return inputs[1]


@readouts.register("tokens", "symbols: logits out, the chosen symbol's vector in")
class Tokens(Readout):
    """Symbols: logits out; the embedding of the chosen symbol in.

    Padding is id 0. The padding and start ids are never chosen; their logits stay as they are.

    Args:
        vocabulary_size: number of symbol ids, padding, start and end included.
        embedding_dim: width of the symbols' vectors; the decoder's units if not given.
        tied: whether the output matrix is the embedding's transpose (a projection to the embedding's width comes
            before it where the features are not that wide).
        fed_back: what the next step reads: the vector of the symbol that was said or told; or, whatever was said or
            told, a vector projected from the step's features, from which the logits are read as well. The first step
            then reads the encoder's summary, and no step is ever forced.
        softmax_samples: in training, how many symbols stand for all the wrong ones of a batch, which saves time and
            memory where the vocabulary is large; all of them if not given.
        start: id that stands before the first symbol; `None` where none is read.
        end: id that ends a sequence; `None` where none does, so that all outputs have `max_length` symbols.

    With `softmax_samples`, the outputs of a training step that is told its targets are not the logits of all symbols,
    but `1 + softmax_samples`: the right symbol's; then those of all targets of the batch and of as many other symbols,
    drawn anew each time, as there is room for. So frequent symbols, which a batch has, are nearly always there. Each
    of the others stands for several: its logit is raised by the log of how many. The right symbol is struck out among
    them. Over all draws, what a softmax divides by is on average what it is for all symbols. Everywhere else
    (evaluation, searches, scores) there are all logits.

    Raises:
        ValueError: the ids are not distinct, or not below the vocabulary size; tied, or no start, without or with an
            embedding of symbols to read; no fewer samples than symbols; or samples where a vector is fed back.

    Reference:
        Tying: Press and Wolf 2017, arXiv:1608.05859. Samples: Jean et al. 2015, arXiv:1412.2007, section 3, whose
        target symbols are those of a part of the corpus as they are those of a batch here.
    """

    @checked
    def __init__(
        self,
        vocabulary_size: Positive,
        embedding_dim: Positive | None = None,
        tied: bool = False,
        fed_back: Literal["symbol", "vector"] = "symbol",
        softmax_samples: Positive | None = None,
        start: NonNegative | None = 1,
        end: NonNegative | None = 2,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        ids = [PAD, *(id for id in (start, end) if id is not None)]
        if len({*ids}) < len(ids) or not max(ids) < vocabulary_size:
            raise ValueError(
                f"Padding (0), start and end must be three ids below vocabulary_size={vocabulary_size}, "
                f"got start={start} and end={end}."
            )
        if softmax_samples is not None and fed_back == "vector":
            raise ValueError("softmax_samples needs fed_back='symbol': leave one of them out.")
        if softmax_samples is not None and softmax_samples > vocabulary_size - 2:
            raise ValueError(
                f"softmax_samples={softmax_samples} saves nothing with a vocabulary of {vocabulary_size} symbols: "
                f"leave it out, or draw fewer."
            )
        self.vocabulary_size: int = vocabulary_size
        self.embedding_dim = embedding_dim
        self.tied = tied
        self.fed_back = fed_back
        self.softmax_samples = softmax_samples
        self.seed_generator = None if softmax_samples is None else keras.random.SeedGenerator()
        self.start = start
        self.end = end

    def settle(self, units: int) -> None:
        """Vectors as wide as the decoder, if their width is not given."""
        self.embedding_dim = self.embedding_dim or units

    def build(self, features: int, feeds_back: bool) -> None:
        """Create the embedding (where outputs are fed back) and the output matrix."""
        self.embedding = self.projection = self.kernel = None
        self.carries = feeds_back and self.fed_back == "vector"
        if self.carries:
            shape = (features, self.width)
            self.vector_kernel = self.add_weight(shape=shape, initializer="glorot_uniform", name="vector_kernel")
            self.vector_bias = self.add_weight(shape=shape[1:], initializer="zeros", name="vector_bias")
            features = self.width
        elif feeds_back and self.start is None:
            raise ValueError("start=None leaves a first step that reads symbols without any: give the start's id.")
        elif feeds_back:
            self.embedding = self.add_weight(
                shape=(self.vocabulary_size, self.width), initializer="uniform", name="embedding"
            )
        if self.tied and self.embedding is None:
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
        assert self.embedding_dim is not None  # the decoder settles it
        return self.embedding_dim

    @property
    def output_width(self) -> int:
        """The number of symbols."""
        return self.vocabulary_size

    def first(self, batch: Any) -> Any:
        """The start id; padding where none is read."""
        return ops.full((batch,), PAD if self.start is None else self.start, dtype="int32")

    def embed(self, outputs: Any) -> Any:
        """The symbols' vectors; a vector that was handed on as it is."""
        if self.carries:
            return outputs
        return ops.take(self.embedding, as_ids(outputs, type(self).__name__), axis=0)

    def symbols(self, outputs: Any) -> Symbols | None:
        """The symbols' vectors before they are looked up."""
        if self.embedding is None:
            return None
        return Symbols(as_ids(outputs, type(self).__name__), ops.convert_to_tensor(self.embedding))

    def choose(self, logits: Any) -> Any:
        """The likeliest symbol, other than padding and start."""
        return argmax(ops.where(self.never, -float("inf"), logits))

    @property
    def never(self) -> Any:
        """Which ids are not for saying: boolean `(vocabulary_size,)`."""
        ids = ops.arange(self.vocabulary_size)
        padding = ops.equal(ids, PAD)
        return padding if self.start is None else ops.logical_or(padding, ops.equal(ids, self.start))

    def ends(self, outputs: Any) -> Any:
        """Whether the end id was said."""
        return ops.zeros_like(outputs, dtype="bool") if self.end is None else ops.equal(outputs, self.end)

    def mask(self, targets: Any) -> Any:
        """Whatever is not padding."""
        return ops.not_equal(targets, PAD)

    def hand_on(self, features: Any) -> Any:
        """`W f + b`, as wide as the symbols' vectors would be."""
        return matmul(features, self.vector_kernel) + self.vector_bias

    def read(self, features: Any) -> Any:
        """Logits, in float32 whatever the policy."""
        if self.projection is not None:
            features = matmul(features, self.projection)
        kernel = ops.transpose(self.embedding) if self.tied else self.kernel
        return ops.cast(matmul(features, kernel) + self.bias, "float32")

    def read_forced(self, features: Any, targets: Any) -> Any:
        """Logits, or with `softmax_samples` those of the right symbol and of the drawn ones."""
        if self.softmax_samples is None:
            return self.read(features)
        if self.projection is not None:
            features = matmul(features, self.projection)
        targets = ops.cast(as_ids(targets, type(self).__name__), "int32")
        drawn, likelihood = self.draw(targets)
        # One look-up for both: its gradient is as large as the whole output matrix.
        ids, count = ops.concatenate([drawn, ops.reshape(targets, (-1,))]), drawn.shape[0]
        if self.tied:
            vectors = ops.take(self.embedding, ids, axis=0)
        else:
            vectors = ops.transpose(ops.take(self.kernel, ids, axis=1))
        bias = ops.take(self.bias, ids)
        right = ops.sum(features * ops.reshape(vectors[count:], ops.shape(features)), axis=-1)
        right = right + ops.reshape(bias[count:], ops.shape(targets))
        wrong = ops.slice(vectors, (0, 0), (count, vectors.shape[1]))  # as vectors[:count], but of a known length
        wrong = matmul(features, ops.transpose(wrong)) + ops.slice(bias, (0,), (count,))
        hits = ops.equal(ops.expand_dims(targets, -1), drawn)
        wrong = ops.where(hits, STRUCK_OUT, ops.cast(wrong, "float32") - ops.log(likelihood))
        return ops.concatenate([ops.expand_dims(ops.cast(right, "float32"), -1), wrong], axis=-1)

    def draw(self, targets: Any) -> tuple[Any, Any]:
        """The distinct symbols that stand for the wrong ones of a batch, and how likely each was to be among them."""
        size, samples = self.vocabulary_size, self.softmax_samples
        real = ops.cast(ops.reshape(self.mask(targets), (-1,)), "float32")
        present = ops.scatter_update(ops.zeros((size,), dtype="float32"), ops.reshape(targets, (-1, 1)), real)
        chances = keras.random.uniform((size,), seed=self.seed_generator)
        ids = ops.cast(ops.top_k(chances + present, samples, sorted=False)[1], "int32")
        count = ops.sum(present)
        of_present = ops.minimum(1.0, samples / ops.maximum(count, 1.0))
        of_others = ops.maximum(samples - count, 1.0) / (size - count)
        return ids, ops.where(ops.take(present, ids) > 0, of_present, of_others)

    def answers(self, targets: Any, outputs: Any) -> Any:
        """The ids, or the first place everywhere where there are logits of drawn symbols only."""
        return targets if outputs.shape[-1] == self.vocabulary_size else ops.zeros_like(targets)

    def loss(self, label_smoothing: float = 0.0) -> keras.losses.Loss:
        """Cross-entropy."""
        if label_smoothing and self.softmax_samples is not None:
            raise ValueError(
                f"label_smoothing={label_smoothing} needs the probabilities of all symbols, and softmax_samples="
                f"{self.softmax_samples} leaves most of them out: give one of the two."
            )
        return SmoothedCrossentropy(label_smoothing)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "embedding_dim": self.embedding_dim,
            "tied": self.tied,
            "fed_back": self.fed_back,
            "softmax_samples": self.softmax_samples,
            "start": self.start,
            "end": self.end,
        }


class Values(Readout):
    """Real-valued outputs: a linear projection of the features; some of it is fed back as it is.

    Abstract: subclasses say how many numbers each feature has, and which is the output. What stands before the first
    output is zeros; no output ends its sequence, so a free run has `max_length` of them.

    Args:
        size: features of an output.
        mask_value: a target all of whose features equal it is padding; `None` if there is no padding.
    """

    numbers: int = 1
    """How many numbers are read for each feature."""
    chosen: int = 0
    """Which of them is the output."""

    @checked
    def __init__(self, size: Positive, mask_value: float | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.size = size
        self.mask_value = mask_value

    def build(self, features: int, feeds_back: bool) -> None:
        """Create the projection."""
        del feeds_back
        shape = (features, self.output_width)
        self.kernel = self.add_weight(shape=shape, initializer="glorot_uniform", name="kernel")
        self.bias = self.add_weight(shape=shape[1:], initializer="zeros", name="bias")
        self.built = True

    @property
    def width(self) -> int:
        """The features."""
        return self.size

    @property
    def output_width(self) -> int:
        """All numbers: `size` of the first kind, `size` of the second, ..."""
        return self.numbers * self.size

    def first(self, batch: Any) -> Any:
        """Zeros."""
        return ops.zeros((batch, self.size), dtype="float32")

    def embed(self, outputs: Any) -> Any:
        """The outputs as they are."""
        return ops.cast(outputs, self.compute_dtype)

    def choose(self, logits: Any) -> Any:
        """The numbers that are the output."""
        return logits[..., self.chosen * self.size : (self.chosen + 1) * self.size]

    def quantiles_of(self, logits: Any) -> dict[float, Any]:
        """What is known of the output's distribution: quantiles `(..., size)` by their level; nothing, of a value."""
        return {}

    def ends(self, outputs: Any) -> Any:
        """None does."""
        return ops.zeros_like(outputs[..., 0], dtype="bool")

    def mask(self, targets: Any) -> Any:
        """Whatever is not padding."""
        if self.mask_value is None:
            return ops.ones_like(targets[..., 0], dtype="bool")
        return real_vectors(targets, self.mask_value)

    def read(self, features: Any) -> Any:
        """The numbers, in float32 whatever the policy."""
        return ops.cast(matmul(features, self.kernel) + self.bias, "float32")

    def loss(self, label_smoothing: float = 0.0) -> keras.losses.Loss:
        """What the numbers are for."""
        if label_smoothing:
            raise ValueError(
                f"label_smoothing={label_smoothing} shares out the probability of symbols, but "
                f"{type(self).__name__} puts out numbers: leave it at 0."
            )
        return self.distance()

    def distance(self) -> keras.losses.Loss:
        """What there is to minimise."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "size": self.size, "mask_value": self.mask_value}


@readouts.register("vectors", "real-valued vectors, fed back as they are; trained by squared error")
class Vectors(Values):
    """Real-valued vectors. Trained by the mean squared error.

    Arguments are `Values`', and:

    Args:
        activation: of the output, such as "tanh", which bounds it; none if not given.

    Example:

    >>> import numpy as np
    >>> from seq2seq_zoo import Encoder, FeedbackDecoder, Vectors
    >>> encoded = Encoder(8)(np.ones((1, 4, 3)))
    >>> decoder = FeedbackDecoder(8, readout=Vectors(2, activation="tanh"), max_length=5)
    >>> decoder(encoded, np.zeros((1, 6, 2))).shape, decoder(encoded).shape
    (TensorShape([1, 6, 2]), TensorShape([1, 5, 2]))
    """

    @checked
    def __init__(self, *args: Any, activation: str | None = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.activation = activation_of(activation)

    def read(self, features: Any) -> Any:
        """The outputs."""
        return self.activation(super().read(features))

    def distance(self) -> keras.losses.Loss:
        """The mean squared error."""
        return keras.losses.MeanSquaredError()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "activation": name_of(self.activation)}


@readouts.register("gaussian", "a normal distribution for each feature; its mean is fed back")
class Gaussian(Values):
    """A normal distribution for each feature: means, then logarithms of scales, `(..., 2 * size)`. The mean is the
    output.

    Arguments are `Values`'.
    """

    numbers = 2

    def quantiles_of(self, logits: Any) -> dict[float, Any]:
        """Those at 0.1, 0.5 and 0.9."""
        mean, log_scale = logits[..., : self.size], logits[..., self.size :]
        return {level: mean + NormalDist().inv_cdf(level) * ops.exp(log_scale) for level in (0.1, 0.5, 0.9)}

    def distance(self) -> keras.losses.Loss:
        """Minus the log-density."""
        return GaussianNLL()


@readouts.register("quantiles", "some quantiles of each feature; the median is fed back")
class Quantiles(Values):
    """Quantiles of each feature, `(..., quantiles * size)`: all features of the first quantile, all of the second, ...
    The median is the output. Nothing keeps two quantiles from crossing where there is little data.

    Arguments are `Values`', and:

    Args:
        quantiles: increasing, between 0 and 1, with 0.5 among them.

    Raises:
        ValueError: quantiles that are not so.
    """

    @checked
    def __init__(self, *args: Any, quantiles: tuple[PositiveFloat, ...] = (0.1, 0.5, 0.9), **kwargs: Any):
        super().__init__(*args, **kwargs)
        if sorted({*quantiles}) != [*quantiles] or not max(quantiles, default=1) < 1 or 0.5 not in quantiles:
            raise ValueError(
                f"Quantiles must increase from above 0 to below 1 with 0.5, the output, among them, got {quantiles}."
            )
        self.quantiles = quantiles
        self.numbers = len(quantiles)
        self.chosen = quantiles.index(0.5)

    def quantiles_of(self, logits: Any) -> dict[float, Any]:
        """Those that there are."""
        return {level: logits[..., n * self.size : (n + 1) * self.size] for n, level in enumerate(self.quantiles)}

    def distance(self) -> keras.losses.Loss:
        """The pinball loss."""
        return PinballLoss(self.quantiles)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "quantiles": list(self.quantiles)}
