"""Texts from a file with one on each line."""

import array
import os

import numpy as np

from seq2seq_zoo.data.pairs import DataFileError, Pairs, bad_line, lines


def read_texts(path: str | os.PathLike[str], skip_bad_lines: bool = False, separator: str = "") -> tuple[Pairs, int]:
    """The texts of a file, each as a pair with itself.

    The file is UTF-8, with or without a byte-order mark; blank lines are ignored. All lines are checked, and none is
    kept in memory: see `Pairs`.

    Args:
        path: the file.
        skip_bad_lines: leave out lines that are not UTF-8, and count them.
        separator: how the tokens of a text are cut.

    Returns:
        The pairs, and how many lines were left out.

    Raises:
        DataFileError: no such file; the first bad line, unless they are skipped; no texts at all.

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
    skipped = 0
    for number, (start, line) in enumerate(lines(path), start=1):
        try:
            if line.decode().strip():
                spans.extend((start, start + len(line)))
        except UnicodeDecodeError as error:
            if not skip_bad_lines:
                raise bad_line(path, number, "UTF-8 text", error) from None
            skipped += 1
    if not spans:
        raise DataFileError(f"{path} has no texts (bad lines skipped: {skipped}): expected one on each line.")
    both = np.repeat(np.frombuffer(spans, np.int64).reshape(-1, 1, 2), 2, axis=1)
    return Pairs([path, path], both, (separator, separator)), skipped
