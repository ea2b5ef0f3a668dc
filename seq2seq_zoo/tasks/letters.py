"""The base class of copy and reverse: random words over the first letters of the alphabet."""

import abc
import string
from typing import Annotated

from pydantic import Field

from seq2seq_zoo.config.options import NonNegative, Positive, checked
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.tasks.sampling import length_range, sample
from seq2seq_zoo.tasks.task import Data, Task


class LetterTask(Task):
    """Random words. Subclasses define the target of a word.

    Each length gets the same number of words, as far as there are enough words of that length.

    Args:
        alphabet_size: the number of letters, from "a" on.
        min_length: the length of the shortest word.
        max_length: the length of the longest word.
        train_size: number of pairs in train.
        dev_size: number of pairs in dev.
        test_size: number of pairs in test.
        seed: seed of the random draw.

    Raises:
        ValueError: `min_length` is above `max_length`; on loading, there are fewer possible pairs than requested.
    """

    @checked
    def __init__(
        self,
        alphabet_size: Annotated[int, Field(ge=1, le=26)] = 10,
        min_length: Positive = 1,
        max_length: Positive = 8,
        train_size: Positive = 2_000,
        dev_size: Positive = 200,
        test_size: Positive = 200,
        seed: NonNegative = 0,
    ):
        self.letters = string.ascii_lowercase[:alphabet_size]
        self.lengths = length_range(min_length, max_length)
        self.sizes = {"train": train_size, "dev": dev_size, "test": test_size}
        self.seed = seed

    @abc.abstractmethod
    def target(self, word: str) -> str:
        """The target of a source."""

    def load(self) -> Data:
        """The pairs, and the vocabulary of letters shared by sources and targets."""
        drawn = sample({length: (len(self.letters), length) for length in self.lengths}, self.sizes, self.seed)
        words = {split: ["".join(self.letters[i] for i in row) for _, row in rows] for split, rows in drawn.items()}
        vocabulary = Vocabulary.build([self.letters], "")
        splits = {split: [(word, self.target(word)) for word in drawn] for split, drawn in words.items()}
        return Data(splits, vocabulary, vocabulary)
