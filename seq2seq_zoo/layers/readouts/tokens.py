"""Tokens as outputs: logits, fed back as the embedding of the output token."""

from typing import Any, Literal

import keras
from keras import ops

from seq2seq_zoo.config.options import NonNegative, OptionError, Positive, checked
from seq2seq_zoo.layers.losses import SmoothedCrossentropy
from seq2seq_zoo.layers.products import EmbeddingLookup, matmul
from seq2seq_zoo.layers.readouts.readout import PAD, Readout, argmax, readouts
from seq2seq_zoo.layers.readouts.sampled_softmax import draw_sample, sampled_logits
from seq2seq_zoo.layers.saving import Constraint, Initializer, Regularizer
from seq2seq_zoo.layers.sublayer import Tensor, as_ids


@readouts.register("tokens", "tokens: puts out logits and feeds back the embedding of the output token")
class Tokens(Readout):
    """Tokens as outputs: logits, fed back as the embedding of the output token.

    Padding is id 0. The padding and start ids are never generated, though they have logits.

    Arguments are those of `Readout`, and:

    Args:
        vocabulary_size: number of token ids, including padding, start and end.
        embedding_dim: width of the embeddings; the decoder's units if not given.
        tied: whether the output matrix is the transpose of the embedding matrix. Features of another width are first
            projected to the width of the embeddings.
        feedback: what the next step reads: `token`, the embedding of the previous output or target; or `features`, a
            projection of the previous step's features, from which that step's logits are computed as well. With
            `features` the first step reads the encoder's summary, and teacher forcing has no effect.
        softmax_samples: sampled softmax: in training, the number of tokens that the softmax runs over besides the
            target, which saves time and memory with a large vocabulary; the full vocabulary if not given. Evaluation
            and searches always use the full vocabulary.
        start: id of the start token, which the first step reads; `None` if no step reads outputs.
        end: id of the end token; `None` if no token ends a sequence, so that every output has `max_length` tokens.
        embeddings_initializer: of the embedding matrix, as Keras's layers take it: a name, a configuration or an
            object.
        embeddings_regularizer: of the embedding matrix; its loss is one of the model's `losses`.
        embeddings_constraint: of the embedding matrix, after each training step.

    Raises:
        ValueError: the ids are not distinct, or not below the vocabulary size; `tied` without an embedding to tie to,
            or no start id for the first step to read; as many samples as there are other tokens; samples with
            `feedback="features"`.

    Reference:
        Tied embeddings: Press and Wolf 2017, arXiv:1608.05859. Sampled softmax: Jean et al. 2015, arXiv:1412.2007,
        section 3 (see `sampled_softmax`).
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
        embeddings_initializer: Initializer = "uniform",
        embeddings_regularizer: Regularizer = None,
        embeddings_constraint: Constraint = None,
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
                f"leave it out, or give a smaller number."
            )
        self.vocabulary_size: int = vocabulary_size
        self.embedding_dim = embedding_dim
        self.tied = tied
        self.feedback = feedback
        self.softmax_samples = softmax_samples
        self.seed_generator = None if softmax_samples is None else keras.random.SeedGenerator()
        self.start = start
        self.end = end
        self.embeddings_initializer = embeddings_initializer
        self.embeddings_regularizer = embeddings_regularizer
        self.embeddings_constraint = embeddings_constraint

    def set_default_width(self, units: int) -> None:
        """Make embeddings as wide as the decoder if `embedding_dim` was not given."""
        self.embedding_dim = self.embedding_dim or units

    def build(self, features: int, feeds_back: bool) -> None:
        """Create the embedding matrix (if outputs are fed back) and the output matrix."""
        self.embedding = self.projection = self.kernel = None
        self.feeds_back_features = feeds_back and self.feedback == "features"
        if self.feeds_back_features:
            shape = (features, self.width)
            self.vector_kernel = self.add_parameter("vector_kernel", shape, "kernel")
            self.vector_bias = self.add_parameter("vector_bias", shape[1:], "bias")
            features = self.width
        elif feeds_back and self.start is None:
            raise ValueError(
                "start=None leaves the first step without a token to read: give the id of the start token."
            )
        elif feeds_back:
            self.embedding = self.add_parameter("embedding", (self.vocabulary_size, self.width), "embeddings")
        if self.tied and self.embedding is None:
            raise OptionError(
                ("tied",),
                "tied=True needs a decoder that reads the embeddings of its own outputs: here there is no embedding to "
                "tie to. Leave it out.",
            )
        if not self.tied:
            self.kernel = self.add_parameter("kernel", (features, self.vocabulary_size), "kernel")
        elif features != self.width:
            self.projection = self.add_parameter("projection", (features, self.width), "kernel")
        self.bias = self.add_parameter("bias", (self.vocabulary_size,), "bias")
        self.built = True

    @property
    def width(self) -> int:
        """The width of the embeddings."""
        assert self.embedding_dim is not None  # see set_default_width
        return self.embedding_dim

    @property
    def output_width(self) -> int:
        """The vocabulary size."""
        return self.vocabulary_size

    def initial_output(self, batch: Any) -> Tensor:
        """The start id; padding if there is none."""
        return ops.full((batch,), PAD if self.start is None else self.start, dtype="int32")

    def embed(self, outputs: Tensor) -> Tensor:
        """The embeddings of the tokens; features that are fed back, unchanged."""
        if self.feeds_back_features:
            return outputs
        return ops.take(self.embedding, as_ids(outputs, type(self).__name__), axis=0)

    def lookup(self, outputs: Tensor) -> EmbeddingLookup | None:
        """The lookup of the embeddings."""
        if self.embedding is None:
            return None
        return EmbeddingLookup(as_ids(outputs, type(self).__name__), ops.convert_to_tensor(self.embedding))

    def predict(self, logits: Tensor) -> Tensor:
        """The most likely token other than padding and start."""
        return argmax(ops.where(self.never_generated, -float("inf"), logits))

    @property
    def never_generated(self) -> Tensor:
        """Which ids are never generated, padding and start: boolean `(vocabulary_size,)`."""
        ids = ops.arange(self.vocabulary_size, dtype="int32")
        padding = ops.equal(ids, PAD)
        return padding if self.start is None else ops.logical_or(padding, ops.equal(ids, self.start))

    def is_end(self, outputs: Tensor) -> Tensor:
        """Which tokens are the end token."""
        return ops.zeros_like(outputs, dtype="bool") if self.end is None else ops.equal(outputs, self.end)

    def mask(self, targets: Tensor) -> Tensor:
        """Which targets are not padding."""
        return ops.not_equal(targets, PAD)

    def project_feedback(self, features: Tensor) -> Tensor:
        """`W f + b`, of the width of the embeddings."""
        return matmul(features, self.vector_kernel) + self.vector_bias

    def read(self, features: Tensor) -> Tensor:
        """Logits, in float32 whatever the policy."""
        kernel = ops.transpose(self.embedding) if self.tied else self.kernel
        return ops.cast(matmul(self._projected(features), kernel) + self.bias, "float32")

    def training_outputs(self, features: Tensor, targets: Tensor) -> Tensor:
        """Logits of all tokens; with `softmax_samples`, logits of the target and of the sample."""
        if self.softmax_samples is None:
            return self.read(features)
        targets = ops.cast(as_ids(targets, type(self).__name__), "int32")
        sample = draw_sample(
            targets, self.mask(targets), self.vocabulary_size, self.softmax_samples, self.seed_generator
        )
        return sampled_logits(self._projected(features), targets, sample, self._output_vectors, self.bias)

    def _projected(self, features: Tensor) -> Tensor:
        return features if self.projection is None else matmul(features, self.projection)

    def _output_vectors(self, ids: Tensor) -> Tensor:
        if self.tied:
            return ops.take(self.embedding, ids, axis=0)
        return ops.transpose(ops.take(self.kernel, ids, axis=1))

    def loss_targets(self, targets: Tensor, outputs: Tensor) -> Tensor:
        """The ids; 0 everywhere for sampled logits, where the target's logit is the first."""
        return targets if outputs.shape[-1] == self.vocabulary_size else ops.zeros_like(targets)

    def loss(self, label_smoothing: float = 0.0) -> keras.losses.Loss:
        """Cross-entropy."""
        if label_smoothing and self.softmax_samples is not None:
            raise ValueError(
                f"label_smoothing={label_smoothing} needs the probabilities of all tokens, and softmax_samples="
                f"{self.softmax_samples} leaves most of them out: give one of the two."
            )
        return SmoothedCrossentropy(label_smoothing)
