"""The lines of UTF-8 files."""

import codecs
import functools
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

BLOCK = 2**20
"""How many bytes of a file are in memory at a time."""

Check = Callable[[str], tuple[str, str] | None]
"""Takes a line's text. Returns what was expected and what was found where they differ, else `None`."""


class DataFileError(ValueError):
    """A data file that cannot be read: which file, which line, what was expected and what was found."""


class NotTextError(ValueError):
    """A line that is not one line of UTF-8 text. The message is what was found instead."""


class Lines:
    """The lines of a UTF-8 file, as `lines_of` finds them. A bad line raises an error, or is left out and counted.

    Args:
        path: the file.
        skip_bad_lines: whether to leave out bad lines instead of raising an error.
        expected: what every line should be, for the error message.
        check: checks each text; by default, a line only has to be UTF-8 text.
        blank: whether to keep blank lines. They are dropped by default, and are never bad.

    Attributes:
        skipped: the number of bad lines left out so far.

    Raises:
        DataFileError: on iteration: the file cannot be read, or the first bad line.

    Example:

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     _ = file.write("één\\n\\ntwo\\n".encode())
    ...     _ = file.seek(0)
    ...     list(Lines(file.name))  # the first byte, the byte after the last one, the text
    [(0, 5, 'één'), (7, 10, 'two')]
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        skip_bad_lines: bool = False,
        expected: str = "UTF-8 text",
        check: Check | None = None,
        blank: bool = False,
    ):
        self.path = path
        self.skipped = 0
        self._skip_bad_lines = skip_bad_lines
        self._expected = expected
        self._check = check
        self._blank = blank

    def __iter__(self) -> Iterator[tuple[int, int, str]]:
        for number, (start, line) in enumerate(split_lines(self.path), start=1):
            try:
                text = text_of(line)
            except NotTextError as error:
                wrong = self._expected, str(error)
            else:
                if not (self._blank or text.strip()):
                    continue
                wrong = self._check(text) if self._check else None
                if wrong is None:
                    yield start, start + len(line), text
                    continue
            if not self._skip_bad_lines:
                raise bad_line(self.path, number, *wrong)
            self.skipped += 1


def split_lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, bytes]]:
    """Each line of a file, as `lines_of` finds it.

    Raises:
        DataFileError: the file cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            for lines in lines_of(iter(functools.partial(file.read, BLOCK), b"")):
                yield from lines
    except OSError as error:
        raise DataFileError(f"Cannot read the data file '{path}': {error.strerror or error}. Check the path.") from None


def lines_of(blocks: Iterable[bytes]) -> Iterator[Iterator[tuple[int, bytes]]]:
    """The lines of a file, or of a stream that arrives block by block.

    A newline (`\\n`) ends a line, with or without a carriage return (`\\r`) before it. Only where there is no newline
    at all does a carriage return end a line. Byte-order marks at the start of a line are left out: files that were
    concatenated have them.

    Args:
        blocks: the bytes, in parts of any size.

    Yields:
        An iterator over the lines that a block completes, to be used up before the next one: the position of each
        line's first byte, and its content without the line ending. The content may be bad: see `text_of`.

    Example:

    >>> list(map(list, lines_of([b"one\\r\\ntw", b"o\\nthree"])))
    [[(0, b'one')], [(5, b'two')], [(9, b'three')]]
    >>> list(map(list, lines_of([b"one\\rtwo"])))
    [[(0, b'one'), (4, b'two')]]
    """
    start = 0

    def located(lines: Iterable[bytes], ending: bytes) -> Iterator[tuple[int, bytes]]:
        nonlocal start
        for line in lines:
            content, first = line.removesuffix(ending), start
            while content.startswith(codecs.BOM_UTF8):
                content, first = content[len(codecs.BOM_UTF8) :], first + len(codecs.BOM_UTF8)
            yield first, content
            start += len(line) + 1

    incomplete: list[bytes] = []
    has_newlines = False
    for block in blocks:
        end, *others = block.split(b"\n")
        incomplete.append(end)
        if others:
            has_newlines = True
            *lines, last = b"".join(incomplete), *others
            incomplete = [last]
            yield located(lines, b"\r")
    rest = b"".join(incomplete)
    if rest.replace(codecs.BOM_UTF8, b""):
        yield located([rest] if has_newlines else rest.removesuffix(b"\r").split(b"\r"), b"")


def text_of(line: bytes) -> str:
    """The text of a line.

    Raises:
        NotTextError: the line is not UTF-8, or there is a carriage return in it.
    """
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise NotTextError(f"the byte 0x{line[error.start]:02x}, which is not UTF-8") from None
    if "\r" in text:
        place = text.index("\r") + 1
        raise NotTextError(f"a carriage return (\\r) without a newline (\\n) after it, at character {place:,}")
    return text


def bad_line(path: str | os.PathLike[str], number: int, expected: str, found: str) -> DataFileError:
    """The error for a line that is not as expected, where bad lines can be skipped."""
    return DataFileError(
        f"{path}, line {number}: expected {expected}, found {found}. "
        "Fix the line, or skip and count such lines with `skip_bad_lines: true` (--skip-bad-lines)."
    )
