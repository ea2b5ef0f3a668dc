"""Pairs from files as people have them: formats, columns, features, and what is said about a file of another kind."""

import builtins
import gzip
import json

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from seq2seq_zoo.data.delimited import Layout, Records, read_pairs
from seq2seq_zoo.data.lines import DataFileError
from seq2seq_zoo.data.vocabulary import FEATURES

PAIRS = [("gefa", "gaf"), ("a  b", ""), ("é,\t'x'", 'say "x"')]
UNIMORPH = [("kalb", "kälber", "N;NOM;PL"), ("give up", "gave up", "V;PST")]


@pytest.fixture
def write(tmp_path):
    """Writes a file, compressed if its name ends with .gz, and says where."""

    def write(name, content):
        path = tmp_path / name
        content = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return write


def write_parquet(path, columns):
    parquet.write_table(pyarrow.table(columns), path)
    return path


def quoted(rows, between=","):
    cell = '"{}"'.format
    return "".join(between.join(cell(text.replace('"', '""')) for text in row) + "\r\n" for row in rows)


def json_lines(rows, *names):
    return "".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows)


def read(path, separators=("", ""), **layout):
    pairs, skipped = read_pairs(path, separators=separators, layout=Layout(**layout))
    assert skipped == 0
    assert list(pairs) == [pairs[row] for row in range(len(pairs))] == list(pairs[np.arange(len(pairs))])
    return list(pairs)


def refusal(path, skip_bad_lines=False, **layout):
    with pytest.raises(DataFileError) as caught:
        list(read_pairs(path, skip_bad_lines, layout=Layout(**layout))[0])
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


# === Formats ===


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize(
    ("name", "content", "layout"),
    [
        ("p.csv", quoted(PAIRS), {}),
        ("p.csv", "\ufeff" + quoted([("source", "target"), *PAIRS]), {"header": True}),
        (
            "p.csv",
            "\n" + quoted([("n", " to ", "from"), *[("0", b, a) for a, b in PAIRS]]),
            {"source": "from", "target": "to"},
        ),
        ("p.txt", quoted(PAIRS, ";"), {"delimiter": "semicolon"}),
        ("p.txt", quoted(PAIRS, "|"), {"delimiter": "bar"}),
        ("P.JSONL", json_lines(PAIRS, "source", "target"), {}),
        ("p.json", json_lines([({"a": a, "b": b},) for a, b in PAIRS], "t"), {"source": "t.a", "target": "t.b"}),
        ("p.ndjson", "\n" + json_lines(PAIRS, "a.b", "c"), {"source": "a.b", "target": "c", "delimiter": "comma"}),
    ],
)
def test_each_format_gives_the_same_pairs(write, name, content, layout, ending):
    assert read(write(name + ending, content), **layout) == PAIRS


def test_parquet_columns_and_their_fields(tmp_path):
    path = tmp_path / "p.parquet"
    sources, targets = map(list, zip(*PAIRS, strict=True))
    write_parquet(path, {"source": sources, "target": targets, "data": [b"\xff"] * 3})
    assert read(path) == PAIRS
    write_parquet(path, {"translation": [{"is": source, "en": target} for source, target in PAIRS]})
    assert read(path, source="translation.is", target="translation.en") == PAIRS
    assert "there is no column 'source'. Columns: translation." in refusal(path)
    write_parquet(path, {"source": ["a", None], "target": ["x", "y"]})
    assert refusal(path).startswith(f"{path}, row 2: expected text as 'source', found null. Fix the row, or skip")
    path.write_bytes(b"a\tb\n")
    assert refusal(path).startswith(f"Cannot read the data file '{path}' as Parquet: ")


