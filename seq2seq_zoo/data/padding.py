"""Padding, and batches of few shapes."""

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
"""The value of padded steps in real-valued sequences: exact in every precision, and never a real measurement."""


def pad(rows: Sequence[Row], length: int | None = None, side: Side = "right") -> np.ndarray:
    """Pad rows of ids, or of vectors, to one array.

    Args:
        rows: the ids of each row; or an array `(time, features)` for each row, where rows without vectors may be empty
            lists.
        length: the length of the padded rows; that of the longest row by default.
        side: the side that is padded.

    Returns:
        For ids an int32 array of shape `(rows, length)`, padded with 0. For vectors a float32 array of shape `(rows,
        length, features)`, padded with `FILLING`.

    Raises:
        ValueError: a row is longer than `length`, or the side is unknown.

    Example:

    >>> pad([[5, 6], [7]], length=3, side="left")
    array([[0, 5, 6],
           [0, 0, 7]], dtype=int32)
    """
    if side not in ("right", "left"):
        raise ValueError(f"Expected padding on the side 'right' or 'left', got {side!r}.")
    lengths = np.fromiter(map(len, rows), np.int32, len(rows))
    longest = int(lengths.max(initial=0))
    length = longest if length is None else length
    if longest > length:
        raise ValueError(f"A row of {longest} ids does not fit in {length}: expected at most {length} ids a row.")
    is_real = np.arange(length) < lengths[:, None]
    if side == "left":
        is_real = is_real[:, ::-1]
    vectors = [row for row in rows if isinstance(row, np.ndarray)]
    if vectors:
        padded = np.full((len(rows), length, vectors[0].shape[1]), FILLING, np.float32)
        padded[is_real] = np.concatenate(vectors)
    else:
        padded = np.full((len(rows), length), PADDING, np.int32)
        padded[is_real] = np.fromiter(itertools.chain.from_iterable(rows), np.int32)
    return padded


def few_shapes(
    columns: Sequence[Sequence[Sequence[int]]], batch_size: int
) -> Iterator[tuple[list[int], list[np.ndarray]]]:
    """Rows of ids in batches of few shapes, because a model is compiled once for each shape.

    Lengths are powers of two, at least 8. All batches have the same number of rows: the last batch of a shape is filled
    up with rows of padding. Rows of similar length are in the same batch, since a search takes as many steps as its
    longest output.

    Args:
        columns: one or several lists with as many rows each, such as the sources and their targets.
        batch_size: the number of rows in a batch. If there are fewer rows in all, a batch has the next power of two.

    Returns:
        For each batch the indices of its rows, and an array for each column. The rows come first in the arrays, the
        filling after them.

    Raises:
        ValueError: the batch size is below 1.

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
        rows.sort(key=lambda row: [len(column[row]) for column in columns])
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
    """The smallest power of two that is at least `count`."""
    return 1 << max(count - 1, 0).bit_length()


class Batches:
    """Pairs of sources and targets in batches of few shapes, because a model is compiled once for each shape.

    1. The end id, if there is one, is appended to each target.
    2. The pairs are sorted by the sum of both lengths and split into `buckets` equal parts. The shape of a part is the
       longest source and the longest target in this part and all parts before it. Each pair goes into the smallest
       shape that it fits in.
    3. The last batch of a bucket is filled up with rows of padding, so that every batch has `batch_size` rows.

    Args:
        pairs: the ids of each source and its target, without the end id, or their vectors. They are read once for their
            lengths and then again for each batch. Only 8 bytes a pair stay in memory.
        end: the end id; `None` if targets have none.
        batch_size: the number of rows in a batch.
        source_padding: the side on which sources are padded. Targets are padded on the right.
        buckets: the greatest number of shapes.
        part: the rows of each batch that are read; all by default.

    Attributes:
        shapes: the lengths of source and target in each bucket, shortest first.

    Raises:
        ValueError: there are no pairs, or the batch size or the number of buckets is below 1.

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
        part: slice = slice(None),
    ):
        if not len(pairs):
            raise ValueError("Expected at least one pair for the batches, got none.")
        if batch_size < 1 or buckets < 1:
            raise ValueError(f"Expected batch_size and buckets of at least 1, got {batch_size} and {buckets}.")
        self.batch_size = batch_size
        self._pairs = pairs
        self._end = [] if end is None else [end]
        self._source_padding: Side = source_padding
        self._part = part
        # At least one position, so that a loop over a batch of empty sources has a step.
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
        """The batches of one epoch, shuffled. Rows are grouped anew in each epoch, depending on the arguments alone.

        Args:
            seed: the seed of the training.
            epoch: the number of the epoch.

        Returns:
            The sources and targets of each batch. The number of batches is the same in every epoch. A batch is padded
            when it is accessed.
        """
        random = np.random.Generator(np.random.PCG64([seed, epoch]))
        plan = self._cut([rows[random.permutation(len(rows))] for rows in self._buckets])
        order = random.permutation(len(plan))
        return Mapped(lambda number: self._padded(*plan[number])[1:], order.tolist())

    def in_order(self) -> Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """The batches in the order of the data, bucket by bucket.

        Returns:
            For each batch the indices of its rows in the data, its sources and its targets. The rows come first in the
            arrays, the filling after them. A batch is padded when it is accessed.
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
        here = rows[self._part].tolist()
        size = len(range(self.batch_size)[self._part])
        # If only filling is left for this part, an empty row tells ids from vectors.
        pairs = [self._pairs[row] for row in here] or [tuple(side[:0] for side in self._pairs[int(rows[0])])]
        filling = [[]] * (size - len(pairs))
        source = pad([*(source for source, _ in pairs), *filling], shape[0], self._source_padding)
        ended = [[*target, *self._end] if self._end and here else target for _, target in pairs]
        target = pad([*ended, *filling], shape[1])
        return rows, source, target
