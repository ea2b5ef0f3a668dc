"""Pairs from two files with a line of one for each line of the other."""

import array
import os

import numpy as np

from seq2seq_zoo.data.pairs import DataFileError, Pairs, bad_line, lines


def read_parallel(
    sources: str | os.PathLike[str],
    targets: str | os.PathLike[str],
    skip_bad_lines: bool = False,
    separators: tuple[str, str] = ("", ""),
) -> tuple[Pairs, int]:
    """The pairs of a file of sources and a file of targets, line by line.

    The files are UTF-8, with or without a byte-order mark; where both have a blank line, it is ignored. All lines are
    checked, and none is kept in memory: see `Pairs`.

    Args:
        sources: the one file.
        targets: the other.
        skip_bad_lines: leave out pairs that are not UTF-8, and count them.
        separators: how the tokens of sources and of targets are cut.

    Returns:
        The pairs, and how many were left out.

    Raises:
        DataFileError: no such file; more lines in one than in the other; the first bad line, unless they are skipped;
            no pairs at all.
    """
    paths = sources, targets
    counts = [sum(1 for _ in lines(path)) for path in paths]
    if counts[0] != counts[1]:
        raise DataFileError(
            f"Unpaired lines: {sources} has {counts[0]} and {targets} has {counts[1]}. Expected as many in both, since "
            "a line's target is the same line of the other file."
        )
    spans = array.array("q")
    skipped = 0
    for number, pair in enumerate(zip(*map(lines, paths), strict=True), start=1):
        for path, (_, line) in zip(paths, pair, strict=True):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                if not skip_bad_lines:
                    raise bad_line(path, number, "UTF-8 text", error) from None
                skipped += 1
                break
        else:
            if any(line.strip() for _, line in pair):
                for start, line in pair:
                    spans.extend((start, start + len(line)))
    if not spans:
        raise DataFileError(
            f"{sources} and {targets} have no pairs (bad lines skipped: {skipped}): expected a source in one, and its "
            "target in the same line of the other."
        )
    return Pairs(paths, np.frombuffer(spans, np.int64).reshape(-1, 2, 2), separators), skipped
