"""Dates as people write them into ISO 8601."""

import datetime
import importlib.util
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from seq2seq_zoo.config.options import NonNegative, OptionError, Positive, checked
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.tasks.sampling import sample
from seq2seq_zoo.tasks.task import Data, Task, tasks

LOCALES = {"en": ("en_US", "en_GB"), "de": ("de_DE",), "fr": ("fr_FR",), "es": ("es_ES",)}

# Unicode's patterns, beside the long, medium and full format of each locale.
PATTERNS = {
    "en_US": ("MMMM d, y", "MMM d, y", "MMMM d y", "MMM. d, y", "EEE, MMM d, y", "EEEE, MMMM d, y", "M/d/y", "MM/dd/y"),
    "en_GB": ("d MMMM y", "d MMM y", "d MMMM, y", "EEE d MMM y", "EEEE, d MMMM y", "d-MMM-y", "d/M/y", "dd/MM/y"),
    "de_DE": ("d. MMMM y", "d. MMM y", "EEE, d. MMM y", "EEEE, d. MMMM y", "'den' d. MMMM y", "d.M.y", "dd.MM.y"),
    "fr_FR": ("d MMMM y", "'le' d MMMM y", "EEEE d MMMM y", "'le' EEEE d MMMM y", "d MMM y", "d/M/y", "dd/MM/y"),
    "es_ES": ("d 'de' MMMM 'de' y", "d 'de' MMMM 'del' y", "EEEE, d 'de' MMMM 'de' y", "d MMM y", "d/M/y", "dd/MM/y"),
}
ORDINALS = {
    "en": ("MMMM @, y", "MMM @, y", "@ MMMM y", "'the' @ 'of' MMMM y", "@ 'of' MMMM, y", "EEEE, MMMM @, y"),
    "fr": ("@ MMMM y", "'le' @ MMMM y", "EEEE @ MMMM y"),
}
"""Patterns with an ordinal in the place of @."""
ISO = ("y-MM-dd", "yMMdd", "y/MM/dd", "y.MM.dd")
"""Year first, in every language."""


@tasks.register("date_normalization", "dates in four languages into ISO 8601: 'March 3rd, 2021' -> '2021-03-03'")
class DateNormalization(Task):
    """Dates in English, German, French and Spanish into ISO 8601.

    The day and one of the ways to write it are drawn at random; the splits have no day in common. The ways are the
    formats of the Unicode CLDR, from the package Babel, and further usual ones: with and without the day of the week,
    with ordinals ("3rd", "1er"), as written or in small letters, and with digits only.

    A text without one right answer is not asked. "3/4/2021" is in April or in March, so a text of digits and slashes
    has a day above 12, or a day that equals the month. A year always has four digits, because "21" may be 1921.

    Args:
        languages: the languages.
        first_year: the first year.
        last_year: the last year, which is included.
        train_size: number of pairs in train.
        dev_size: number of pairs in dev.
        test_size: number of pairs in test.
        seed: seed of the random draw.

    Raises:
        ValueError: a year is out of range, or Babel is not installed; on loading, there are fewer days than requested.

    Example:

    >>> data = DateNormalization(languages=["en"], train_size=20, dev_size=5, test_size=5).load()
    >>> data.splits["dev"][0]
    ('november 25 2157', '2157-11-25')
    """

    @checked
    def __init__(
        self,
        languages: Sequence[Literal["en", "de", "fr", "es"]] = ("en", "de", "fr", "es"),
        first_year: Positive = 1800,
        last_year: Positive = 2199,
        train_size: Positive = 50_000,
        dev_size: Positive = 1_000,
        test_size: Positive = 1_000,
        seed: NonNegative = 0,
    ):
        if not 1000 <= first_year <= last_year <= 9999:
            raise ValueError(
                f"Years have four digits, and `first_year` must be at most `last_year`, got {first_year} and "
                f"{last_year}."
            )
        if importlib.util.find_spec("babel") is None:
            raise OptionError(
                (), "needs the package Babel, which is not installed. Run: pip install 'seq2seq-zoo[zoo]'"
            )
        self.languages = languages
        self.first, last = datetime.date(first_year, 1, 1), datetime.date(last_year, 12, 31)
        self.days = (last - self.first).days + 1
        self.sizes = {"train": train_size, "dev": dev_size, "test": test_size}
        self.seed = seed

    def load(self) -> Data:
        """The pairs, and the vocabularies of their characters."""
        drawn = sample({1: (self.days, 1)}, self.sizes, self.seed)
        random = np.random.default_rng(self.seed)
        splits = {}
        for split, rows in drawn.items():
            days = [self.first + datetime.timedelta(row[0]) for _, row in rows]
            splits[split] = [(self._written(day, random), day.isoformat()) for day in days]
        sources = [source for pairs in splits.values() for source, _ in pairs]
        return Data(splits, Vocabulary.build(sources, ""), Vocabulary.build(["0123456789-"], ""))

    def _written(self, day: datetime.date, random: np.random.Generator) -> str:
        texts = [*ways(day, str(random.choice(self.languages)))]
        return str(random.choice(texts))


def ways(day: datetime.date, language: str) -> Iterator[str]:
    """All texts for a day in a language that have one right answer, each once.

    Args:
        day: the day.
        language: en, de, fr or es.

    Example:

    >>> texts = [*ways(datetime.date(2021, 3, 3), "en")]
    >>> "March 3rd, 2021" in texts, "3 march 2021" in texts, "3/3/2021" in texts
    (True, True, True)
    >>> "4/3/2021" in ways(datetime.date(2021, 4, 3), "en")
    False
    """
    from babel.dates import format_date

    texts = [format_date(day, pattern, "en") for pattern in ISO]
    for locale in LOCALES[language]:
        texts += [format_date(day, form, locale) for form in ("full", "long", "medium")]
        texts += [format_date(day, pattern, locale) for pattern in PATTERNS[locale]]
        ordinals = [format_date(day, pattern, locale) for pattern in ORDINALS.get(language, ())]
        texts += [each.replace("@", _ordinal(day.day, language)) for each in ordinals]
    for text in dict.fromkeys(form for each in texts for form in (each, each.lower())):
        if "/" not in text or text.startswith(f"{day.year}/") or day.day > 12 or day.day == day.month:
            yield text


def _ordinal(day: int, language: str) -> str:
    """A day of the month as an ordinal, where people write one: 3rd in English, 1er in French."""
    if language == "fr":
        return "1er" if day == 1 else str(day)
    return f"{day}{'th' if day // 10 == 1 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"
