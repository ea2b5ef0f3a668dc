"""Words from a file with one on each line."""

import os
import re

from seq2seq_zoo.data.pairs import DataFileError, bad_line, lines


def read_words(path: str | os.PathLike[str], skip_bad_lines: bool = False) -> tuple[list[str], int]:
    """The different words of a file, in small letters and in the file's order.

    The file is UTF-8, with or without a byte-order mark; blank lines are ignored.

    Args:
        path: the file.
        skip_bad_lines: leave out lines that are not one word of the letters a to z, and count them.

    Returns:
        The words, and how many lines were left out.

    Raises:
        DataFileError: no such file; the first bad line, unless they are skipped; no words at all.

    Example:

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     _ = file.write(b"Apple\\npear\\n\\napple\\n")
    ...     _ = file.seek(0)
    ...     read_words(file.name)
    (['apple', 'pear'], 0)
    """
    words: dict[str, None] = {}
    skipped = 0
    for number, (_, line) in enumerate(lines(path), start=1):
        try:
            word = line.decode().strip().lower()
            if not word:
                continue
            count = len(word.split())
            found = "" if re.fullmatch("[a-z]+", word) else f"{count} words" if count > 1 else f"'{word}'"
        except UnicodeDecodeError as error:
            found = error
        if not found:
            words[word] = None
        elif skip_bad_lines:
            skipped += 1
        else:
            raise bad_line(path, number, "one word of the letters a to z", found)
    if not words:
        raise DataFileError(f"{path} has no words (bad lines skipped: {skipped}): expected one on each line.")
    return list(words), skipped
