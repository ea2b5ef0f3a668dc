"""The lines of UTF-8 files."""

import codecs
import os
from collections.abc import Callable, Iterator
from pathlib import Path

BLOCK = 2**20
"""How many bytes of a file are in memory at a time."""

Check = Callable[[str], tuple[str, str] | None]
"""Takes a line's text. Returns what was expected and what was found where they differ, else `None`."""


class DataFileError(ValueError):
    """A data file that cannot be read: which file, which line, what was expected and what was found."""


class Lines:
    """The lines of a UTF-8 file. A bad line raises an error, or is left out and counted.

    A byte-order mark at the start of the file is skipped.

    Args:
        path: the file.
        skip_bad_lines: whether to leave out bad lines instead of raising an error.
        expected: what every line should be, for the error message.
        check: checks each text; only the encoding is checked by default.
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
                text = line.decode()
            except UnicodeDecodeError as error:
                wrong = self._expected, not_utf8(error)
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
    """Each line of a file: the position of its first byte, and its content without the line ending.

    A byte-order mark at the start of the file is skipped.

    Raises:
        DataFileError: the file cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            start = len(codecs.BOM_UTF8) if file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 else 0
            file.seek(start)
            while block := file.read(BLOCK) + file.readline():
                for line in block.splitlines(keepends=True):
                    yield start, line.rstrip(b"\r\n")
                    start += len(line)
    except OSError as error:
        raise DataFileError(f"Cannot read the data file '{path}': {error.strerror or error}. Check the path.") from None


def not_utf8(error: UnicodeDecodeError) -> str:
    """What was found in place of UTF-8 text, for an error message."""
    return f"the byte 0x{error.object[error.start]:02x}, which is not UTF-8"


def bad_line(path: str | os.PathLike[str], number: int, expected: str, found: str) -> DataFileError:
    """The error for a line that is not as expected, where bad lines can be skipped."""
    return DataFileError(
        f"{path}, line {number}: expected {expected}, found {found}. "
        "Fix the line, or skip and count such lines with `skip_bad_lines: true` (--skip-bad-lines)."
    )
