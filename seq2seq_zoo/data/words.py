"""Words from a file with one word on each line."""

import os
import re

from seq2seq_zoo.data.lines import DataFileError, Lines

EXPECTED = "one word of the letters a to z"


def read_words(path: str | os.PathLike[str], skip_bad_lines: bool = False) -> tuple[list[str], int]:
    """The distinct words of a file, in lower case and in the order of the file.

    The file is UTF-8, with or without byte-order marks. Blank lines are ignored.

    Args:
        path: the file.
        skip_bad_lines: whether to leave out and count lines that are not one word of the letters a to z, instead of
            raising an error.

    Returns:
        The words, and the number of lines left out.

    Raises:
        DataFileError: the file cannot be read or has no words; the first bad line, unless bad lines are skipped.

    Example:

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     _ = file.write(b"Apple\\npear\\n\\napple\\n")
    ...     _ = file.seek(0)
    ...     read_words(file.name)
    (['apple', 'pear'], 0)
    """
    lines = Lines(path, skip_bad_lines, EXPECTED, _check_word)
    words = list(dict.fromkeys(text.strip().lower() for _, _, text in lines))
    if not words:
        raise DataFileError(f"{path} has no words (bad lines skipped: {lines.skipped}): expected one on each line.")
    return words, lines.skipped


def _check_word(text: str) -> tuple[str, str] | None:
    word = text.strip().lower()
    if re.fullmatch("[a-z]+", word):
        return None
    count = len(word.split())
    return EXPECTED, f"{count} words" if count > 1 else f"'{word}'"
