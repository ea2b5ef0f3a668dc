"""The records of a file, one for each pair: cells with tabs or commas between them, JSON objects, rows of Parquet."""

import abc
import csv
import functools
import json
import os
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal, NamedTuple

from seq2seq_zoo.config.messages import nearest, shown
from seq2seq_zoo.data.lines import DataFileError, Lines, open_file

Delimiter = Literal["comma", "semicolon", "tab", "bar"]

CHARACTERS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
"""The character of each delimiter."""

Values = Sequence[str] | Mapping[str, Any]
"""The values of a record: in order, or by name."""


class BadRecord(ValueError):
    """A record that is not as expected.

    Args:
        expected: what was expected.
        found: what was found.
        advice: what to do, if not what every bad record needs.
    """

    def __init__(self, expected: str, found: str, advice: str = ""):
        super().__init__(expected, found)
        self.expected, self.found, self.advice = expected, found, advice


class Line(NamedTuple):
    """A line of a file, or several that belong together."""

    number: int
    """The number of the first line, counted from 1."""
    start: int
    """The position of the first byte."""
    stop: int
    """The position after the last byte, without the line's ending."""
    text: str
    """The text, without the line's ending."""


class Format(abc.ABC):
    """How a file is written."""

    unit = "line"
    """What the records are counted in."""
    expected = "cells"
    """What a record is."""
    named = False
    """Whether the values of a record have names in every file. Otherwise they are cells, which have an order."""
    delimiter: Delimiter = "tab"
    """What separates cells."""
    columns: Sequence[str] = ()
    """The names of the values to read, if a format reads no others. After a dot, the name of a value may be followed by
    that of a value in it."""

    def open(self, path: str | os.PathLike[str]) -> BinaryIO:
        """Open a file as text."""
        return open_file(path)

    def records(self, lines: Lines) -> Iterator[Line]:
        """The lines of each record."""
        for start, stop, text in lines:
            yield Line(lines.number, start, stop, text)

    @abc.abstractmethod
    def values(self, text: str) -> Values:
        """The values of the record with this text.

        Raises:
            BadRecord: the text is not a record.
        """


class Tabs(Format):
    """Cells with a tab between them. Quotation marks are ordinary characters."""

    def values(self, text: str) -> Values:
        """The cells."""
        return text.split("\t")


class Quoted(Format):
    """Comma-separated values (CSV), or values between semicolons or bars. A cell may be in quotation marks, and then
    have delimiters and line breaks in it.

    Args:
        delimiter: what separates cells.

    Example:

    >>> Quoted("comma").values('"one, two",three')
    ['one, two', 'three']
    """

    def __init__(self, delimiter: Delimiter):
        self.delimiter = delimiter

    def records(self, lines: Lines) -> Iterator[Line]:
        """The lines of each record that is not blank."""
        numbered = super().records(lines)
        for own, _ in quoted_records(lines.path, numbered, self.delimiter):
            yield Line(own[0].number, own[0].start, own[-1].stop, "\n".join(line.text for line in own))

    def values(self, text: str) -> Values:
        """The cells."""
        character = CHARACTERS[self.delimiter]
        if '"' not in text:
            return text.split(character)
        lines = (f"{line}\n" for line in text.replace("\r\n", "\n").split("\n"))
        return next(csv.reader(lines, delimiter=character, strict=True))


class Objects(Format):
    """JSON Lines: a JSON object on each line."""

    named = True
    expected = "a JSON object"

    def values(self, text: str) -> Values:
        """The values, by name."""
        try:
            values = json.loads(text)
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            raise BadRecord(self.expected, shown(text))
        return values


