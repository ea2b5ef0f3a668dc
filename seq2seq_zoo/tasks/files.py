"""What the tasks share whose data is in your own files."""

import abc
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from seq2seq_zoo.config.options import Fraction, NonNegative, Positive, checked
from seq2seq_zoo.data.pairs import DataFileError, Pairs
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.tasks.task import Data, Targets, Task

TokenKind = Literal["characters", "words"]
SEPARATORS = {"characters": "", "words": " "}


class FileTask(Task):
    """Pairs from files; in which form they are there is the subclass's.

    Dev and test are read from files of their own, or drawn from the train pairs where they have none; then every target
    of one source goes into the same split, so that no split knows a source of another. The vocabularies hold the
    tokens of train alone: what only dev or test has is unknown, as it will be in use. White space around and between
    words is not kept.

    Args:
        dev_fraction: share of the train file's sources that become dev, where dev has no file.
        test_fraction: share of the train file's sources that become test, where test has no file.
        max_tokens: the most tokens of a vocabulary: those most frequent in train, while others are unknown; all if
            not given.
        skip_bad_lines: leave out and count lines that are not as they should be, instead of stopping at the first.
        seed: of drawing dev and test.

    Raises:
        ValueError: fractions of one or more together; on loading, a file or line that cannot be read, or too few
            sources to draw from.
    """

    separators: tuple[str, str]
    """How the tokens of sources and of targets are cut, as in `Vocabulary`."""
    targets: Targets = "sequence"
    """What a target is."""

    @checked
    def __init__(
        self,
        dev_fraction: Fraction = 0.1,
        test_fraction: Fraction = 0.1,
        max_tokens: Positive | None = None,
        skip_bad_lines: bool = False,
        seed: NonNegative = 0,
    ):
        self.fractions = {"dev": dev_fraction, "test": test_fraction}
        self.max_tokens = max_tokens
        self.skip_bad_lines = skip_bad_lines
        self.seed = seed
        if sum(self.fractions.values()) >= 1:
            raise ValueError(f"dev_fraction and test_fraction must leave some to train on, got {self.fractions}.")

    @abc.abstractmethod
    def read(self, split: str) -> tuple[Pairs, int] | None:
        """The pairs of a split's own files and how many bad lines were left out; None where it has no files."""

    def load(self) -> Data:
        """The pairs and the vocabularies, and how many bad lines were left out."""
        found = {split: read for split in ("train", "dev", "test") if (read := self.read(split)) is not None}
        splits = {split: pairs for split, (pairs, _) in found.items()}
        fractions = {split: fraction for split, fraction in self.fractions.items() if split not in splits}
        if fractions:
            splits |= self._draw(splits["train"], fractions)
        source, target = self.vocabularies(splits["train"])
        splits = {split: splits[split] for split in ("train", "dev", "test")}
        skipped = sum(skipped for _, skipped in found.values())
        return Data(splits, source, target, targets=self.targets, skipped=skipped)

    def vocabularies(self, pairs: Pairs) -> Sequence[Vocabulary]:
        """Those of sources and of targets, given the train pairs."""
        return [
            Vocabulary.build((pair[side] for pair in pairs), separator, self.max_tokens)
            for side, separator in enumerate(self.separators)
        ]

    def _draw(self, pairs: Pairs, fractions: Mapping[str, float]) -> dict[str, Pairs]:
        """The pairs of each split and, as train, what is left."""
        # Hashes take 8 bytes a source, however many there are. Where two of them agree by chance, the two sources go
        # into one split. Their order is not looked at, since it is another one in each process.
        hashes = np.fromiter((hash(source) for source, _ in pairs), np.int64, len(pairs))
        _, first, source_of = np.unique(hashes, return_index=True, return_inverse=True)
        # At least one each: a split without pairs measures nothing.
        sizes = [max(1, round(fraction * len(first))) for fraction in fractions.values()]
        if sum(sizes) >= len(first):
            raise DataFileError(
                f"{pairs.paths[0]} has too few different sources ({len(first)}) to draw {' and '.join(fractions)} and "
                "have some left to train on. Add pairs, take smaller fractions, or give the paths of dev and test."
            )
        # Sources by their first place in the file, in random order, the same in each process.
        order = np.argsort(first)[np.random.Generator(np.random.PCG64(self.seed)).permutation(len(first))]
        split_of = np.empty(len(first), np.int8)
        for split, part in enumerate(np.split(order, np.cumsum(sizes))):
            split_of[part] = split
        split_of = split_of[source_of]
        return {split: pairs[np.flatnonzero(split_of == number)] for number, split in enumerate([*fractions, "train"])}


class PairTask(FileTask):
    """Pairs of which each side has tokens of its own kind.

    Arguments are `FileTask`'s, and:

    Args:
        source_tokens: whether a source is a row of characters or of words with white space between them.
        target_tokens: the same for targets.
        shared_vocabulary: whether sources and targets have one vocabulary, of the tokens of both.

    Raises:
        ValueError: as `FileTask`; a shared vocabulary of characters and words.
    """

    @checked
    def __init__(
        self,
        source_tokens: TokenKind = "characters",
        target_tokens: TokenKind = "characters",
        shared_vocabulary: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.separators = SEPARATORS[source_tokens], SEPARATORS[target_tokens]
        self.shared_vocabulary = shared_vocabulary
        if shared_vocabulary and source_tokens != target_tokens:
            raise ValueError(
                "shared_vocabulary needs the same tokens on both sides, got "
                f"source_tokens {source_tokens} and target_tokens {target_tokens}."
            )

    def vocabularies(self, pairs: Pairs) -> Sequence[Vocabulary]:
        """Those of sources and of targets, given the train pairs."""
        if not self.shared_vocabulary:
            return super().vocabularies(pairs)
        return [Vocabulary.build(itertools.chain.from_iterable(pairs), self.separators[0], self.max_tokens)] * 2
