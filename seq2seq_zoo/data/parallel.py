"""Pairs from two files: line n of one is paired with line n of the other."""

import array
import os

import numpy as np

from seq2seq_zoo.data.lines import DataFileError, NotTextError, bad_line, split_lines, text_of
from seq2seq_zoo.data.pairs import Pairs


def read_parallel(
    sources: str | os.PathLike[str],
    targets: str | os.PathLike[str],
    skip_bad_lines: bool = False,
    separators: tuple[str, str] = ("", ""),
) -> tuple[Pairs, int]:
    """The pairs of a file of sources and a file of targets, line by line.

    The files are UTF-8, with or without byte-order marks. A line that is blank in both files is ignored. All lines are
    checked, but none is kept in memory: see `Pairs`.

    Args:
        sources: the file of sources.
        targets: the file of targets.
        skip_bad_lines: whether to leave out and count pairs that are not UTF-8 text, instead of raising an error.
        separators: how sources and targets are split into tokens, as in `Vocabulary`.

    Returns:
        The pairs, and the number of pairs left out.

    Raises:
        DataFileError: a file cannot be read; the files differ in their number of lines or have no pairs; the first bad
            line, unless bad lines are skipped.
    """
    paths = sources, targets
    counts = [sum(1 for _ in split_lines(path)) for path in paths]
    if counts[0] != counts[1]:
        raise DataFileError(
            f"Unpaired lines: {sources} has {counts[0]} and {targets} has {counts[1]}. Expected the same number in "
            "both: line n of one file is paired with line n of the other."
        )
    spans = array.array("q")
    skipped = 0
    for number, pair in enumerate(zip(*map(split_lines, paths), strict=True), start=1):
        for path, (_, line) in zip(paths, pair, strict=True):
            try:
                text_of(line)
            except NotTextError as error:
                if not skip_bad_lines:
                    raise bad_line(path, number, "UTF-8 text", str(error)) from None
                skipped += 1
                break
        else:
            if any(line.strip() for _, line in pair):
                for start, line in pair:
                    spans.extend((start, start + len(line)))
    if not spans:
        raise DataFileError(
            f"{sources} and {targets} have no pairs (bad lines skipped: {skipped}): expected a source on each line of "
            "one file, and its target on the same line of the other."
        )
    return Pairs(paths, np.frombuffer(spans, np.int64).reshape(-1, 2, 2), separators), skipped
