"""Texts from a file with one text on each line."""

import array
import os

import numpy as np

from seq2seq_zoo.data.lines import DataFileError, Lines
from seq2seq_zoo.data.pairs import Pairs


def read_texts(path: str | os.PathLike[str], skip_bad_lines: bool = False, separator: str = "") -> tuple[Pairs, int]:
    """The texts of a file, each paired with itself.

    The file is UTF-8, with or without byte-order marks. Blank lines are ignored. All lines are checked, but none is
    kept in memory: see `Pairs`.

    Args:
        path: the file.
        skip_bad_lines: whether to leave out and count lines that are not UTF-8, instead of raising an error.
        separator: how a text is split into tokens, as in `Vocabulary`.

    Returns:
        The pairs, and the number of lines left out.

    Raises:
        DataFileError: the file cannot be read or has no texts; the first bad line, unless bad lines are skipped.

    Example:

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     _ = file.write(b"one  two\\n\\nthree\\n")
    ...     _ = file.seek(0)
    ...     pairs, skipped = read_texts(file.name, separator=" ")
    ...     list(pairs)
    [('one two', 'one two'), ('three', 'three')]
    """
    spans = array.array("q")
    lines = Lines(path, skip_bad_lines)
    for start, stop, _ in lines:
        spans.extend((start, stop))
    if not spans:
        raise DataFileError(f"{path} has no texts (bad lines skipped: {lines.skipped}): expected one on each line.")
    both = np.repeat(np.frombuffer(spans, np.int64).reshape(-1, 1, 2), 2, axis=1)
    return Pairs([path, path], both, (separator, separator)), lines.skipped
