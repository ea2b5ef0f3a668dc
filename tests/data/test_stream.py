import re

import numpy as np
import pytest

from seq2seq_zoo.data.lines import DataFileError
from seq2seq_zoo.data.stream import in_windows, read_stream


@pytest.mark.parametrize(("count", "batch_size", "length"), [(24, 2, 4), (25, 3, 4), (50, 7, 5), (9, 1, 9), (11, 1, 4)])
def test_every_id_is_in_one_window_and_parts_continue_from_window_to_window(count, batch_size, length):
    ids = np.arange(4, 4 + count)
    windows = in_windows(ids, batch_size, length)
    assert windows.dtype == np.int32
    assert windows.shape[1:] == (batch_size, length)
    parts = [row[row != 0] for row in np.concatenate(windows, axis=1)]
    assert np.concatenate(parts).tolist() == ids.tolist()
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    # Padding only after a part's end, and no window of nothing else.
    for row in np.concatenate(windows, axis=1):
        assert not (np.diff((row != 0).astype(int)) > 0).any()
    assert (windows[-1] != 0).any()


def test_a_stream_too_short_for_a_window_of_each_part_is_an_error():
    with pytest.raises(
        ValueError,
        match=r"^a stream of 1,999 tokens is shorter than a window of 50 for each row of a batch of 40: expected at "
        r"least 2,000\. Take a longer text, a smaller window or a smaller batch_size\.$",
    ):
        in_windows(range(1999), 40, 50)
    assert len(in_windows(range(2000), 40, 50)) == 1


@pytest.mark.parametrize("content", ["a\n\nb c\n", "a\r\n\r\nb c", "\ufeffa\n\nb c\n"])
def test_every_line_of_a_stream_ends_with_a_newline(tmp_path, content):
    path = tmp_path / "text"
    path.write_bytes(content.encode())
    assert read_stream(path) == ("a\n\nb c\n", 0)


@pytest.mark.parametrize("content", [b"", b" \n\r\n \n"])
def test_an_empty_file_is_an_error(tmp_path, content):
    path = tmp_path / "text"
    path.write_bytes(content)
    with pytest.raises(DataFileError) as raised:
        read_stream(path)
    assert str(raised.value) == f"{path} is empty (bad lines skipped: 0): expected a text."


def test_bad_lines_raise_or_are_skipped_and_counted(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(b"a\n\xff\nb\n")
    with pytest.raises(DataFileError, match=re.escape(f"{path}, line 2: expected UTF-8 text, found the byte 0xff")):
        read_stream(path)
    assert read_stream(path, skip_bad_lines=True) == ("a\nb\n", 1)
