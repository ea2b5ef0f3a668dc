"""Pairs of texts that stay in their files."""

import codecs
import copy
import os
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

_BLOCK = 2**20


class DataFileError(ValueError):
    """A data file that cannot be read, and where."""


def lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, bytes]]:
    """Where each line of a file begins, and the line without its end; a byte-order mark belongs to no line.

    Raises:
        DataFileError: the file cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            at = len(codecs.BOM_UTF8) if file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 else 0
            file.seek(at)
            while block := file.read(_BLOCK) + file.readline():
                for line in block.splitlines(keepends=True):
                    yield at, line.rstrip(b"\r\n")
                    at += len(line)
    except OSError as error:
        raise DataFileError(f"Cannot read the data file '{path}': {error.strerror or error}. Check the path.") from None


def bad_line(
    path: str | os.PathLike[str], number: int, expected: str, found: str | UnicodeDecodeError
) -> DataFileError:
    """The error for a line that is not as expected."""
    if isinstance(found, UnicodeDecodeError):
        found = f"the byte 0x{found.object[found.start]:02x}, which is not UTF-8"
    return DataFileError(
        f"{path}, line {number}: expected {expected}, found {found}. "
        "Mend the line, or skip and count such lines with `skip_bad_lines: true` (--skip-bad-lines)."
    )


class Pairs(Sequence[tuple[str, str]]):
    """Pairs of texts that stay in their files, and are read each time that they are asked for.

    Of a pair is kept where it begins and where it ends: 16 bytes for each file, however long it is. So the files must
    stay as they are. Indexed by a slice or by an array of rows, pairs are pairs again.

    Args:
        paths: one file with a source, a tab and a target in each span, or a file of sources and one of targets; UTF-8.
        spans: for each pair the first byte and the one after the last, in each file; of shape `(pairs, files, 2)` and
            in the order of the files.
        separators: how the tokens of sources and of targets are cut, as in `Vocabulary`. White space around words is
            not kept, and what is between them is one blank.

    Attributes:
        paths: as they were given.

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
        self, paths: Sequence[str | os.PathLike[str]], spans: np.ndarray, separators: tuple[str, str] = ("", "")
    ):
        self.paths = tuple(paths)
        self._files = [_File(path) for path in paths]
        self._spans = spans
        self._separators = separators

    def __len__(self) -> int:
        return len(self._spans)

    @overload
    def __getitem__(self, at: int) -> tuple[str, str]: ...
    @overload
    def __getitem__(self, at: slice | np.ndarray) -> "Pairs": ...
    def __getitem__(self, at: Any) -> Any:
        spans = self._spans[at]
        if isinstance(at, int):
            return self._pair([file.read(*span) for file, span in zip(self._files, spans.tolist(), strict=True)])
        chosen = copy.copy(self)
        chosen._spans = spans
        return chosen

    def __iter__(self) -> Iterator[tuple[str, str]]:
        sides = (file.read_all(self._spans[:, number]) for number, file in enumerate(self._files))
        return map(self._pair, zip(*sides, strict=True))

    def _pair(self, contents: Sequence[bytes]) -> tuple[str, str]:
        source, target = contents if len(contents) == 2 else contents[0].split(b"\t")
        return self._text(source, 0), self._text(target, 1)

    def _text(self, content: bytes, side: int) -> str:
        text = content.decode()
        return " ".join(text.split()) if self._separators[side] else text


class _File:
    """A file that is open as long as somebody has a use for it; any thread may read."""

    def __init__(self, path: str | os.PathLike[str]):
        self._number = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._number)

    def read(self, start: int, stop: int) -> bytes:
        return os.pread(self._number, stop - start, start)

    def read_all(self, spans: np.ndarray) -> Iterator[bytes]:
        """The bytes of many spans, in order; of the file no more at once than a block."""
        first = 0
        while first < len(spans):
            start = spans[first, 0]
            last = max(first + 1, np.searchsorted(spans[:, 1], start + _BLOCK))
            block = self.read(start, spans[last - 1, 1])
            for begin, end in zip(*(spans[first:last] - start).T.tolist(), strict=True):
                yield block[begin:end]
            first = last
