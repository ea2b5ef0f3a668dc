"""Which symbol has which id."""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from seq2seq_zoo.config.registry import nearest

PADDING = 0
"""The id of padding, everywhere: masks are `ids != PADDING`."""


class Vocabulary:
    """The symbols of one side of a task, by id; cuts a text into symbols and puts it together again.

    Padding, start, end and unknown are four ids of their own; only padding there must be. A text symbol that is written
    like one of them, such as "<end>", is still an ordinary symbol.

    Args:
        symbols: every symbol in the order of the ids, the four special ones included by the name they are shown as.
        separator: `""` for texts of single characters, `" "` for texts of symbols with white space between them.
        start: the id before the first symbol; padding is always 0. `None` if there is none.
        end: the id after the last symbol; `None` if there is none.
        unknown: the id of every symbol that is not in the vocabulary; `None` if there is none.

    Raises:
        ValueError: an unknown separator, special ids that coincide or have no symbol, an ordinary symbol that occurs
            twice or that the separator would cut.

    Example:

    >>> vocabulary = Vocabulary.build(["four hundred", "four seven"], separator=" ")
    >>> vocabulary.symbols
    ('<pad>', '<start>', '<end>', '<unk>', 'four', 'hundred', 'seven')
    >>> vocabulary.encode("four hundred and seven")
    [4, 5, 3, 6]
    >>> vocabulary.decode([4, 6, 2, 5, 0])
    'four seven'
    """

    def __init__(
        self,
        symbols: Sequence[str],
        separator: str,
        start: int | None = 1,
        end: int | None = 2,
        unknown: int | None = 3,
    ):
        if separator not in ("", " "):
            raise ValueError(f"A vocabulary's separator is '' (characters) or ' ' (words), got {separator!r}.")
        self.symbols = tuple(symbols)
        self.separator = separator
        self.start = start
        self.end = end
        self.unknown = unknown
        specials = {"padding": PADDING, "start": start, "end": end, "unknown": unknown}
        specials = {name: special for name, special in specials.items() if special is not None}
        if len(set(specials.values())) < len(specials):
            raise ValueError(f"Padding, start, end and unknown need four different ids, got {specials}.")
        for name, special in specials.items():
            if not 0 <= special < len(self.symbols):
                raise ValueError(f"The {name} id {special} has no symbol: the ids are 0 to {len(self.symbols) - 1}.")
        self._ids: dict[str, int] = {}
        for id, symbol in enumerate(self.symbols):
            if id in specials.values():
                continue
            if self.split(symbol) != [symbol]:
                raise ValueError(f"{symbol!r} (id {id}) is not one symbol where texts are cut at {separator!r}.")
            if symbol in self._ids:
                raise ValueError(f"The symbol {symbol!r} has two ids, {self._ids[symbol]} and {id}; give it one.")
            self._ids[symbol] = id

    @classmethod
    def build(
        cls, texts: Iterable[str], separator: str, most: int | None = None, endless: bool = False
    ) -> "Vocabulary":
        """The vocabulary of some texts: the specials, then the symbols in the order of code points.

        Args:
            texts: the texts.
            separator: how they are cut, as in the constructor.
            most: how many symbols there may be besides the specials: the most frequent, and of those that are equally
                frequent the first in the order of code points. All by default.
            endless: whether texts have no end, so that there is no symbol for it.

        Returns:
            The same vocabulary whatever the order of the texts, in every process.

        Example:

        >>> Vocabulary.build(["a c", "c b"], " ", most=2).symbols[4:]
        ('a', 'c')
        """
        counts = Counter(itertools.chain.from_iterable(_split(text, separator) for text in texts))
        kept = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))[:most]
        if endless:
            return cls(["<pad>", "<start>", "<unk>", *sorted(kept)], separator, end=None, unknown=2)
        return cls(["<pad>", "<start>", "<end>", "<unk>", *sorted(kept)], separator)

    @property
    def ordinary(self) -> tuple[str, ...]:
        """The symbols that texts may have: all but the special ones."""
        return tuple(self._ids)

    def split(self, text: str) -> list[str]:
        """The symbols of a text."""
        return _split(text, self.separator)

    def join(self, symbols: Iterable[str]) -> str:
        """The text of some symbols."""
        return self.separator.join(symbols)

    def encode(self, text: str) -> list[int]:
        """The ids of a text's symbols, without start and end.

        Raises:
            ValueError: an unknown symbol, if there is no id for it.
        """
        if self.unknown is not None:
            return list(map(self._ids.get, self.split(text), itertools.repeat(self.unknown)))
        if strange := self.unknown_in(text):
            raise ValueError(
                f"The symbol {strange[0]!r} is not in this vocabulary, which has no id for unknown ones."
                f"{nearest(strange[0], self.symbols)}"
            )
        return [self._ids[symbol] for symbol in self.split(text)]

    def symbols_of(self, ids: Iterable[int]) -> list[str]:
        """The symbols of some ids up to the first end; padding and start are left out.

        Args:
            ids: integers of any kind, such as one row of a model's output.

        Raises:
            ValueError: an id that no symbol has.
        """
        symbols = []
        for id in ids:
            if id == self.end:
                break
            if not 0 <= id < len(self):
                raise ValueError(f"The id {id} has no symbol: the ids are 0 to {len(self) - 1}.")
            if id not in (PADDING, self.start):
                symbols.append(self.symbols[id])
        return symbols

    def decode(self, ids: Iterable[int]) -> str:
        """The text of some ids, as `symbols_of` reads them."""
        return self.join(self.symbols_of(ids))

    def unknown_in(self, text: str) -> list[str]:
        """The symbols of a text that have no id, each once, in the order of the text."""
        return [symbol for symbol in dict.fromkeys(self.split(text)) if symbol not in self._ids]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain JSON."""
        return {
            "symbols": list(self.symbols),
            "separator": self.separator,
            "start": self.start,
            "end": self.end,
            "unknown": self.unknown,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Vocabulary":
        """The vocabulary that `get_config` described.

        Raises:
            ValueError: a key that is missing or not of a vocabulary.
        """
        keys = ["symbols", "separator", "start", "end", "unknown"]
        for key in config:
            if key not in keys:
                raise ValueError(f"A vocabulary has no '{key}'.{nearest(key, keys)} Known: {', '.join(keys)}.")
        if missing := [key for key in keys if key not in config]:
            raise ValueError(f"The saved vocabulary lacks {', '.join(missing)}.")
        return cls(**config)

    def __len__(self) -> int:
        return len(self.symbols)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.get_config() == other.get_config()

    def __hash__(self) -> int:
        return hash((self.symbols, self.separator))

    def __repr__(self) -> str:
        return f"<Vocabulary of {len(self)} symbols, separator {self.separator!r}>"


def _split(text: str, separator: str) -> list[str]:
    return text.split() if separator else list(text)
