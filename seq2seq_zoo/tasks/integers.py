"""Rows of integers into the same integers in another order."""

from collections.abc import Sequence
from typing import Literal

from seq2seq_zoo.config.options import NonNegative, Positive, checked
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.tasks.sampling import sample
from seq2seq_zoo.tasks.task import Data, Task, tasks


@tasks.register("integers", "rows of integers, sorted, reversed, or largest and smallest first: '7 0 9' -> '0 7 9'")
class Integers(Task):
    """Random rows of integers, and what a pattern makes of them.

    `sorted` is from the smallest to the largest, `reversed` from the last to the first. `maxmin_dup` puts the largest
    and the smallest in place of the first two, and leaves the others: "2 0 5 7" -> "7 0 5 7". So an integer may come
    twice, and another one not at all.

    Every length gets the same number of rows as far as there are enough of it.

    Args:
        pattern: `sorted`, `reversed` or `maxmin_dup`.
        high: the largest integer; the smallest is 0.
        min_length: integers of the shortest source.
        max_length: integers of the longest source.
        train_max_length: the longest source in train and dev; test then has the longer ones only.
        output_length: how many integers of an answer are kept, the first ones; all by default.
        train_size: pairs in train.
        dev_size: pairs in dev.
        test_size: pairs in test.
        seed: of the drawing.

    Raises:
        ValueError: `min_length` above `max_length`; more pairs than exist.

    Example:

    >>> Integers().answer([7, 0, 9]), Integers("maxmin_dup").answer([2, 0, 5, 7])
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
        if min_length > max_length:
            raise ValueError(f"`min_length` must be at most `max_length`, got {min_length} and {max_length}.")
        self.pattern = pattern
        self.high = high
        self.lengths = range(min_length, max_length + 1)
        self.train_max_length = train_max_length
        self.output_length = output_length
        self.sizes = {"train": train_size, "dev": dev_size, "test": test_size}
        self.seed = seed

    def answer(self, row: Sequence[int]) -> list[int]:
        """The target of a source."""
        answer = {
            "sorted": sorted(row),
            "reversed": [*reversed(row)],
            "maxmin_dup": [max(row), min(row), *row[2:]],
        }[self.pattern]
        # A row of one integer has no second place to put the smallest.
        return answer[: len(row)][: self.output_length]

    def load(self) -> Data:
        """The pairs and the vocabulary of integers, the same on both sides."""
        spaces = {length: (self.high + 1, length) for length in self.lengths}
        drawn = sample(spaces, self.sizes, self.seed, train_max_length=self.train_max_length)
        vocabulary = Vocabulary.build(map(str, range(self.high + 1)), " ")
        splits = {split: [(_text(row), _text(self.answer(row))) for _, row in rows] for split, rows in drawn.items()}
        return Data(splits, vocabulary, vocabulary)


def _text(row: Sequence[int]) -> str:
    return " ".join(map(str, row))
