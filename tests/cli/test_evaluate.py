"""`seq2seq-zoo evaluate`."""

import json

from cli.commands import call, refused


def test_a_run_is_evaluated_on_its_test_split(first_25):
    found = call("evaluate", first_25.directory)
    assert found.exit_code == 0
    assert found.stderr == ""
    assert found.stdout.splitlines() == first_25.stdout.splitlines()[:8]
    titles = [line.rsplit(maxsplit=1)[0].strip() for line in found.stdout.splitlines()[:5]]
    assert titles == ["pairs", "exact match", "token accuracy", "token error rate", "perplexity (teacher-forced)"]


def test_evaluate_a_file_as_json(first_25, folder):
    directory = first_25.directory
    (folder / "more.tsv").write_text("1 2 3 4 5\tone two three four five\n6 7 8 9 10\tsix 7 8 9 zehn\nbad\n")
    done = call("evaluate", directory / "best.keras", "more.tsv", "--json", "--skip-bad-lines", "--metric", "rouge_1")
    assert done.exit_code == 0
    assert done.stderr == ("Bad lines skipped: 1\nTokens that the model does not know: 1, in 1 of 2 targets: 'zehn'\n")
    found = json.loads(done.stdout)
    assert found["pairs"] == 2
    assert found["exact_match"] == 0.5
    assert found["token_error_rate"] == 0.4
    assert found["rouge_1"] == 0.6
    assert found["perplexity"] > 1
    assert found["by_length"] == [{"length": 5, "count": 2, "exact_match": 0.5, "token_error_rate": 0.4}]


def test_targets_that_are_longer_than_outputs_are_counted(first_25, folder):
    directory = first_25.directory
    (folder / "long.tsv").write_text("1 2 3 4 5\tone two three four five\n1\tone two one two one two one two one two\n")
    done = call("evaluate", directory, "long.tsv")
    assert done.stderr == (
        "Targets longer than decoder.max_length, 8, so that no output can equal them: 1 of 2 in test. The shortest "
        "max_length that would do is 11 with the end token.\n"
    )
    assert done.stdout.splitlines()[1].split() == ["exact", "match", "50.0%"]


def test_evaluate_refuses(first_25, folder):
    directory = first_25.directory
    model = directory / "best.keras"
    assert refused("evaluate", model) == (
        f"{model} is a model without a task: give a FILE of pairs as well, or the run directory."
    )
    assert refused("evaluate", "nowhere") == (
        "nowhere: no such file: expected a model (.keras) or a run directory with one."
    )
    (folder / "x.keras").write_text("no model")
    (folder / "pairs.tsv").write_text("1\tone\n")
    assert refused("evaluate", "x.keras", "pairs.tsv") == "x.keras: not a model: expected a .keras file."
    assert refused("evaluate", directory, "no.tsv") == (
        "Cannot read the data file 'no.tsv': No such file or directory. Check the path."
    )
    assert refused("evaluate", directory, "--metric", "rouge") == (
        "Unknown metric 'rouge'. Did you mean 'rouge_l'? Known: bleu, chrf, rouge_1, rouge_2, rouge_l."
    )


def test_a_language_model_is_evaluated_on_a_file_of_texts(names, folder):
    directory = names.directory
    (folder / "more.txt").write_text("anna\nzoë\n\n")
    done = call("evaluate", directory / "best.keras", "more.txt", "--json")
    assert done.stderr == "Tokens that the model does not know: 1, in 1 of 2 targets: 'ë'\n"
    found = json.loads(done.stdout)
    assert set(found) == {"perplexity", "next_token_accuracy", "tokens"}
    assert found["tokens"] == 9
    message = "--metric compares outputs with targets, and a language model has no outputs: leave it out."
    assert refused("evaluate", directory, "--metric", "bleu") == message
