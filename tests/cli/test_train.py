"""`seq2seq-zoo train`."""

import json
import re
import signal
import sys
import time
from pathlib import Path

import pytest

from cli.commands import PACKAGE, call, refused, set_options, started


def test_train_memorises_the_five_pairs_and_prints_its_progress(first_25):
    directory = first_25.directory
    heading, size, begin, *epochs, last = first_25.stderr.splitlines()
    assert heading == "first_25: 5 pairs to train on, 5 dev, 5 test"
    assert size == "attention decoder: 14,214 parameters in the whole model"
    assert begin == f"training in {directory}, epoch 1"
    line = (
        r"epoch  1 of 15  loss \d\.\d{4}  dev: exact match +\d+\.\d%, error rate +\d+\.\d%  .* s  about .* left  best"
    )
    assert re.fullmatch(line, epochs[0])
    assert all(line.startswith(f"epoch {number:2} of 15  ") for number, line in enumerate(epochs, start=1))
    best = max(int(line.split()[1]) for line in epochs if line.endswith("best"))
    assert last == f"Epoch {best} of {len(epochs)} was the best on dev. Its model on the test split:"
    results = first_25.stdout.splitlines()
    assert [line.split() for line in results[:2]] == [["pairs", "5"], ["exact", "match", "100.0%"]]
    assert results[-3:] == [
        f"model    {directory / 'best.keras'}",
        f"outputs  {directory / 'predictions.tsv'}",
        f"curves   {directory / 'curves.png'}",
    ]


