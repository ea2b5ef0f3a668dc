"""Sums of two numbers, as texts."""

from typing import Annotated

import numpy as np
from pydantic import Field

from seq2seq_zoo.config.options import NonNegative, OptionError, Positive, checked
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.tasks.task import Data, Task, tasks


@tasks.register("addition", "sums, character by character: '53+61' -> '114', the query backwards")
class Addition(Task):
    """Two numbers and a plus sign, and their sum.

    Each number has a length drawn uniformly from 1 to `digits`, and random digits; leading zeros vanish. Two numbers
    come together once, in whichever order they were drawn first, so no split knows a sum of another the other way
    round. The pairs are shuffled before they are split: drawn last are mostly long numbers, of which there are more.

    With blanks, as in the original, all queries have `2 * digits + 1` characters and all answers `digits + 1`, and a
    blank is a token like any other: it is learnt, and counted by token accuracy. Without them, what is short is padded
    and masked like any text of this project.

    Both sides have one vocabulary: ten digits, the plus sign, and the blank where there are blanks.

    Args:
        digits: of the longer numbers.
        reverse: whether a query is written backwards, its blanks then first.
        blanks: whether queries and answers are filled with blanks, on the right, to one length.
        train_size: pairs in train.
        dev_size: pairs in dev.
        test_size: pairs in test.
        seed: of the drawing.

    Raises:
        ValueError: on loading, more pairs than exist.

    Example:

    >>> Addition(digits=3).pair(535, 61)
    (' 16+535', '596 ')
    >>> Addition(digits=3, reverse=False, blanks=False).pair(535, 61)
    ('535+61', '596')

    Reference:
        https://github.com/keras-team/keras/blob/10bfb1c565582803982e2205d41b095bc929d4a4/examples/addition_rnn.py
    """

    @checked
    def __init__(
        self,
        digits: Annotated[int, Field(ge=1, le=18)] = 2,
        reverse: bool = True,
        blanks: bool = True,
        train_size: Positive = 4_500,
        dev_size: Positive = 250,
        test_size: Positive = 250,
        seed: NonNegative = 0,
    ):
        self.digits = digits
        self.reverse = reverse
        self.blanks = blanks
        self.sizes = {"train": train_size, "dev": dev_size, "test": test_size}
        self.seed = seed

    def pair(self, first: int, second: int) -> tuple[str, str]:
        """The query of two numbers and its answer."""
        query, answer = f"{first}+{second}", f"{first + second}"
        if self.blanks:
            query, answer = query.ljust(2 * self.digits + 1), answer.ljust(self.digits + 1)
        return query[::-1] if self.reverse else query, answer

    def load(self) -> Data:
        """The pairs and the vocabulary, the same on both sides."""
        random = np.random.Generator(np.random.PCG64(self.seed))
        drawn = self._drawn(random, sum(self.sizes.values()))
        pairs = iter([self.pair(*drawn[place]) for place in random.permutation(len(drawn)).tolist()])
        vocabulary = Vocabulary.build(["0123456789+", " " * self.blanks], "")
        splits = {split: [next(pairs) for _ in range(size)] for split, size in self.sizes.items()}
        return Data(splits, vocabulary, vocabulary)

    def _drawn(self, random: np.random.Generator, wanted: int) -> list[tuple[int, int]]:
        """Numbers two by two, no two of them twice in either order."""
        exist = 10**self.digits * (10**self.digits + 1) // 2
        if wanted > exist:
            raise OptionError(
                (),
                f"Asked for {wanted} pairs for train, dev and test together, but only {exist} exist with up to "
                f"{self.digits} digits. Ask for fewer with train_size, dev_size and test_size, or allow more digits.",
            )
        drawn: dict[frozenset[int], tuple[int, int]] = {}
        while len(drawn) < wanted:
            lengths = random.integers(1, self.digits + 1, size=(1024, 2))
            for first, second in random.integers(10**lengths).tolist():
                drawn.setdefault(frozenset((first, second)), (first, second))
        return list(drawn.values())[:wanted]
