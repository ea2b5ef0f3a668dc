import re

import pytest

from seq2seq_zoo.data import lines as module
from seq2seq_zoo.data.lines import DataFileError, Lines


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(b"\xef\xbb\xbf\xc3\xa9 a\r\n \nbad\n\xff\nlast")
    return path


def not_bad(text):
    return ("a good line", f"'{text}'") if text == "bad" else None


@pytest.mark.parametrize("block", [1, 2**20])
def test_spans_are_the_bytes_of_the_texts(path, block, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", block)
    content = path.read_bytes()
    found = list(Lines(path, skip_bad_lines=True))
    assert [text for _, _, text in found] == ["é a", "bad", "last"]
    assert all(content[start:stop].decode() == text for start, stop, text in found)


def test_blank_lines_are_kept_on_request(path):
    assert [text for _, _, text in Lines(path, skip_bad_lines=True, blank=True)] == ["é a", " ", "bad", "last"]


def test_bad_lines_are_skipped_and_counted(path):
    lines = Lines(path, skip_bad_lines=True, check=not_bad)
    assert [text for _, _, text in lines] == ["é a", "last"]
    assert lines.skipped == 2


def test_an_error_says_what_was_expected_and_found(path):
    with pytest.raises(DataFileError, match=re.escape(f"{path}, line 3: expected a good line, found 'bad'. Fix the")):
        list(Lines(path, check=not_bad))
    with pytest.raises(DataFileError, match="line 4: expected numbers, found the byte 0xff, which is not UTF-8"):
        list(Lines(path, expected="numbers"))
