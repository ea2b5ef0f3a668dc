"""The lines of UTF-8 files."""

import codecs
import contextlib
import functools
import gzip
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import BinaryIO, cast

BLOCK = 2**20
"""How many bytes of a file are in memory at a time."""

Check = Callable[[str], tuple[str, str] | None]
"""Takes a line's text. Returns what was expected and what was found where they differ, else `None`."""

Open = Callable[[str | os.PathLike[str]], BinaryIO]
"""Opens a file as UTF-8 text."""

_NOT_TEXT = {
    b"\xff\xfe": "UTF-16, but expected UTF-8. Convert it: iconv -f UTF-16 -t UTF-8",
    b"\xfe\xff": "UTF-16, but expected UTF-8. Convert it: iconv -f UTF-16 -t UTF-8",
    b"PAR1": "Parquet, which only the tasks file and labels read, if its name ends with .parquet",
    b"PK\x03\x04": "a zip archive or a spreadsheet. Decompress it, or save it as CSV",
    b"BZh": "compressed with bzip2. Decompress it, or compress it with gzip",
    b"\xfd7zXZ": "compressed with xz. Decompress it, or compress it with gzip",
    b"\x28\xb5\x2f\xfd": "compressed with Zstandard. Decompress it, or compress it with gzip",
}
"""The first bytes of files that are not UTF-8 text: what such a file is, and what to do."""


_GZIP = b"\x1f\x8b"


class DataFileError(ValueError):
    """A data file that cannot be read: which file, which line, what was expected and what was found."""


class NotTextError(ValueError):
    """A line that is not one line of UTF-8 text. The message is what was found instead."""


class Gzip(gzip.GzipFile):
    """A decompressed file. Damage is a `DataFileError`."""

    def read(self, size: int | None = -1) -> bytes:
        """Bytes up to a number of them, or all."""
        with self._errors():
            return super().read(size)

    def read1(self, size: int = -1) -> bytes:
        """Bytes up to a number of them, as soon as there are some."""
        with self._errors():
            return super().read1(size)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, EOFError, zlib.error) as error:
            raise DataFileError(
                f"Cannot decompress the data file '{self.name}': {error}. Compress it with gzip anew."
            ) from None


def open_file(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file of UTF-8 text. A file that is compressed with gzip, whatever its name, is decompressed.

    Raises:
        DataFileError: the file cannot be read, or its first bytes are those of another kind of file.
    """
    try:
        file = Path(path).open("rb")  # noqa: SIM115  the caller closes it
    except OSError as error:
        raise DataFileError(f"Cannot read the data file '{path}': {error.strerror or error}. Check the path.") from None
    first = file.peek(len(_GZIP))
    if not first.startswith((_GZIP, *_NOT_TEXT)):
        return file
    file.close()
    if first.startswith(_GZIP):
        return cast(BinaryIO, Gzip(path))
    what = next(what for start, what in _NOT_TEXT.items() if first.startswith(start))
    raise DataFileError(f"{path} is {what}.")


class Lines:
    """The lines of a UTF-8 file, as `lines_of` finds them. A bad line raises an error, or is left out and counted.

    Args:
        path: the file.
        skip_bad_lines: whether to leave out bad lines instead of raising an error.
        expected: what every line should be, for the error message.
        check: checks each text; by default, a line only has to be UTF-8 text.
        blank: whether to keep blank lines. They are dropped by default, and are never bad.
        open: opens the file.
        advice: what to do about a bad line; to fix or skip it by default.

    Attributes:
        number: the number of the last line.
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
        open: Open = open_file,
        advice: str = "",
    ):
        self.path = path
        self.number = 0
        self.skipped = 0
        self._skip_bad_lines = skip_bad_lines
        self._expected = expected
        self._check = check
        self._blank = blank
        self._open = open
        self._advice = advice

    def __iter__(self) -> Iterator[tuple[int, int, str]]:
        for number, (start, line) in enumerate(split_lines(self.path, self._open), start=1):
            self.number = number
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
                raise bad_line(self.path, number, *wrong, self._advice)
            self.skipped += 1


def split_lines(path: str | os.PathLike[str], open: Open = open_file) -> Iterator[tuple[int, bytes]]:
    """Each line of a file, as `lines_of` finds it.

    Raises:
        DataFileError: the file cannot be read.
    """
    try:
        with open(path) as file:
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
        NotTextError: the line is not UTF-8, or there is a carriage return or a zero byte in it.
    """
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise NotTextError(f"the byte 0x{line[error.start]:02x}, which is not UTF-8") from None
    if "\r" in text:
        place = text.index("\r") + 1
        raise NotTextError(f"a carriage return (\\r) without a newline (\\n) after it, at character {place:,}")
    if "\0" in text:
        raise NotTextError("the byte 0x00, as in UTF-16")
    return text


def arriving_texts(stream: BinaryIO, name: str, at_once: int) -> Iterator[tuple[list[str], int]]:
    """The lines of a stream as texts, in batches of those that have arrived.

    Args:
        stream: the stream.
        name: what it is, for messages.
        at_once: the largest number of lines in a batch.

    Yields:
        The texts of a batch, and the number of bytes up to its end.

    Raises:
        DataFileError: a line is not UTF-8 text.
    """
    number = 0
    read = cast(BufferedIOBase, stream).read1
    for lines in map(list, lines_of(iter(functools.partial(read, 1 << 16), b""))):
        for first in range(0, len(lines), at_once):
            batch, stop = [], 0
            for start, line in lines[first : first + at_once]:
                number += 1
                try:
                    batch.append(text_of(line))
                except NotTextError as error:
                    message = f"{name}, line {number}: expected UTF-8 text, found {error}. Fix the line."
                    raise DataFileError(message) from None
                stop = start + len(line)
            yield batch, stop


def bad_line(
    path: str | os.PathLike[str], number: int, expected: str, found: str, advice: str = "", unit: str = "line"
) -> DataFileError:
    """The error for a line that is not as expected. Without other advice, it says that bad lines can be skipped."""
    advice = advice or f"Fix the {unit}, or skip and count such {unit}s with `skip_bad_lines: true` (--skip-bad-lines)."
    return DataFileError(f"{path}, {unit} {number}: expected {expected}, found {found}. {advice}")
