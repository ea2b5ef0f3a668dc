import gzip
import re

import pytest

from seq2seq_zoo.data.lines import DataFileError
from seq2seq_zoo.data.parallel import read_parallel


@pytest.fixture
def write(tmp_path):
    def write(*contents: bytes):
        paths = [tmp_path / "some.source", tmp_path / "some.target"]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        return paths

    return write


def test_lines_are_paired_by_their_number(write):
    paths = write(b"\xef\xbb\xbfna\xc3\xafve  a\r\n\n \nb\tc\n", b"x\n\n y\n\n")
    pairs, skipped = read_parallel(*paths)
    assert skipped == 0
    # The second line is blank in both.
    assert list(pairs) == [pairs[row] for row in range(3)] == [("naïve  a", "x"), (" ", " y"), ("b\tc", "")]
    assert list(read_parallel(*paths, separators=(" ", " "))[0]) == [("naïve a", "x"), ("", "y"), ("b c", "")]


def test_files_with_different_numbers_of_lines(write):
    source, target = write(b"a\nb\nc\n", b"x\ny")
    with pytest.raises(DataFileError, match=re.escape(f"Unpaired lines: {source} has 3 and {target} has 2. Expected")):
        read_parallel(source, target, skip_bad_lines=True)


@pytest.mark.parametrize("side", [0, 1])
def test_a_bad_line_raises_or_its_pair_is_skipped_and_counted(write, side):
    contents = [b"a\nb\nc", b"a\nb\nc"]
    contents[side] = b"a\n\xff\nc"
    paths = write(*contents)
    with pytest.raises(DataFileError) as caught:
        read_parallel(*paths)
    assert str(caught.value) == (
        f"{paths[side]}, line 2: expected UTF-8 text, found the byte 0xff, which is not UTF-8. Fix the line, or skip "
        "and count such lines with `skip_bad_lines: true` (--skip-bad-lines)."
    )
    pairs, skipped = read_parallel(*paths, skip_bad_lines=True)
    assert (list(pairs), skipped) == ([("a", "a"), ("c", "c")], 1)


def test_a_missing_file_and_a_file_without_pairs(write):
    source, target = write(b"", b"")
    with pytest.raises(DataFileError, match=r"some.target have no pairs \(bad lines skipped: 0\)"):
        read_parallel(source, target)
    target.unlink()
    with pytest.raises(DataFileError, match=re.escape(f"Cannot read the data file '{target}': No such")):
        read_parallel(source, target)


def numbered(letter, changes):
    lines = [changes.get(number, f"{letter} {letter}{number}") for number in range(1, 21)]
    return "".join(f"{line}\n" for line in lines).encode()


def test_a_carriage_return_in_a_line_does_not_shift_the_pairs(write):
    """Both files have 20 newlines, and one carriage return too many each, in different lines."""
    paths = write(numbered("a", {4: "a\rb c3"}), numbered("x", {16: "x y\rz15"}))
    with pytest.raises(
        DataFileError, match=re.escape(f"{paths[0]}, line 4: expected UTF-8 text, found a carriage ret")
    ):
        read_parallel(*paths)
    pairs, skipped = read_parallel(*paths, skip_bad_lines=True)
    numbers = [number for number in range(1, 21) if number not in (4, 16)]
    assert list(pairs) == [(f"a a{number}", f"x x{number}") for number in numbers]
    assert skipped == 2


def test_counts_are_those_of_newlines(write):
    source, target = write(numbered("a", {4: "a\rb c3"}), numbered("x", {}) + b"more\n")
    with pytest.raises(DataFileError, match=re.escape(f"Unpaired lines: {source} has 20 and {target} has 21.")):
        read_parallel(source, target)


def test_lines_that_end_with_carriage_returns_only(write):
    paths = write(numbered("a", {}).replace(b"\n", b"\r"), numbered("x", {}))
    assert list(read_parallel(*paths)[0]) == [(f"a a{number}", f"x x{number}") for number in range(1, 21)]


def test_marks_of_concatenated_files_are_not_text(write):
    mark = b"\xef\xbb\xbf"
    paths = write(mark + b"a\n" + mark + b"b\n", mark + b"x\n" + mark + b"y\n")
    assert list(read_parallel(*paths)[0]) == [("a", "x"), ("b", "y")]


def test_compressed_files(write):
    source, target = write(gzip.compress(b"a\nb\n"), b"x\ny\n")
    pairs, _ = read_parallel(source, target)
    assert list(pairs) == [pairs[0], pairs[1]] == [("a", "x"), ("b", "y")]