def test_parquet_needs_an_extra(tmp_path, monkeypatch):
    original = builtins.__import__

    def without(name, *arguments, **named):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return original(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    assert "Run: pip install 'seq2seq-zoo[parquet]'" in refusal(tmp_path / "p.parquet")


def test_gzip_is_recognised_whatever_the_name_and_damage_is_said(write):
    assert read(write("p.tsv.gz", "a\tb\n")) == [("a", "b")]
    content = gzip.compress(b"a\tb\n" * 1000)
    assert read(write("p.tsv", content)) == [("a", "b")] * 1000
    assert refusal(write("p.tsv", content[:-20])).startswith("Cannot decompress the data file '")


def test_cells_in_quotation_marks_may_have_line_breaks(write):
    path = write("p.csv", 'a,"x\r\ny\n\n""z"""\r\n\r\nb,c\n')
    assert read(path) == [("a", 'x\ny\n\n"z"'), ("b", "c")]
    assert "line 1: expected cells separated by a comma, with every quotation mark closed" in refusal(
        write("p.csv", 'a,"b\n')
    )


def test_numbers_in_json_are_texts(write):
    assert read(write("p.jsonl", '{"source": 12, "target": 1.5}')) == [("12", "1.5")]


# === Columns ===


def test_columns_by_number_and_by_name(write):
    rows = "id\tde\ten\n1\tja\tyes\n2\tnein\tno\n"
    path = write("p.tsv", rows)
    pairs = [("ja", "yes"), ("nein", "no")]
    assert read(path, source=2, target=3, header=True) == read(path, source="de", target="en") == pairs
    assert read(path, source="en", target=2) == [(en, de) for de, en in pairs]
    assert read(path, source=2, target=3) == [("de", "en"), *pairs]
    assert [texts for _, _, texts in Records(path, Layout(source="en"), with_target=False)] == [("yes",), ("no",)]


@pytest.mark.parametrize(
    ("content", "layout", "message"),
    [
        (
            "a\tb\n",
            {"source": 1, "target": 3},
            ", line 1: expected at least 3 columns of UTF-8 text, found 2 columns. ",
        ),
        ("a\tb\n", {"source": "x"}, ", line 1: there is no column 'x'. Columns: a, b."),
        ("wort\tb\n", {"source": "word"}, "there is no column 'word'. Did you mean 'wort'? Columns: wort, b."),
        ("a\ta\n", {"source": "a"}, "line 1: two columns are named 'a': set `source: NUMBER` (--read source=NUMBER)."),
        ("a\tb\n", {"source": "a", "target": 3}, "line 1: there is no column 3 for target. Columns: a, b."),
        (
            "a\tb\n1\t2\t3\n",
            {"source": "a"},
            "line 2: expected 2 columns, as many as line 1 has names, found 3 columns.",
        ),
        ("a\tb\n", {"source": 2}, "source and target are both read from column 2: set `target: OTHER`"),
        ("a\tb\n", {"features": 2}, "target and features are both read from column 2: set `features: OTHER`"),
        (
            "a\tb\n",
            {"header": True},
            "has no pairs (bad lines skipped: 0): expected a source and a target on each line.",
        ),
        (
            "Word\tIPA\na\tb\n",
            {},
            "line 1 looks like the names of the columns (Word, IPA): set `header: true` (--read h",
        ),
        ("a,b\n", {"source": "a"}, "Columns: a,b. It looks like columns with a comma between them: set `delimiter: c"),
    ],
)
def test_columns_that_do_not_fit_are_refused(write, content, layout, message):
    assert message in refusal(write("p", content), **layout)


def test_a_line_of_names_fits_the_columns(write):
    with pytest.raises(ValueError, match="`header` must be true or left out, since 'a' is the name of a column"):
        Layout(source="a", header=False)
    message = (
        "expected two names of columns, found a, b, c: choose, such as `source: a` (--read source=a) and `target: c`"
    )
    assert message in refusal(write("p", "a\tb\tc\n"), header=True)


def test_a_first_line_of_names_may_be_a_pair(write):
    path = write("p", "word\tipa\na\tb\n")
    assert read(path, header=False) == [("word", "ipa"), ("a", "b")]
    assert read(path, header=True) == [("a", "b")]


@pytest.mark.parametrize(
    ("content", "layout", "message"),
    [
        ("[1]", {}, "line 1: expected a JSON object, found '[1]'. Write one JSON object on each line."),
        ('{"source": "a"}', {}, "expected a value named 'target', found only source. Set `target: NAME` (--read"),
        ('{"source": "a", "targets": "b"}', {}, "Did you mean 'targets'?"),
        (
            '{"source": ["a"], "target": ""}',
            {},
            "line 1: expected text as 'source', found ['a']. Fix the line, or skip",
        ),
        ('{"source": true, "target": ""}', {}, "expected text as 'source', found True."),
        ('{"source": "\\ud800", "target": ""}', {}, "expected text as 'source', found half of a surrogate pair."),
        ('{"source": "a"}', {"source": "source.x"}, "expected a value named 'source.x', found only none."),
        ('{"source": "a"}', {"target": 2}, "its values have names, but target is the number 2: set `target: NAME`"),
    ],
)
def test_objects_that_do_not_fit_are_refused(write, content, layout, message):
    assert message in refusal(write("p.jsonl", content), **layout)


def test_bad_records_are_skipped_and_counted_in_every_format(write):
    for name, content in (
        ("p.csv", b"a,b\nbad\n\xff,x\nc,d\n"),
        ("p.jsonl", b'{"source": "a", "target": "b"}\nbad\n\xff\n{"source": "c", "target": "d"}\n'),
    ):
        pairs, skipped = read_pairs(write(name, content), skip_bad_lines=True)
        assert (list(pairs), skipped) == ([("a", "b"), ("c", "d")], 2)


# === Features ===


def test_features_precede_the_source(write):
    path = write("deu", "\n".join(map("\t".join, UNIMORPH)))
    expected = [("N;NOM;PL kalb", "kälber"), ("V;PST give up", "gave up")]
    assert read(path, (FEATURES, ""), features=3) == expected
    assert read(path, (" ", " "), features=3)[1] == ("V PST give up", "gave up")
    other = write(
        "deu.jsonl", json_lines([(f" {tags};; ", form, lemma) for lemma, form, tags in UNIMORPH], "t", "f", "l")
    )
    assert read(other, (FEATURES, ""), source="l", target="f", features="t") == expected


# === Files of another kind ===


@pytest.mark.parametrize(
    ("name", "content", "hint"),
    [
        (
            "p",
            "\n".join(map("\t".join, UNIMORPH)),
            "UniMorph, with features in column 3: set `features: 3` (--read feat",
        ),
        (
            "p",
            "a\tN;PL\tas\n",
            "UniMorph, with features in column 2: set `features: 2` (--read features=2) and `target: 3`",
        ),
        ("p", "a\tb\tc\td\n", "It has 4 columns: choose, such as `source: 1` (--read source=1) and `target: 4`"),
        ("p", quoted(PAIRS[:2]), "columns with a comma between them: set `delimiter: comma` (--read delimiter=comma)."),
        ("p", "a;b\nc;d\n", "columns with a semicolon between them: set `delimiter: semicolon`"),
        ("p.csv", "a\tb\nc\td\n", "columns with a tab between them: set `delimiter: tab`"),
        ("p.csv", "a;b\nc;d\n", "columns with a semicolon between them"),
        ("p", "a b ||| c d\n", r"convert it with: sed 's/ ||| /\t/g'."),
        ("p", "<s> a </s>|<s> b </s>|x=y\n", r"convert it with: tr '|' '\t'."),
        ("p", json_lines(PAIRS, "source", "target"), "It looks like JSON Lines: let its name end with .jsonl."),
        (
            "p",
            "IN: walk OUT: I_WALK\nIN: run OUT: I_RUN\n",
            "a file of SCAN: use the task `scan`, or set source_tokens and target",
        ),
        ("p", "a\tb\n".encode("utf-16"), " is UTF-16, but expected UTF-8. Convert it: iconv -f UTF-16 -t UTF-8."),
        ("p", "a\tb\n".encode("utf-16-le"), "found the byte 0x00, as in UTF-16. "),
        ("p", b"PAR1", "is Parquet, which only the tasks file and labels read, if its name ends with .parquet."),
        ("p.csv", b"PK\x03\x04", "is a zip archive or a spreadsheet. Decompress it, or save it as CSV."),
        ("p", b"\xfd7zXZ\x00", "is compressed with xz."),
    ],
)
def test_a_file_of_another_kind_is_named_with_what_reads_it(write, name, content, hint):
    path = write(name, content)
    assert hint in refusal(path)
    if isinstance(content, str):  # otherwise it is not text
        assert hint in refusal(path, skip_bad_lines=True)


def test_a_single_bad_line_is_not_another_kind(write):
    message = refusal(write("p", "a\tb\nHello, world\n"))
    assert message.endswith(
        "Fix the line, or skip and count such lines with `skip_bad_lines: true` (--skip-bad-lines)."
    )
