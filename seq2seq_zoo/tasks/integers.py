"""Rows of integers, reordered."""

from collections.abc import Sequence
from typing import Literal

from seq2seq_zoo.config.options import NonNegative, Positive, checked
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.tasks.sampling import length_range, sample
from seq2seq_zoo.tasks.task import Data, Task, tasks


@tasks.register("integers", "rows of integers, sorted, reversed, or largest and smallest first: '7 0 9' -> '0 7 9'")
class Integers(Task):
    """Random rows of integers, and their targets by a pattern.

    `sorted` orders a row from smallest to largest, `reversed` from last to first. `maxmin_dup` replaces the first
    integer by the largest of the row and the second by the smallest, and keeps the others: "2 0 5 7" -> "7 0 5 7". An
    integer may thus occur twice, and another one may be lost.

    Each length gets the same number of rows, as far as there are enough rows of that length.

    Args:
        pattern: `sorted`, `reversed` or `maxmin_dup`.
        high: the largest integer; the smallest is 0.
        min_length: the length of the shortest source.
        max_length: the length of the longest source.
        train_max_length: the longest source in train and dev; test then has only longer ones.
        output_length: the length at which targets are cut; not cut by default.
        train_size: number of pairs in train.
        dev_size: number of pairs in dev.
        test_size: number of pairs in test.
        seed: seed of the random draw.

    Raises:
        ValueError: `min_length` is above `max_length`; on loading, there are fewer possible pairs than requested.

    Example:

    >>> Integers().target([7, 0, 9]), Integers("maxmin_dup").target([2, 0, 5, 7])
    ([0, 7, 9], [7, 0, 5, 7])

    Reference:
        https://github.com/ichuang/tflearn_seq2seq
    """

    @checked
    def __init__(
        self,
        pattern: Literal["sorted", "reversed", "maxmin_dup"] = "sorted",
        high: NonNegative = 9,
        min_length: Positive = 1,
        max_length: Positive = 10,
        train_max_length: Positive | None = None,
        output_length: Positive | None = None,
        train_size: Positive = 5_000,
        dev_size: Positive = 500,
        test_size: Positive = 500,
        seed: NonNegative = 0,
    ):
        self.pattern = pattern
        self.high = high
        self.lengths = length_range(min_length, max_length)
        self.train_max_length = train_max_length
        self.output_length = output_length
        self.sizes = {"train": train_size, "dev": dev_size, "test": test_size}
        self.seed = seed

    def target(self, row: Sequence[int]) -> list[int]:
        """The target of a source."""
        target = {
            "sorted": sorted(row),
            "reversed": [*reversed(row)],
            "maxmin_dup": [max(row), min(row), *row[2:]],
        }[self.pattern]
        # A row of one integer has no second position for the smallest.
        return target[: len(row)][: self.output_length]

    def load(self) -> Data:
        """The pairs, and the vocabulary of integers shared by sources and targets."""
        spaces = {length: (self.high + 1, length) for length in self.lengths}
        drawn = sample(spaces, self.sizes, self.seed, train_max_length=self.train_max_length)
        vocabulary = Vocabulary.build(map(str, range(self.high + 1)), " ")
        splits = {split: [(_text(row), _text(self.target(row))) for _, row in rows] for split, rows in drawn.items()}
        return Data(splits, vocabulary, vocabulary)


def _text(row: Sequence[int]) -> str:
    return " ".join(map(str, row))
