import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import seq2seq_zoo
from seq2seq_zoo import cli
from seq2seq_zoo.cli import predict as predict_command
from seq2seq_zoo.cli.list import KINDS
from seq2seq_zoo.config.options import options_of

COMMANDS = [
    "list",
    "init",
    "show",
    "schema",
    "train",
    "evaluate",
    "predict",
    "export",
    "benchmark",
    "report",
    "compare",
]
PRESETS = [
    "addition",
    "articulation",
    "autoencode",
    "copy",
    "digits_each",
    "digits_to_words",
    "file",
    "first_25",
    "first_25_2016",
    "forecast",
    "integers",
    "labels",
    "melodies",
    "names",
    "parallel",
    "pig_latin",
    "reverse",
    "stream",
    "textsum",
]
PACKAGE = Path(seq2seq_zoo.__file__).parent
COMMAND = [sys.executable, "-m", "seq2seq_zoo"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "NO_COLOR": "1"}


def call(*arguments, input=None):
    """Run a command in this process; an exception that no user should see comes out."""
    words = [str(argument) for argument in arguments]
    return CliRunner().invoke(cli.app, words, input=input, catch_exceptions=False, prog_name="seq2seq-zoo")


def refused(*arguments, code=2, input=None):
    """The one line that a command ends with."""
    done = call(*arguments, input=input)
    assert done.exit_code == code, done.output
    *_, line = done.stderr.splitlines()
    assert line.startswith("Error: ")
    return line.removeprefix("Error: ")


