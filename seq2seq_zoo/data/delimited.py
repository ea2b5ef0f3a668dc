"""Pairs from a tab-separated file."""

import array
import os
from collections.abc import Callable, Iterator

import numpy as np

from seq2seq_zoo.data.lines import DataFileError, Lines
from seq2seq_zoo.data.pairs import Pairs

COLUMNS = "two columns of UTF-8 text with one tab between them"
SEVERAL = "two or more columns of UTF-8 text with one tab between them"


def read_pairs(
    path: str | os.PathLike[str],
    skip_bad_lines: bool = False,
    separators: tuple[str, str] = ("", ""),
    check: Callable[[str, str], tuple[str, str] | None] = lambda source, target: None,
    references: bool = False,
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
        references: whether a line may have further columns: further targets of its source, each of which is a pair with
            it. Empty ones are left out.

    Returns:
        The pairs, and the number of lines left out.

    Raises:
        DataFileError: the file cannot be read or has no pairs; the first bad line, unless bad lines are skipped.
    """

    expected = SEVERAL if references else COLUMNS

    def check_columns(text: str) -> tuple[str, str] | None:
        source, *targets = text.split("\t")
        if targets and (references or len(targets) == 1):
            return check(source, targets[0])
        return expected, f"{1 + len(targets)} column{'s' * bool(targets)}"

    spans = array.array("q")
    lines = Lines(path, skip_bad_lines, expected, check_columns)
    files = 2 if references else 1  # with references, source and target have spans of their own in the same file
    for start, stop, text in lines:
        spans.extend(_each_target(start, text) if references else (start, stop))
    if not spans:
        raise DataFileError(
            f"{path} has no pairs (bad lines skipped: {lines.skipped}): expected a source, a tab and a target on each "
            "line."
        )
    return Pairs([path] * files, np.frombuffer(spans, np.int64).reshape(-1, files, 2), separators), lines.skipped


def _each_target(start: int, text: str) -> Iterator[int]:
    """For each target of a line: the first byte of the source, the byte after its last one, and those of the target."""
    source, *targets = text.encode().split(b"\t")
    stop = start + len(source)
    first = stop + 1
    for number, target in enumerate(targets):
        if target.strip() or not number:
            yield from (start, stop, first, first + len(target))
        first += len(target) + 1
