import re

import pytest

from seq2seq_zoo.data import lines as module
from seq2seq_zoo.data.lines import DataFileError, Lines, lines_of, text_of


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


@pytest.mark.parametrize("block", [1, 3, 2**20])
@pytest.mark.parametrize(
    ("content", "texts"),
    [
        (b"", []),
        (b"a", ["a"]),
        (b"a\n\nb\r\nc", ["a", "", "b", "c"]),
        (b"a\r\n\r\n", ["a", ""]),
        (b"a\r\rb", ["a", "", "b"]),  # no newline at all: a carriage return ends a line
        (b"a\rb\r", ["a", "b"]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n\xef\xbb\xbf\xef\xbb\xbfc", ["a", "b", "c"]),  # concatenated files
        (b"\xef\xbb\xbfa\r\xef\xbb\xbfb", ["a", "b"]),
        (b"\xef\xbb\xbf", []),
        (b"a\n\xef\xbb\xbf", ["a"]),
    ],
)
def test_where_lines_end(content, texts, block):
    blocks = [content[first : first + block] for first in range(0, len(content), block)]
    found = [line for lines in lines_of(blocks) for line in lines]
    assert [text_of(line) for _, line in found] == texts
    assert all(content[start : start + len(line)] == line for start, line in found)


@pytest.mark.parametrize(
    ("content", "line", "character", "others"),
    [
        ("a\nbé\rc\nd\n", 2, 3, ["a", "d"]),
        ("a\r\r\nb\n", 1, 2, ["b"]),
        ("a\rb\n", 1, 2, []),
        ("a\nb\r", 2, 2, ["a"]),
    ],
)
def test_a_lone_carriage_return_is_refused_with_its_line(tmp_path, content, line, character, others):
    path = tmp_path / "text"
    path.write_bytes(content.encode())
    with pytest.raises(DataFileError) as caught:
        list(Lines(path))
    assert str(caught.value) == (
        f"{path}, line {line}: expected UTF-8 text, found a carriage return (\\r) without a newline (\\n) after it, at "
        f"character {character}. Fix the line, or skip and count such lines with `skip_bad_lines: true` "
        "(--skip-bad-lines)."
    )
    lines = Lines(path, skip_bad_lines=True)
    assert [text for _, _, text in lines] == others
    assert lines.skipped == 1