def test_a_directory_is_named_after_its_configuration(folder, monkeypatch):
    from seq2seq_zoo.experiment.run import Run

    monkeypatch.setattr(Run, "train", lambda *_: pytest.skip("far enough"))
    with pytest.raises(pytest.skip.Exception):
        call("train", "copy", "--set", "decoder.mode=peek", "--set", "seed=3")
    assert (folder / "runs" / "copy-peek-3" / "config.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Give either a CONFIG, to start a new run, or --resume DIR, to continue one."),
        (["copy", "--resume", "x"], "Give either a CONFIG, to start a new run, or --resume DIR, to continue one."),
        (
            ["--resume", "x", "--set", "seed=1"],
            "--set seed=1: a resumed run keeps its configuration, of which only training.epochs and training.patience "
            "may change. Leave it out, or start a new run.",
        ),
        (
            ["--resume", "x", "--out", "y"],
            "--resume continues a run in its directory and with its configuration: leave --out, --skip-bad-lines and "
            "--from out.",
        ),
        (["copy", "--from", "x"], "x: no such file: expected a model (.keras) or a run directory with one."),
        (["--resume", "x"], "x is not a run: expected config.yaml in it. Give a directory made by `train`."),
        (
            ["copy", "--set", "decoder.unts=3"],
            "--set decoder.unts=3: decoder.unts: is not an option of decoder mode 'attention'. Did you mean 'units'? "
            "Known: attention, bias_constraint, bias_initializer, bias_regularizer, bridge, cell, depth, dropout, "
            "embedding_dim, embeddings_constraint, embeddings_initializer, embeddings_regularizer, feedback, "
            "input_feeding, kernel_constraint, kernel_initializer, kernel_regularizer, max_length, readout_context, "
            "recurrent_dropout, residual, sampling, shared_state, softmax_samples, tied, units.",
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


def test_train_overwrites_nothing(first_25):
    directory = first_25.directory
    assert refused("train", "first_25", "--out", directory) == (
        f"{directory} already exists and is not overwritten: give another name with --out, or continue it with "
        f"--resume {directory}."
    )


def test_a_configuration_that_does_not_fit_the_model_to_go_on_from(first_25):
    directory = first_25.directory
    wider = set_options("encoder.units=64", "decoder.units=64")
    assert refused("train", "first_25", "--from", directory, "--out", "wider", *wider) == (
        f'--set pretrained.model="{directory}": pretrained.model: {directory} does not fit the configuration: '
        "encoder.units is 64 and was 20, decoder.units is 64 and was 20. Take those of the model: --set "
        "encoder.units=20 --set decoder.units=20"
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


def test_sources_that_dev_shares_with_train_are_counted(folder, monkeypatch):
    from seq2seq_zoo.experiment.run import Run

    (folder / "pairs.tsv").write_text("".join(f"{letter}{letter}\t{letter}\n" for letter in "abcdefghijklmnopqrst"))
    (folder / "dev.tsv").write_text("aa\ta\nbb\tb\nzz\tz\n")
    monkeypatch.setattr(Run, "train", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    given = set_options("task.dev=dev.tsv", "task.test=dev.tsv")
    lines = call("train", "file", *given).stderr.splitlines()
    assert lines[0] == "file: 20 pairs to train on, 3 dev, 3 test"
    assert lines[2:4] == [f"{split}: 2 of its 3 sources are in train, too" for split in ("dev", "test")]


def test_what_to_know_about_the_data_is_printed_before_training(folder, monkeypatch):
    from seq2seq_zoo.experiment.run import Run

    lines = [f"{number}\t{'x' * 20}\n" for number in range(200)]
    (folder / "pairs.tsv").write_text("".join([*lines, f"{'9' * 300}\tx\n", f"8\t{'x' * 200}\n"]))
    monkeypatch.setattr(Run, "train", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    options = set_options("task.max_target_tokens=100", "task.dev=pairs.tsv", "task.test=pairs.tsv")
    done = call("train", "file", "--out", "a", *options, *set_options("decoder.max_length=20"))
    heading, _, _, _, *said = done.stderr.splitlines()[:6]  # two lines on shared sources
    assert heading == "file: 201 pairs to train on, 201 dev, 201 test; too long and left out: 3"
    assert said == [
        "Targets longer than decoder.max_length, 20, so that no output can equal them: 200 of 201 in train, "
        "200 of 201 in dev, 200 of 201 in test. The shortest max_length that would do is 21 with the end token.",
        "In train, the longest source has 300 tokens and 99 % have at most 3: with training.buckets: 4, the batches of "
        "the longest pairs are padded to the longest, which takes time and memory. To save them, leave longer pairs "
        "out with task.max_source_tokens.",
    ]
    options += set_options("task.max_source_tokens=100")
    lines = call("train", "file", "--out", "b", *options).stderr.splitlines()
    assert lines[0].endswith("; too long and left out: 6")
    assert lines[4] == "training in b, epoch 1"


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


def test_ctrl_c_prints_the_command_that_resumes_and_it_does(folder):
    options = set_options(
        "task.train_size=64",
        "task.max_length=3",
        "encoder.units=4",
        "decoder.units=4",
        "decoder.mode=basic",
        "training.epochs=4",
        "training.steps_per_epoch=50",
    )
    lines = []
    with started("train", "copy", "--out", "my run", *options) as process:
        for line in process.stderr:
            lines.append(line)
            if line.startswith("epoch 1 of 4"):
                process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        assert process.stdout.read() == ""
    epochs = len((folder / "my run" / "epochs.jsonl").read_text().splitlines())
    plural = "s" * (epochs > 1)
    assert lines[-1] == (
        f"Stopped: {epochs} finished epoch{plural} saved. "
        "Continue with: python -m seq2seq_zoo train --resume 'my run'\n"
    )
    assert all(re.match("copy: |basic decoder: |training in |epoch |Stopped: ", line) for line in lines)

    done = call("train", "--resume", "my run")
    assert done.exit_code == 0
    assert f"resuming in my run, epoch {epochs + 1}\n" in done.stderr
    assert f"epoch {epochs} of 4" not in done.stderr
    assert "epoch 4 of 4" in done.stderr
    assert len((folder / "my run" / "epochs.jsonl").read_text().splitlines()) == 4
    assert call("train", "--resume", "my run").stderr.splitlines()[-2] == (
        "my run is only evaluated again: all 4 epochs are finished (to continue: --set training.epochs=5 or more)"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
def test_ctrl_c_before_anything_is_saved():
    with started("train", "copy") as process:
        while "tensorflow" not in Path(f"/proc/{process.pid}/maps").read_text():  # until it imports the backend
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate()
    assert process.returncode == 130
    assert stderr == "Stopped before anything was saved.\n"


def test_a_language_model_is_evaluated_by_teacher_forcing(names):
    directory = names.directory
    assert names.stderr.startswith("language: 339 texts to train on, 42 dev, 42 test\n")
    assert re.search(r"dev: perplexity .* \d+\.\d{4}, next-token accuracy .* \d+\.\d%", names.stderr)
    first, *rest = names.stdout.splitlines()
    count = json.loads((directory / "metrics.json").read_text())["test"]["tokens"]
    assert first.split() == ["tokens", str(count)]
    assert rest[0].startswith("perplexity (teacher-forced)")
    assert rest[1].startswith("next-token accuracy (teacher-forced)")
    assert not (directory / "predictions.tsv").exists()
    assert call("evaluate", directory).stdout.splitlines() == names.stdout.splitlines()[:3]
    record = json.loads((directory / "epochs.jsonl").read_text())
    assert {"perplexity", "next_token_accuracy"} <= set(record)


def test_a_stream_is_trained_on_evaluated_and_continued(folder):
    (folder / "text.txt").write_text("to be or not to be, that is the question.\n" * 30)
    options = set_options("training.epochs=1", "training.batch_size=4", "decoder.units=4", "task.window=8")
    done = call("train", "stream", "--out", "run", *options)
    assert done.stderr.startswith("language: 1,008 tokens to train on, 126 dev, 126 test\n")
    assert done.stdout.splitlines()[0].split() == ["tokens", "126"]
    assert call("evaluate", "run", "text.txt").stdout.splitlines()[0].split() == ["tokens", "1,260"]
    (line,) = call("predict", "run", "to be", "--set", "max_length=20", "--json").stdout.splitlines()
    (output,) = json.loads(line)["outputs"]
    assert output["text"].startswith("to be")
    assert (len(output["tokens"]), output["ended"]) == (20, False)
    assert refused("train", "stream", "--out", "other", *options, "--set", "training.batch_size=127") == (
        "--set training.batch_size=127: training.batch_size: a stream of 1,008 tokens is shorter than a window of 8 "
        "for each row of a batch of 127: expected at least 1,016. Take a longer text, a smaller window or a smaller "
        "batch_size."
    )
    assert refused("train", "stream", "--out", "other", *options, "--set", "decoder.sampling=linear").endswith(
        "decoder.sampling: is not for a stream, whose windows are read with teacher forcing: leave it out."
    )
    (folder / "text.txt").write_text("\n")
    assert refused("train", "stream").endswith("task: text.txt is empty (bad lines skipped: 0): expected a text.")
    assert not (folder / "other").exists()
