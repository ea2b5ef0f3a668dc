"""Dates as people write them."""

import collections
import datetime

import pytest

from seq2seq_zoo.tasks.date_normalization import LOCALES, DateNormalization, ways


def test_no_text_has_two_right_answers():
    days = [datetime.date(2020, 1, 1) + datetime.timedelta(n) for n in range(366)]
    found = collections.defaultdict(set)
    for day in days:
        for language in LOCALES:
            for text in ways(day, language):
                found[text].add(day)
    assert len(found) > 20_000
    assert {text: days for text, days in found.items() if len(days) > 1} == {}


@pytest.mark.parametrize(
    ("language", "day", "text"),
    [
        ("en", (2021, 3, 3), "March 3rd, 2021"),
        ("en", (2021, 3, 11), "the 11th of March 2021"),
        ("en", (2021, 12, 22), "wednesday, december 22nd, 2021"),
        ("de", (2021, 3, 3), "den 3. März 2021"),
        ("fr", (2021, 3, 1), "le 1er mars 2021"),
        ("fr", (2021, 3, 2), "le 2 mars 2021"),
        ("es", (2021, 3, 3), "3 de marzo de 2021"),
        ("es", (2021, 3, 3), "20210303"),
    ],
)
def test_a_day_is_written_as_people_do(language, day, text):
    assert text in ways(datetime.date(*day), language)


def test_splits_have_no_day_in_common():
    splits = DateNormalization(train_size=500, dev_size=50, test_size=50).load().splits
    days = [{day for _, day in pairs} for pairs in splits.values()]
    assert sum(map(len, days)) == len(set.union(*days)) == 600


def test_years_have_four_digits_and_an_order():
    with pytest.raises(
        ValueError, match="Years have four digits, and `first_year` must be at most `last_year`, got 3 and"
    ):
        DateNormalization(first_year=3)
    with pytest.raises(ValueError, match="got 2100 and 2000"):
        DateNormalization(first_year=2100, last_year=2000)
