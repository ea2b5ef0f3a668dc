"""`train`, `predict`, `evaluate` and `export` for a model without a decoder."""

import json
import math
import re

import pytest

from cli.commands import call, refused, set_options

SMALL = set_options("encoder.units=4", "training.epochs=1")
KINDS = {"yes": "abc", "no": "def"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels")
    lines = [f"{a} {b}\t{label}" for label, letters in KINDS.items() for a in letters for b in "xyz"]
    (folder / "labels.tsv").write_text("\n".join(lines))
    (folder / "texts.txt").write_text("\n".join(f"{a} {b}" for a in "abcdefg" for b in "wxyz"))
    return folder


def trained(folder, name, preset, file, *changes):
    directory = folder / name
    options = set_options(f"task.train={folder / file}", *changes)
    done = call("train", preset, "--out", directory, *SMALL, *options)
    assert done.exit_code == 0, done.output
    return directory, done


@pytest.fixture(scope="module")
def run(folder):
    """A hardly trained classifier, initialised with the weights of a hardly trained autoencoder."""
    pretrained, _ = trained(folder, "texts", "autoencode", "texts.txt", "decoder.units=4", "training.buckets=1")
    changes = (
        f"task.vocabulary={folder / 'texts.txt'}",
        f"pretrained.encoder={pretrained}",
        "encoder_only.linear_gain=true",
    )
    return trained(folder, "run", "labels", "labels.tsv", *changes)


def test_train_prints_what_is_pretrained_and_the_accuracy(run, folder):
    directory, done = run
    assert "no decoder: " in done.stderr
    assert f"encoder: 11 of 11 tokens take their vectors from {folder / 'texts'}" in done.stderr.splitlines()
    assert re.search(r"^accuracy +\d+\.\d%$", done.stdout, re.MULTILINE)
    assert (directory / "predictions.tsv").exists()


def test_predict_writes_a_label_a_line(run):
    directory, _ = run
    done = call("predict", directory, input="a x\n\nnever z\n")
    labels = done.stdout.splitlines()
    assert len(labels) == 3
    assert done.stderr == "Tokens that the model does not know: 1, in 1 of 3 texts: 'never'\n"
    scored = [line.split("\t") for line in call("predict", directory, "a x", "", "--scores").stdout.splitlines()]
    assert [label for _, label in scored] == labels[:2]
    assert all(float(score) < 0 for score, _ in scored)
    answer = json.loads(call("predict", directory, "a x", "--json").stdout)
    assert answer["outputs"][0]["text"] == labels[0]
    assert math.exp(answer["outputs"][0]["log_prob"]) < 1


def test_evaluate_prints_the_accuracy(run, folder):
    directory, _ = run
    rows = [line.split("\t") for line in (directory / "predictions.tsv").read_text().splitlines()[1:]]
    right = sum(target == output for _, target, output in rows) / len(rows)
    assert json.loads(call("evaluate", directory, "--json").stdout) == {"pairs": len(rows), "accuracy": right}
    (folder / "own.tsv").write_text("".join(f"{source}\t{output}\n" for source, _, output in rows))
    assert json.loads(call("evaluate", directory, folder / "own.tsv", "--json").stdout)["accuracy"] == 1
    (folder / "two.tsv").write_text("a x\tyes no\n")
    assert "expected one label without white space after the tab, found 2 labels" in refused(
        "evaluate", directory, folder / "two.tsv"
    )


def test_options_of_searches_are_refused(run):
    directory, _ = run
    for option in (["--search", "beam"], ["--set", "size=3"], ["--n-best", 2], ["--alignments", "map.png"]):
        assert refused("predict", directory, "a", *option) == (
            f"{directory} has no decoder, so it has no search: give it texts, --file, --scores or --json only."
        )
    for option in (["--mass", 0.9], ["--forbid", "yes"], ["--copy-unknown"]):
        assert refused("predict", directory, "a", *option).startswith(
            f"{directory} has no decoder, so it has no search"
        )
    assert refused("export", directory, "--format", "onnx", "--search", "beam") == (
        f"{directory} does not generate tokens, so it has no search: leave --search and --set out."
    )
    assert refused("evaluate", directory, "--search", "beam") == (
        f"--search is for generated texts, and {directory} outputs labels: leave it out."
    )


def test_labels_are_not_scored_and_their_outputs_are_written(run, folder):
    directory, _ = run
    (folder / "one.tsv").write_text("a x\tyes\n")
    assert refused("score", directory, folder / "one.tsv") == (
        f"{directory} outputs labels, and scores no given ones: predict --scores gives its own labels' scores."
    )
    call("evaluate", directory, "--out", folder / "out.tsv")
    assert (folder / "out.tsv").read_text() == (directory / "predictions.tsv").read_text()
