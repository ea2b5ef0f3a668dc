"""Sums of two numbers, as texts."""

from typing import Annotated

import numpy as np
from pydantic import Field

from seq2seq_zoo.config.options import NonNegative, OptionError, Positive, checked
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.tasks.task import Data, Task, tasks


@tasks.register("addition", "sums, character by character: '53+61' -> '114', the query reversed")
class Addition(Task):
    """A query of two numbers and a plus sign, and their sum.

    Each number has a length drawn uniformly from 1 to `digits`, and random digits; leading zeros are dropped. Each
    unordered pair of numbers occurs once, in the order in which it was drawn first, so that no sum of one split occurs
    in another with its numbers swapped. The pairs are shuffled before they are split, because the last ones drawn are
    mostly pairs of long numbers, of which there are more.

    With blanks, as in the original, all queries have `2 * digits + 1` characters and all sums `digits + 1`. A blank is
    then an ordinary token: the model learns it, and token accuracy counts it. Without blanks, shorter texts are padded
    and masked, as in all other tasks.

    Sources and targets share one vocabulary: ten digits, the plus sign, and the blank if there are blanks.

    Args:
        digits: the greatest number of digits of a number.
        reverse: whether queries are reversed; their blanks then come first.
        blanks: whether queries and sums are filled up with blanks, on the right, to one length.
        train_size: number of pairs in train.
        dev_size: number of pairs in dev.
        test_size: number of pairs in test.
        seed: seed of the random draw.

    Raises:
        ValueError: on loading, there are fewer possible pairs than requested.

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
        """The query of two numbers, and their sum."""
        query, total = f"{first}+{second}", f"{first + second}"
        if self.blanks:
            query, total = query.ljust(2 * self.digits + 1), total.ljust(self.digits + 1)
        return query[::-1] if self.reverse else query, total

    def load(self) -> Data:
        """The pairs, and the vocabulary shared by sources and targets."""
        random = np.random.Generator(np.random.PCG64(self.seed))
        drawn = self._drawn(random, sum(self.sizes.values()))
        pairs = iter([self.pair(*drawn[position]) for position in random.permutation(len(drawn)).tolist()])
        vocabulary = Vocabulary.build(["0123456789+", " " * self.blanks], "")
        splits = {split: [next(pairs) for _ in range(size)] for split, size in self.sizes.items()}
        return Data(splits, vocabulary, vocabulary)

    def _drawn(self, random: np.random.Generator, wanted: int) -> list[tuple[int, int]]:
        """Distinct unordered pairs of numbers, each in the order in which it was drawn first."""
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
