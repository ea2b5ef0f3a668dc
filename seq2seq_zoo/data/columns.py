"""Columns of numbers from files of comma-separated values."""

import array
import csv
import itertools
import os
from collections.abc import Iterator, Sequence

import numpy as np

from seq2seq_zoo.config.registry import nearest
from seq2seq_zoo.data.pairs import DataFileError, lines


def read_header(path: str | os.PathLike[str]) -> list[str]:
    """The names in a file's first line.

    Raises:
        DataFileError: the file cannot be read or is empty; a name is there twice.
    """
    header = [name.strip() for _, cells in _rows(path, limit=1) for name in cells]
    if not header:
        raise DataFileError(f"{path} is empty: expected a line with the names of its columns, then a line a step.")
    if twice := [name for name in header if header.count(name) > 1]:
        raise DataFileError(f"{path}, line 1: expected a name for each column, found '{twice[0]}' twice. Rename one.")
    return header


def read_columns(
    path: str | os.PathLike[str], names: Sequence[str], key: str | None = None, limit: int | None = None
) -> tuple[np.ndarray, list[str]]:
    """Some columns of a file whose first line names them all.

    The file is UTF-8, with or without a byte-order mark; blank lines are ignored. Other columns may hold anything.

    Args:
        path: the file.
        names: columns of numbers.
        key: a column of texts, if there is one.
        limit: how many rows are read, the first ones; all if not given.

    Returns:
        `(rows, len(names))` in double precision, and the key of each row.

    Raises:
        DataFileError: the file cannot be read or has no rows; it lacks a column; a row has more or fewer cells than the
            first line; a cell is no number, or one that is not finite.

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
    places = [header.index(name) for name in names]
    numbers, at, keys = array.array("d"), array.array("q"), []
    for number, cells in _rows(path, first=1, limit=limit):
        if len(cells) != len(header):
            raise DataFileError(
                f"{path}, line {number}: expected {len(header)} cells, as many as line 1 has names, found "
                f"{len(cells)}. Mend the line."
            )
        try:
            numbers.extend([float(cells[place]) for place in places])
        except ValueError:
            name, cell = next((header[place], cells[place]) for place in places if not _is_number(cells[place]))
            raise _no_number(path, number, name, cell) from None
        at.append(number)
        if key is not None:
            keys.append(cells[header.index(key)].strip())
    if not at:
        raise DataFileError(f"{path} has no rows below the names of its columns: expected a line for each step.")
    values = np.array(numbers, dtype="float64").reshape(len(at), len(names))
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise _no_number(path, at[row], list(names)[column], str(values[row, column]))
    return values, keys


def _rows(path: str | os.PathLike[str], first: int = 0, limit: int | None = None) -> Iterator[tuple[int, list[str]]]:
    """The number of each line that is not blank, and its cells; of a row of several lines, that of the first."""

    def decoded() -> Iterator[str]:
        for number, (_, line) in enumerate(lines(path), start=1):
            try:
                yield line.decode()
            except UnicodeDecodeError as error:
                found = f"the byte 0x{line[error.start]:02x}"
                raise DataFileError(f"{path}, line {number}: expected UTF-8 text, found {found}.") from None

    # Strict, so that a quotation mark that is never closed does not take the rest of the file into its cell.
    reader = csv.reader(decoded(), strict=True)
    begun = 1

    def numbered() -> Iterator[tuple[int, list[str]]]:
        nonlocal begun
        for cells in reader:
            if len(cells) > 1 or "".join(cells).strip():
                yield begun, cells
            begun = reader.line_num + 1

    try:
        yield from itertools.islice(numbered(), first, None if limit is None else first + limit)
    except csv.Error as error:
        raise DataFileError(
            f"{path}, line {begun}: expected comma-separated values, and every quotation mark closed: {error}."
        ) from None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _no_number(path: str | os.PathLike[str], line: int, name: str, found: str) -> DataFileError:
    return DataFileError(
        f"{path}, line {line}: expected a finite number in column '{name}', found '{found.strip()}'. Mend it, or leave "
        "the column out."
    )
