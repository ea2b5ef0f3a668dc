"""Attention: scores of queries against keys, a softmax over the real positions, and a weighted mean of values."""

from typing import Any, NamedTuple

import keras
from keras import ops

from seq2seq_zoo.config.options import OptionError
from seq2seq_zoo.config.registry import Registry
from seq2seq_zoo.layers.products import matmul
from seq2seq_zoo.layers.sublayer import Sublayer, Tensor, WithKernel, WithKernelAndBias

MASKED = -6e4
"""The score of a masked position: below every real score, and finite even in half precision, in which an exported graph
may keep its constants."""


class AttentionMemory(NamedTuple):
    """A source prepared for attention: everything that is constant over time."""

    keys: Tensor
    """What the score compares queries with, `(batch, source length, key width)`."""
    values: Tensor
    """What the context is a weighted mean of, `(batch, source length, width)`."""
    mask: Tensor
    """Which positions are real: boolean `(batch, source length)`."""


class Attention(Sublayer):
    """A weighted mean of a source's values, with weights from the scores of a query against each key.

    The calculation follows the steps:

    1. `keys, values = prepare(H)`, once for each source. The values are `H` unless a subclass changes them.
    2. `e[t, j] = score(project_query(q[t]), keys[j])`.
    3. `a[t] = softmax(e[t])` over the real positions. Padding gets a weight of exactly zero; a source that is all
       padding gets zeros.
    4. `context[t] = sum_j a[t, j] values[j]`.

    Abstract: a subclass defines `score`, and `keys` or `prepare` and weights if it needs them.
    """

    def build(self, query: int, key: int) -> None:
        """Create the weights for queries and encoder outputs of the given widths."""
        del query, key
        self.built = True

    def prepare(self, sequence: Tensor, mask: Tensor) -> AttentionMemory:
        """The keys and values of `H`, `(batch, source length, width)`, with its mask `(batch, source length)`."""
        return AttentionMemory(self.keys(sequence), sequence, mask)

    def keys(self, sequence: Tensor) -> Tensor:
        """The keys of `H`; by default `H` itself."""
        return sequence

    query_kernel: Any = None
    """The matrix that projects the query, if there is one. It is kept apart from the score so that its gradient is one
    product over all steps."""

    def project_query(self, query: Tensor) -> Tensor:
        """The query as the score takes it."""
        return query if self.query_kernel is None else matmul(query, self.query_kernel)

    def score(self, query: Tensor, keys: Tensor, *weights: Tensor) -> Tensor:
        """How well each query matches each key, before the softmax.

        From `(batch, time, query width)` and `(batch, source length, key width)` to `(batch, time, source length)`.
        `weights` are `score_weights`. A score may also read its weights from `self`; such a class cannot be one of
        `standard_attentions`.
        """
        raise NotImplementedError  # an attention defines it

    def score_weights(self) -> tuple[Any, ...]:
        """The weights that `score` takes as arguments."""
        return ()

    @property
    def is_standard(self) -> bool:
        """Whether exactly this class is one of `standard_attentions`, which have a custom gradient."""
        return type(self) in standard_attentions

    def call(self, query: Tensor, source: AttentionMemory) -> tuple[Tensor, Tensor]:
        """Attend to the source.

        Args:
            query: `(batch, time, query width)`.
            source: from `prepare`.

        Returns:
            `(context, weights)` of shapes `(batch, time, width)` and `(batch, time, source length)`.
        """
        scores = self.score(self.project_query(query), source.keys, *self.score_weights())
        weights = self.masked_softmax(scores, ops.expand_dims(source.mask, 1))
        return ops.matmul(weights, source.values), weights

    def masked_softmax(self, scores: Tensor, mask: Tensor) -> Tensor:
        """The softmax over the real positions, on the last axis of both."""
        dtype = keras.backend.standardize_dtype(scores.dtype)
        wide = dtype if dtype == "float64" else "float32"
        scores = ops.where(mask, ops.cast(scores, wide), MASKED)
        greatest = ops.max(scores, axis=-1, keepdims=True, initial=MASKED)  # without it, Keras refuses an empty batch
        # Not ops.softmax: padding must get exactly zero, also where there is nothing but padding.
        exponentials = ops.where(mask, ops.exp(scores - greatest), 0.0)
        total = ops.sum(exponentials, axis=-1, keepdims=True)
        return ops.cast(exponentials / ops.where(total > 0, total, 1.0), dtype)


attentions: Registry[Attention] = Registry(
    "attention", base=Attention, serializable=keras.saving.register_keras_serializable
)