@contextlib.contextmanager
def started(*arguments, **streams):
    """A command in a process of its own, which ends with the block."""
    command = [*COMMAND, *map(str, arguments)]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    with subprocess.Popen(command, text=True, env=ENVIRONMENT, **streams) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to be in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What `train first_25` did: its run directory, and its result."""
    directory = tmp_path_factory.mktemp("runs") / "first_25"
    return directory, call("train", "first_25", "--out", directory)


# === Help ===


def test_help_of_every_command_has_examples_and_imports_no_backend():
    code = """
        import sys
        from typer.testing import CliRunner
        from seq2seq_zoo.cli import app
        for arguments in ([], ["--help"], *([name, "--help"] for name in sys.argv[1:]), ["list", "presets"]):
            done = CliRunner().invoke(app, arguments)
            assert done.exit_code == 0, (arguments, done.output)
            print(arguments, "Examples" in done.stdout)
        heavy = {"tensorflow", "keras", "jax", "torch", "numpy", "matplotlib", "scipy"}
        print(sorted(heavy & set(sys.modules)))
    """
    command = [sys.executable, "-c", "\n".join(line[8:] for line in code.splitlines()), *COMMANDS]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
    *helped, heavy = done.stdout.splitlines()
    assert done.stderr == ""
    assert helped == [
        *(f"{arguments} True" for arguments in ([], ["--help"], *([name, "--help"] for name in COMMANDS))),
        "['list', 'presets'] False",
    ]
    assert heavy == "[]"


def test_the_commands_are_these():
    import typer

    assert list(typer.main.get_command(cli.app).commands) == COMMANDS


# === list, init, show, schema ===


def test_list_of_one_kind_is_lines_to_pipe():
    lines = call("list", "modes").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["attention", "basic", "feedback", "peek"]
    assert all(len(line.split()) > 3 for line in lines)
    assert [line.split()[0] for line in call("list", "presets").stdout.splitlines()] == PRESETS
    assert call("list", "suites").stdout.startswith("default  ")


def test_list_of_all_kinds():
    found = call("list").stdout
    assert re.findall(r"^(\w+):$", found, re.MULTILINE) == list(KINDS)
    for name in ("  gru ", "  scaled_dot ", "  dense ", "  inverse_sigmoid ", "  digits_to_words ", "  first_25 "):
        assert f"\n{name}" in found


def test_unknown_kind():
    kinds = "modes, cells, attentions, bridges, schedules, searches, formats, tasks, metrics, presets, suites"
    assert refused("list", "mode") == f"Unknown kind 'mode'. Did you mean 'modes'? Kinds: {kinds}."


def test_init_writes_the_preset_and_overwrites_nothing(folder):
    done = call("init", "copy")
    assert done.stderr == "Wrote copy.yaml. Train it with: seq2seq-zoo train copy.yaml\n"
    assert (folder / "copy.yaml").read_bytes() == (PACKAGE / "presets" / "copy.yaml").read_bytes()
    (folder / "copy.yaml").write_text("mine")
    message = "copy.yaml is there already and is not overwritten: give another name with --out."
    assert refused("init", "copy") == message
    assert (folder / "copy.yaml").read_text() == "mine"
    assert call("init", "copy", "--out", "my own.yaml").stderr.endswith("seq2seq-zoo train 'my own.yaml'\n")
    assert (folder / "my own.yaml").exists()


def test_init_refuses():
    known = ", ".join(PRESETS)
    assert refused("init", "cop") == f"Unknown preset 'cop'. Did you mean 'copy'? Presets: {known}."
    assert refused("init", "copy", "--out", "no/copy.yaml") == "no/copy.yaml: No such file or directory."


def test_show_fills_in_and_changes():
    shown = yaml.safe_load(call("show", "copy", "--set", "decoder.mode=peek", "--set", "seed=7").stdout)
    assert shown["decoder"]["mode"] == "peek"
    assert shown["decoder"]["units"] == 64
    assert shown["training"]["batch_size"] == 64
    assert shown["seed"] == 7


def test_what_show_prints_is_the_same_configuration(folder):
    first = call("show", "digits_each").stdout
    (folder / "shown.yaml").write_text(first)
    assert call("show", "shown.yaml").stdout == first


def test_a_file_wins_over_a_preset_of_the_same_name(folder):
    (folder / "copy").write_text((PACKAGE / "presets" / "reverse.yaml").read_text())
    assert "name: reverse" in call("show", "copy").stdout
    (folder / "file").mkdir()
    assert "name: file" in call("show", "file").stdout


def test_show_refuses(folder):
    known = ", ".join(PRESETS)
    assert refused("show", "copi") == f"There is no file and no preset 'copi'. Did you mean 'copy'? Presets: {known}."
    assert refused("show", "copi.yaml") == "copi.yaml: there is no such file."
    (folder / "copy.yaml").write_text("task: {name: copy}\nencoder: {units: 4}\ndecoder: {mode: peak}\n")
    assert refused("show", "copy.yaml") == (
        "copy.yaml:3: decoder.mode: unknown decoder mode 'peak'. Did you mean 'peek'? "
        "Known: attention, basic, feedback, peek."
    )


def test_schema():
    schema = json.loads(call("schema").stdout)
    assert list(schema["properties"]) == [
        *("task", "encoder", "decoder", "readout", "encoder_only", "pretrained", "training", "metrics", "seed")
    ]
    assert schema["properties"]["training"]["properties"]["epochs"]["minimum"] == 1


# === Presets ===


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_says_what_it_is_for_and_only_what_differs(name):
    from seq2seq_zoo.config.reader import read
    from seq2seq_zoo.experiment import factory
    from seq2seq_zoo.layers.encoder import Encoder
    from seq2seq_zoo.training.training import Training

    path = PACKAGE / "presets" / f"{name}.yaml"
    text = path.read_text()
    assert re.match(r"# \S.{20,110}\n", text)
    given = yaml.safe_load(text)
    if given["encoder"] is None:
        assert given["decoder"]["mode"] == "feedback"  # with nothing to read but its own output
    elif given["decoder"] is not None:
        assert re.search(r"\n  mode: \w+ # the line to change: basic, feedback, peek, attention\n", text)
    read(path, factory.schema)
    decoder = factory.modes[(given["decoder"] or {"mode": "basic"})["mode"]]
    for section, target in (("encoder", Encoder), ("decoder", decoder), ("training", Training)):
        defaults = {key: option.default for key, option in options_of(target).items() if not option.required}
        assert not [key for key, value in (given[section] or {}).items() if key in defaults and value == defaults[key]]


@pytest.mark.parametrize("mode", ["attention", "basic", "feedback", "peek"])
@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_takes_every_mode(name, mode):
    from seq2seq_zoo.config.reader import read
    from seq2seq_zoo.experiment import factory

    path = PACKAGE / "presets" / f"{name}.yaml"
    if read(path, factory.schema)["decoder"] is not None:
        read(path, factory.schema, [f"decoder.mode={mode}"])


# === train ===


def test_train_memorises_the_five_pairs_and_says_what_it_does(trained):
    directory, done = trained
    assert done.exit_code == 0
    heading, size, begin, *epochs, last = done.stderr.splitlines()
    assert heading == "first_25: 5 pairs to train on, 5 dev, 5 test"
    assert size == "attention decoder: 14,214 parameters in the whole model"
    assert begin == f"training in {directory}, epoch 1"
    line = (
        r"epoch  1 of 15  loss \d\.\d{4}  dev: exact match +\d+\.\d%, error rate +\d+\.\d%  .* s  about .* left  best"
    )
    assert re.fullmatch(line, epochs[0])
    assert all(line.startswith(f"epoch {number:2} of 15  ") for number, line in enumerate(epochs, start=1))
    assert last == "The best epoch's model on the test split:"
    results = done.stdout.splitlines()
    assert [line.split() for line in results[:2]] == [["pairs", "5"], ["exact", "match", "100.0%"]]
    assert results[-3:] == [
        f"model    {directory / 'best.keras'}",
        f"outputs  {directory / 'predictions.tsv'}",
        f"curves   {directory / 'curves.png'}",
    ]


def test_the_directory_s_name_is_made_of_the_configuration_s(folder, monkeypatch):
    from seq2seq_zoo.experiment.run import Run

    monkeypatch.setattr(Run, "train", lambda *_: pytest.skip("far enough"))
    with pytest.raises(pytest.skip.Exception):
        call("train", "copy", "--set", "decoder.mode=peek", "--set", "seed=3")
    assert (folder / "runs" / "copy-peek-3" / "config.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Give either a CONFIG to begin a new run, or --resume DIR to go on with one."),
        (["copy", "--resume", "x"], "Give either a CONFIG to begin a new run, or --resume DIR to go on with one."),
        (
            ["--resume", "x", "--set", "seed=1"],
            "--resume goes on with the run's own directory and configuration: leave the other options out.",
        ),
        (["--resume", "x"], "x holds no run: expected config.yaml in it. Give a directory that `train` made."),
        (
            ["copy", "--set", "decoder.unts=3"],
            "--set decoder.unts=3: decoder.unts: is not an option of decoder mode 'attention'. Did you mean 'units'? "
            "Known: attention, bridge, cell, depth, dropout, embedding_dim, feedback, input_feeding, max_length, "
            "readout_context, recurrent_dropout, residual, sampling, shared_state, softmax_samples, tied, units.",
        ),
        (["copy", "--set", "seed"], "--set seed: must look like section.option=value."),
        (
            ["copy", "--skip-bad-lines"],
            "--set task.skip_bad_lines=true: task.skip_bad_lines: is not an option of task 'copy'. Known: "
            "alphabet_size, dev_size, max_length, min_length, seed, test_size, train_size.",
        ),
        (
            ["file"],
            f"{PACKAGE / 'presets' / 'file.yaml'}:2: task: Cannot read the data file 'pairs.tsv': "
            "No such file or directory. Check the path.",
        ),
        (["copy", "--out", "config/x"], "config/x: Not a directory."),
        (["copy", "--outt", "x"], "No such option: --outt (Possible options: --out). See 'seq2seq-zoo train --help'."),
        (["copy", "x"], "Got unexpected extra argument(s) (x). See 'seq2seq-zoo train --help'."),
    ],
)
def test_train_refuses(arguments, message, folder):
    (folder / "config").write_text("")
    assert refused("train", *arguments) == message
    assert [path.name for path in folder.iterdir()] == ["config"]


def test_what_no_command_is():
    message = "No such command 'trian'. Did you mean 'train'? See 'seq2seq-zoo --help'."
    assert refused("trian") == message
    assert refused("--trian") == "No such option: --trian. See 'seq2seq-zoo --help'."


def test_train_overwrites_nothing(trained):
    directory, _ = trained
    assert refused("train", "first_25", "--out", directory) == (
        f"{directory} is there already and is not overwritten: give another name with --out, or go on with it by "
        f"--resume {directory}."
    )


def test_bad_lines_of_a_file(folder, monkeypatch):
    from seq2seq_zoo.experiment.run import Run

    lines = [f"{letter}{letter}\t{letter}\n" for letter in "abcdefghijklmnopqrst"]
    (folder / "pairs.tsv").write_text("".join([*lines, "no tab\n"]))
    assert refused("train", "file") == (
        f"{PACKAGE / 'presets' / 'file.yaml'}:2: task: pairs.tsv, line 21: expected two columns of UTF-8 text with one "
        "tab between them, found 1 column. Fix the line, or skip and count such lines with `skip_bad_lines: true` "
        "(--skip-bad-lines)."
    )
    monkeypatch.setattr(Run, "train", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    done = call("train", "file", "--skip-bad-lines")
    assert done.stderr.startswith("file: 16 pairs to train on, 2 dev, 2 test; bad lines skipped: 1\n")


def test_a_failed_run_is_1_and_a_bug_is_a_traceback(monkeypatch):
    from seq2seq_zoo.experiment.run import Run
    from seq2seq_zoo.training.training import TrainingError

    def failing(error):
        def train(*_):
            raise error

        return train

    arguments = ["train", "copy", "--out"]
    monkeypatch.setattr(Run, "train", failing(TrainingError("The loss became nan in step 3 of epoch 2.")))
    assert refused(*arguments, "a", code=1) == "The loss became nan in step 3 of epoch 2."
    monkeypatch.setattr(Run, "train", failing(OSError(28, "No space left on device", "b/last.keras")))
    assert refused(*arguments, "b") == "b/last.keras: No space left on device."
    for bug in (ValueError("shapes (2,) and (3,)"), RuntimeError("another bug"), TypeError("a third")):
        monkeypatch.setattr(Run, "train", failing(bug))
        with pytest.raises(type(bug), match=re.escape(str(bug))):
            call(*arguments, f"c{bug}")


def test_ctrl_c_says_what_goes_on_and_that_does(folder):
    changes = {
        "task.train_size": 64,
        "task.max_length": 3,
        "encoder.units": 4,
        "decoder.units": 4,
        "decoder.mode": "basic",
        "training.epochs": 4,
        "training.steps_per_epoch": 50,
    }
    sets = [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]
    said = []
    with started("train", "copy", "--out", "my run", *sets) as process:
        for line in process.stderr:
            said.append(line)
            if line.startswith("epoch 1 of 4"):
                process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        assert process.stdout.read() == ""
    epochs = len((folder / "my run" / "epochs.jsonl").read_text().splitlines())
    plural = "s" * (epochs > 1)
    assert said[-1] == (
        f"Stopped: {epochs} finished epoch{plural} saved. Go on with: python -m seq2seq_zoo train --resume 'my run'\n"
    )
    assert all(re.match("copy: |basic decoder: |training in |epoch |Stopped: ", line) for line in said)

    done = call("train", "--resume", "my run")
    assert done.exit_code == 0
    assert f"going on in my run, epoch {epochs + 1}\n" in done.stderr
    assert f"epoch {epochs} of 4" not in done.stderr
    assert "epoch 4 of 4" in done.stderr
    assert len((folder / "my run" / "epochs.jsonl").read_text().splitlines()) == 4


def test_ctrl_c_before_there_is_anything():
    with started("train", "copy") as process:
        time.sleep(1.0)  # it imports
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 130
    assert said == "Stopped before anything was saved.\n"


# === evaluate ===


def test_evaluate_a_run_is_its_test_split(trained):
    directory, done = trained
    found = call("evaluate", directory)
    assert found.exit_code == 0
    assert found.stderr == ""
    assert found.stdout.splitlines() == done.stdout.splitlines()[:8]
    titles = [line.rsplit(maxsplit=1)[0].strip() for line in found.stdout.splitlines()[:5]]
    assert titles == ["pairs", "exact match", "token accuracy", "token error rate", "perplexity (teacher-forced)"]


def test_evaluate_a_file_as_json(trained, folder):
    directory, _ = trained
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


def test_evaluate_refuses(trained, folder):
    directory, _ = trained
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


# === predict ===

ROWS = {
    "1 2 3 4 5": "one two three four five",
    "21 22 23 24 25": "twenty_one twenty_two twenty_three twenty_four twenty_five",
}


def test_predict_arguments(trained):
    directory, _ = trained
    done = call("predict", directory, *ROWS)
    assert done.stdout.splitlines() == list(ROWS.values())
    assert done.stderr == ""
    assert call("predict", directory / "best.keras", *ROWS).stdout == done.stdout


def test_predict_answers_each_line_of_standard_input(trained):
    directory, _ = trained
    rows = list(ROWS)
    done = call("predict", directory, input=f"{rows[0]}\n\n{rows[1]}\r\nx 2 y x\n{rows[0]}")
    lines = done.stdout.splitlines()
    assert len(lines) == 5
    assert [lines[0], lines[2], lines[4]] == [ROWS[rows[0]], ROWS[rows[1]], ROWS[rows[0]]]
    # An empty line is an empty source.
    assert lines[1] == call("predict", directory, "").stdout.removesuffix("\n")
    assert done.stderr == "Tokens that the model does not know: 3, in 1 of 5 texts: 'x', 'y'\n"
    assert call("predict", directory, input="").output == ""


def test_predict_shows_few_of_many_unknown_tokens(trained):
    directory, _ = trained
    said = call("predict", directory, " ".join(f"x{i}" for i in range(1234))).stderr
    assert said == (
        "Tokens that the model does not know: 1,234, in 1 of 1 texts: "
        f"{', '.join(repr(f'x{i}') for i in range(10))}, …\n"
    )


def test_predict_stops_at_what_is_no_text(trained):
    directory, _ = trained
    message = "standard input, line 2: expected UTF-8, found the byte 0xff."
    assert refused("predict", directory, input=b"1 2 3 4 5\n1 \xff\n") == message


def test_predict_answers_before_the_input_ends_and_leaves_when_nobody_reads(trained):
    directory, _ = trained
    with started("predict", directory) as process:
        for row, answer in ROWS.items():
            process.stdin.write(f"{row}\n")
            process.stdin.flush()
            assert process.stdout.readline() == f"{answer}\n"
        process.stdout.close()
        process.stdin.write("1 2 3 4 5\n")
        process.stdin.close()
        assert process.wait() == 0
        assert process.stderr.read() == ""


def test_predict_asks_on_a_terminal(trained):
    directory, _ = trained
    ours, theirs = pty.openpty()
    shown = ""

    def until(text):
        nonlocal shown
        # When the other end closes, Linux answers with an error.
        with contextlib.suppress(OSError):
            while text not in shown:
                shown += os.read(ours, 1024).decode()
        assert text in shown
        before, _, shown = shown.partition(text)
        return before

    with started("predict", directory, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        assert until("> ").replace("\r", "") == "A text and Enter; Ctrl-D ends.\n"
        os.write(ours, b"1 2 3 4 5\n")
        assert "one two three four five" in until("> ")
        os.write(ours, b"1 zwei\n")
        assert "Tokens that the model does not know: 1, in 1 of 1 texts: 'zwei'" in until("> ")
        os.write(ours, b"\x04")
        assert process.wait() == 0
    os.close(ours)


def test_predict_reads_a_file_line_by_line(trained, folder):
    directory, _ = trained
    Path("sources.txt").write_text("\n".join(ROWS), encoding="utf-8")
    assert call("predict", directory, "--file", "sources.txt").stdout.splitlines() == list(ROWS.values())
    Path("sources.txt").write_bytes(b"1\n\xff\n")
    message = "sources.txt, line 2: expected UTF-8, found the byte 0xff."
    assert refused("predict", directory, "--file", "sources.txt") == message
    assert refused("predict", directory, "1", "--file", "sources.txt").startswith("Give texts as arguments or a --file")
    assert refused("predict", directory, "--file", "none.txt") == "none.txt: No such file or directory."


def test_predict_with_scores_and_several_outputs(trained):
    directory, _ = trained
    options = ["--search", "beam", "--set", "size=4"]
    lines = call("predict", directory, *ROWS, *options, "--n-best", 3, "--scores").stdout.splitlines()
    rows = [line.split("\t") for line in lines]
    assert [number for number, _, _ in rows] == ["1"] * 3 + ["2"] * 3
    assert [rows[0][2], rows[3][2]] == list(ROWS.values())
    for of_one in (rows[:3], rows[3:]):
        scores = [float(score) for _, score, _ in of_one]
        assert scores == sorted(scores, reverse=True)
        assert len({text for _, _, text in of_one}) == 3
    first, *_ = call("predict", directory, *ROWS, *options, "--scores").stdout.splitlines()
    assert first.split("\t") == rows[0][1:]


def test_predict_as_json(trained):
    directory, _ = trained
    options = ["--json", "--search", "sample", "--n-best", 2, "--set", "top_k=1"]
    found = [json.loads(line) for line in call("predict", directory, "1 2 3 4 5", "1 é", *options).stdout.splitlines()]
    assert [(each["source"], each["unknown"]) for each in found] == [("1 2 3 4 5", []), ("1 é", ["é"])]
    for output in found[0]["outputs"]:
        assert output["text"] == " ".join(output["tokens"]) == ROWS["1 2 3 4 5"]
        assert output["ended"]
        assert output["score"] == pytest.approx(output["log_prob"]) == pytest.approx(sum(output["token_log_probs"]))


def test_predict_draws_alignments(trained, folder):
    directory, _ = trained
    done = call("predict", directory, *ROWS, "--alignments", "map.png")
    assert done.stderr == "Drew map-1.png.\nDrew map-2.png.\n"
    assert call("predict", directory, "1 2 3 4 5", "--alignments", "map.png").stderr == "Drew map.png.\n"
    for path in ("map.png", "map-1.png", "map-2.png"):
        assert Path(path).read_bytes().startswith(b"\x89PNG")
    assert "Nothing to draw for ''." in call("predict", directory, "", "--alignments", "empty.png").stderr
    message = "--alignments draws the texts that are given as arguments: give one or more."
    assert refused("predict", directory, "--alignments", "map.png") == message


def test_predict_refuses_searches_that_cannot_be(trained):
    directory, _ = trained

    def message(*options):
        return refused("predict", directory, "1", *options)

    searches = "Did you mean 'beam'? Known: beam, greedy, sample."
    assert message("--search", "baem") == f"--search baem: name: unknown search 'baem'. {searches}"
    beam = ["--search", "beam", "--set"]
    assert message(*beam, "size=0") == "--set size=0: size: must be an integer of at least 1, got 0."
    assert message(*beam, "sise=2").startswith(
        "--set sise=2: sise: is not an option of search 'beam'. Did you mean 'size'?"
    )
    assert message(*beam, "n_best=9").startswith("Beam: `n_best` must be at most `size`")
    assert message("--set", "max_length=0") == (
        "--set max_length=0: max_length: must be an integer of at least 1 or null, got 0."
    )
    assert message("--n-best", 2) == (
        "--n-best 2: greedy keeps one output; give --search beam or --search sample as well."
    )
    assert message("--set", "min_length=100") == "`min_length` must be below the model's max_length, 100, got 100."


@pytest.fixture(scope="module")
def speller(tmp_path_factory):
    """A run of the preset `names`, of hardly any training."""
    directory = tmp_path_factory.mktemp("names") / "run"
    small = ["training.epochs=1", "decoder.units=4"]
    done = call("train", "names", "--out", directory, *(word for each in small for word in ("--set", each)))
    assert done.exit_code == 0, done.output
    return directory, done


def test_a_language_model_is_told_by_what_it_foresees(speller):
    directory, done = speller
    assert done.stderr.startswith("language: 339 texts to train on, 42 dev, 42 test\n")
    assert re.search(r"dev: perplexity .* \d+\.\d{4}, next-token accuracy .* \d+\.\d%", done.stderr)
    first, *rest = done.stdout.splitlines()
    count = json.loads((directory / "metrics.json").read_text())["test"]["tokens"]
    assert first.split() == ["tokens", str(count)]
    assert rest[0].startswith("perplexity (teacher-forced)")
    assert rest[1].startswith("next-token accuracy (teacher-forced)")
    assert not (directory / "predictions.tsv").exists()
    assert call("evaluate", directory).stdout.splitlines() == done.stdout.splitlines()[:3]
    record = json.loads((directory / "epochs.jsonl").read_text())
    assert {"perplexity", "next_token_accuracy"} <= set(record)


def test_a_language_model_is_measured_on_a_file_of_texts(speller, folder):
    directory, _ = speller
    (folder / "more.txt").write_text("anna\nzoë\n\n")
    done = call("evaluate", directory / "best.keras", "more.txt", "--json")
    assert done.stderr == "Tokens that the model does not know: 1, in 1 of 2 targets: 'ë'\n"
    found = json.loads(done.stdout)
    assert set(found) == {"perplexity", "next_token_accuracy", "tokens"}
    assert found["tokens"] == 9
    message = "--metric compares outputs with targets, and a language model has none: leave it out."
    assert refused("evaluate", directory, "--metric", "bleu") == message


def test_predict_goes_on_with_a_text(speller):
    directory, _ = speller
    options = ["--search", "sample", "--set", "temperature=0.8"]
    rows = [
        line.split("\t") for line in call("predict", directory, "jo", "", *options, "--n-best", 3).stdout.splitlines()
    ]
    assert [number for number, _ in rows] == ["1"] * 3 + ["2"] * 3
    assert all(text.startswith("jo") for _, text in rows[:3])
    assert len({text for _, text in rows}) > 3
    (line,) = call("predict", directory, "jo", "--json").stdout.splitlines()
    assert (json.loads(line)["source"], json.loads(line)["unknown"]) == ("jo", [])
    assert call("predict", directory, input="jo\nma\n").stdout.splitlines() == [
        call("predict", directory, each).stdout.strip() for each in ("jo", "ma")
    ]
    assert call("predict", directory, input="\ufeffjo\n").stdout == call("predict", directory, "jo").stdout


def test_every_line_of_a_pipe_has_its_own_chance(speller, monkeypatch):
    directory, _ = speller
    monkeypatch.setattr(predict_command, "AT_ONCE", 2)
    options = ["--search", "sample", "--set", "temperature=5"]
    found = call("predict", directory, *options, input="jo\n" * 6).stdout.splitlines()
    assert found == call("predict", directory, *["jo"] * 6, *options).stdout.splitlines()
    assert len(set(found)) > 3


def test_predict_refuses_what_a_language_model_cannot_begin_with(speller):
    directory, _ = speller
    assert refused("predict", directory, "Jo").startswith(
        "The prefix contains 'J', which is not in the model's vocabulary."
    )
    assert refused("predict", directory, "a" * 21) == (
        "A prefix has 21 tokens, but an output has at most 20: give the search a max_length above 21."
    )
    assert refused("predict", directory, "a", "--prefix", "b") == (
        f"--prefix: {directory} is a language model: its outputs begin with the texts that it is given."
    )


def test_outputs_begin_and_stop_as_told(trained):
    directory, _ = trained
    (row, answer), *_ = ROWS.items()
    said = call("predict", directory, row, "--prefix", "nine").stdout.split()
    assert said[0] == "nine"
    assert call("predict", directory, row, "--stop", "three").stdout.split() == answer.split()[:3]
    assert refused("predict", directory, row, "--prefix", "neun").startswith("The prefix has 'neun', which the model")
    assert refused("predict", directory, row, "--stop", "drei").startswith("The token to stop at has 'drei', which")


def test_a_stream_is_trained_on_and_goes_on(folder):
    (folder / "text.txt").write_text("to be or not to be, that is the question.\n" * 30)
    small = {"training.epochs": 1, "training.batch_size": 4, "decoder.units": 4, "task.window": 8}
    sets = [word for key, value in small.items() for word in ("--set", f"{key}={value}")]
    done = call("train", "stream", "--out", "run", *sets)
    assert done.stderr.startswith("language: 1,008 tokens to train on, 126 dev, 126 test\n")
    assert done.stdout.splitlines()[0].split() == ["tokens", "126"]
    assert call("evaluate", "run", "text.txt").stdout.splitlines()[0].split() == ["tokens", "1,260"]
    (line,) = call("predict", "run", "to be", "--set", "max_length=20", "--json").stdout.splitlines()
    (output,) = json.loads(line)["outputs"]
    assert output["text"].startswith("to be")
    assert (len(output["tokens"]), output["ended"]) == (20, False)
    assert refused("train", "stream", "--out", "other", *sets, "--set", "training.batch_size=127") == (
        f"{PACKAGE / 'presets' / 'stream.yaml'}:15: training: a stream of 1,008 tokens is shorter than a window of 8 "
        "for each row of a batch of 127: expected at least 1,016. Take a longer text, a smaller window or a smaller "
        "batch_size."
    )
    assert refused("train", "stream", "--out", "other", *sets, "--set", "decoder.sampling=linear").endswith(
        "decoder.sampling: every window of a stream is told what came before: leave it out."
    )
    (folder / "text.txt").write_text("\n")
    assert refused("train", "stream").endswith("task: text.txt is empty (bad lines skipped: 0): expected a text.")
    assert not (folder / "other").exists()


# === export ===


def test_export_writes_and_compares_with_the_model(trained, folder):
    directory, _ = trained
    done = call("export", directory, "--format", "savedmodel", "--out", "out")
    lines = done.stdout.splitlines()
    assert any(line.endswith("out/saved_model.pb") for line in lines)
    assert lines[-2:] == ["the same text as the model on 5 of 5 dev sources", "exact match 100.0%; the model's 100.0%"]
    assert refused("export", directory, "--format", "savedmodel", "--out", "out") == (
        "out already exists and is not overwritten: give another directory."
    )
    done = call("export", directory / "best.keras", "--format", "savedmodel", "--search", "beam", "--out", "beam")
    assert done.stderr == "Not compared with the model: give its run directory, which has the data for it.\n"
    assert Path("beam", "vocabularies.json").exists()


def test_export_refuses_what_it_cannot_do(trained, folder):
    directory, _ = trained

    def message(*options):
        return refused("export", directory, "--out", "new", "--format", *options)

    assert message("onx") == "Unknown export format 'onx'. Did you mean 'onnx'? Known: litert, onnx, savedmodel."
    assert message("savedmodel", "--quantize", "float16").startswith("The format savedmodel cannot store weights")
    assert message("onnx", "--batch", "few") == "The batch must be an integer of at least 1 or 'dynamic', got 'few'."
    assert message("onnx", "--search", "sample").startswith("An exported search cannot be random")
    assert refused("export", directory, "--format", "savedmodel", "--out", directory / "best.keras" / "x")
    assert not Path("new").exists()


def test_predict_refuses_a_model_without_vocabularies(folder):
    from seq2seq_zoo import Encoder, FeedbackDecoder, Seq2Seq, Tokens

    model = Seq2Seq(Encoder(2, vocabulary_size=5), FeedbackDecoder(2, readout=Tokens(5)))
    model.build((None, None))
    model.save(folder / "ids.keras")
    message = "ids.keras: the model has no vocabularies, so it neither reads nor writes texts."
    assert refused("predict", "ids.keras", "a") == message


# === benchmark, report, compare ===


@pytest.fixture
def benchmarked(monkeypatch):
    """What the runner was asked to do; it does nothing."""
    from seq2seq_zoo.benchmark import runner

    asked = []
    monkeypatch.setattr(runner, "run", lambda *arguments: asked.append(arguments) or 0)
    return asked


def test_benchmark_runs_the_default_suite(benchmarked):
    assert call("benchmark").exit_code == 0
    ((suite, directory, executor, _, command),) = benchmarked
    assert suite.name == "default"
    assert command == "seq2seq-zoo benchmark default"
    assert suite.modes == ["basic", "feedback", "peek", "attention"]
    assert directory == Path("runs", "benchmark-default")
    assert executor.workers >= 1


def test_benchmark_takes_its_options(benchmarked, folder):
    call("benchmark", "--quick", "--out", "here", "--workers", "3", "--set", "base.training.batch_size=7")
    ((suite, directory, executor, _, command),) = benchmarked
    assert suite.name == "default-quick"
    assert command == "seq2seq-zoo benchmark default --quick --set base.training.batch_size=7"
    assert {cell["config"]["training"]["batch_size"] for cell in suite.cells} == {7}
    assert (directory, executor.workers) == (Path("here"), 3)


@pytest.mark.parametrize("code", [1, 130])
def test_benchmark_ends_with_the_runner_s_code(code, monkeypatch):
    from seq2seq_zoo.benchmark import runner

    monkeypatch.setattr(runner, "run", lambda *arguments: code)
    assert call("benchmark", "--quick").exit_code == code


def test_benchmark_refuses(folder):
    known = call("list", "suites").stdout.split("\n")
    known = ", ".join(line.split()[0] for line in known if line)
    assert refused("benchmark", "defalt") == (
        f"There is no file and no suite 'defalt'. Did you mean 'default'? Suites: {known}."
    )
    assert refused("benchmark", "no.yaml") == "no.yaml: there is no such file."
    (folder / "runs").mkdir()
    (folder / "runs" / "mine.txt").write_text("")
    assert refused("benchmark", "--quick", "--out", "runs") == (
        "runs: expected a new or empty directory, or one with suite.json in it. Name another."
    )
    assert refused("benchmark", "--workers", "0").startswith("Invalid value for '--workers': ")


def test_report_and_compare(monkeypatch):
    from seq2seq_zoo.benchmark import compare, report

    monkeypatch.setattr(report, "report", lambda directory: [directory / "report.html", directory / "report.md", "x"])
    assert call("report", "a").stdout == "a/report.html\na/report.md\n"
    monkeypatch.setattr(compare, "compare", lambda before, after: f"# {before} and {after}\n")
    assert call("compare", "a", "b").stdout == "# a and b\n"


def test_report_and_compare_refuse():
    message = (
        "a: expected the directory of a benchmark run, with suite.json and records/ or records.jsonl in it, found no "
        "suite.json. Name a directory that 'seq2seq-zoo benchmark' has made."
    )
    assert refused("report", "a") == message
    assert refused("compare", "a", "b") == message
    assert refused("compare", "a").startswith("Missing argument 'DIR'")
