"""Pairs as people have them, in `train`, `evaluate`, `score` and `predict`."""

import csv
import gzip
import json

import pytest

from cli.commands import call, refused, set_options

TINY = ("training.epochs=1", "decoder.units=4", "encoder.units=4", "decoder.max_length=4")
ROWS = [
    (lemma, f"{lemma}{end}", f"N;{tag}")
    for lemma in ("kalb", "see hund", "ort")
    for tag, end in (("SG", ""), ("PL", "e"))
]
SOURCES = [f"{tags} {lemma}" for lemma, _, tags in ROWS]


def lines(rows):
    return "".join("\t".join(row) + "\n" for row in rows)


@pytest.fixture(scope="session")
def inflection(train_once, tmp_path_factory):
    """A run on a file of UniMorph, hardly trained."""
    path = tmp_path_factory.mktemp("data") / "deu"
    path.write_text(lines(ROWS))
    return train_once(
        "inflection",
        "file",
        *set_options(*(f"task.{split}={path}" for split in ("train", "dev", "test")), "task.features=3", *TINY),
    )


def test_evaluate_score_and_predict_read_columns_as_the_run_does_or_as_they_are_told(inflection, folder):
    (folder / "deu.gz").write_bytes(gzip.compress(lines(ROWS).encode()))
    with (folder / "deu.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("tags", "lemma", "form"), *[(tags, lemma, form) for lemma, form, tags in ROWS]])
    names = [word for each in ("source=lemma", "target=form", "features=tags") for word in ("--read", each)]
    evaluated = json.loads(call("evaluate", inflection.directory, "deu.gz", "--json").stdout)
    assert evaluated == json.loads((inflection.directory / "metrics.json").read_text())["test"] | {"pairs": len(ROWS)}
    scored = call("score", inflection.directory, "deu.csv", *names, "--json").stdout
    assert [json.loads(line)["source"] for line in scored.splitlines()] == SOURCES
    assert scored == call("score", inflection.directory, "deu.gz", "--json").stdout
    outputs = call("predict", inflection.directory, "--file", "deu.csv", *names).stdout
    assert outputs == call("predict", inflection.directory, *SOURCES).stdout


def test_a_model_without_its_run_reads_sources_as_they_are_typed(inflection, folder):
    model = inflection.directory / "best.keras"
    (folder / "pairs").write_text(lines(zip(SOURCES, [form for _, form, _ in ROWS], strict=True)))
    (folder / "deu").write_text(lines(ROWS))
    expected = json.loads(call("evaluate", inflection.directory, "deu", "--json").stdout)
    assert json.loads(call("evaluate", model, "pairs", "--json").stdout) == expected
    assert json.loads(call("evaluate", model, "deu", "--read", "features=3", "--json").stdout) == expected
    assert "set `features: 3` (--read features=3)." in refused("evaluate", model, "deu")


def test_unknown_features_and_a_source_without_features_are_reported(inflection):
    note = call("predict", inflection.directory, "N;DU ort", "ort").stderr
    assert note.startswith("Tokens that the model does not know: 2, in 2 of 2 texts: 'DU;', 'ort;'")


def test_predict_reads_lines_unless_a_file_has_columns(first_25, folder):
    (folder / "some.tsv").write_text("1 2 3 4 5\tother\n\n")
    (folder / "some.gz").write_bytes(gzip.compress(b"1 2 3 4 5\n\n"))
    answer = "one two three four five\n"
    assert (
        len(call("predict", first_25.directory, "--file", "some.gz").stdout.splitlines()) == 2
    )  # one of an empty line
    assert call("predict", first_25.directory, "--file", "some.tsv").stdout == answer


def test_what_does_not_fit_is_refused(first_25, names, folder):
    (folder / "some.csv").write_text("a,b\n")
    (folder / "some.tsv").write_text("\xff", encoding="latin-1")
    directory = first_25.directory
    assert refused("predict", directory, "1", "--read", "source=2").startswith("--read is for a --file with columns")
    assert refused("evaluate", directory, "--read", "source=2").startswith("--read is for a FILE, and the run's own")
    assert refused("evaluate", directory, "some.csv", "--read", "sorce=2").startswith(
        "--read sorce=2: sorce: is not an option. Did you mean 'source'?"
    )
    assert refused("score", names.directory, "some.csv", "--read", "source=2").startswith("--read is for pairs, and a")
    assert refused("predict", names.directory, "--file", "some.csv", "--read", "source=2").startswith("--read is for s")
    assert refused("predict", directory, "--file", "some.csv", "--read", "source=x").startswith(
        "some.csv, line 1: there is no column 'x'. Columns: a, b."
    )
    assert refused("predict", directory, "--file", "some.tsv").endswith("which is not UTF-8. Fix the line.")
