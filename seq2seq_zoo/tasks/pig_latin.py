"""English words into Pig Latin."""

import string
from pathlib import Path

from seq2seq_zoo.config.options import NonNegative, Positive, checked
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.data.words import read_words
from seq2seq_zoo.tasks.sampling import sample
from seq2seq_zoo.tasks.task import Data, Task, tasks

_OURS = Path(__file__).with_name("words.txt")


@tasks.register("pig_latin", "English words into Pig Latin: 'street' -> 'eetstray', 'apple' -> 'appleyay'")
class PigLatin(Task):
    """Words of a list, said in Pig Latin.

    A word that begins with a vowel gets "yay". Any other word's letters before its first vowel move to its end, and
    "ay" follows. Vowels are a, e, i, o and u: y is a consonant wherever it stands ("my" -> "myay"), and the u of qu is
    a vowel ("queen" -> "ueenqay").

    Each split has its share of the words of each length. Both sides have one vocabulary, the letters a to z.

    Args:
        words: path of a file with one word on each line; some hundred ordinary words of our own by default.
        train_size: pairs in train; all words that dev and test leave by default.
        dev_size: pairs in dev.
        test_size: pairs in test.
        skip_bad_lines: leave out and count lines that are not one word of the letters a to z, instead of stopping at
            the first.
        seed: of the drawing.

    Raises:
        ValueError: on loading, a file or line that cannot be read, or more pairs than words.

    Example:

    >>> data = PigLatin().load()
    >>> sum(map(len, data.splits.values()))
    753
    >>> PigLatin.answer("school"), PigLatin.answer("under")
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

    @staticmethod
    def answer(word: str) -> str:
        """The target of a source."""
        rest = word.lstrip("bcdfghjklmnpqrstvwxyz")
        return f"{word}yay" if rest == word else f"{rest}{word.removesuffix(rest)}ay"

    def load(self) -> Data:
        """The pairs, the vocabulary of letters, the same on both sides, and how many bad lines were left out."""
        words, skipped = read_words(self.words or _OURS, self.skip_bad_lines)
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
        splits = {split: [(word, self.answer(word)) for word in made] for split, made in chosen.items()}
        return Data(splits, vocabulary, vocabulary, skipped=skipped)
