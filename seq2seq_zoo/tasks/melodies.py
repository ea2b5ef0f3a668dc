"""Melodies for a language model, made by a rule."""

import math
from typing import Annotated

from pydantic import Field

from seq2seq_zoo.config.options import NonNegative, Positive, checked
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.tasks.sampling import sample
from seq2seq_zoo.tasks.task import Data, Task, tasks

SCALE = (60, 62, 64, 65, 67, 69, 71)
"""The notes, C to B, by their MIDI numbers."""


@tasks.register(
    "melodies", "notes as events, for a language model: a motif, a step higher, again, and home: '67 64 ...'"
)
class Melodies(Task):
    """A motif, the same a step of the scale higher, the same as at first, and the first note of the scale.

    A motif begins with any of the scale's seven notes, all as likely. Each next note is one or two steps above or below
    the last, all four as likely; above the last note of the scale comes the first. So all chance is in the motif, what
    comes after must be remembered, and it is known how well the best model can foresee it all.

    Args:
        motif: its notes, at most 31, of which there are as many as an integer of 64 bits can number.
        train_size: melodies in train.
        dev_size: melodies in dev.
        test_size: melodies in test.
        seed: of the drawing.

    Raises:
        ValueError: on loading, more melodies than exist.

    Example:

    >>> task = Melodies(motif=3)
    >>> task.melody(0), task.melody(111)
    ('60 71 69 62 60 71 60 71 69 60', '71 62 65 60 64 67 71 62 65 60')
    >>> round(task.best_perplexity, 4)
    1.5357
    """

    @checked
    def __init__(
        self,
        motif: Annotated[int, Field(ge=1, le=31)] = 6,
        train_size: Positive = 4_000,
        dev_size: Positive = 250,
        test_size: Positive = 250,
        seed: NonNegative = 0,
    ):
        self.motif = motif
        self.sizes = {"train": train_size, "dev": dev_size, "test": test_size}
        self.seed = seed

    def melody(self, number: int) -> str:
        """The melody of a motif, by the motif's number."""
        number, first = divmod(number, len(SCALE))
        degrees = [first]
        for _ in range(self.motif - 1):
            number, step = divmod(number, 4)
            degrees.append(degrees[-1] + (-1, 1, -2, 2)[step])
        again = [*degrees, *(degree + 1 for degree in degrees), *degrees, 0]
        return " ".join(str(SCALE[degree % len(SCALE)]) for degree in again)

    @property
    def best_perplexity(self) -> float:
        """That of a model that knows the rule: chance decides the motif's tokens, and nothing else."""
        chance = math.log(len(SCALE)) + (self.motif - 1) * math.log(4)
        return math.exp(chance / (3 * self.motif + 2))

    def load(self) -> Data:
        """The melodies, and the vocabulary of notes."""
        drawn = sample({self.motif: (len(SCALE) * 4 ** (self.motif - 1), 1)}, self.sizes, self.seed)
        splits = {split: [("", self.melody(row[0])) for _, row in rows] for split, rows in drawn.items()}
        return Data(splits, Vocabulary.build([], " "), Vocabulary.build(map(str, SCALE), " "))
