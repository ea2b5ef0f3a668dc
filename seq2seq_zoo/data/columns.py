"""Columns of numbers from files of comma-separated values (CSV)."""

import array
import csv
import itertools
import os
from collections.abc import Iterator, Sequence

import numpy as np

from seq2seq_zoo.config.registry import nearest
from seq2seq_zoo.data.lines import DataFileError, NotTextError, split_lines, text_of


def read_header(path: str | os.PathLike[str]) -> list[str]:
    """The column names in the first line of a file.

    Raises:
        DataFileError: the file cannot be read or is empty; two columns have the same name.
    """
    header = [name.strip() for _, cells in _rows(path, limit=1) for name in cells]
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
    path: str | os.PathLike[str], names: Sequence[str], key: str | None = None, limit: int | None = None
) -> tuple[np.ndarray, list[str]]:
    """Selected columns of a file whose first line names all columns.

    The file is UTF-8, with or without byte-order marks. Blank lines are ignored. Columns that are not selected may hold
    anything.

    Args:
        path: the file.
        names: the columns of numbers to read.
        key: a column of texts to read as well.
        limit: the number of rows to read from the start of the file; all by default.

    Returns:
        The numbers as a float64 array `(rows, len(names))`, and the key of each row (empty without a `key`).

    Raises:
        DataFileError: the file cannot be read or has no rows; a column does not exist; a row has more or fewer cells
            than the first line; a cell is not a finite number.

    Example:

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     _ = file.write(b"hour,load,wind\\n0,51.5,3\\n1,49.0,4\\n")
    ...     _ = file.seek(0)
    ...     read_columns(file.name, ["wind", "load"], key="hour")
    (array([[ 3. , 51.5],
           [ 4. , 49. ]]), ['0', '1'])
    """
    header = read_header(path)
    for name in [*names, *([] if key is None else [key])]:
        if name not in header:
            known = ", ".join(header)
            raise DataFileError(
                f"{path}, line 1: there is no column '{name}'.{nearest(name, header)} Columns: {known}."
            )
    positions = [header.index(name) for name in names]
    numbers, line_numbers, keys = array.array("d"), array.array("q"), []
    for number, cells in _rows(path, first=1, limit=limit):
        if len(cells) != len(header):
            raise DataFileError(
                f"{path}, line {number}: expected {len(header)} cells, as many as line 1 has names, found "
                f"{len(cells)}. Fix the line."
            )
        try:
            numbers.extend([float(cells[position]) for position in positions])
        except ValueError:
            name, cell = next(
                (header[position], cells[position]) for position in positions if not _is_number(cells[position])
            )
            raise _not_a_number(path, number, name, cell) from None
        line_numbers.append(number)
        if key is not None:
            keys.append(cells[header.index(key)].strip())
    if not line_numbers:
        raise DataFileError(f"{path} has no rows below the names of the columns: expected one line for each step.")
    values = np.array(numbers, dtype="float64").reshape(len(line_numbers), len(names))
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise _not_a_number(path, line_numbers[row], list(names)[column], str(values[row, column]))
    return values, keys


def _rows(path: str | os.PathLike[str], first: int = 0, limit: int | None = None) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not blank: the number of its first line, and its cells."""

    def decoded() -> Iterator[str]:
        for number, (_, line) in enumerate(split_lines(path), start=1):
            try:
                yield text_of(line)
            except NotTextError as error:
                message = f"{path}, line {number}: expected UTF-8 text, found {error}. Fix the line."
                raise DataFileError(message) from None

    # Strict: otherwise an unclosed quotation mark would put the rest of the file into its cell.
    reader = csv.reader(decoded(), strict=True)
    row_start = 1

    def numbered() -> Iterator[tuple[int, list[str]]]:
        nonlocal row_start
        for cells in reader:
            if len(cells) > 1 or "".join(cells).strip():
                yield row_start, cells
            row_start = reader.line_num + 1

    try:
        yield from itertools.islice(numbered(), first, None if limit is None else first + limit)
    except csv.Error as error:
        raise DataFileError(
            f"{path}, line {row_start}: expected comma-separated values with every quotation mark closed: {error}."
        ) from None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _not_a_number(path: str | os.PathLike[str], line: int, name: str, found: str) -> DataFileError:
    return DataFileError(
        f"{path}, line {line}: expected a finite number in column '{name}', found '{found.strip()}'. Fix it, or leave "
        "the column out."
    )
