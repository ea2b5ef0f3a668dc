"""Where a query looks in a source: scores, and one softmax over the real positions."""

from typing import Any, NamedTuple

import keras
from keras import ops

from seq2seq_zoo.config.options import OptionError
from seq2seq_zoo.config.registry import Registry
from seq2seq_zoo.layers.products import matmul
from seq2seq_zoo.layers.sublayer import Sublayer

LEAST = -6e4
"""Below every score, and still a number where an exported graph keeps its constants in half precision."""


class AttentionMemory(NamedTuple):
    """A source ready to be looked at: everything that stays the same over time."""

    keys: Any  # (batch, source length, key width)
    values: Any  # (batch, source length, width)
    mask: Any  # (batch, source length)


class Attention(Sublayer):
    """Weights over a source's positions, from a score between a query and each key.

    The calculation follows the steps:

    1. `keys = prepare(H)`, once a source.
    2. `e[t, j] = score(ask(q[t]), keys[j])`.
    3. `a[t] = softmax(e[t])` over the real positions; padding gets exactly zero. A source of padding alone gets zeros.
    4. `context[t] = sum_j a[t, j] H[j]`.

    Abstract: subclasses give `score`, and `prepare` and weights if they have any.
    """

    def build(self, query: int, key: int) -> None:
        """Prepare for queries and keys of the given widths."""
        del query, key
        self.built = True

    def prepare(self, sequence: Any, mask: Any) -> AttentionMemory:
        """What stays the same over time, from `H` `(batch, source length, width)` and its mask."""
        return AttentionMemory(self.keys(sequence), sequence, mask)

    def keys(self, sequence: Any) -> Any:
        """What the score compares a query with."""
        return sequence

    query_kernel: Any = None
    """What a query is multiplied with before it is compared, if anything: apart from the score, so that its gradient is
    one product over all steps."""

    def project_query(self, query: Any) -> Any:
        """What the score compares with the keys."""
        return query if self.query_kernel is None else matmul(query, self.query_kernel)

    def score(self, asked: Any, keys: Any, *weights: Any) -> Any:
        """`(batch, time, query width)` and `(batch, source length, key width)` to `(batch, time, source length)`.

        `weights` are `score_weights`. A score may also read its weights from `self`; such a class cannot be one of
        `standard_attentions`.
        """
        raise NotImplementedError

    def score_weights(self) -> tuple[Any, ...]:
        """The weights that `score` is given."""
        return ()

    @property
    def is_standard(self) -> bool:
        """Whether exactly this class is one of `standard_attentions`, which have a custom gradient."""
        return type(self) in standard_attentions

    def call(self, query: Any, source: AttentionMemory) -> tuple[Any, Any]:
        """Look.

        Args:
            query: `(batch, time, query width)`.
            source: from `prepare`.

        Returns:
            `(context, weights)` of shapes `(batch, time, width)` and `(batch, time, source length)`.
        """
        scores = self.score(self.project_query(query), source.keys, *self.score_weights())
        weights = self.masked_softmax(scores, ops.expand_dims(source.mask, 1))
        return ops.matmul(weights, source.values), weights

    def masked_softmax(self, scores: Any, mask: Any) -> Any:
        """The softmax over the real positions, on the last axis of both."""
        dtype = keras.backend.standardize_dtype(scores.dtype)
        wide = dtype if dtype == "float64" else "float32"
        scores = ops.where(mask, ops.cast(scores, wide), LEAST)
        # A softmax by hand: padding gets exactly zero, and padding alone divides by something.
        exponentials = ops.where(mask, ops.exp(scores - ops.max(scores, axis=-1, keepdims=True)), 0.0)
        total = ops.sum(exponentials, axis=-1, keepdims=True)
        return ops.cast(exponentials / ops.where(total > 0, total, 1.0), dtype)


attentions: Registry[Attention] = Registry(
    "attention", base=Attention, serializable=keras.saving.register_keras_serializable
)


