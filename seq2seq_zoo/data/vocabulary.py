"""The tokens of a task and their ids."""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from seq2seq_zoo.config.registry import nearest

PADDING = 0
"""The id of padding in every vocabulary: masks are `ids != PADDING`."""


class Vocabulary:
    """The tokens of the sources or of the targets. Converts texts to ids and back.

    The special tokens padding, start, end and unknown have an id each; all but padding are optional. A token in a text
    that is written like a special one, such as "<end>", is still an ordinary token.

    Args:
        tokens: all tokens in the order of their ids, special ones included.
        separator: `""` if tokens are single characters, `" "` if tokens are separated by white space.
        start: the id of the start token, or `None`. Padding always has the id 0.
        end: the id of the end token, or `None`.
        unknown: the id that stands for every token outside the vocabulary, or `None`.

    Raises:
        ValueError: the separator is unknown; two special ids are equal, or one has no token; an ordinary token occurs
            twice, or the separator would split it.

    Example:

    >>> vocabulary = Vocabulary.build(["four hundred", "four seven"], separator=" ")
    >>> vocabulary.tokens
    ('<pad>', '<start>', '<end>', '<unk>', 'four', 'hundred', 'seven')
    >>> vocabulary.encode("four hundred and seven")
    [4, 5, 3, 6]
    >>> vocabulary.decode([4, 6, 2, 5, 0])
    'four seven'
    """

    def __init__(
        self,
        tokens: Sequence[str],
        separator: str,
        start: int | None = 1,
        end: int | None = 2,
        unknown: int | None = 3,
    ):
        if separator not in ("", " "):
            raise ValueError(f"A vocabulary's separator is '' (characters) or ' ' (words), got {separator!r}.")
        self.tokens = tuple(tokens)
        self.separator = separator
        self.start = start
        self.end = end
        self.unknown = unknown
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
            if self.split(token) != [token]:
                raise ValueError(f"{token!r} (id {id}) is not one token when texts are split at {separator!r}.")
            if token in self._ids:
                raise ValueError(f"The token {token!r} has two ids, {self._ids[token]} and {id}; give it one.")
            self._ids[token] = id

    @classmethod
    def build(
        cls, texts: Iterable[str], separator: str, most: int | None = None, endless: bool = False
    ) -> "Vocabulary":
        """The vocabulary of some texts: the special tokens, then the ordinary ones sorted by code points.

        Args:
            texts: the texts.
            separator: how texts are split, as in the constructor.
            most: the greatest number of ordinary tokens: the most frequent ones, equally frequent ones by code points.
                All by default.
            endless: whether to leave out the end token, for texts without an end.

        Returns:
            A vocabulary that does not depend on the order of the texts, and is the same in every process.

        Example:

        >>> Vocabulary.build(["a c", "c b"], " ", most=2).tokens[4:]
        ('a', 'c')
        """
        counts = Counter(itertools.chain.from_iterable(_split(text, separator) for text in texts))
        kept = sorted(counts, key=lambda token: (-counts[token], token))[:most]
        if endless:
            return cls(["<pad>", "<start>", "<unk>", *sorted(kept)], separator, end=None, unknown=2)
        return cls(["<pad>", "<start>", "<end>", "<unk>", *sorted(kept)], separator)

    def grown(self, tokens: Iterable[str]) -> "Vocabulary":
        """This vocabulary with further tokens at its end: those that it does not have yet, in the given order.

        Example:

        >>> Vocabulary.build(["b d"], " ").grown(["a", "b", "c"]).ordinary
        ('b', 'd', 'a', 'c')
        """
        new = [token for token in dict.fromkeys(tokens) if token not in self._ids]
        return Vocabulary([*self.tokens, *new], self.separator, self.start, self.end, self.unknown)

    @property
    def ordinary(self) -> tuple[str, ...]:
        """The tokens without the special ones."""
        return tuple(self._ids)

    def split(self, text: str) -> list[str]:
        """The tokens of a text."""
        return _split(text, self.separator)

    def join(self, tokens: Iterable[str]) -> str:
        """The text of tokens."""
        return self.separator.join(tokens)

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
        tokens = []
        for id in ids:
            if id == self.end:
                break
            if not 0 <= id < len(self):
                raise ValueError(f"The id {id} has no token: the ids are 0 to {len(self) - 1}.")
            if id not in (PADDING, self.start):
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
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Vocabulary":
        """The vocabulary of a `get_config`.

        Raises:
            ValueError: a key is missing or unknown.
        """
        keys = ["tokens", "separator", "start", "end", "unknown"]
        for key in config:
            if key not in keys:
                raise ValueError(f"A vocabulary has no '{key}'.{nearest(key, keys)} Known: {', '.join(keys)}.")
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


def _split(text: str, separator: str) -> list[str]:
    return text.split() if separator else list(text)
