"""The base classes of tasks that read pairs from your own files."""

import abc
import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from seq2seq_zoo.config.messages import shown
from seq2seq_zoo.config.options import Fraction, NonNegative, OptionError, Positive, checked
from seq2seq_zoo.data.lines import DataFileError
from seq2seq_zoo.data.pairs import Pairs
from seq2seq_zoo.data.vocabulary import Form, Vocabulary, in_form, split_text
from seq2seq_zoo.tasks.splits import check_fractions, draw_splits, hashes_of, shared_with_train
from seq2seq_zoo.tasks.task import Data, Targets, Task

TokenKind = Literal["characters", "words"]
SEPARATORS = {"characters": "", "words": " "}


class FileTask(Task):
    """Pairs from files. Subclasses define the format of the files.

    Dev and test are read from files of their own. Without a file, they are drawn from the train pairs: all targets of a
    source then go into the same split, so that no source is in two splits. The vocabularies hold the tokens of train
    only: tokens that occur only in dev or test are unknown, as they will be in use. Texts of words lose the white space
    around them, and have one space between words.

    Args:
        dev_fraction: share of the train file's sources that become dev if dev has no file.
        test_fraction: share of the train file's sources that become test if test has no file.
        max_tokens: the greatest number of ordinary tokens in a vocabulary: the most frequent ones in train, while all
            others are unknown; no limit if not given.
        max_source_tokens: the greatest number of tokens of a source. Pairs with a longer source are left out of all
            splits and counted; no limit if not given.
        max_target_tokens: the same for targets, without the end token.
        normalize: the Unicode normal form in which texts are split into tokens: `nfc` composes letters and their marks,
            `nfd` decomposes them (Hangul into jamo), `nfkc` and `nfkd` replace variants such as ligatures as well,
            `none` leaves texts as they are. A mapping of `source` and `target` gives each side its own. The model does
            the same with texts in use, and its outputs are composed.
        skip_bad_lines: leave out and count bad lines instead of stopping at the first one.
        seed: seed of drawing dev and test.

    Raises:
        ValueError: the fractions add up to 1 or more; on loading, a file or line cannot be read, or there are too few
            sources to draw from.
    """

    paths: Mapping[str, Any]
    """The file of each split, or several files; `None` where a split has none."""
    separators: tuple[str, str]
    """How sources and targets are split into tokens, as in `Vocabulary`."""
    targets: Targets = "sequence"
    """What a target is."""

    @checked
    def __init__(
        self,
        dev_fraction: Fraction = 0.1,
        test_fraction: Fraction = 0.1,
        max_tokens: Positive | None = None,
        max_source_tokens: Positive | None = None,
        max_target_tokens: Positive | None = None,
        normalize: Form | dict[Literal["source", "target"], Form] = "nfc",
        skip_bad_lines: bool = False,
        seed: NonNegative = 0,
    ):
        self.fractions = {"dev": dev_fraction, "test": test_fraction}
        self.max_tokens = max_tokens
        self.max_source_tokens = max_source_tokens
        self.max_target_tokens = max_target_tokens
        self.normalize = normalize
        self.forms: tuple[Form, Form] = (
            (normalize.get("source", "nfc"), normalize.get("target", "nfc"))
            if isinstance(normalize, dict)
            else (normalize, normalize)
        )
        self.skip_bad_lines = skip_bad_lines
        self.seed = seed
        check_fractions(self.fractions)

    def files(self) -> Sequence[str]:
        """The paths of all splits."""
        several = [[path] if isinstance(path, str) else path for path in self.paths.values() if path is not None]
        return [*itertools.chain.from_iterable(several)]

    @abc.abstractmethod
    def read(self, path: Any) -> tuple[Pairs, int]:
        """The pairs of one of `paths`, and the number of bad lines left out."""

    def load(self) -> Data:
        """The pairs, the vocabularies, and the numbers of bad lines and of too long pairs left out."""
        found = {split: self.read(path) for split, path in self.paths.items() if path is not None}
        splits = {split: self._short(pairs) for split, (pairs, _) in found.items()}
        too_long = sum(len(pairs) - len(splits[split]) for split, (pairs, _) in found.items())
        fractions = {split: fraction for split, fraction in self.fractions.items() if split not in splits}
        if fractions:
            splits |= self._draw(splits["train"], fractions)
        source, target = self.vocabularies(splits["train"])
        splits = {split: splits[split] for split in ("train", "dev", "test")}
        skipped = sum(skipped for _, skipped in found.values())
        data = Data(splits, source, target, targets=self.targets, skipped=skipped, too_long=too_long)
        sources = {split: self._sources(splits[split]) for split in found}
        return dataclasses.replace(data, notes=shared_with_train(sources, "sources" if data.has_sources else "texts"))

    def _short(self, pairs: Pairs) -> Pairs:
        """The pairs within `max_source_tokens` and `max_target_tokens`."""
        named = {"max_source_tokens": self.max_source_tokens, "max_target_tokens": self.max_target_tokens}
        given = {name: limit for name, limit in named.items() if limit is not None}
        if not given:
            return pairs
        limits = [limit or math.inf for limit in named.values()]

        def is_short(pair: tuple[str, str]) -> bool:
            lengths = [len(split_text(*each)) for each in zip(pair, self.separators, self.forms, strict=True)]
            return lengths[0] <= limits[0] and lengths[1] <= limits[1]

        kept = np.flatnonzero(np.fromiter(map(is_short, pairs), bool, len(pairs)))
        if not len(kept):
            named_limits = " and ".join(f"{name} ({limit})" for name, limit in given.items())
            raise DataFileError(f"{pairs.paths[0]} has no pair as short as {named_limits}: raise the limit.")
        return pairs[kept]

    def vocabularies(self, pairs: Pairs) -> Sequence[Vocabulary]:
        """The vocabularies of sources and of targets, built from the train pairs."""
        return [
            Vocabulary.build((pair[side] for pair in pairs), separator, self.max_tokens, normalize=form)
            for side, (separator, form) in enumerate(zip(self.separators, self.forms, strict=True))
        ]

    def _sources(self, pairs: Pairs) -> Iterator[str]:
        """The sources of pairs in their normal form, in which equal ones are equal texts."""
        return (in_form(source, self.forms[0]) for source, _ in pairs)

    def _require_one_form(self, reason: str) -> None:
        """Refuse different normal forms of sources and targets."""
        if self.forms[0] != self.forms[1]:
            got = shown(self.normalize)
            raise OptionError(("normalize",), f"must be one form for both sides, {reason}, got {got}.")

    def _draw(self, pairs: Pairs, fractions: Mapping[str, float]) -> dict[str, Pairs]:
        """The pairs of each split that is drawn, and of train."""
        # Two sources with the same hash go into the same split. The order of the hashes must not matter: it differs
        # between processes.
        hashes = hashes_of(self._sources(pairs))
        _, first, source_of = np.unique(hashes, return_index=True, return_inverse=True)
        sources = np.argsort(first)  # in the order of the file, which is the same in every process
        split_of = np.empty(len(first), np.int8)
        drawn = draw_splits(len(first), fractions, self.seed, f"{pairs.paths[0]} has too few different sources")
        for split, positions in enumerate(drawn.values()):
            split_of[sources[positions]] = split
        split_of = split_of[source_of]
        return {split: pairs[np.flatnonzero(split_of == number)] for number, split in enumerate(drawn)}


