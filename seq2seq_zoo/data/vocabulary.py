"""The tokens of a task and their ids."""

import itertools
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from seq2seq_zoo.config.messages import nearest, shown

PADDING = 0
"""The id of padding in every vocabulary: masks are `ids != PADDING`."""

Form = Literal["nfc", "nfd", "nfkc", "nfkd", "none"]
"""A Unicode normal form of texts; `none` to leave them as they are."""

FORMS: Mapping[str, Literal["NFC", "NFD", "NFKC", "NFKD"]] = {
    "nfc": "NFC",
    "nfd": "NFD",
    "nfkc": "NFKC",
    "nfkd": "NFKD",
}
"""The normal forms, by their names in options."""
FEATURES = ";"
"""The separator of features that precede single characters."""

KINDS = {"": "characters", " ": "words", FEATURES: "features and characters"}
"""What tokens are, by their separator."""


class Vocabulary:
    """The tokens of the sources or of the targets. Converts texts to ids and back.

    The special tokens padding, start, end and unknown have an id each; all but padding are optional. A token in a text
    that is written like a special one, such as "<end>", is still an ordinary token.

    Args:
        tokens: all tokens in the order of their ids, special ones included.
        separator: `""` if tokens are single characters, `" "` if tokens are separated by white space, `";"` if texts
            are features separated by semicolons, a space, and single characters. The token of the feature `PL` is
            `PL;`, so that no feature is also a character.
        start: the id of the start token, or `None`. Padding always has the id 0.
        end: the id of the end token, or `None`.
        unknown: the id that stands for every token outside the vocabulary, or `None`.
        normalize: the Unicode normal form that texts are brought to before they are split. Texts of tokens are then
            composed (NFC).

    Raises:
        ValueError: the separator or the normal form is unknown; two special ids are equal, or one has no token; an
            ordinary token occurs twice, or splitting texts would change it.

    Example:

    >>> vocabulary = Vocabulary.build(["four hundred", "four seven"], separator=" ")
    >>> vocabulary.tokens
    ('<pad>', '<start>', '<end>', '<unk>', 'four', 'hundred', 'seven')
    >>> vocabulary.encode("four hundred and seven")
    [4, 5, 3, 6]
    >>> vocabulary.decode([4, 6, 2, 5, 0])
    'four seven'
    >>> jamo = Vocabulary.build(["한국"], separator="", normalize="nfd")
    >>> len(jamo.split("한국")), jamo.decode(jamo.encode("한국"))
    (6, '한국')
    """

    def __init__(
        self,
        tokens: Sequence[str],
        separator: str,
        start: int | None = 1,
        end: int | None = 2,
        unknown: int | None = 3,
        normalize: Form = "none",
    ):
        if normalize not in (*FORMS, "none"):
            raise ValueError(f"A vocabulary's normalize is {', '.join(FORMS)} or none, got {normalize!r}.")
        if separator not in KINDS:
            kinds = " or ".join(f"'{each}' ({kind})" for each, kind in KINDS.items())
            raise ValueError(f"A vocabulary's separator is {kinds}, got {separator!r}.")
        self.tokens = tuple(tokens)
        self.separator = separator
        self.start = start
        self.end = end
        self.unknown = unknown
        self.normalize: Form = normalize
        specials = {"padding": PADDING, "start": start, "end": end, "unknown": unknown}
        specials = {name: special for name, special in specials.items() if special is not None}
        if len(set(specials.values())) < len(specials):
            raise ValueError(f"Padding, start, end and unknown need four different ids, got {specials}.")
        for name, special in specials.items():
            if not 0 <= special < len(self.tokens):
                raise ValueError(f"The {name} id {special} has no token: the ids are 0 to {len(self.tokens) - 1}.")
        self._ids: dict[str, int] = {}
        for id, token in enumerate(self.tokens):
            if id in specials.values():
                continue
            if self.split(self.join([token])) != [token]:
                raise ValueError(f"{token!r} (id {id}) is not one token when texts are split at {separator!r}.")
            if token in self._ids:
                raise ValueError(f"The token {token!r} has two ids, {self._ids[token]} and {id}; give it one.")
            self._ids[token] = id

    @classmethod
    def build(
        cls,
        texts: Iterable[str],
        separator: str,
        most: int | None = None,
        endless: bool = False,
        normalize: Form = "none",
    ) -> "Vocabulary":
        """The vocabulary of some texts: the special tokens, then the ordinary ones sorted by code points.

        Args:
            texts: the texts.
            separator: how texts are split, as in the constructor.
            most: the greatest number of ordinary tokens: the most frequent ones, equally frequent ones by code points.
                All by default.
            endless: whether to leave out the end token, for texts without an end.
            normalize: the normal form of texts, as in the constructor.

        Returns:
            A vocabulary that does not depend on the order of the texts, and is the same in every process.

        Example:

        >>> Vocabulary.build(["a c", "c b"], " ", most=2).tokens[4:]
        ('a', 'c')
        """
        counts = Counter(itertools.chain.from_iterable(split_text(text, separator, normalize) for text in texts))
        kept = sorted(counts, key=lambda token: (-counts[token], token))[:most]
        if endless:
            tokens = ["<pad>", "<start>", "<unk>", *sorted(kept)]
            return cls(tokens, separator, end=None, unknown=2, normalize=normalize)
        return cls(["<pad>", "<start>", "<end>", "<unk>", *sorted(kept)], separator, normalize=normalize)

    def grown(self, tokens: Iterable[str]) -> "Vocabulary":
        """This vocabulary with further tokens at its end: those that it does not have yet, in the given order.

        Example:

        >>> Vocabulary.build(["b d"], " ").grown(["a", "b", "c"]).ordinary
        ('b', 'd', 'a', 'c')
        """
        new = [token for token in dict.fromkeys(tokens) if token not in self._ids]
        return Vocabulary(**{**self.get_config(), "tokens": [*self.tokens, *new]})

    @property
    def ordinary(self) -> tuple[str, ...]:
        """The tokens without the special ones."""
        return tuple(self._ids)

    def split(self, text: str) -> list[str]:
        """The tokens of a text."""
        return split_text(text, self.separator, self.normalize)

    def join(self, tokens: Iterable[str]) -> str:
        """The text of tokens, composed (NFC) if the vocabulary has a normal form."""
        if self.separator == FEATURES:
            tokens = list(tokens)
            features = [token.removesuffix(FEATURES) for token in tokens if len(token) > 1]
            text = f"{FEATURES.join(features)} {''.join(token for token in tokens if len(token) == 1)}"
        else:
            text = self.separator.join(tokens)
        return text if self.normalize == "none" else in_form(text, "nfc")

    def normalized(self, text: str) -> str:
        """A text as the model writes it: that of its tokens."""
        return self.join(self.split(text))

    def encode(self, text: str) -> list[int]:
        """The ids of a text's tokens, without start and end.

        Raises:
            ValueError: a token is unknown and the vocabulary has no unknown id.
        """
        if self.unknown is not None:
            return list(map(self._ids.get, self.split(text), itertools.repeat(self.unknown)))
        if strange := self.unknown_in(text):
            raise ValueError(
                f"The token {strange[0]!r} is not in this vocabulary, which has no id for unknown ones."
                f"{nearest(strange[0], self.tokens)}"
            )
        return [self._ids[token] for token in self.split(text)]

    def tokens_of(self, ids: Iterable[int]) -> list[str]:
        """The tokens of ids up to the first end id, without padding and start.

        Args:
            ids: integers of any type, such as one row of a model's output.

        Raises:
            ValueError: an id has no token.
        """
        tokens, start, end, size = [], self.start, self.end, len(self)
        for id in ids:
            if id == end:
                break
            if not 0 <= id < size:
                raise ValueError(f"The id {id} has no token: the ids are 0 to {size - 1}.")
            if id not in (PADDING, start):
                tokens.append(self.tokens[id])
        return tokens

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids, up to the first end id."""
        return self.join(self.tokens_of(ids))

    def unknown_in(self, text: str) -> list[str]:
        """The distinct tokens of a text that are not in the vocabulary, in the order of the text."""
        return [token for token in dict.fromkeys(self.split(text)) if token not in self._ids]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain JSON."""
        return {
            "tokens": list(self.tokens),
            "separator": self.separator,
            "start": self.start,
            "end": self.end,
            "unknown": self.unknown,
            "normalize": self.normalize,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Vocabulary":
        """The vocabulary of a `get_config`. Older ones have no `normalize`.

        Raises:
            ValueError: a key is missing or unknown.
        """
        keys = ["tokens", "separator", "start", "end", "unknown"]
        known = [*keys, "normalize"]
        for key in config:
            if key not in known:
                raise ValueError(f"A vocabulary has no '{key}'.{nearest(key, known)} Known: {', '.join(known)}.")
        if missing := [key for key in keys if key not in config]:
            raise ValueError(f"The saved vocabulary has no {', '.join(missing)}: expected {', '.join(keys)}.")
        return cls(**config)

    def __len__(self) -> int:
        return len(self.tokens)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.get_config() == other.get_config()

    def __hash__(self) -> int:
        return hash((self.tokens, self.separator))

    def __repr__(self) -> str:
        return f"<Vocabulary of {len(self)} tokens, separator {self.separator!r}>"


def input_vocabulary(source: Vocabulary, target: Vocabulary) -> Vocabulary:
    """The vocabulary of the texts that a model is given: the source's, or a language model's target vocabulary, since
    its outputs start with the texts that it is given."""
    return source if source.ordinary else target


def in_form(text: str, form: str) -> str:
    """A text in a Unicode normal form."""
    return text if form == "none" else unicodedata.normalize(FORMS[form], text)


def split_text(text: str, separator: str, form: str = "none") -> list[str]:
    """The tokens of a text.

    Args:
        text: the text.
        separator: how it is split, as in `Vocabulary`.
        form: the Unicode normal form of the tokens.

    Example:

    >>> split_text("N;PL Kalb", ";")
    ['N;', 'PL;', 'K', 'a', 'l', 'b']
    """
    text = in_form(text, form)
    if separator != FEATURES:
        return text.split() if separator else list(text)
    features, _, characters = text.partition(" ")
    return [*(f"{feature}{FEATURES}" for feature in features.split(FEATURES) if feature), *characters]


def name_of(token: str) -> str:
    """A token for a message: in quotes, but a combining mark, which cannot be read alone, by its name.

    Example:

    >>> name_of("é"), name_of("\u0302")
    ("'é'", 'U+0302 COMBINING CIRCUMFLEX ACCENT')
    """
    if len(token) == 1 and unicodedata.category(token).startswith("M"):
        return f"U+{ord(token):04X} {unicodedata.name(token, 'without a name')}"
    return repr(token)


def expect_texts(texts: Sequence[str]) -> None:
    """Refuse anything but a list of texts.

    Raises:
        ValueError: it is one text, or there is something else in the list.
    """
    if isinstance(texts, str):
        raise ValueError(f"Expected a list of texts, got one text: write [{texts!r}].")
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"Expected a list of texts, got {shown(text)} at position {place}.")
