"""Pairs from a tab-separated file."""

import array
import os
from collections.abc import Callable

import numpy as np

from seq2seq_zoo.data.lines import DataFileError, Lines
from seq2seq_zoo.data.pairs import Pairs

COLUMNS = "two columns of UTF-8 text with one tab between them"


def read_pairs(
    path: str | os.PathLike[str],
    skip_bad_lines: bool = False,
    separators: tuple[str, str] = ("", ""),
    check: Callable[[str, str], tuple[str, str] | None] = lambda source, target: None,
) -> tuple[Pairs, int]:
    """The pairs of a file with a source, a tab and a target on each line.

    The file is UTF-8, with or without byte-order marks. Blank lines are ignored. All lines are checked, but none is
    kept in memory: see `Pairs`.

    Args:
        path: the file.
        skip_bad_lines: whether to leave out and count bad lines instead of raising an error.
        separators: how sources and targets are split into tokens, as in `Vocabulary`.
        check: a further check of each source and target. It returns what was expected and what was found where they
            differ, else `None`.

    Returns:
        The pairs, and the number of lines left out.

    Raises:
        DataFileError: the file cannot be read or has no pairs; the first bad line, unless bad lines are skipped.
    """

    def check_columns(text: str) -> tuple[str, str] | None:
        columns = text.split("\t")
        if len(columns) == 2:
            return check(*columns)
        return COLUMNS, f"{len(columns)} column{'s' * (len(columns) != 1)}"

    spans = array.array("q")
    lines = Lines(path, skip_bad_lines, COLUMNS, check_columns)
    for start, stop, _ in lines:
        spans.extend((start, stop))
    if not spans:
        raise DataFileError(
            f"{path} has no pairs (bad lines skipped: {lines.skipped}): expected a source, a tab and a target on each "
            "line."
        )
    return Pairs([path], np.frombuffer(spans, np.int64).reshape(-1, 1, 2), separators), lines.skipped
