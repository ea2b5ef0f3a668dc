"""English numbers in words into digits."""

from typing import Annotated

import numpy as np
from pydantic import Field

from seq2seq_zoo.config.options import NonNegative, Positive, checked
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.tasks.digits_to_words import spell_as_written
from seq2seq_zoo.tasks.sampling import Draw, sample
from seq2seq_zoo.tasks.task import Data, Pair, Task, tasks


@tasks.register("words_to_digits", "English numbers in words into digits: 'four hundred and seven' -> '407'")
class WordsToDigits(Task):
    """English numbers in words into digits.

    People write a number in words in several ways. Each source has one of four, which is drawn at random: with or
    without "and", and with a hyphen or a space in numbers such as twenty-one. Every way has the same target, so the
    splits have no number in common.

    Args:
        high: the largest number.
        draw: `by_length` for the same number of targets of each length, `uniform` to draw all numbers with equal
            probability, `balanced` for the same number of each length in train, with all short numbers repeated in it.
        train_size: number of pairs in train.
        dev_size: number of pairs in dev.
        test_size: number of pairs in test.
        seed: seed of the random draw.

    Raises:
        ValueError: on loading, there are fewer numbers than requested.

    Example:

    >>> data = WordsToDigits(high=99, train_size=80, dev_size=10, test_size=10).load()
    >>> pairs = dict(sum(data.splits.values(), []))
    >>> pairs.get("forty-two"), pairs.get("forty two")
    (None, '42')
    """

    @checked
    def __init__(
        self,
        high: Annotated[int, Field(ge=0, lt=10**18)] = 999_999,
        draw: Draw = "by_length",
        train_size: Positive = 20_000,
        dev_size: Positive = 1_000,
        test_size: Positive = 1_000,
        seed: NonNegative = 0,
    ):
        self.high = high
        self.draw: Draw = draw
        self.sizes = {"train": train_size, "dev": dev_size, "test": test_size}
        self.seed = seed

    def load(self) -> Data:
        """The pairs, and the vocabularies of the words of all numbers and of the ten digits."""
        first = [0, *(10**length for length in range(1, len(str(self.high))))]
        last = [each - 1 for each in first[1:]] + [self.high]
        spaces = {length: (last[length - 1] - start + 1, 1) for length, start in enumerate(first, 1)}
        drawn = sample(spaces, self.sizes, self.seed, self.draw)
        random = np.random.default_rng(self.seed)
        splits = {
            split: [self._pair(first[length - 1] + row[0], *random.integers(2, size=2)) for length, row in rows]
            for split, rows in drawn.items()
        }
        sources = [source for pairs in splits.values() for source, _ in pairs]
        # A number in words has the words of its groups of three digits, so these are all words.
        groups = [part * 1000**power for power in range(len(str(self.high)) // 3 + 1) for part in range(1000)]
        words = [_written(number, hyphen, True) for number in groups for hyphen in (False, True)]
        return Data(splits, Vocabulary.build([*words, *sources], " "), Vocabulary.build(["0123456789"], ""))

    @staticmethod
    def _pair(number: int, hyphen: bool, conjunction: bool) -> Pair:
        return _written(number, hyphen, conjunction), str(number)


def _written(number: int, hyphen: bool, conjunction: bool) -> str:
    """A number in words, with or without a hyphen in numbers such as twenty-one, and with or without "and"."""
    words = spell_as_written(number).replace(",", "")
    words = words if hyphen else words.replace("-", " ")
    return words if conjunction else words.replace(" and ", " ")
