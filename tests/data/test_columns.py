"""Columns of numbers from files, and features without their unit."""

import numpy as np
import pytest

from seq2seq_zoo.data.columns import Format, read_columns, read_header
from seq2seq_zoo.data.lines import DataFileError
from seq2seq_zoo.data.scaling import identity_scale, standardise
from seq2seq_zoo.tasks.task import Row


@pytest.fixture
def write(tmp_path):
    def write(content: str | bytes) -> str:
        path = tmp_path / "a.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write


def test_columns_are_read_by_name_in_the_requested_order(write):
    path = write("\ufeffwho, x ,y\na,1,2.5\n\na,-3,1e3\r\nb,4,0\n")
    assert read_header(path) == ["who", "x", "y"]
    columns = read_columns(path, ["y", "x"], ["who"])
    np.testing.assert_array_equal(columns.values, [[2.5, 1], [1000, -3], [0, 4]])
    assert columns.texts == {"who": ["a", "a", "b"]}
    assert list(columns.line_numbers) == [2, 4, 5]
    assert read_columns(path, ["x"], limit=2).values.tolist() == [[1], [-3]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('x,y,note\n1,2,a\n3,4,"b\n5,6,c\n', r"a\.csv, line 3: expected .* every quotation mark closed"),
        ("", r"a\.csv is empty: expected a line with the names of the columns"),
        ("x,y\n", r"a\.csv has no rows below the names"),
        ("x,y,x\n1,2,3\n", r"a\.csv, line 1: expected a different name for each column, found 'x' twice"),
        ("x,z\n1,2\n", r"a\.csv, line 1: there is no column 'y'\. Columns: x, z"),
        ("x,yy\n1,2\n", r"line 1: there is no column 'y'\. Did you mean 'yy'\? Columns: x, yy"),
        ("x,y\n1,2\n\n1\n", r"a\.csv, line 4: expected 2 cells, as many as line 1 has names, found 1"),
        ("x,y\n1,2,3\n", r"a\.csv, line 2: expected 2 cells, as many as line 1 has names, found 3"),
        ("x,y\n1,2\n1,two\n", r"a\.csv, line 3: expected a finite number in column 'y', found 'two'"),
        ("x,y\n1,2\n1,\n", r"a\.csv, line 3: expected a finite number in column 'y', found ''"),
        ("x,y\n1,2\nnan,2\n", r"a\.csv, line 3: expected a finite number in column 'x', found 'nan'"),
        ("x,y\n1,2\n\n1,-inf\n", r"a\.csv, line 4: expected a finite number in column 'y', found '-inf'"),
        (b"x,y\n1,2\n1,\xff\n", r"a\.csv, line 3: expected UTF-8 text, found the byte 0xff"),
        (
            b"x,y\n1,2\n1,3\r4,5\n",
            r"a\.csv, line 3: expected UTF-8 text, found a carriage return .* at character 4\. Fix",
        ),
        ("x,y\n1,2\n1,1_0\n", r"a\.csv, line 3: expected a finite number in column 'y', found '1_0'"),
        ("x,y\n1_000,2\n", r"a\.csv, line 2: expected a finite number in column 'x', found '1_000'"),
        ("x,y\n1, infinity\n", r"a\.csv, line 2: expected a finite number in column 'y', found 'infinity'"),
        ("x,y\n1,1e999\n", r"a\.csv, line 2: expected a finite number in column 'y', found '1e999'"),
        ("x,y\n1,\N{ARABIC-INDIC DIGIT FIVE}\n", r"a\.csv, line 2: expected a finite number in column 'y'"),
        ('x,y\n1,"2,5"\n', r"found '2,5'\. Fix it, or leave the column out, or set `decimal: comma`\."),
        (
            "x;y\n1;2\n",
            r"there is no column 'x'\. .*Columns: x;y\. If a semicolon separates cells, set `delimiter: semi",
        ),
    ],
)
def test_a_bad_file_is_reported_in_one_line(write, content, message):
    with pytest.raises(DataFileError, match=message) as error:
        read_columns(write(content), ["x", "y"])
    assert "\n" not in str(error.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(DataFileError, match="Cannot read the data file"):
        read_header(tmp_path / "none.csv")


def test_restore_is_the_inverse_of_standardise():
    values = np.random.default_rng(0).normal(5, [1e-6, 1.0, 1e6], (50, 3))
    scale = standardise(values, "abc", "train")
    scaled = scale.apply(values)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std(axis=0), 1, rtol=1e-5)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(Row(scaled, scaled, *scale).restore(scaled.astype(float)), values, rtol=1e-5)
    np.testing.assert_array_equal(identity_scale(3).apply(values), values.astype("float32"))


def test_a_constant_is_not_standardised():
    with pytest.raises(ValueError, match=r"'b' is 0\.1 throughout train: a constant cannot be standardised"):
        standardise(np.array([[1.0, 0.1], [2.0, 0.1], [2.0, 0.1]]), "ab", "train")


@pytest.mark.parametrize(
    ("delimiter", "decimal", "content"),
    [
        ("semicolon", "comma", "x;y\n1,5;-2,25e1\n"),
        ("semicolon", "point", "x;y\n1.5;-22.5\n"),
        ("tab", "comma", "x\ty\n1,5\t-22,5\n"),
        ("comma", "point", "x,y\n1.5,-22.5\n"),
    ],
)
def test_delimiters_and_decimal_marks(write, delimiter, decimal, content):
    columns = read_columns(write(content), ["x", "y"], file_format=Format(delimiter, decimal))
    assert columns.values.tolist() == [[1.5, -22.5]]


def test_a_decimal_comma_excludes_the_point_and_the_comma_as_a_delimiter(write):
    message = r"line 2: .* in column 'x', found '1\.234,5'\. Fix it, or leave the column out, or set `decimal: point`"
    with pytest.raises(DataFileError, match=message):
        read_columns(write("x;y\n1.234,5;1\n"), ["x"], file_format=Format("semicolon", "comma"))
    with pytest.raises(ValueError, match="delimiter and decimal must differ, but both are a comma"):
        Format("comma", "comma")


def test_marks_and_line_ends_of_concatenated_and_old_files(write):
    assert read_columns(write("\ufeffx,y\r1,2\r3,4"), ["x", "y"]).values.tolist() == [[1, 2], [3, 4]]
    assert read_columns(write("\ufeffx,y\n1,2\n\ufeff3,4\n"), ["x", "y"]).values.tolist() == [[1, 2], [3, 4]]
