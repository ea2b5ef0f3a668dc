"""Which tokens a hypothesis already has, and which would complete an n-gram that it already has."""

from keras import ops

from seq2seq_zoo.layers.readouts.readout import PAD
from seq2seq_zoo.layers.sublayer import Tensor


def seen_tokens(history: Tensor, size: int) -> Tensor:
    """Which tokens occur in a hypothesis.

    Args:
        history: ids `(batch, hypotheses, length)`, preceded by padding.
        size: size of the vocabulary.

    Returns:
        Boolean `(batch, hypotheses, size)`; false for padding.
    """
    return _marked(history, ops.not_equal(history, PAD), size)


def ends_ngram(history: Tensor, n: int, size: int) -> Tensor:
    """Which tokens, as the next one, would complete an n-gram that occurs in the hypothesis already.

    Args:
        history: ids `(batch, hypotheses, length)`, preceded by padding.
        n: length of the n-grams.
        size: size of the vocabulary.

    Returns:
        Boolean `(batch, hypotheses, size)`.
    """
    length = history.shape[-1]
    starts = max(length - n + 1, 0)
    matches = ops.not_equal(history[..., :starts], PAD)
    for i in range(n - 1):
        recent = history[..., length - n + 1 + i, None]  # one of the last n - 1 tokens, which the next one would follow
        matches = ops.logical_and(matches, ops.equal(history[..., i : i + starts], recent))
    return _marked(history[..., n - 1 :], matches, size)


def _marked(ids: Tensor, where: Tensor, size: int) -> Tensor:
    """Which ids of the vocabulary stand at one of the marked places."""
    batch, count, length = ops.shape(ids)
    rows = ops.arange(batch * count, dtype="int32")[:, None] * size
    places = ops.reshape(rows + ops.reshape(ids, (-1, length)), (-1, 1))
    marks = ops.scatter(places, ops.reshape(ops.cast(where, "int32"), (-1,)), (batch * count * size,))
    return ops.reshape(marks > 0, (batch, count, size))
