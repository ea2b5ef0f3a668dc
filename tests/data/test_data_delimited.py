import re

import pytest

from seq2seq_zoo.data.delimited import read_pairs
from seq2seq_zoo.data.lines import DataFileError


@pytest.fixture
def write(tmp_path):
    def write(content: bytes):
        path = tmp_path / "pairs.tsv"
        path.write_bytes(content)
        return path

    return write


def test_byte_order_mark_blank_lines_and_line_ends_of_all_kinds(write):
    path = write(b"\xef\xbb\xbfna\xc3\xafve\tx\r\n\r\n  \n a b\t\nlast\tz")
    pairs, skipped = read_pairs(path)
    assert (list(pairs), skipped) == ([("naïve", "x"), (" a b", ""), ("last", "z")], 0)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b"alone", "found 1 column."),
        (b"a\tb\tc", "found 3 columns."),
        (b"a\t\xff", "found the byte 0xff, which is not UTF-8."),
    ],
)
def test_a_bad_line_raises_or_is_skipped_and_counted(write, line, found):
    path = write(b"a\tb\n\n" + line + b"\nc\td\n" + line)
    with pytest.raises(DataFileError) as caught:
        read_pairs(path)
    message = str(caught.value)
    assert message.startswith(f"{path}, line 3: expected two columns of UTF-8 text with one tab between them")
    assert found in message
    assert "`skip_bad_lines: true` (--skip-bad-lines)" in message
    assert "\n" not in message
    pairs, skipped = read_pairs(path, skip_bad_lines=True)
    assert (list(pairs), skipped) == ([("a", "b"), ("c", "d")], 2)


def test_a_missing_file_and_a_file_without_pairs(write, tmp_path):
    with pytest.raises(DataFileError, match=re.escape(f"Cannot read the data file '{tmp_path / 'none.tsv'}': No such")):
        read_pairs(tmp_path / "none.tsv")
    with pytest.raises(DataFileError, match=r"has no pairs \(bad lines skipped: 1\)"):
        read_pairs(write(b"\nbad\n"), skip_bad_lines=True)


def test_marks_of_concatenated_and_of_pasted_files_are_not_text(write):
    mark = b"\xef\xbb\xbf"
    pairs, _ = read_pairs(write(mark + b"a\t" + mark + b"x\n" + mark + b"b\ty\n"))
    assert list(pairs) == [pairs[0], pairs[1]] == [("a", "x"), ("b", "y")]
