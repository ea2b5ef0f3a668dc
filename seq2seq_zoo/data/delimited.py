"""Pairs from a tab-separated file."""

import array
import os
from collections.abc import Callable

import numpy as np

from seq2seq_zoo.data.pairs import DataFileError, Pairs, bad_line, lines


def read_pairs(
    path: str | os.PathLike[str],
    skip_bad_lines: bool = False,
    separators: tuple[str, str] = ("", ""),
    lacks: Callable[[str, str], tuple[str, str] | None] = lambda source, target: None,
) -> tuple[Pairs, int]:
    """The pairs of a file with a source, a tab and a target on each line.

    The file is UTF-8, with or without a byte-order mark; blank lines are ignored. All lines are checked, and none is
    kept in memory: see `Pairs`.

    Args:
        path: the file.
        skip_bad_lines: leave out lines that are not as they should be, and count them.
        separators: how the tokens of sources and of targets are cut.
        lacks: what else is expected of a pair and what was found, if it is not so.

    Returns:
        The pairs, and how many lines were left out.

    Raises:
        DataFileError: no such file; the first bad line, unless they are skipped; no pairs at all.
    """
    spans = array.array("q")
    skipped = 0
    for number, (start, line) in enumerate(lines(path), start=1):
        wrong: tuple[str, str | UnicodeDecodeError] | None
        columns = "two columns of UTF-8 text with one tab between them"
        try:
            if not (text := line.decode()).strip():
                continue
            pair = text.split("\t")
            wrong = lacks(*pair) if len(pair) == 2 else (columns, f"{len(pair)} column{'s' * (len(pair) != 1)}")
        except UnicodeDecodeError as error:
            wrong = columns, error
        if wrong is None:
            spans.extend((start, start + len(line)))
        elif skip_bad_lines:
            skipped += 1
        else:
            raise bad_line(path, number, *wrong)
    if not spans:
        raise DataFileError(f"{path} has no pairs (bad lines skipped: {skipped}): expected a source, a tab, a target.")
    return Pairs([path], np.frombuffer(spans, np.int64).reshape(-1, 1, 2), separators), skipped
