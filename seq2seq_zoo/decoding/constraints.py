"""Which outputs a hypothesis has said, and which would say something again."""

from typing import Any

from keras import ops

from seq2seq_zoo.layers.readouts.readout import PAD


def seen_tokens(history: Any, size: int) -> Any:
    """Which outputs occur in a hypothesis.

    Args:
        history: ids `(batch, hypotheses, length)`, padding first.
        size: of the vocabulary.

    Returns:
        Boolean `(batch, hypotheses, size)`; never padding.
    """
    return _marked(history, ops.not_equal(history, PAD), size)


def ends_ngram(history: Any, n: int, size: int) -> Any:
    """Which outputs would end a run of `n` that occurs in a hypothesis already.

    Args:
        history: ids `(batch, hypotheses, length)`, padding first.
        n: length of a run.
        size: of the vocabulary.

    Returns:
        Boolean `(batch, hypotheses, size)`.
    """
    length = history.shape[-1]
    runs = max(length - n + 1, 0)
    begun = ops.not_equal(history[..., :runs], PAD)
    for i in range(n - 1):
        last = history[..., length - n + 1 + i, None]  # of the n - 1 that the next output would follow
        begun = ops.logical_and(begun, ops.equal(history[..., i : i + runs], last))
    return _marked(history[..., n - 1 :], begun, size)


def _marked(ids: Any, where: Any, size: int) -> Any:
    """Which ids of the vocabulary are at one of the places."""
    batch, count, length = ops.shape(ids)
    rows = ops.arange(batch * count)[:, None] * size
    places = ops.reshape(rows + ops.reshape(ids, (-1, length)), (-1, 1))
    marks = ops.scatter(places, ops.reshape(ops.cast(where, "int32"), (-1,)), (batch * count * size,))
    return ops.reshape(marks > 0, (batch, count, size))
