"""Random numbers for the rows of a batch, which do not depend on whether it is computed whole or in parts."""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, NamedTuple

from keras import ops

from seq2seq_zoo.layers.sublayer import Tensor


class Part(NamedTuple):
    """One of several equal parts of a batch."""

    index: Any
    """From 0; may be a tensor."""
    parts: int


_part: ContextVar[Part | None] = ContextVar("part", default=None)


@contextlib.contextmanager
def part_of_batch(part: Part) -> Iterator[None]:
    """Context in which layers are called with one part of a batch."""
    token = _part.set(part)
    try:
        yield
    finally:
        _part.reset(token)


def drawn(draw: Callable[[Any], Tensor], rows: Any, axis: int = 0) -> Tensor:
    """Random numbers for the rows of a batch, the same whether it is computed whole or in parts.

    Args:
        draw: draws for a number of rows.
        rows: how many rows there are here.
        axis: of the rows.

    Example:

    >>> from keras import ops
    >>> with part_of_batch(Part(index=1, parts=2)):
    ...     [int(number) for number in drawn(ops.arange, 3)]
    [3, 4, 5]
    """
    part = _part.get()
    if part is None:
        return draw(rows)
    whole = draw(rows * part.parts)
    shape = ops.shape(whole)
    start = [0] * len(shape)
    start[axis] = part.index * rows
    return ops.slice(whole, start, (*shape[:axis], rows, *shape[axis + 1 :]))
