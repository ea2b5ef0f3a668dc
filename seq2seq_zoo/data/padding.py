"""Rows of unequal length into arrays of equal length."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from seq2seq_zoo.data.vocabulary import PADDING

Side = Literal["right", "left"]


def pad(rows: Sequence[Sequence[int]], length: int | None = None, side: Side = "right") -> np.ndarray:
    """Rows of ids as one array, the shorter ones filled with padding.

    Args:
        rows: the ids.
        length: of every row of the result; the longest row's by default.
        side: where the padding goes.

    Returns:
        An int32 array of shape `(rows, length)`.

    Raises:
        ValueError: a row longer than `length`, an unknown side.

    Example:

    >>> pad([[5, 6], [7]], length=3, side="left")
    array([[0, 5, 6],
           [0, 0, 7]], dtype=int32)
    """
    if side not in ("right", "left"):
        raise ValueError(f"Padding goes 'right' or 'left', got {side!r}.")
    longest = max(map(len, rows), default=0)
    length = longest if length is None else length
    if longest > length:
        raise ValueError(f"A row of {longest} ids does not fit in {length}: expected at most {length} ids a row.")
    padded = np.full((len(rows), length), PADDING, np.int32)
    for line, row in zip(padded, rows, strict=True):
        line[slice(len(row)) if side == "right" else slice(length - len(row), None)] = row
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

    1. Each target gets the end id.
    2. Pairs are put in order of their length, source and target together, and cut into `buckets` equal parts. A part's
       shape holds everything in it and in the parts before. A pair goes to the smallest shape that holds it.
    3. A bucket's last batch is filled up with rows of nothing but padding, so every batch has `batch_size` rows.

    Args:
        sources: the ids of each source.
        targets: the ids of each target, without the end id.
        end: the end id.
        batch_size: rows of a batch.
        source_padding: on which side of a source padding goes; on a target it goes right.
        buckets: the most shapes there may be.

    Raises:
        ValueError: no pairs, or not as many sources as targets; a batch size or bucket count below 1.

    Example:

    >>> batches = Batches([[7, 8], [9]], [[5], [6]], end=2, batch_size=4)
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
        sources: Sequence[Sequence[int]],
        targets: Sequence[Sequence[int]],
        end: int,
        batch_size: int,
        source_padding: Side = "right",
        buckets: int = 1,
    ):
        if len(sources) != len(targets):
            raise ValueError(f"Expected as many sources as targets, got {len(sources)} and {len(targets)}.")
        if not len(sources):
            raise ValueError("Expected at least one pair to make batches of, got none.")
        if batch_size < 1 or buckets < 1:
            raise ValueError(f"Expected batch_size and buckets of at least 1, got {batch_size} and {buckets}.")
        self.batch_size = batch_size
        # At least one position, so that a batch of empty sources is still something to loop over.
        lengths = np.array([(max(len(s), 1), len(t) + 1) for s, t in zip(sources, targets, strict=True)])
        parts = np.array_split(lengths[np.argsort(lengths.sum(1), kind="stable")], min(buckets, len(lengths)))
        shapes = np.unique(np.maximum.accumulate([part.max(0) for part in parts]), axis=0)
        bucket_of = (lengths[:, None] <= shapes).all(-1).argmax(1)
        self._buckets: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for bucket, shape in enumerate(shapes.tolist()):
            rows = np.flatnonzero(bucket_of == bucket)
            # The empty row at the end of each array is the one that fills batches up.
            source = pad([*(sources[row] for row in rows.tolist()), []], shape[0], source_padding)
            target = pad([*([*targets[row], end] for row in rows.tolist()), []], shape[1])
            self._buckets.append((rows, source, target))

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """The lengths of source and target in each bucket, shortest first."""
        return [(source.shape[1], target.shape[1]) for _, source, target in self._buckets]

    def __len__(self) -> int:
        return sum(-(-len(rows) // self.batch_size) for rows, _, _ in self._buckets)

    def epoch(self, seed: int, epoch: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """The shuffled batches of one epoch: other rows together each time, always the same for the same arguments.

        Args:
            seed: one for the whole training.
            epoch: which pass over the data.

        Returns:
            Sources and targets, int32, as many batches every epoch.
        """
        random = np.random.Generator(np.random.PCG64([seed, epoch]))
        batches = [batch for bucket in self._buckets for batch in self._cut(bucket, random.permutation(len(bucket[0])))]
        return [batches[position][1:] for position in random.permutation(len(batches))]

    def in_order(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """The batches as the data has them, bucket by bucket.

        Returns:
            For each batch which rows of the data it holds, its sources and its targets. The rows come first in a
            batch; what follows after `len(rows)` is filling.
        """
        return [batch for bucket in self._buckets for batch in self._cut(bucket, np.arange(len(bucket[0])))]

    def _cut(
        self, bucket: tuple[np.ndarray, np.ndarray, np.ndarray], order: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        rows, source, target = bucket
        for first in range(0, len(order), self.batch_size):
            chosen = order[first : first + self.batch_size]
            filled = np.pad(chosen, (0, self.batch_size - len(chosen)), constant_values=len(rows))
            yield rows[chosen], source[filled], target[filled]
