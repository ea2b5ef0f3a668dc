"""Token outputs: logits out, the embedding of the chosen token in."""

from typing import Any, Literal

import keras
from keras import ops

from seq2seq_zoo.config.options import NonNegative, OptionError, Positive, checked
from seq2seq_zoo.layers.losses import SmoothedCrossentropy
from seq2seq_zoo.layers.products import EmbeddingLookup, matmul
from seq2seq_zoo.layers.readouts.readout import PAD, Readout, argmax, readouts
from seq2seq_zoo.layers.sublayer import as_ids

STRUCK_OUT = -1e9
"""The logit of what must not be counted: nothing to a softmax, and no infinity."""


@readouts.register("tokens", "tokens: logits out, the chosen token's vector in")
class Tokens(Readout):
    """Tokens: logits out; the embedding of the chosen token in.

    Padding is id 0. The padding and start ids are never chosen; their logits stay as they are.

    Args:
        vocabulary_size: number of token ids, padding, start and end included.
        embedding_dim: width of the tokens' vectors; the decoder's units if not given.
        tied: whether the output matrix is the embedding's transpose (a projection to the embedding's width comes
            before it where the features are not that wide).
        feedback: what the next step reads: the vector of the token that was said or told; or, whatever was said or
            told, a vector projected from the step's features, from which the logits are read as well. The first step
            then reads the encoder's summary, and no step is ever forced.
        softmax_samples: in training, how many tokens stand for all the wrong ones of a batch, which saves time and
            memory where the vocabulary is large; all of them if not given.
        start: id that stands before the first token; `None` where none is read.
        end: id that ends a sequence; `None` where none does, so that all outputs have `max_length` tokens.

    With `softmax_samples`, the outputs of a training step that is told its targets are not the logits of all tokens,
    but `1 + softmax_samples`: the right token's; then those of all targets of the batch and of as many other tokens,
    drawn anew each time, as there is room for. So frequent tokens, which a batch has, are nearly always there. Each
    of the others stands for several: its logit is raised by the log of how many. The right token is struck out among
    them. Over all draws, what a softmax divides by is on average what it is for all tokens. Everywhere else
    (evaluation, searches, scores) there are all logits.

    Raises:
        ValueError: the ids are not distinct, or not below the vocabulary size; tied, or no start, without or with an
            embedding of tokens to read; no fewer samples than tokens; or samples where a vector is fed back.

    Reference:
        Tying: Press and Wolf 2017, arXiv:1608.05859. Samples: Jean et al. 2015, arXiv:1412.2007, section 3, whose
        target tokens are those of a part of the corpus as they are those of a batch here.
    """

    @checked
    def __init__(
        self,
        vocabulary_size: Positive,
        embedding_dim: Positive | None = None,
        tied: bool = False,
        feedback: Literal["token", "features"] = "token",
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
        if softmax_samples is not None and feedback == "features":
            raise ValueError("softmax_samples needs feedback='token': leave one of them out.")
        if softmax_samples is not None and softmax_samples > vocabulary_size - 2:
            raise ValueError(
                f"softmax_samples={softmax_samples} saves nothing with a vocabulary of {vocabulary_size} tokens: "
                f"leave it out, or draw fewer."
            )
        self.vocabulary_size: int = vocabulary_size
        self.embedding_dim = embedding_dim
        self.tied = tied
        self.feedback = feedback
        self.softmax_samples = softmax_samples
        self.seed_generator = None if softmax_samples is None else keras.random.SeedGenerator()
        self.start = start
        self.end = end

    def set_default_width(self, units: int) -> None:
        """Vectors as wide as the decoder, if their width is not given."""
        self.embedding_dim = self.embedding_dim or units

    def build(self, features: int, feeds_back: bool) -> None:
        """Create the embedding (where outputs are fed back) and the output matrix."""
        self.embedding = self.projection = self.kernel = None
        self.feeds_back_features = feeds_back and self.feedback == "features"
        if self.feeds_back_features:
            shape = (features, self.width)
            self.vector_kernel = self.add_weight(shape=shape, initializer="glorot_uniform", name="vector_kernel")
            self.vector_bias = self.add_weight(shape=shape[1:], initializer="zeros", name="vector_bias")
            features = self.width
        elif feeds_back and self.start is None:
            raise ValueError("start=None leaves a first step that reads tokens without any: give the start's id.")
        elif feeds_back:
            self.embedding = self.add_weight(
                shape=(self.vocabulary_size, self.width), initializer="uniform", name="embedding"
            )
        if self.tied and self.embedding is None:
            raise OptionError(
                ("tied",), "tied=True needs a mode that reads its own outputs: there is no embedding to tie to."
            )
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
        """Width of the tokens' vectors."""
        assert self.embedding_dim is not None  # the decoder settles it
        return self.embedding_dim

    @property
    def output_width(self) -> int:
        """The number of tokens."""
        return self.vocabulary_size

    def initial_output(self, batch: Any) -> Any:
        """The start id; padding where none is read."""
        return ops.full((batch,), PAD if self.start is None else self.start, dtype="int32")

    def embed(self, outputs: Any) -> Any:
        """The tokens' vectors; a vector that was handed on as it is."""
        if self.feeds_back_features:
            return outputs
        return ops.take(self.embedding, as_ids(outputs, type(self).__name__), axis=0)

    def lookup(self, outputs: Any) -> EmbeddingLookup | None:
        """The tokens' vectors before they are looked up."""
        if self.embedding is None:
            return None
        return EmbeddingLookup(as_ids(outputs, type(self).__name__), ops.convert_to_tensor(self.embedding))

    def predict(self, logits: Any) -> Any:
        """The likeliest token, other than padding and start."""
        return argmax(ops.where(self.never_generated, -float("inf"), logits))

    @property
    def never_generated(self) -> Any:
        """Which ids are not for saying: boolean `(vocabulary_size,)`."""
        ids = ops.arange(self.vocabulary_size)
        padding = ops.equal(ids, PAD)
        return padding if self.start is None else ops.logical_or(padding, ops.equal(ids, self.start))

    def is_end(self, outputs: Any) -> Any:
        """Whether the end id was said."""
        return ops.zeros_like(outputs, dtype="bool") if self.end is None else ops.equal(outputs, self.end)

    def mask(self, targets: Any) -> Any:
        """Whatever is not padding."""
        return ops.not_equal(targets, PAD)

    def project_feedback(self, features: Any) -> Any:
        """`W f + b`, as wide as the tokens' vectors would be."""
        return matmul(features, self.vector_kernel) + self.vector_bias

    def read(self, features: Any) -> Any:
        """Logits, in float32 whatever the policy."""
        if self.projection is not None:
            features = matmul(features, self.projection)
        kernel = ops.transpose(self.embedding) if self.tied else self.kernel
        return ops.cast(matmul(features, kernel) + self.bias, "float32")

    def training_outputs(self, features: Any, targets: Any) -> Any:
        """Logits, or with `softmax_samples` those of the right token and of the drawn ones."""
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
        """The distinct tokens that stand for the wrong ones of a batch, and how likely each was to be among them."""
        size, samples = self.vocabulary_size, self.softmax_samples
        real = ops.cast(ops.reshape(self.mask(targets), (-1,)), "float32")
        present = ops.scatter_update(ops.zeros((size,), dtype="float32"), ops.reshape(targets, (-1, 1)), real)
        chances = keras.random.uniform((size,), seed=self.seed_generator)
        ids = ops.cast(ops.top_k(chances + present, samples, sorted=False)[1], "int32")
        count = ops.sum(present)
        of_present = ops.minimum(1.0, samples / ops.maximum(count, 1.0))
        of_others = ops.maximum(samples - count, 1.0) / (size - count)
        return ids, ops.where(ops.take(present, ids) > 0, of_present, of_others)

    def loss_targets(self, targets: Any, outputs: Any) -> Any:
        """The ids, or the first place everywhere where there are logits of drawn tokens only."""
        return targets if outputs.shape[-1] == self.vocabulary_size else ops.zeros_like(targets)

    def loss(self, label_smoothing: float = 0.0) -> keras.losses.Loss:
        """Cross-entropy."""
        if label_smoothing and self.softmax_samples is not None:
            raise ValueError(
                f"label_smoothing={label_smoothing} needs the probabilities of all tokens, and softmax_samples="
                f"{self.softmax_samples} leaves most of them out: give one of the two."
            )
        return SmoothedCrossentropy(label_smoothing)