class PairTask(FileTask):
    """Pairs whose sources and targets may have different kinds of tokens.

    Arguments are `FileTask`'s, and:

    Args:
        source_tokens: whether the tokens of a source are characters, or words separated by white space.
        target_tokens: the same for targets.
        shared_vocabulary: whether sources and targets share one vocabulary, with the tokens of both.
        references: whether all targets of a source are right. Training takes each of them as a pair of its own.
            Evaluation generates one output for a source and compares it with the nearest target.

    Raises:
        ValueError: as `FileTask`; a shared vocabulary of characters and words.
    """

    @checked
    def __init__(
        self,
        source_tokens: TokenKind = "characters",
        target_tokens: TokenKind = "characters",
        shared_vocabulary: bool = False,
        references: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.separators = SEPARATORS[source_tokens], SEPARATORS[target_tokens]
        self.shared_vocabulary = shared_vocabulary
        self.references = references
        if shared_vocabulary and source_tokens != target_tokens:
            raise ValueError(
                "shared_vocabulary needs the same tokens on both sides, got "
                f"source_tokens {source_tokens} and target_tokens {target_tokens}."
            )
        if shared_vocabulary:
            self._require_one_form("which share a vocabulary")

    def load(self) -> Data:
        """The pairs, the vocabularies, and the numbers of bad lines and of too long pairs left out."""
        return dataclasses.replace(super().load(), references=self.references)

    def vocabularies(self, pairs: Pairs) -> Sequence[Vocabulary]:
        """The vocabularies of sources and of targets, built from the train pairs."""
        if not self.shared_vocabulary:
            return super().vocabularies(pairs)
        texts = itertools.chain.from_iterable(pairs)
        return [Vocabulary.build(texts, self.separators[0], self.max_tokens, normalize=self.forms[0])] * 2
