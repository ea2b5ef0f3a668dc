"""Rows of unequal length into arrays of equal length."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from seq2seq_zoo.data.mapped import Mapped
from seq2seq_zoo.data.vocabulary import PADDING

Row = Sequence[int] | np.ndarray
Pair = tuple[Row, Row]
Side = Literal["right", "left"]

FILLING = -(2.0**30)
"""What real-valued steps that are padding are filled with: no measurement, and the same number in every precision."""


def pad(rows: Sequence[Row], length: int | None = None, side: Side = "right") -> np.ndarray:
    """Rows of ids, or of vectors, as one array, the shorter ones filled with padding.

    Args:
        rows: the ids; or arrays `(time, features)`, and beside them any empty rows.
        length: of every row of the result; the longest row's by default.
        side: where the padding goes.

    Returns:
        An int32 array of shape `(rows, length)`, filled with 0; of vectors a float32 array of shape `(rows, length,
        features)`, filled with `FILLING`.

    Raises:
        ValueError: a row longer than `length`, an unknown side.

    Example:

    >>> pad([[5, 6], [7]], length=3, side="left")
    array([[0, 5, 6],
           [0, 0, 7]], dtype=int32)
    """
    if side not in ("right", "left"):
        raise ValueError(f"Padding goes 'right' or 'left', got {side!r}.")
    lengths = np.fromiter(map(len, rows), np.int32, len(rows))
    longest = int(lengths.max(initial=0))
    length = longest if length is None else length
    if longest > length:
        raise ValueError(f"A row of {longest} ids does not fit in {length}: expected at most {length} ids a row.")
    held = np.arange(length) < lengths[:, None]
    if side == "left":
        held = held[:, ::-1]
    vectors = [row for row in rows if isinstance(row, np.ndarray)]
    if vectors:
        padded = np.full((len(rows), length, vectors[0].shape[1]), FILLING, np.float32)
        padded[held] = np.concatenate(vectors)
    else:
        padded = np.full((len(rows), length), PADDING, np.int32)
        padded[held] = np.fromiter(itertools.chain.from_iterable(rows), np.int32)
    return padded


def few_shapes(
    columns: Sequence[Sequence[Sequence[int]]], batch_size: int
) -> Iterator[tuple[list[int], list[np.ndarray]]]:
    """Rows of ids in batches of few shapes, because a compiled model is compiled once for each shape.

    Lengths are powers of two, at least 8. Batches are full, the last one of a shape filled up with padding.

    Args:
        columns: one or several lists of rows, of equal length: sources, and perhaps what belongs to each.
        batch_size: the most rows of a batch; where there are fewer in all, the next power of two.

    Returns:
        For each batch which rows it holds, and an array for each column. The rows come first in a batch; what follows
        after them is filling.

    Raises:
        ValueError: a batch size below 1.

    Example:

    >>> [(rows, ids.shape) for rows, (ids,) in few_shapes([[[5] * 3, [5] * 9, [5] * 4]], batch_size=2)]
    [([0, 2], (2, 8)), ([1], (2, 16))]
    """
    if batch_size < 1:
        raise ValueError(f"Expected a batch_size of at least 1, got {batch_size}.")
    batch_size = min(batch_size, _power_of_two(len(columns[0])))
    shapes: dict[tuple[int, ...], list[int]] = {}
    for row, cells in enumerate(zip(*columns, strict=True)):
        shapes.setdefault(tuple(max(8, _power_of_two(len(ids))) for ids in cells), []).append(row)
    for shape, rows in sorted(shapes.items()):
        for first in range(0, len(rows), batch_size):
            batch = rows[first : first + batch_size]
            filling = [[]] * (batch_size - len(batch))
            yield (
                batch,
                [
                    pad([*(column[row] for row in batch), *filling], length)
                    for column, length in zip(columns, shape, strict=True)
                ],
            )


def _power_of_two(count: int) -> int:
    """The next one."""
    return 1 << max(count - 1, 0).bit_length()


class Batches:
    """Pairs of rows cut into batches of few shapes, because a compiled model is compiled once for each shape.

    1. Each target gets the end id, if there is one.
    2. Pairs are put in order of their length, source and target together, and cut into `buckets` equal parts. A part's
       shape holds everything in it and in the parts before. A pair goes to the smallest shape that holds it.
    3. A bucket's last batch is filled up with rows of nothing but padding, so every batch has `batch_size` rows.

    Args:
        pairs: the ids of each source and of its target, without the end id, or their vectors. They are read once for
            their lengths, and then for each batch anew: no more of them is kept than 8 bytes a pair.
        end: the end id; `None` where targets have none.
        batch_size: rows of a batch.
        source_padding: on which side of a source padding goes; on a target it goes right.
        buckets: the most shapes there may be.

    Attributes:
        shapes: the lengths of source and target in each bucket, shortest first.

    Raises:
        ValueError: no pairs; a batch size or bucket count below 1.

    Example:

    >>> batches = Batches([([7, 8], [5]), ([9], [6])], end=2, batch_size=4)
    >>> len(batches), batches.shapes
    (1, [(2, 2)])
    >>> rows, source, target = batches.in_order()[0]
    >>> target
    array([[5, 2],
           [6, 2],
           [0, 0],
           [0, 0]], dtype=int32)
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        end: int | None,
        batch_size: int,
        source_padding: Side = "right",
        buckets: int = 1,
    ):
        if not len(pairs):
            raise ValueError("Expected at least one pair to make batches of, got none.")
        if batch_size < 1 or buckets < 1:
            raise ValueError(f"Expected batch_size and buckets of at least 1, got {batch_size} and {buckets}.")
        self.batch_size = batch_size
        self._pairs = pairs
        self._end = [] if end is None else [end]
        self._source_padding: Side = source_padding
        # At least one position, so that a batch of empty sources is still something to loop over.
        both = ((max(len(source), 1), len(target) + len(self._end)) for source, target in pairs)
        lengths = np.fromiter(itertools.chain.from_iterable(both), np.int32).reshape(-1, 2)
        parts = np.array_split(lengths[np.argsort(lengths.sum(1), kind="stable")], min(buckets, len(lengths)))
        shapes = np.unique(np.maximum.accumulate([part.max(0) for part in parts]), axis=0)
        # Both lengths grow from shape to shape.
        bucket_of = np.max([np.searchsorted(*sides) for sides in zip(shapes.T, lengths.T, strict=True)], axis=0)
        self.shapes: list[tuple[int, int]] = list(map(tuple, shapes.tolist()))
        self._buckets = [np.flatnonzero(bucket_of == bucket).astype(np.int32) for bucket in range(len(shapes))]

    def __len__(self) -> int:
        return sum(-(-len(rows) // self.batch_size) for rows in self._buckets)

    def epoch(self, seed: int, epoch: int) -> Sequence[tuple[np.ndarray, np.ndarray]]:
        """The shuffled batches of one epoch: other rows together each time, always the same for the same arguments.

        Args:
            seed: one for the whole training.
            epoch: which pass over the data.

        Returns:
            Sources and targets, int32, as many batches every epoch. Each is made when it is asked for.
        """
        random = np.random.Generator(np.random.PCG64([seed, epoch]))
        plan = self._cut([rows[random.permutation(len(rows))] for rows in self._buckets])
        order = random.permutation(len(plan))
        return Mapped(lambda place: self._padded(*plan[place])[1:], order.tolist())

    def in_order(self) -> Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """The batches as the data has them, bucket by bucket.

        Returns:
            For each batch which rows of the data it holds, its sources and its targets. The rows come first in a
            batch; what follows after `len(rows)` is filling. Each is made when it is asked for.
        """
        return Mapped(lambda batch: self._padded(*batch), self._cut(self._buckets))

    def _cut(self, buckets: list[np.ndarray]) -> list[tuple[tuple[int, int], np.ndarray]]:
        """The shape and the rows of each batch."""
        return [
            (shape, rows[first : first + self.batch_size])
            for shape, rows in zip(self.shapes, buckets, strict=True)
            for first in range(0, len(rows), self.batch_size)
        ]

    def _padded(self, shape: tuple[int, int], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        sources, targets = zip(*(self._pairs[row] for row in rows.tolist()), strict=True)
        filling = [[]] * (self.batch_size - len(rows))
        source = pad([*sources, *filling], shape[0], self._source_padding)
        ended = [[*target, *self._end] for target in targets] if self._end else targets
        target = pad([*ended, *filling], shape[1])
        return rows, source, target
