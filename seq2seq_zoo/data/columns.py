"""Columns of numbers from files of comma-separated values (CSV)."""

import array
import dataclasses
import itertools
import math
import os
from collections.abc import Collection, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from seq2seq_zoo.data.lines import DataFileError, NotTextError, split_lines, text_of
from seq2seq_zoo.data.records import CHARACTERS, Delimiter, Line, no_column, quoted_records

DecimalMark = Literal["point", "comma"]


@dataclasses.dataclass(frozen=True)
class Format:
    """How a file is written.

    Args:
        delimiter: what separates cells.
        decimal: what precedes the fraction of a number.

    Raises:
        ValueError: both are commas.
    """

    delimiter: Delimiter = "comma"
    decimal: DecimalMark = "point"

    def __post_init__(self) -> None:
        if self.delimiter == self.decimal:
            raise ValueError("delimiter and decimal must differ, but both are a comma. Usual are semicolon and comma.")

    def number(self, cell: str) -> float:
        """The number in a cell, or NaN if there is no finite number in it.

        Example:

        >>> [Format().number(cell) for cell in ("-1.5", " 2e3 ", "1_000", "1,5", "inf", "")]
        [-1.5, 2000.0, nan, nan, nan, nan]
        >>> Format("semicolon", "comma").number("1,5")
        1.5
        """
        if self.decimal == "comma":
            cell = cell.replace(".", "?").replace(",", ".")
        # `float` also takes "1_0" for 10, and digits of other scripts.
        if "_" in cell or not cell.isascii():
            return math.nan
        try:
            number = float(cell)
        except ValueError:
            return math.nan
        return number if math.isfinite(number) else math.nan


COMMA_SEPARATED = Format()


class Columns(NamedTuple):
    """Selected columns of a file."""

    values: np.ndarray
    """The columns of numbers: float64 `(rows, columns)`."""
    texts: dict[str, list[str]]
    """The columns of texts, by name: a text for each row, without the white space around it."""
    line_numbers: Sequence[int]
    """The number of each row's first line in the file."""


def read_header(path: str | os.PathLike[str], file_format: Format = COMMA_SEPARATED) -> list[str]:
    """The column names in the first line of a file.

    Raises:
        DataFileError: the file cannot be read or is empty; two columns have the same name.
    """
    header = [name.strip() for _, cells in _rows(path, file_format, limit=1) for name in cells]
    if not header:
        raise DataFileError(
            f"{path} is empty: expected a line with the names of the columns, then one line for each step."
        )
    if twice := [name for name in header if header.count(name) > 1]:
        raise DataFileError(
            f"{path}, line 1: expected a different name for each column, found '{twice[0]}' twice. Rename one."
        )
    return header


def read_columns(
    path: str | os.PathLike[str],
    names: Sequence[str],
    texts: Sequence[str] = (),
    limit: int | None = None,
    optional: Collection[str] = (),
    file_format: Format = COMMA_SEPARATED,
) -> Columns:
    """Selected columns of a file whose first line names all columns.

    The file is UTF-8, with or without byte-order marks. Blank lines are ignored. Columns that are not selected may hold
    anything.

    Args:
        path: the file.
        names: the columns of numbers to read.
        texts: columns of texts to read as well.
        limit: the number of rows to read from the start of the file; all by default.
        optional: those of `names` whose cells may hold anything: what is not a number becomes NaN.
        file_format: how the file is written.

    Raises:
        DataFileError: the file cannot be read or has no rows; a column does not exist; a row has more or fewer cells
            than the first line; a cell is not a finite number.

    Example:

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     _ = file.write(b"hour,load,wind\\n0,51.5,3\\n1,49.0,4\\n")
    ...     _ = file.seek(0)
    ...     read_columns(file.name, ["wind", "load"], ["hour"])[:2]
    (array([[ 3. , 51.5],
           [ 4. , 49. ]]), {'hour': ['0', '1']})
    """
    header = read_header(path, file_format)
    for name in [*names, *texts]:
        if name not in header:
            known = ", ".join(header)
            others = [other for other in ("semicolon", "tab", "comma") if CHARACTERS[other] in known]
            hint = (
                f" If a {others[0]} separates cells, set `delimiter: {others[0]}`." if others and not header[1:] else ""
            )
            raise no_column(f"{path}, line 1", name, header, hint)
    positions = {name: header.index(name) for name in names}
    numbers, line_numbers, kept = array.array("d"), array.array("q"), {name: [] for name in texts}
    for line_number, cells in _rows(path, file_format, first=1, limit=limit):
        if len(cells) != len(header):
            raise DataFileError(
                f"{path}, line {line_number}: expected {len(header)} cells, as many as line 1 has names, found "
                f"{len(cells)}. Fix the line."
            )
        for name, position in positions.items():
            number = file_format.number(cells[position])
            if math.isnan(number) and name not in optional:
                found = cells[position].strip()
                other = "point" if file_format.decimal == "comma" else "comma"
                hint = f", or set `decimal: {other}`" if {"point": ".", "comma": ","}[other] in found else ""
                raise DataFileError(
                    f"{path}, line {line_number}: expected a finite number in column '{name}', found '{found}'. "
                    f"Fix it, or leave the column out{hint}."
                )
            numbers.append(number)
        line_numbers.append(line_number)
        for name, column in kept.items():
            column.append(cells[header.index(name)].strip())
    if not line_numbers:
        raise DataFileError(f"{path} has no rows below the names of the columns: expected one line for each step.")
    return Columns(np.array(numbers, dtype="float64").reshape(len(line_numbers), len(names)), kept, line_numbers)


def _rows(
    path: str | os.PathLike[str], file_format: Format, first: int = 0, limit: int | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not blank: the number of its first line, and its cells."""

    def lines() -> Iterator[Line]:
        for number, (start, line) in enumerate(split_lines(path), start=1):
            try:
                yield Line(number, start, start + len(line), text_of(line))
            except NotTextError as error:
                message = f"{path}, line {number}: expected UTF-8 text, found {error}. Fix the line."
                raise DataFileError(message) from None

    numbered = ((own[0].number, cells) for own, cells in quoted_records(path, lines(), file_format.delimiter))
    return itertools.islice(numbered, first, None if limit is None else first + limit)
