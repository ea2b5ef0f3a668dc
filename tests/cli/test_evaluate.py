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


def test_all_targets_of_a_source_are_right(first_25, folder):
    from seq2seq_zoo.metrics.texts import text_metrics

    directory = first_25.directory
    five, ten = "one two three four five", "six seven eight nine ten"
    lines = [f"1 2 3 4 5\tone\t{five}", "6 7 8 9 10\tsix seven eight", f"6 7 8 9 10\t{ten} ten\tten"]
    (folder / "several.tsv").write_text("\n".join(lines))
    assert "several.tsv, line 1: expected two columns" in refused("evaluate", directory, "several.tsv")
    done = call("evaluate", directory, "several.tsv", "--references", "--json", "--out", "o.tsv", "--metric", "bleu")
    found = json.loads(done.stdout)
    assert (found["pairs"], found["sources"]) == (5, 2)
    assert (found["exact_match"], found["exact_match_first"]) == (0.5, 0)
    assert (found["token_error_rate"], found["token_error_rate_first"]) == (1 / 11, 6 / 4)
    assert found["by_length"] == [{"length": 5, "count": 2, "exact_match": 0.5, "token_error_rate": 1 / 11}]
    references = [[["one"], five.split()], [["six", "seven", "eight"], [*ten.split(), "ten"], ["ten"]]]
    assert found["bleu"] == text_metrics.create("bleu")(references, [five.split(), ten.split()])
    rows = [["source", "target", "output"], ["1 2 3 4 5", five, five], ["6 7 8 9 10", f"{ten} ten", ten]]
    assert (folder / "o.tsv").read_text() == "".join("\t".join(row) + "\n" for row in rows)
    table = call("evaluate", directory, "several.tsv", "--references").stdout.splitlines()
    shown = {name.strip(): value for name, value in (line.rsplit(maxsplit=1) for line in table[:7])}
    assert (shown["sources"], shown["exact match"], shown["exact match, first reference"]) == ("2", "50.0%", "0.0%")


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
    assert refused("evaluate", directory, "no.tsv") == "no.tsv: No such file or directory."
    assert refused("evaluate", directory, folder) == f"{folder}: Is a directory."
    (folder / "run").mkdir()
    (folder / "run" / "best.keras").write_bytes(model.read_bytes())
    assert refused("evaluate", "run") == (
        "run is not a run: expected config.yaml in it. Give a directory made by `train`."
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
    why = "is for generated texts, and a language model is evaluated without outputs: leave it out."
    assert refused("evaluate", directory, "--metric", "bleu") == f"--metric {why}"
    assert refused("evaluate", directory, "--references") == f"--references {why}"
    assert refused("evaluate", directory, "--search", "beam") == f"--search {why}"
    assert refused("evaluate", directory, "--out", "outputs.tsv") == (
        "--out is for outputs, and a language model is evaluated without any: leave it out."
    )


def test_a_search_is_evaluated_and_its_outputs_are_written(first_25, folder):
    from seq2seq_zoo import load

    directory = first_25.directory
    done = call("evaluate", directory, "--out", "greedy.tsv")
    assert done.stderr == "Wrote greedy.tsv.\n"
    assert (folder / "greedy.tsv").read_text() == (directory / "predictions.tsv").read_text()
    (folder / "more.tsv").write_text("1 2 3\tone two three\n9 8\tnine eight\n")
    beam = ["--search", "beam", "--set", "size=3", "--set", "max_length=2"]
    done = call("evaluate", directory, "more.tsv", *beam, "--out", "new/beam.tsv", "--json")
    header, *rows = [line.split("\t") for line in (folder / "new" / "beam.tsv").read_text().splitlines()]
    assert header == ["source", "target", "output"]
    found = load(directory).generate([source for source, _, _ in rows], {"name": "beam", "size": 3, "max_length": 2})
    assert [output for _, _, output in rows] == found
    assert json.loads(done.stdout)["exact_match"] == sum(row[1] == row[2] for row in rows) / len(rows)
    assert refused("evaluate", directory, "--out", "greedy.tsv") == (
        "greedy.tsv already exists and is not overwritten: give another name with --out."
    )
    assert refused("evaluate", directory, "--search", "beam", "--set", "sise=3").startswith(
        "--set sise=3: sise: is not an option of search 'beam'. Did you mean 'size'?"
    )
