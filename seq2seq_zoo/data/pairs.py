"""Pairs of texts that stay in their files."""

import copy
import itertools
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import numpy as np

from seq2seq_zoo.data.lines import BLOCK, Gzip, Open, open_file


def _columns(spans: Sequence[bytes]) -> Sequence[str]:
    texts = [span.decode() for span in spans]
    return texts if len(texts) > 1 else texts[0].split("\t")


class Pairs(Sequence[tuple[str, str]]):
    """Pairs of texts that stay in their files. Each access reads its pair from the files.

    In memory, a pair is its start and end: 16 bytes for each file, whatever its length. The files must not change while
    they are in use. A slice or an array of rows as index gives `Pairs` again. A compressed file is decompressed into a
    temporary one.

    Args:
        paths: one UTF-8 file whose spans hold a source and a target; or a file of sources and a file of targets.
        spans: the first byte of each pair and the byte after its last one, in each file: `(pairs, files, 2)`, in the
            order of the files.
        separators: how sources and targets are split into tokens, as in `Vocabulary`. Texts of words lose the white
            space around them, and have one space between words.
        parse: takes the bytes of a pair's spans and returns the source and the target; by default, there is a tab
            between them, or each has a file of its own.
        open: opens a file.
        places: for each pair, the place of its target among those that `parse` returns after the source; by default,
            the first.

    Attributes:
        paths: the paths as given.

    Example:

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     _ = file.write("fjögur  hundruð\\t400\\nsjö\\t7\\n".encode())
    ...     _ = file.seek(0)
    ...     pairs = Pairs([file.name], np.array([[[0, 21]], [[22, 28]]]), (" ", ""))
    ...     list(pairs), pairs[1], len(pairs[:1])
    ([('fjögur hundruð', '400'), ('sjö', '7')], ('sjö', '7'), 1)
    """

    def __init__(
        self,
        paths: Sequence[str | os.PathLike[str]],
        spans: np.ndarray,
        separators: tuple[str, str] = ("", ""),
        parse: Callable[[Sequence[bytes]], Sequence[str]] = _columns,
        open: Open = open_file,
        places: np.ndarray | None = None,
    ):
        self.paths = tuple(paths)
        self._files = [_File(path, open) for path in paths]
        self._spans = spans
        self._separators = separators
        self._parse = parse
        self._places = places

    def __len__(self) -> int:
        return len(self._spans)

    @overload
    def __getitem__(self, at: int) -> tuple[str, str]: ...
    @overload
    def __getitem__(self, at: slice | np.ndarray) -> "Pairs": ...
    def __getitem__(self, at: Any) -> Any:
        spans = self._spans[at]
        if isinstance(at, int):
            contents = [file.read(*span) for file, span in zip(self._files, spans.tolist(), strict=True)]
            return self._pair(contents, 0 if self._places is None else self._places[at])
        chosen = copy.copy(self)
        chosen._spans = spans
        chosen._places = None if self._places is None else self._places[at]
        return chosen

    def __iter__(self) -> Iterator[tuple[str, str]]:
        sides = (file.read_all(self._spans[:, number]) for number, file in enumerate(self._files))
        places = itertools.repeat(0) if self._places is None else self._places
        return map(self._pair, zip(*sides, strict=True), places)

    def _pair(self, contents: Sequence[bytes], place: int) -> tuple[str, str]:
        source, *targets = self._parse(contents)
        return self._text(source, 0), self._text(targets[place], 1)

    def _text(self, text: str, side: int) -> str:
        # Files that were pasted side by side have a byte-order mark before their first target.
        text = text.removeprefix("\ufeff")
        return " ".join(text.split()) if self._separators[side] == " " else text


class _File:
    """A file that stays open until this object is deleted. Any thread may read."""

    def __init__(self, path: str | os.PathLike[str], open: Open):
        with open(path) as file:
            if isinstance(file, Gzip):
                with tempfile.TemporaryFile() as decompressed:
                    shutil.copyfileobj(file, decompressed, BLOCK)
                    decompressed.flush()
                    self._number = os.dup(decompressed.fileno())
            else:
                self._number = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._number)

    def read(self, start: int, stop: int) -> bytes:
        return os.pread(self._number, stop - start, start)

    def read_all(self, spans: np.ndarray) -> Iterator[bytes]:
        """The bytes of many spans in ascending order, one block of the file in memory at a time."""
        first = 0
        while first < len(spans):
            start = spans[first, 0]
            last = max(first + 1, np.searchsorted(spans[:, 1], start + BLOCK))
            block = self.read(start, spans[last - 1, 1])
            for low, high in zip(*(spans[first:last] - start).T.tolist(), strict=True):
                yield block[low:high]
            first = last
