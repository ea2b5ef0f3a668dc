"""One long text, and its windows for truncated backpropagation through time."""

import os
from collections.abc import Sequence

import numpy as np

from seq2seq_zoo.data.lines import DataFileError, Lines
from seq2seq_zoo.data.vocabulary import PADDING


def read_stream(path: str | os.PathLike[str], skip_bad_lines: bool = False) -> tuple[str, int]:
    """A whole file as one text in which every line ends with a newline.

    The file is UTF-8, with or without byte-order marks.

    Args:
        path: the file.
        skip_bad_lines: whether to leave out and count lines that are not UTF-8, instead of raising an error.

    Returns:
        The text, and the number of lines left out.

    Raises:
        DataFileError: the file cannot be read or holds only white space; the first bad line, unless bad lines are
            skipped.

    Example:

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     _ = file.write(b"One\\r\\n\\ntwo")
    ...     _ = file.seek(0)
    ...     read_stream(file.name)
    ('One\\n\\ntwo\\n', 0)
    """
    lines = Lines(path, skip_bad_lines, blank=True)
    text = "".join([f"{text}\n" for _, _, text in lines])
    if not text.strip():
        raise DataFileError(f"{path} is empty (bad lines skipped: {lines.skipped}): expected a text.")
    return text, lines.skipped


def in_windows(ids: Sequence[int], batch_size: int, length: int) -> np.ndarray:
    """Split a stream of ids into `batch_size` equal parts, and each part into consecutive windows.

    The parts are the rows of a batch. Every id is in exactly one window. Shorter parts are padded at their end.

    Args:
        ids: the stream.
        batch_size: the number of parts.
        length: the number of ids in a window.

    Returns:
        An int32 array of shape `(windows, batch_size, length)`.

    Raises:
        ValueError: the stream is too short to give each part a full window.

    Example:

    >>> in_windows(range(4, 14), batch_size=2, length=3).tolist()
    [[[4, 5, 6], [9, 10, 11]], [[7, 8, 0], [12, 13, 0]]]
    """
    if len(ids) < batch_size * length:
        raise ValueError(
            f"a stream of {len(ids):,} tokens is shorter than a window of {length:,} for each row of a batch of "
            f"{batch_size:,}: expected at least {batch_size * length:,}. Take a longer text, a smaller window or a "
            f"smaller batch_size."
        )
    parts = np.array_split(np.asarray(ids, np.int32), batch_size)
    count = -(-len(parts[0]) // length)
    filled = np.full((batch_size, count * length), PADDING, np.int32)
    for row, part in zip(filled, parts, strict=True):
        row[: len(part)] = part
    return filled.reshape(batch_size, count, length).swapaxes(0, 1)
