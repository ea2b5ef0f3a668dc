"""Commands on a model without a decoder."""

import json
import math
import re

import pytest
from test_cli import call, refused

SMALL = [word for each in ("encoder.units=4", "training.epochs=1") for word in ("--set", each)]
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
    words = [word for each in (f"task.train={folder / file}", *changes) for word in ("--set", each)]
    done = call("train", preset, "--out", directory, *SMALL, *words)
    assert done.exit_code == 0, done.output
    return directory, done


@pytest.fixture(scope="module")
def run(folder):
    """A classifier of hardly any training, which began with the weights of an autoencoder of as little."""
    pretrained, _ = trained(folder, "texts", "autoencode", "texts.txt", "decoder.units=4", "training.buckets=1")
    changes = (
        f"task.vocabulary={folder / 'texts.txt'}",
        f"pretrained.encoder={pretrained}",
        "encoder_only.linear_gain=true",
    )
    return trained(folder, "run", "labels", "labels.tsv", *changes)


def test_train_says_what_is_pretrained_and_how_many_labels_are_right(run, folder):
    directory, done = run
    assert "no decoder: " in done.stderr
    assert f"encoder: 11 of 11 tokens begin as {folder / 'texts'} has them" in done.stderr.splitlines()
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


def test_evaluate_counts_right_labels(run, folder):
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


def test_there_is_nothing_to_search_for(run):
    directory, _ = run
    for option in (["--search", "beam"], ["--set", "size=3"], ["--n-best", 2], ["--alignments", "map.png"]):
        assert refused("predict", directory, "a", *option) == (
            f"{directory} has no decoder: give it texts, --file, --scores or --json, and no search."
        )
    assert refused("export", directory, "--format", "onnx") == (
        f"{directory} has no decoder: what is exported is a search, and it has nothing to search for."
    )