@attentions.register("additive", "the score of a small network: v . tanh(W s + U h)")
class AdditiveAttention(Attention, WithKernelAndBias):
    """`e = v . tanh(W q + U h + b)`: the only score here that is not linear in the query.

    Arguments are those of `WithKernelAndBias`; `v` counts as a matrix.

    Reference:
        Bahdanau et al. 2015, arXiv:1409.0473, appendix A.1.2.
    """

    def build(self, query: int, key: int) -> None:
        """Create the weights."""
        self.query_kernel = self.add_parameter("query_kernel", (query, query), "kernel")
        self.key_kernel = self.add_parameter("key_kernel", (key, query), "kernel")
        self.bias = self.add_parameter("bias", (query,), "bias")
        self.scale = self.add_parameter("scale", (query, 1), "kernel")
        super().build(query, key)

    def keys(self, sequence: Tensor) -> Tensor:
        """`U h + b`."""
        return matmul(sequence, self.key_kernel) + self.bias

    def score(self, query: Tensor, keys: Tensor, scale: Tensor) -> Tensor:
        """`v . tanh(W q + key)`, where the query is `W q` already."""
        query = ops.expand_dims(query, 2)  # (batch, time, 1, width)
        return ops.squeeze(matmul(ops.tanh(query + ops.expand_dims(keys, 1)), scale), -1)

    def score_weights(self) -> tuple[Any, ...]:
        """`v`."""
        return (self.scale,)


@attentions.register("linear", "a linear score, in which the query cancels out: the same weights at every step (2016)")
class LinearAttention(Attention, WithKernelAndBias):
    """`e = w . (h' + q) + b` with `h' = W h + d`; the `h'` are the values as well.

    For fidelity to an ancestor, not for use: `w . q + b` is the same for all positions, and a softmax does not change
    when all its inputs grow by the same number. The weights therefore depend on the source alone and are the same at
    every step. In `additive`, the tanh keeps the query from cancelling out.

    Arguments are those of `WithKernelAndBias`; `w` counts as a matrix.

    Reference:
        https://github.com/jacoxu/encoder_decoder
    """

    def build(self, query: int, key: int) -> None:
        """Create the weights."""
        self.kernel = self.add_parameter("kernel", (key, query), "kernel")
        self.bias = self.add_parameter("bias", (query,), "bias")
        self.scale = self.add_parameter("scale", (query, 1), "kernel")
        self.shift = self.add_parameter("shift", (1,), "bias")
        super().build(query, key)

    def prepare(self, sequence: Tensor, mask: Tensor) -> AttentionMemory:
        """`W h + d`, as keys and as values."""
        projected = matmul(sequence, self.kernel) + self.bias
        return AttentionMemory(projected, projected, mask)

    def score(self, query: Tensor, keys: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """`w . q + w . key + b`."""
        return matmul(query, scale) + ops.transpose(matmul(keys, scale), (0, 2, 1)) + shift

    def score_weights(self) -> tuple[Any, ...]:
        """`w` and `b`."""
        return self.scale, self.shift


class _Product(Attention):
    """Scores that are the inner product of a query with a key."""

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        return ops.matmul(query, ops.transpose(keys, (0, 2, 1)))


@attentions.register("dot", "the inner product s . h; needs a decoder as wide as the encoder's output")
class DotAttention(_Product):
    """`e = q . h`.

    Raises:
        ValueError: query and key differ in width.

    Reference:
        Luong et al. 2015, arXiv:1508.04025, section 3.1, "dot".
    """

    def build(self, query: int, key: int) -> None:
        """Check that query and key are equally wide."""
        if query != key:
            raise OptionError(
                ("attention",),
                f"{type(self).__name__} multiplies the decoder's state by the encoder's output, so both must have the "
                f"same width: got {query} and {key}. Change the units of one (a bidirectional encoder puts out twice "
                f"its units), or use attention='general'.",
            )
        super().build(query, key)


@attentions.register("scaled_dot", "the inner product s . h, divided by the square root of its width")
class ScaledDotAttention(DotAttention):
    """`e = q . h / sqrt(width)`, which keeps the softmax of wide states from saturating.

    Raises:
        ValueError: query and key differ in width.

    Reference:
        Vaswani et al. 2017, arXiv:1706.03762, section 3.2.1.
    """

    def keys(self, sequence: Tensor) -> Tensor:
        """`h / sqrt(width)`."""
        return sequence / sequence.shape[-1] ** 0.5


@attentions.register("general", "a learned product s . W h")
class GeneralAttention(_Product, WithKernel):
    """`e = q . W h`. Arguments are those of `WithKernel`.

    Reference:
        Luong et al. 2015, arXiv:1508.04025, section 3.1, "general".
    """

    def build(self, query: int, key: int) -> None:
        """Create the weights."""
        self.kernel = self.add_parameter("kernel", (key, query), "kernel")
        super().build(query, key)

    def keys(self, sequence: Tensor) -> Tensor:
        """`W h`."""
        return matmul(sequence, self.kernel)


standard_attentions: set[type[Attention]] = {
    AdditiveAttention,
    LinearAttention,
    DotAttention,
    ScaledDotAttention,
    GeneralAttention,
}
"""The classes that calculate as `Attention` says, with a score that reads only its arguments. The custom gradient of a
decoder's pass (`gradients.attention_pass`) is valid for exactly these: a subclass may change any step, so it is
differentiated automatically until it is added here."""
