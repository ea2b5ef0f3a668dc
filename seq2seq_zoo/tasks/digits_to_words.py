"""Numbers into words: one number by its digits, or a row of numbers."""

from collections.abc import Iterable
from typing import Annotated, Literal

from num2words import CONVERTER_CLASSES, num2words
from pydantic import Field

from seq2seq_zoo.config.messages import nearest
from seq2seq_zoo.config.options import NonNegative, OptionError, Positive, checked
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.tasks.sampling import Draw, sample
from seq2seq_zoo.tasks.task import Data, Task, tasks

Number = Annotated[int, Field(ge=0, lt=10**18)]


def spell(number: int, language: str = "en") -> list[str]:
    """The words of a number, without hyphens and commas.

    Args:
        number: the number.
        language: the language, by its name in num2words.

    Raises:
        ValueError: num2words does not know the language, or cannot spell the number in it.

    Example:

    >>> spell(1021)
    ['one', 'thousand', 'and', 'twenty', 'one']
    """
    return spell_as_written(number, language).replace("-", " ").replace(",", " ").split()


def spell_as_written(number: int, language: str = "en") -> str:
    """A number in words, with the hyphens and commas of num2words. Arguments and errors are those of `spell`.

    Example:

    >>> spell_as_written(1021)
    'one thousand and twenty-one'
    """
    if language not in CONVERTER_CLASSES:
        known = ", ".join(sorted(CONVERTER_CLASSES))
        raise ValueError(f"Unknown language '{language}'.{nearest(language, CONVERTER_CLASSES)} Known: {known}.")
    try:
        return num2words(number, lang=language)
    # The converters raise different errors for numbers that are too large for their language.
    except Exception as error:
        raise OptionError(
            ("language",), f"num2words cannot spell {number} in '{language}' ({error!r}). Lower `high`."
        ) from error


@tasks.register("digits_to_words", "numbers into words: '4 0 7' -> 'four hundred and seven', or one word a number")
class DigitsToWords(Task):
    """Numbers into words.

    A source of form `whole` is the digits of one integer, its target the words: "4 0 7" -> "four hundred and seven". A
    source of form `each` is a row of numbers, its target one word for each: "7 21 3" -> "seven twenty_one three".

    Nine in ten of the integers up to 999,999 have six digits. With `draw: by_length`, each length gets the same number
    of pairs, as far as there are enough, so that accuracy by length is meaningful. With `uniform`, all sources are
    equally likely. `seq2seq_zoo.tasks.sampling` documents how the splits are drawn.

    The vocabularies do not depend on the pairs drawn, as far as possible. They list all tokens of sources, and all of
    the targets of form `each`. For form `whole`, they have the words of all numbers a * 1000^k with a below 1000: in a
    language that spells a number group by group, such as English, these are all words. In a language that writes a
    number as one word (German, Japanese), each number is a token of its own; the tokens of all pairs drawn are
    therefore added, so that none is unknown.

    Args:
        form: `whole` for one integer by its digits, `each` for a row of numbers.
        language: language of the words, by its name in num2words.
        low: the smallest number.
        high: the largest number; 999999 for form whole and 99 for form each by default.
        min_length: the length of the shortest source: digits in form whole, numbers in form each.
        max_length: the length of the longest source; by default all digits of `high` for form whole, and 5 for form
            each.
        train_max_length: the longest source in train and dev; test then has only longer ones.
        draw: `by_length` for the same number of sources of each length, `uniform` to draw all sources with equal
            probability, `balanced` for the same number of each length in train, with all short sources repeated in it.
        train_size: number of pairs in train.
        dev_size: number of pairs in dev.
        test_size: number of pairs in test.
        seed: seed of the random draw.

    Raises:
        ValueError: the language is unknown; a range is empty; on loading, there are fewer possible pairs than
            requested.

    Example:

    >>> data = DigitsToWords(high=99, train_size=80, dev_size=10, test_size=10).load()
    >>> dict(sum(data.splits.values(), []))["4 2"]
    'forty two'
    """

    @checked
    def __init__(
        self,
        form: Literal["whole", "each"] = "whole",
        language: str = "en",
        low: Number = 0,
        high: Number | None = None,
        min_length: Positive = 1,
        max_length: Positive | None = None,
        train_max_length: Positive | None = None,
        draw: Draw = "by_length",
        train_size: Positive = 20_000,
        dev_size: Positive = 1_000,
        test_size: Positive = 1_000,
        seed: NonNegative = 0,
    ):
        self.form = form
        self.language = language
        self.low = low
        self.high = high if high is not None else {"whole": 999_999, "each": 99}[form]
        self.min_length = min_length
        self.max_length = max_length or {"whole": len(str(self.high)), "each": 5}[form]
        self.train_max_length = train_max_length
        self.draw: Draw = draw
        self.sizes = {"train": train_size, "dev": dev_size, "test": test_size}
        self.seed = seed
        spell(0, language)
        if self.low > self.high:
            raise ValueError(f"`low` must be at most `high`, got {self.low} and {self.high}.")
        if not self._spaces():
            raise ValueError(
                f"No source has {self.min_length} to {self.max_length} {'digits' if form == 'whole' else 'numbers'} "
                f"with numbers from {self.low} to {self.high}: widen min_length and max_length, or low and high."
            )

    def load(self) -> Data:
        """The pairs and the vocabularies."""
        drawn = sample(self._spaces(), self.sizes, self.seed, self.draw, self.train_max_length)
        if self.form == "whole":
            splits = {
                split: [self._whole(self._first(length) + row[0]) for length, row in rows]
                for split, rows in drawn.items()
            }
            targets = [target for pairs in splits.values() for _, target in pairs]
            numbers = "0 1 2 3 4 5 6 7 8 9"
            return Data(
                splits,
                source=Vocabulary.build([numbers], " "),
                target=Vocabulary.build([*targets, *self._systematic()], " "),
            )
        words = {number: "_".join(spell(number, self.language)) for number in range(self.low, self.high + 1)}
        splits = {
            split: [_each((self.low + index for index in row), words) for _, row in rows]
            for split, rows in drawn.items()
        }
        return Data(splits, source=Vocabulary.build(map(str, words), " "), target=Vocabulary.build(words.values(), " "))

    def _spaces(self) -> dict[int, tuple[int, int]]:
        lengths = range(self.min_length, self.max_length + 1)
        if self.form == "each":
            return {length: (self.high - self.low + 1, length) for length in lengths}
        # No number up to `high` has more digits than `high`.
        lengths = range(self.min_length, min(self.max_length, len(str(self.high))) + 1)
        counts = {length: min(self.high, 10**length - 1) - self._first(length) + 1 for length in lengths}
        return {length: (count, 1) for length, count in counts.items() if count > 0}

    def _first(self, length: int) -> int:
        """The smallest number with `length` digits."""
        return max(self.low, 10 ** (length - 1) if length > 1 else 0)

    def _whole(self, number: int) -> tuple[str, str]:
        return " ".join(str(number)), " ".join(spell(number, self.language))

    def _systematic(self) -> Iterable[str]:
        scale = 1
        while scale <= self.high:
            for part in range(min(999, self.high // scale) + 1):
                yield " ".join(spell(part * scale, self.language))
            scale *= 1000


def _each(numbers: Iterable[int], words: dict[int, str]) -> tuple[str, str]:
    row = list(numbers)
    return " ".join(map(str, row)), " ".join(words[number] for number in row)