class Parquet(Objects):
    """Parquet, which is read as JSON Lines: the chosen columns are written to a temporary file."""

    unit = "row"

    def __init__(self) -> None:
        self._number: int | None = None

    def open(self, path: str | os.PathLike[str]) -> BinaryIO:
        """Open the temporary file, which is written the first time.

        Raises:
            DataFileError: the file cannot be read or has no such column, or pyarrow is not installed.
        """
        if self._number is None:
            with tempfile.TemporaryFile() as lines:
                self._write(path, lines)
                lines.flush()
                self._number = os.dup(lines.fileno())
            weakref.finalize(self, os.close, self._number)
        os.lseek(self._number, 0, os.SEEK_SET)
        return os.fdopen(os.dup(self._number), "rb")

    def _write(self, path: str | os.PathLike[str], lines: IO[bytes]) -> None:
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError:
            raise DataFileError(
                f"{path} is a Parquet file, which needs a package that is not installed. Run: pip install "
                "'seq2seq-zoo[parquet]'"
            ) from None
        try:
            file = parquet.ParquetFile(path)
            known = file.schema_arrow.names
            names = dict.fromkeys(name if name in known else name.partition(".")[0] for name in self.columns)
            for name in names:
                if name not in known:
                    raise no_column(str(path), name, known)
            for batch in file.iter_batches(columns=list(names)):
                for row in batch.to_pylist():
                    lines.write(f"{json.dumps(row, ensure_ascii=False, default=str)}\n".encode())
        except OSError as error:
            message = error.strerror or str(error)
            raise DataFileError(f"Cannot read the data file '{path}': {message}. Check the path.") from None
        except pyarrow.ArrowException as error:
            raise DataFileError(f"Cannot read the data file '{path}' as Parquet: {error}.") from None


_ENDINGS = {
    ".tsv": Tabs,
    ".csv": functools.partial(Quoted, "comma"),
    ".jsonl": Objects,
    ".ndjson": Objects,
    ".json": Objects,
    ".parquet": Parquet,
}


def _ending(path: str | os.PathLike[str]) -> str:
    return Path(str(path).lower().removesuffix(".gz")).suffix


def has_columns(path: str | os.PathLike[str]) -> bool:
    """Whether the ending of a file's name says that it has columns."""
    return _ending(path) in _ENDINGS


def format_of(path: str | os.PathLike[str], delimiter: Delimiter | None = None) -> Format:
    """The format of a file, by the ending of its name. A further ending `.gz` does not count.

    Args:
        path: the file. `.jsonl`, `.ndjson` and `.json` are JSON Lines, `.parquet` is Parquet, `.csv` has commas; all
            others have tabs.
        delimiter: what separates cells, if not what the ending says.

    Example:

    >>> format_of("pairs.csv.gz").delimiter, format_of("pairs.csv", "semicolon").delimiter, format_of("pairs").delimiter
    ('comma', 'semicolon', 'tab')
    """
    found = _ENDINGS.get(_ending(path), Tabs)()
    if found.named or delimiter is None:
        return found
    return Tabs() if delimiter == "tab" else Quoted(delimiter)


def quoted_records(
    path: str | os.PathLike[str], lines: Iterable[Line], delimiter: Delimiter
) -> Iterator[tuple[list[Line], list[str]]]:
    """The lines and the cells of each record of a file of comma-separated values that is not blank.

    Args:
        path: the file, for messages.
        lines: its lines.
        delimiter: what separates cells.

    Raises:
        DataFileError: a quotation mark is not closed.
    """
    own: list[Line] = []

    def texts() -> Iterator[str]:
        for line in lines:
            own.append(line)
            yield f"{line.text}\n"

    # Strict: otherwise an unclosed quotation mark would put the rest of the file into its cell.
    try:
        for cells in csv.reader(texts(), delimiter=CHARACTERS[delimiter], strict=True):
            if len(cells) > 1 or "".join(cells).strip():
                yield list(own), cells
            own.clear()
    except csv.Error as error:
        raise DataFileError(
            f"{path}, line {own[0].number}: expected cells separated by a {delimiter}, with every quotation mark "
            f"closed: {error}."
        ) from None


def no_column(place: str, name: str, known: Iterable[str], hint: str = "") -> DataFileError:
    """The error for a column that a file does not have."""
    known = list(known)
    return DataFileError(
        f"{place}: there is no column '{name}'.{nearest(name, known)} Columns: {', '.join(known)}.{hint}"
    )
