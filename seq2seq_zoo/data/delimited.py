"""Pairs from a tab-separated file."""

import codecs
import os
from pathlib import Path


class DataFileError(ValueError):
    """A data file that cannot be read, and where."""


def read_pairs(path: str | os.PathLike[str], skip_bad_lines: bool = False) -> tuple[list[tuple[str, str]], int]:
    """The pairs of a file with a source, a tab and a target on each line.

    The file is UTF-8, with or without a byte-order mark; blank lines are ignored.

    Args:
        path: the file.
        skip_bad_lines: leave out lines that are not two columns of UTF-8, and count them.

    Returns:
        The pairs, and how many lines were left out.

    Raises:
        DataFileError: no such file; the first bad line, unless they are skipped; no pairs at all.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataFileError(f"Cannot read the data file '{path}': {error.strerror}. Check the path.") from None
    pairs: list[tuple[str, str]] = []
    skipped = 0
    for number, line in enumerate(content.removeprefix(codecs.BOM_UTF8).splitlines(), start=1):
        try:
            text = line.decode()
            columns = text.split("\t")
            if not text.strip():
                continue
            found = "" if len(columns) == 2 else f"{len(columns)} column{'s' * (len(columns) != 1)}"
        except UnicodeDecodeError as error:
            columns, found = [], f"the byte 0x{line[error.start]:02x}, which is not UTF-8"
        if not found:
            pairs.append((columns[0], columns[1]))
        elif skip_bad_lines:
            skipped += 1
        else:
            raise DataFileError(
                f"{path}, line {number}: expected two columns of UTF-8 text with one tab between them, found {found}. "
                "Mend the line, or skip and count such lines with `skip_bad_lines: true` (--skip-bad-lines)."
            )
    if not pairs:
        raise DataFileError(f"{path} has no pairs (bad lines skipped: {skipped}): expected a source, a tab, a target.")
    return pairs, skipped
