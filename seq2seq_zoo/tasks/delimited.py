"""Your own pairs, from tab-separated files."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from seq2seq_zoo.data.delimited import read_pairs
from seq2seq_zoo.data.pairs import Pairs
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.options import Fraction, NonNegative, checked
from seq2seq_zoo.tasks.task import Data, Task, tasks

Symbols = Literal["characters", "words"]
_SEPARATORS = {"characters": "", "words": " "}


@tasks.register("file", "your own tab-separated file of sources and targets, as characters or as words")
class Delimited(Task):
    """Pairs from files with a source, a tab and a target on each line.

    Dev and test are read from their own files, or drawn from the train file where they have none; then every target of
    one source goes into the same split, so that no split knows a source of another. The vocabularies hold the symbols
    of train alone: what only dev or test has is unknown, as it will be in use. White space around and between words is
    not kept.

    Args:
        train: path of the file to train on.
        dev: path of the dev file; a share of train by default.
        test: path of the test file; a share of train by default.
        dev_fraction: share of the train file's sources that become dev, where dev has no file.
        test_fraction: share of the train file's sources that become test, where test has no file.
        source_symbols: whether a source is a row of characters or of words with white space between them.
        target_symbols: the same for targets.
        skip_bad_lines: leave out and count lines that are not two columns of UTF-8, instead of stopping at the first.
        seed: of drawing dev and test.

    Raises:
        ValueError: fractions of one or more together; on loading, a file or line that cannot be read, or too few
            sources to draw from.
    """

    @checked
    def __init__(
        self,
        train: str,
        dev: str | None = None,
        test: str | None = None,
        dev_fraction: Fraction = 0.1,
        test_fraction: Fraction = 0.1,
        source_symbols: Symbols = "characters",
        target_symbols: Symbols = "characters",
        skip_bad_lines: bool = False,
        seed: NonNegative = 0,
    ):
        self.train = train
        self.paths = {"dev": dev, "test": test}
        self.fractions = {"dev": dev_fraction, "test": test_fraction}
        self.separators = _SEPARATORS[source_symbols], _SEPARATORS[target_symbols]
        self.skip_bad_lines = skip_bad_lines
        self.seed = seed
        if sum(self.fractions.values()) >= 1:
            raise ValueError(f"dev_fraction and test_fraction must leave some to train on, got {self.fractions}.")

    def load(self) -> Data:
        """The pairs and the vocabularies, and how many bad lines were left out."""
        train, skipped = self._read(self.train)
        splits: dict[str, Pairs] = {}
        for split, path in self.paths.items():
            if path is not None:
                splits[split], more = self._read(path)
                skipped += more
        fractions = {split: fraction for split, fraction in self.fractions.items() if split not in splits}
        splits |= self._draw(train, fractions) if fractions else {"train": train}
        source, target = (
            Vocabulary.build((pair[side] for pair in splits["train"]), separator)
            for side, separator in enumerate(self.separators)
        )
        return Data({split: splits[split] for split in ("train", "dev", "test")}, source, target, skipped=skipped)

    def _read(self, path: str) -> tuple[Pairs, int]:
        return read_pairs(path, self.skip_bad_lines, self.separators)

    def _draw(self, pairs: Pairs, fractions: Mapping[str, float]) -> dict[str, Pairs]:
        """The pairs of each split and, as train, what is left."""
        # Hashes take 8 bytes a source, however many there are. Where two of them agree by chance, the two sources go
        # into one split. Their order is not looked at, since it is another one in each process.
        hashes = np.fromiter((hash(source) for source, _ in pairs), np.int64, len(pairs))
        _, first, source_of = np.unique(hashes, return_index=True, return_inverse=True)
        # At least one each: a split without pairs measures nothing.
        sizes = [max(1, round(fraction * len(first))) for fraction in fractions.values()]
        if sum(sizes) >= len(first):
            raise ValueError(
                f"{self.train} has too few different sources ({len(first)}) to draw {' and '.join(fractions)} and "
                "have some left to train on. Add pairs, take smaller fractions, or give the paths of dev and test."
            )
        # Sources by their first place in the file, in random order, the same in each process.
        order = np.argsort(first)[np.random.Generator(np.random.PCG64(self.seed)).permutation(len(first))]
        split_of = np.empty(len(first), np.int8)
        for split, part in enumerate(np.split(order, np.cumsum(sizes))):
            split_of[part] = split
        split_of = split_of[source_of]
        return {split: pairs[np.flatnonzero(split_of == number)] for number, split in enumerate([*fractions, "train"])}
