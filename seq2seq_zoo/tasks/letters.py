"""What copy and reverse share: made-up words over the first letters of the alphabet."""

import abc
import string
from typing import Annotated

from pydantic import Field

from seq2seq_zoo.config.options import NonNegative, Positive, checked
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.tasks.sampling import sample
from seq2seq_zoo.tasks.task import Data, Task


class LetterTask(Task):
    """Random words of letters; what to make of a word is the subclass's.

    Every length gets the same number of words as far as there are enough of it.

    Args:
        alphabet_size: how many letters there are, from "a" on.
        min_length: letters of the shortest word.
        max_length: letters of the longest word.
        train_size: pairs in train.
        dev_size: pairs in dev.
        test_size: pairs in test.
        seed: of the drawing.

    Raises:
        ValueError: `min_length` above `max_length`; more pairs than exist.
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
        if min_length > max_length:
            raise ValueError(f"`min_length` must be at most `max_length`, got {min_length} and {max_length}.")
        self.letters = string.ascii_lowercase[:alphabet_size]
        self.lengths = range(min_length, max_length + 1)
        self.sizes = {"train": train_size, "dev": dev_size, "test": test_size}
        self.seed = seed

    @abc.abstractmethod
    def answer(self, word: str) -> str:
        """The target of a source."""

    def load(self) -> Data:
        """The pairs and the vocabulary of letters, the same on both sides."""
        drawn = sample({length: (len(self.letters), length) for length in self.lengths}, self.sizes, self.seed)
        words = {split: ["".join(self.letters[i] for i in row) for _, row in rows] for split, rows in drawn.items()}
        vocabulary = Vocabulary.build([self.letters], "")
        splits = {split: [(word, self.answer(word)) for word in made] for split, made in words.items()}
        return Data(splits, vocabulary, vocabulary)
