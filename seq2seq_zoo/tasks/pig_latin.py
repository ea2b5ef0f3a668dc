"""English words into Pig Latin."""

import string
from collections.abc import Sequence
from pathlib import Path

from seq2seq_zoo.config.options import NonNegative, Positive, checked
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.data.words import read_words
from seq2seq_zoo.tasks.sampling import sample
from seq2seq_zoo.tasks.task import Data, Task, tasks

_WORDS = Path(__file__).with_name("words.txt")


@tasks.register("pig_latin", "English words into Pig Latin: 'street' -> 'eetstray', 'apple' -> 'appleyay'")
class PigLatin(Task):
    """Words from a list, translated into Pig Latin.

    A word that starts with a vowel gets the ending "yay". In any other word, the letters before the first vowel move to
    the end, followed by "ay". The vowels are a, e, i, o and u: y is always a consonant ("my" -> "myay"), and the u in
    qu is a vowel ("queen" -> "ueenqay").

    Each split gets words of each length in proportion to their number. Sources and targets share one vocabulary, the
    letters a to z.

    Args:
        words: path of a file with one word on each line; a built-in list of English words by default.
        train_size: number of pairs in train; by default all words that are not in dev or test.
        dev_size: number of pairs in dev.
        test_size: number of pairs in test.
        skip_bad_lines: leave out and count lines that are not one word of the letters a to z, instead of stopping at
            the first one.
        seed: seed of the random draw.

    Raises:
        ValueError: on loading, a file or line cannot be read, or there are fewer words than requested pairs.

    Example:

    >>> data = PigLatin().load()
    >>> sum(map(len, data.splits.values()))
    753
    >>> PigLatin.target("school"), PigLatin.target("under")
    ('oolschay', 'underyay')

    Reference:
        https://github.com/Linusp/soph
    """

    @checked
    def __init__(
        self,
        words: str | None = None,
        train_size: Positive | None = None,
        dev_size: Positive = 75,
        test_size: Positive = 75,
        skip_bad_lines: bool = False,
        seed: NonNegative = 0,
    ):
        self.words = words
        self.sizes = {"train": train_size, "dev": dev_size, "test": test_size}
        self.skip_bad_lines = skip_bad_lines
        self.seed = seed

    def files(self) -> Sequence[str]:
        """The path of the words, if it is given."""
        return [] if self.words is None else [self.words]

    @staticmethod
    def target(word: str) -> str:
        """The target of a source."""
        rest = word.lstrip("bcdfghjklmnpqrstvwxyz")
        return f"{word}yay" if rest == word else f"{rest}{word.removesuffix(rest)}ay"

    def load(self) -> Data:
        """The pairs, the vocabulary shared by sources and targets, and the number of bad lines left out."""
        words, skipped = read_words(self.words or _WORDS, self.skip_bad_lines)
        by_length: dict[int, list[str]] = {}
        for word in words:
            by_length.setdefault(len(word), []).append(word)
        left = max(1, len(words) - self.sizes["dev"] - self.sizes["test"])
        drawn = sample(
            {length: (len(group), 1) for length, group in by_length.items()},
            {**self.sizes, "train": self.sizes["train"] or left},
            self.seed,
            "uniform",
        )
        chosen = {split: [by_length[length][row[0]] for length, row in rows] for split, rows in drawn.items()}
        vocabulary = Vocabulary.build([string.ascii_lowercase], "")
        splits = {split: [(word, self.target(word)) for word in group] for split, group in chosen.items()}
        return Data(splits, vocabulary, vocabulary, skipped=skipped)
