"""Pairs from a tab-separated file."""

import array
import os

import numpy as np

from seq2seq_zoo.data.pairs import DataFileError, Pairs, bad_line, lines


def read_pairs(
    path: str | os.PathLike[str], skip_bad_lines: bool = False, separators: tuple[str, str] = ("", "")
) -> tuple[Pairs, int]:
    """The pairs of a file with a source, a tab and a target on each line.

    The file is UTF-8, with or without a byte-order mark; blank lines are ignored. All lines are checked, and none is
    kept in memory: see `Pairs`.

    Args:
        path: the file.
        skip_bad_lines: leave out lines that are not two columns of UTF-8, and count them.
        separators: how the symbols of sources and of targets are cut.

    Returns:
        The pairs, and how many lines were left out.

    Raises:
        DataFileError: no such file; the first bad line, unless they are skipped; no pairs at all.
    """
    spans = array.array("q")
    skipped = 0
    for number, (start, line) in enumerate(lines(path), start=1):
        columns = line.count(b"\t") + 1
        try:
            if not line.decode().strip():
                continue
            found = "" if columns == 2 else f"{columns} column{'s' * (columns != 1)}"
        except UnicodeDecodeError as error:
            found = error
        if not found:
            spans.extend((start, start + len(line)))
        elif skip_bad_lines:
            skipped += 1
        else:
            raise bad_line(path, number, "two columns of UTF-8 text with one tab between them", found)
    if not spans:
        raise DataFileError(f"{path} has no pairs (bad lines skipped: {skipped}): expected a source, a tab, a target.")
    return Pairs([path], np.frombuffer(spans, np.int64).reshape(-1, 1, 2), separators), skipped
