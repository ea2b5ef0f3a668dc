"""One long text, and the windows that it is read in."""

import os
from collections.abc import Sequence

import numpy as np

from seq2seq_zoo.data.pairs import DataFileError, bad_line, lines
from seq2seq_zoo.data.vocabulary import PADDING


def read_stream(path: str | os.PathLike[str], skip_bad_lines: bool = False) -> tuple[str, int]:
    """A whole file as one text, each of its lines ended by a newline.

    The file is UTF-8, with or without a byte-order mark.

    Args:
        path: the file.
        skip_bad_lines: leave out lines that are not UTF-8, and count them.

    Returns:
        The text, and how many lines were left out.

    Raises:
        DataFileError: no such file; the first bad line, unless they are skipped; nothing but white space.

    Example:

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     _ = file.write(b"One\\r\\n\\ntwo")
    ...     _ = file.seek(0)
    ...     read_stream(file.name)
    ('One\\n\\ntwo\\n', 0)
    """
    texts, skipped = [], 0
    for number, (_, line) in enumerate(lines(path), start=1):
        try:
            texts.append(f"{line.decode()}\n")
        except UnicodeDecodeError as error:
            if not skip_bad_lines:
                raise bad_line(path, number, "UTF-8 text", error) from None
            skipped += 1
    text = "".join(texts)
    if not text.strip():
        raise DataFileError(f"{path} is empty (bad lines skipped: {skipped}): expected a text.")
    return text, skipped


def in_windows(ids: Sequence[int], batch_size: int, length: int) -> np.ndarray:
    """A stream of ids, cut into equal parts that are read side by side, and these into windows, read one after another.

    Every id is in one window, once. What is short at the end of a part is padding.

    Args:
        ids: the stream.
        batch_size: how many parts there are.
        length: ids of a window.

    Returns:
        An int32 array of shape `(windows, batch_size, length)`.

    Raises:
        ValueError: the stream is shorter than a window of each part.

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
