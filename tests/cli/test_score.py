"""`seq2seq-zoo score`."""

import json
import math

import pytest

from cli.commands import call, refused
from seq2seq_zoo import load
from seq2seq_zoo.cli import score as score_command

PAIRS = [("1 2 3 4 5", "one two three four five"), ("1 2 3 4 5", "one two"), ("6 x", "six zehn")]


@pytest.fixture
def pairs(folder):
    path = folder / "pairs.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in PAIRS))
    return path


def test_pairs_are_scored_as_columns(first_25, pairs):
    done = call("score", first_25.directory, pairs)
    header, *rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert header == ["log_prob", "perplexity", "probabilities", "source", "target"]
    expected = load(first_25.directory).score(*map(list, zip(*PAIRS, strict=True)))
    for row, pair, score in zip(rows, PAIRS, expected, strict=True):
        assert float(row[0]) == pytest.approx(score.log_prob, abs=1e-3)
        assert float(row[1]) == pytest.approx(score.perplexity, rel=1e-3)
        probabilities = [float(each) for each in row[2].split()]
        assert probabilities == pytest.approx([math.exp(each) for each in score.token_log_probs], abs=1e-3)
        assert tuple(row[3:]) == pair
    assert float(rows[0][0]) > float(rows[1][0])
    assert done.stderr == (
        "Tokens that the model does not know: 1, in 1 of 3 sources: 'x'\n"
        "Tokens that the model does not know: 1, in 1 of 3 targets: 'zehn'\n"
    )


def test_pairs_are_scored_as_json_in_batches(first_25, pairs, monkeypatch):
    together = call("score", first_25.directory, pairs, "--json").stdout
    found = [json.loads(line) for line in together.splitlines()]
    assert [(each["source"], each["target"]) for each in found] == PAIRS
    assert found[0]["tokens"] == ["one", "two", "three", "four", "five", "<end>"]
    assert all(found[0]["most_likely"])
    for each in found:
        assert len(each["tokens"]) == len(each["probabilities"]) == len(each["most_likely"])
        assert each["log_prob"] == pytest.approx(math.fsum(map(math.log, each["probabilities"])))
        assert each["perplexity"] == pytest.approx(math.exp(-each["log_prob"] / len(each["tokens"])))
    monkeypatch.setattr(score_command, "AT_ONCE", 1)
    for one, other in zip(call("score", first_25.directory, pairs, "--json").stdout.splitlines(), found, strict=True):
        assert json.loads(one)["log_prob"] == pytest.approx(other["log_prob"], abs=1e-4)


def test_a_language_model_scores_texts(names, folder):
    (folder / "names.txt").write_text("anna\nxqz\n")
    header, *rows = [line.split("\t") for line in call("score", names.directory, "names.txt").stdout.splitlines()]
    assert header == ["log_prob", "perplexity", "probabilities", "text"]
    assert [text for *_, text in rows] == ["anna", "xqz"]
    assert [len(row[2].split()) for row in rows] == [5, 4]  # with the end
    (first, _) = call("score", names.directory, "names.txt", "--json").stdout.splitlines()
    assert json.loads(first)["tokens"] == [*"anna", "<end>"]
    assert "source" not in json.loads(first)


def test_score_refuses(first_25, pairs):
    assert refused("score", first_25.directory, "no.tsv") == "no.tsv: No such file or directory."
    assert refused("score", "nowhere", pairs) == (
        "nowhere: no such file: expected a model (.keras) or a run directory with one."
    )
    pairs.write_text("a\n1\tone\n")
    assert refused("score", first_25.directory, pairs).startswith(f"{pairs}, line 1: expected two columns of UTF-8")
    assert call("score", first_25.directory, pairs, "--skip-bad-lines").stderr.startswith("Bad lines skipped: 1\n")