@attentions.register("additive", "a small network's score: v . tanh(W s + U h)")
class AdditiveAttention(Attention):
    """`e = v . tanh(W q + U h + b)`: the only score here that is not linear in the query.

    Reference:
        Bahdanau et al. 2015, arXiv:1409.0473, appendix A.1.2.
    """

    def build(self, query: int, key: int) -> None:
        """Create the weights."""
        self.query_kernel = self.add_weight(shape=(query, query), initializer="glorot_uniform", name="query_kernel")
        self.key_kernel = self.add_weight(shape=(key, query), initializer="glorot_uniform", name="key_kernel")
        self.bias = self.add_weight(shape=(query,), initializer="zeros", name="bias")
        self.scale = self.add_weight(shape=(query, 1), initializer="glorot_uniform", name="scale")
        super().build(query, key)

    def keys(self, sequence: Any) -> Any:
        """`U h + b`."""
        return matmul(sequence, self.key_kernel) + self.bias

    def score(self, asked: Any, keys: Any, scale: Any) -> Any:
        """`v . tanh(W q + key)`."""
        asked = ops.expand_dims(asked, 2)  # (batch, time, 1, width)
        return ops.squeeze(matmul(ops.tanh(asked + ops.expand_dims(keys, 1)), scale), -1)

    def score_weights(self) -> tuple[Any, ...]:
        """`v`."""
        return (self.scale,)


@attentions.register("linear", "a linear score, in which the state cancels: the same weights at every step (2016)")
class LinearAttention(Attention):
    """`e = w . (h' + q) + b` over `h' = W h + d`, which take the place of `h` as values, too.

    For fidelity to an ancestor, not for use: a softmax does not see what is added to all scores alike, and `w . q + b`
    is. So the weights depend on the source alone and are the same at every step. `additive` differs by the tanh that
    keeps the query from cancelling.

    Reference:
        https://github.com/jacoxu/encoder_decoder
    """

    def build(self, query: int, key: int) -> None:
        """Create the weights."""
        self.kernel = self.add_weight(shape=(key, query), initializer="glorot_uniform", name="kernel")
        self.bias = self.add_weight(shape=(query,), initializer="zeros", name="bias")
        self.scale = self.add_weight(shape=(query, 1), initializer="glorot_uniform", name="scale")
        self.shift = self.add_weight(shape=(1,), initializer="zeros", name="shift")
        super().build(query, key)

    def prepare(self, sequence: Any, mask: Any) -> AttentionMemory:
        """`W h + d`, as keys and as values."""
        projected = matmul(sequence, self.kernel) + self.bias
        return AttentionMemory(projected, projected, mask)

    def score(self, asked: Any, keys: Any, scale: Any, shift: Any) -> Any:
        """`w . (key + q) + b`, term by term."""
        return matmul(asked, scale) + ops.transpose(matmul(keys, scale), (0, 2, 1)) + shift

    def score_weights(self) -> tuple[Any, ...]:
        """`w` and `b`."""
        return self.scale, self.shift


class _Product(Attention):
    """Scores that are the product of a query with a key."""

    def score(self, asked: Any, keys: Any) -> Any:
        return ops.matmul(asked, ops.transpose(keys, (0, 2, 1)))


@attentions.register("dot", "the product s . h; needs a decoder as wide as the encoder's output")
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
                f"{type(self).__name__} multiplies the decoder's state with the encoder's output, which must be "
                f"equally wide: got {query} and {key}. Change the units of one (an encoder of two directions puts out "
                f"twice its units), or use attention='general'.",
            )
        super().build(query, key)


@attentions.register("scaled_dot", "the product s . h over the square root of its width")
class ScaledDotAttention(DotAttention):
    """`e = q . h / sqrt(width)`: keeps the softmax from saturating where states are wide.

    Raises:
        ValueError: query and key differ in width.

    Reference:
        Vaswani et al. 2017, arXiv:1706.03762, section 3.2.1.
    """

    def keys(self, sequence: Any) -> Any:
        """`h / sqrt(width)`."""
        return sequence / sequence.shape[-1] ** 0.5


@attentions.register("general", "a learned product s . W h")
class GeneralAttention(_Product):
    """`e = q . W h`.

    Reference:
        Luong et al. 2015, arXiv:1508.04025, section 3.1, "general".
    """

    def build(self, query: int, key: int) -> None:
        """Create the weights."""
        self.kernel = self.add_weight(shape=(key, query), initializer="glorot_uniform", name="kernel")
        super().build(query, key)

    def keys(self, sequence: Any) -> Any:
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
