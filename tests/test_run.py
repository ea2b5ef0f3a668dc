import contextlib
import dataclasses
import json
import math
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml

from seq2seq_zoo import Encoder, FeedbackDecoder, Seq2Seq, load
from seq2seq_zoo.cli.shared import presets
from seq2seq_zoo.config.reader import read
from seq2seq_zoo.config.schema import ConfigError
from seq2seq_zoo.experiment import factory, run
from seq2seq_zoo.experiment.run import Run, RunError
from seq2seq_zoo.metrics.texts import text_metrics
from seq2seq_zoo.tasks.copy import Copy
from seq2seq_zoo.training import trackers
from seq2seq_zoo.training.training import Training, TrainingError

# Every source of randomness is in use: dropout, sampling, and epochs that end in the middle of a pass over the pairs.
SMALL = {
    "task": {"name": "copy", "alphabet_size": 3, "max_length": 4, "train_size": 40, "dev_size": 8, "test_size": 8},
    "encoder": {"units": 6, "dropout": 0.2},
    "decoder": {"mode": "feedback", "units": 6, "max_length": 6, "sampling": "constant", "dropout": 0.2},
    "training": {"epochs": 4, "steps_per_epoch": 3, "batch_size": 8, "learning_rate": 0.03, "schedule": "cosine"},
    "metrics": ["rouge_l", "chrf"],
    "seed": 5,
}


def config_file(folder: Path, **changes) -> Path:
    """`SMALL` with changes to its sections, in a file."""
    sections = {**SMALL, **{key: {**SMALL[key], **value} for key, value in changes.items()}}
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(sections))
    return path


def small(folder: Path, **changes):
    return read(config_file(folder, **changes), factory.schema)


def timeless(records):
    return [{key: value for key, value in record.items() if key != "seconds"} for record in records]


def epochs_of(directory: Path):
    return [json.loads(line) for line in (directory / "epochs.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A finished run."""
    directory = tmp_path_factory.mktemp("finished") / "run"
    Run.start(directory, small(directory.parent)).train()
    return directory


@pytest.fixture
def copied(finished, tmp_path) -> Path:
    """A copy of the run, to be changed."""
    return Path(shutil.copytree(finished, tmp_path / "copied"))


def test_only_the_first_process_writes(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "is_first_process", lambda: False)
    other = Run.start(tmp_path / "run", small(tmp_path))
    other._save(run.LAST, other.model.save)
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


def test_several_devices_need_jax(tmp_path):
    with pytest.raises(ConfigError, match=r"training.distribute: data_parallel needs JAX, but Keras runs on tensorfl"):
        Run.start(tmp_path / "run", small(tmp_path, training={"distribute": "data_parallel"}))
    assert not (tmp_path / "run").exists()


def test_the_files_of_a_run(finished):
    assert sorted(path.name for path in finished.iterdir()) == [
        "best.keras",
        "config.yaml",
        "curves.png",
        "data.json",
        "epochs.jsonl",
        "last.keras",
        "metrics.json",
        "predictions.tsv",
        "source_vocabulary.json",
        "target_vocabulary.json",
    ]
    assert read(finished / "config.yaml", factory.schema) == small(finished.parent)
    records = epochs_of(finished)
    assert [(record["epoch"], record["steps"]) for record in records] == [(1, 3), (2, 6), (3, 9), (4, 12)]
    assert records[0]["seconds"] < records[-1]["seconds"]
    vocabulary = json.loads((finished / "source_vocabulary.json").read_text())
    assert vocabulary["tokens"] == ["<pad>", "<start>", "<end>", "<unk>", "a", "b", "c"]


def test_metrics_are_those_of_the_best_model_with_versions_and_machine(finished):
    measured = json.loads((finished / "metrics.json").read_text())
    training = factory.make_training(small(finished.parent))
    records = epochs_of(finished)
    best = [record for i, record in enumerate(records) if training.is_best(record, records[:i])][-1]
    assert {key: measured["dev"][key] for key in ("exact_match", "token_error_rate")} == {
        key: best[key] for key in ("exact_match", "token_error_rate")
    }
    assert (measured["epochs"], measured["best_epoch"]) == (4, best["epoch"])
    assert measured["seconds"] == records[-1]["seconds"]
    assert measured["parameters"] == load(finished).count_params()
    assert measured["test"]["perplexity"] > 1
    assert {"rouge_l", "chrf"} <= set(measured["dev"]) - set(best)  # computed at the end only
    rows = [line.split("\t") for line in (finished / "predictions.tsv").read_text().splitlines()[1:]]
    targets, outputs = [[list(row[1])] for row in rows], [list(row[2]) for row in rows]
    assert measured["test"]["rouge_l"] == text_metrics.create("rouge_l")(targets, outputs)
    assert measured["versions"]["keras"] == keras.__version__
    assert measured["machine"]["cores"] >= 1


def test_predictions_are_the_best_model_s_on_test(finished):
    header, *rows = [line.split("\t") for line in (finished / "predictions.tsv").read_text().splitlines()]
    assert header == ["source", "target", "output"]
    assert len(rows) == 8
    assert all(source == target for source, target, _ in rows)
    assert load(finished).generate([source for source, _, _ in rows]) == [output for _, _, output in rows]


def test_the_same_seed_gives_the_same_records_in_a_thread_too(finished, tmp_path):
    """In a thread, as in a notebook or a server, no signals arrive. The hook is called after each epoch is saved."""
    again, records, failed = tmp_path / "again", [], []
    started = Run.start(again, small(tmp_path))

    def train():
        try:
            started.train(lambda record, better: records.append((record, epochs_of(again)[-1])))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert failed == []
    assert [record for record, _ in records] == [saved for _, saved in records] == epochs_of(again)
    assert timeless(epochs_of(again)) == timeless(epochs_of(finished))
    assert (again / "predictions.tsv").read_text() == (finished / "predictions.tsv").read_text()


KILLED = """
import os, signal, sys
import keras
from seq2seq_zoo.config.reader import read
from seq2seq_zoo.experiment import factory
from seq2seq_zoo.experiment.run import Run

path, directory = sys.argv[1:]
run = Run.start(directory, read(path, factory.schema))
def batch(number, logs):
    if len(run.history) == 2 and number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
run.train(callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=batch)])
"""


def test_killed_and_resumed_ends_like_uninterrupted(finished, tmp_path):
    directory = tmp_path / "killed"
    command = [sys.executable, "-c", KILLED, str(config_file(tmp_path)), str(directory)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert [record["epoch"] for record in epochs_of(directory)] == [1, 2]
    # A kill during the write of a checkpoint leaves its draft; a kill before it leaves a record too many.
    (directory / ".last.keras.x1").mkdir()
    (directory / ".last.keras.x1" / "last.keras").write_bytes(b"half")
    with (directory / "epochs.jsonl").open("a") as file:
        file.write(json.dumps({**epochs_of(directory)[-1], "epoch": 3, "steps": 9}) + "\n")

    resumed = Run.resume(directory)
    assert [record["epoch"] for record in resumed.history] == [1, 2]
    resumed.train()
    assert timeless(epochs_of(directory)) == timeless(epochs_of(finished))
    assert sorted(path.name for path in directory.iterdir()) == sorted(path.name for path in finished.iterdir())
    assert (directory / "predictions.tsv").read_text() == (finished / "predictions.tsv").read_text()
    for name in ("best.keras", "last.keras"):
        for one, other in zip(
            load(directory / name).trainable_weights, load(finished / name).trainable_weights, strict=True
        ):
            np.testing.assert_array_equal(one, other, err_msg=f"{name}: {one.path}")


def test_a_finished_run_resumed_is_only_evaluated_again(copied, finished):
    before = epochs_of(copied)
    (copied / "metrics.json").unlink()
    Run.resume(copied).train(on_epoch=lambda record, better: pytest.fail("trained"))
    assert epochs_of(copied) == before
    first, second = (json.loads((each / "metrics.json").read_text()) for each in (finished, copied))
    assert first == second


def test_a_run_resumed_with_more_epochs_ends_like_one_that_had_them_from_the_start(tmp_path):
    own = {"schedule": "constant"}
    whole = Run.start(tmp_path / "whole", small(tmp_path, training={**own, "epochs": 3}))
    whole.train()
    extended = Run.start(tmp_path / "extended", small(tmp_path, training={**own, "epochs": 1})).directory
    Run.resume(extended).train()
    assert len(epochs_of(extended)) == 1
    Run.resume(extended, ["training.epochs=3"]).train()
    assert timeless(epochs_of(extended)) == timeless(epochs_of(whole.directory))
    assert read(extended / "config.yaml", factory.schema)["training"]["epochs"] == 3
    assert len(Run.resume(extended).history) == 3


def test_a_schedule_has_the_length_of_a_resumed_run_s_epochs(copied):
    rate = Run.resume(copied).model.optimizer.learning_rate
    assert float(rate) == pytest.approx(0, abs=1e-9)  # at the end of its cosine
    longer = Run.resume(copied, ["training.epochs=8"]).model.optimizer.learning_rate
    assert float(longer) == pytest.approx(0.03 / 2)  # in the middle of it


def test_a_resumed_run_changes_nothing_but_its_epochs(copied):
    before = (copied / "config.yaml").read_text()
    with pytest.raises(RunError) as raised:
        Run.resume(copied, ["training.epochs=9", "decoder.units=3"])
    assert str(raised.value) == (
        "--set decoder.units=3: a resumed run keeps its configuration, of which only training.epochs and "
        "training.patience may change. Leave it out, or start a new run."
    )
    with pytest.raises(RunError) as raised:
        Run.resume(copied, ["training.epochs=3"])
    assert str(raised.value) == (
        f"{copied}: 4 epochs are finished already: expected a training.epochs of at least that, got 3."
    )
    with pytest.raises(ConfigError, match=r"--set training\.epochs=x: training\.epochs: must be an integer"):
        Run.resume(copied, ["training.epochs=x"])
    assert (copied / "config.yaml").read_text() == before


def test_relative_paths_of_data_refer_to_the_folder_in_which_the_run_was_started(tmp_path, monkeypatch):
    for folder in ("project", "elsewhere"):
        (tmp_path / folder).mkdir()
    pairs = "".join(f"{'ab' * (number % 7)}{number}\t{number}\n" for number in range(40))
    (tmp_path / "project" / "pairs.tsv").write_text(pairs)
    (tmp_path / "file.yaml").write_text("task: {name: file, train: pairs.tsv}\nencoder: {}\ndecoder: {mode: basic}\n")
    monkeypatch.chdir(tmp_path / "project")
    Run.start("run", read(tmp_path / "file.yaml", factory.schema, ["encoder.units=2", "decoder.units=2"]))
    monkeypatch.chdir(tmp_path / "elsewhere")
    directory = Path("..", "project", "run")
    assert run.read_data(directory).splits["test"]
    assert Run.resume(directory).directory == directory
    assert Path.cwd() == tmp_path / "elsewhere"
    (tmp_path / "project" / "pairs.tsv").rename(tmp_path / "elsewhere" / "pairs.tsv")
    for read_run in (Run.resume, run.read_data):
        with pytest.raises(ConfigError) as raised:
            read_run(directory)
        assert str(raised.value) == (
            f"{directory / 'config.yaml'}:1: task: Cannot read the data file 'pairs.tsv': No such file or directory. "
            f"Check the path. A relative path refers to {tmp_path / 'project'}, in which the run was started."
        )
    # The whole project has moved: paths refer to the current folder again.
    (tmp_path / "project").rename(tmp_path / "moved")
    assert run.read_data(tmp_path / "moved" / "run").splits["test"]
    (tmp_path / "elsewhere" / "pairs.tsv").unlink()
    with pytest.raises(ConfigError) as raised:
        run.read_data(tmp_path / "moved" / "run")
    assert str(raised.value).endswith(
        f"A relative path refers to {tmp_path / 'elsewhere'}, since {tmp_path / 'project'}, in which the run was "
        "started, does not exist."
    )


def test_nothing_is_overwritten(finished, tmp_path):
    before = {path.name: path.read_bytes() for path in finished.iterdir()}
    with pytest.raises(RunError) as raised:
        Run.start(finished, small(tmp_path))
    assert str(raised.value) == (
        f"{finished} already exists and is not overwritten: give another name with --out, or continue it with "
        f"--resume {finished}."
    )
    assert {path.name: path.read_bytes() for path in finished.iterdir()} == before
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="already exists"):
        Run.start(tmp_path / "file", small(tmp_path))
    (tmp_path / "empty").mkdir()
    assert Run.start(tmp_path / "empty", small(tmp_path)).history == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"task": {"min_length": 5}},
            "{file}:{task}: task: `min_length` must be at most `max_length`, got 5 and 4.",
        ),
        (
            {"encoder": {"units": 5}, "decoder": {"bridge": "copy"}},
            "{file}:{bridge}: decoder.bridge: bridge='copy' needs an encoder whose states have the widths of the "
            "decoder's, layer by layer: the decoder has layer 1: 2 x 6, the encoder layer 1: 2 x 5. Give both the same "
            "cell, depth and units (a bidirectional encoder's states are 2 * units wide), or use bridge='dense'.",
        ),
        (
            {"decoder": {"softmax_samples": 3}},
            "{file}:{decoder}: decoder: softmax_samples and sampling do not go together: a step that may read its own "
            "output needs the logits of all tokens. Leave one of them out.",
        ),
        (
            {"decoder": {"softmax_samples": 3, "sampling": None}, "training": {"label_smoothing": 0.1}},
            "{file}:{label_smoothing}: training.label_smoothing: label_smoothing=0.1 needs the probabilities of all "
            "tokens, and softmax_samples=3 leaves most of them out: give one of the two.",
        ),
    ],
)
def test_a_refused_configuration_is_located_and_leaves_no_directory(changes, message, tmp_path):
    config = small(tmp_path, **changes)
    file = tmp_path / "small.yaml"
    lines = {line.split(":")[0].strip(): number for number, line in enumerate(file.read_text().splitlines(), start=1)}
    with pytest.raises(ConfigError) as raised:
        Run.start(tmp_path / "run", config)
    assert str(raised.value) == message.format(file=file, **lines)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("owner", "method"),
    [(factory, "make_model"), (Copy, "load"), (Encoder, "build"), (FeedbackDecoder, "build"), (Training, "check")],
)
def test_a_bug_is_not_reported_as_an_error_of_the_configuration(owner, method, tmp_path, monkeypatch):
    monkeypatch.setattr(owner, method, lambda *arguments: np.zeros(3).reshape(2, 2))
    with pytest.raises(ValueError, match="cannot reshape") as raised:
        Run.start(tmp_path / "run", small(tmp_path))
    assert type(raised.value) is ValueError


def test_a_missing_tracker_is_reported_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(trackers.importlib.util, "find_spec", lambda name: None)
    path = config_file(tmp_path)
    with pytest.raises(ConfigError) as raised:
        Run.start(tmp_path / "run", read(path, factory.schema, ["training.trackers=[wandb]"]))
    assert str(raised.value) == (
        "--set training.trackers=[wandb]: training.trackers: wandb needs a package that is not installed. Run: pip "
        "install 'seq2seq-zoo[wandb]'"
    )
    assert not (tmp_path / "run").exists()


def test_a_metric_without_its_package_is_reported_before_training(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    path = config_file(tmp_path)
    with pytest.raises(ConfigError) as raised:
        Run.start(tmp_path / "run", read(path, factory.schema, ["metrics=[rouge_1, bleu]"]))
    assert str(raised.value) == (
        "--set metrics=[rouge_1, bleu]: metrics: The metric bleu needs the package sacrebleu: "
        "pip install 'seq2seq-zoo[text-metrics]'."
    )
    assert not (tmp_path / "run").exists()
    with pytest.raises(ConfigError, match=r"metrics: unknown metric 'blue'\. Did you mean 'bleu'\?"):
        read(path, factory.schema, ["metrics=[blue]"])


def test_metrics_of_texts_need_generated_texts(tmp_path):
    config = small(tmp_path)
    labels = dataclasses.replace(run.load_data(config), targets="label")
    with pytest.raises(ValueError, match=r"^`metrics`: are of generated texts, and 'copy' has none: leave them out\.$"):
        factory.make_metrics(config, labels)
    assert factory.make_metrics({**config, "metrics": []}, labels) == []


def test_resume_without_a_run(tmp_path):
    with pytest.raises(RunError) as raised:
        Run.resume(tmp_path)
    assert str(raised.value) == (
        f"{tmp_path} is not a run: expected config.yaml in it. Give a directory made by `train`."
    )


@pytest.mark.parametrize("change", ["alphabet_size: 4", "alphabet_size: 3\n  seed: 9"])
def test_data_that_has_changed_is_refused(copied, change):
    began = json.loads((copied / "data.json").read_text())
    sizes = ", ".join(f"{name} {size}" for name, size in began["sizes"].items())
    text = (copied / "config.yaml").read_text()
    (copied / "config.yaml").write_text(re.sub(r"\n  seed: \d+", "", text).replace("alphabet_size: 3", change))
    for read_run in (Run.resume, run.read_data):
        with pytest.raises(RunError) as raised:
            read_run(copied)
        assert str(raised.value) == (
            f"{copied}: the task's data has changed since the run started ({sizes}; now {sizes}), so training pairs "
            "may be in the test split. Restore the data, or start a new run."
        )


def test_a_file_with_one_more_line_is_refused(tmp_path):
    lines = [f"{'ab' * (number % 7)}{number}\t{number}" for number in range(40)]
    (tmp_path / "pairs.tsv").write_text("".join(f"{line}\n" for line in lines))
    changes = [f"task.train={tmp_path / 'pairs.tsv'}", "encoder.units=2", "decoder.units=2"]
    (tmp_path / "file.yaml").write_text("task: {name: file, train: pairs.tsv}\nencoder: {}\ndecoder: {mode: basic}\n")
    directory = Run.start(tmp_path / "run", read(tmp_path / "file.yaml", factory.schema, changes)).directory
    assert run.read_data(directory).splits["test"]
    with (tmp_path / "pairs.tsv").open("a") as file:
        file.write("ab\t1\n")
    with pytest.raises(RunError, match=r"train 32, dev 4, test 4; now train 33, dev 4, test 4"):
        run.read_data(directory)


def test_a_monitor_that_the_task_does_not_have_is_reported_before_training(tmp_path):
    config = small(tmp_path, training={"monitor": "perplexity"})
    with pytest.raises(ConfigError) as raised:
        Run.start(tmp_path / "run", config)
    assert str(raised.value).endswith(
        "training.monitor: this task is evaluated by exact_match, token_accuracy, token_error_rate, not by perplexity."
    )
    assert not (tmp_path / "run").exists()


def test_max_length_follows_the_longest_target_of_train_unless_it_is_given(tmp_path):
    config = small(tmp_path, decoder={"max_length": None})
    data = run.load_data(config)
    assert factory.make_model(config, data).max_length == 7  # 4 letters and the end, and a quarter more
    assert factory.make_model(small(tmp_path, decoder={"max_length": 6}), data).max_length == 6
    # Without an end, every output is as long as the longest target.
    config = read(presets()["first_25_2016"], factory.schema, ["decoder.max_length=null"])
    assert factory.make_model(config, run.load_data(config)).max_length == 5
    (tmp_path / "text.txt").write_text("to be or not to be, " * 30)
    changes = ["decoder.max_length=null", "decoder.units=2", f"task.train={tmp_path / 'text.txt'}"]
    config = read(presets()["stream"], factory.schema, changes)
    assert factory.make_model(config, run.load_data(config)).max_length == 100


# === Failures during training ===


@pytest.fixture(scope="module")
def stopped(tmp_path_factory) -> Run:
    """A run after its first epoch, stopped by a Ctrl-C that Keras or TensorFlow swallowed."""
    folder = tmp_path_factory.mktemp("stopped")
    started = Run.start(folder / "run", small(folder))

    def begin(epoch, logs):
        if epoch == 1:
            with contextlib.suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        started.train(callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=begin)])
    assert [record["epoch"] for record in epochs_of(started.directory)] == [1]
    return started


@pytest.fixture
def after_one(stopped):
    """The same, for one test; compiled once for all of them."""
    variables = [*stopped.model.variables, *stopped.model.optimizer.variables]
    kept = [np.array(variable) for variable in variables]
    history, training = list(stopped.history), stopped.training
    yield stopped
    for variable, value in zip(variables, kept, strict=True):
        variable.assign(value)
    stopped.history, stopped.training, stopped.model.stop_training = history, training, False


def poisoning(stopped: Run, step: int) -> keras.callbacks.Callback:
    """Makes the weights NaN after a step, counted from 0."""
    weights = stopped.model.trainable_weights[0]

    def batch(number, logs):
        if number == step:
            weights.assign(np.full(weights.shape, np.nan))

    return keras.callbacks.LambdaCallback(on_train_batch_end=batch)


@pytest.mark.parametrize(
    ("step", "what"),
    [
        (1, "The loss became nan in step 3"),
        # The loss of an epoch's last step is measured before its update.
        (2, "The weights became NaN or infinite in step 3"),
    ],
)
def test_nan_stops_the_run_and_keeps_the_last_good_model(step, what, after_one):
    with pytest.raises(TrainingError) as raised:
        after_one.train(callbacks=[poisoning(after_one, step)])
    assert str(raised.value) == (
        f"{what} of epoch 2. Lower training.learning_rate (0.03) or training.clip_norm (1.0). "
        f"The model of epoch 1 is saved in {after_one.directory}."
    )
    assert [record["epoch"] for record in epochs_of(after_one.directory)] == [1]
    for name in ("best.keras", "last.keras"):
        kept = load(after_one.directory / name)
        assert all(np.isfinite(weights).all() for weights in kept.get_weights())
        assert int(kept.optimizer.iterations) == 3


def test_patience_stops_early(after_one, monkeypatch):
    """A tracker gets each epoch, and in the end the metrics of the best model."""
    logged = []
    monkeypatch.setattr(run, "recorded", lambda *_: contextlib.nullcontext(lambda *entry: logged.append(entry)))
    weights = [np.array(weight) for weight in after_one.model.trainable_weights]

    def undo(number, logs):
        for weight, value in zip(after_one.model.trainable_weights, weights, strict=True):
            weight.assign(value)

    epochs = []
    after_one.training = factory.make_training({"training": {**after_one.config["training"], "patience": 2}})
    measured = after_one.train(
        lambda record, better: epochs.append((record["epoch"], better)),
        [keras.callbacks.LambdaCallback(on_train_batch_end=undo)],
    )
    assert epochs == [(2, True), (3, True)]  # as good as the first, but not better
    assert measured["epochs"] == 3
    assert [epoch for _, epoch in logged] == [2, 3, 3]
    assert {*logged[0][0]} == {"loss", "dev/exact_match", "dev/token_accuracy", "dev/token_error_rate"}
    assert logged[-1][0]["best/test/exact_match"] == measured["test"]["exact_match"]
    assert logged[-1][0]["best/dev/chrf"] == measured["dev"]["chrf"]


def test_a_run_that_patience_stopped_continues_with_more_patience_alone(finished, copied):
    """Of four epochs, the best one is set to be the second."""
    records = [{**record, "exact_match": float(record["epoch"] == 2)} for record in epochs_of(copied)]
    (copied / "epochs.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    config = (copied / "config.yaml").read_text()
    (copied / "config.yaml").write_text(config.replace("patience: null", "patience: 2"))
    stopped = (
        "training.patience, 2, stopped the run after epoch 4, since none after epoch 2 was better (to continue: --set "
        "training.patience=3 or more, or null)"
    )
    for changes in (["training.epochs=9"], ["training.patience=2", "training.epochs=5"]):
        with pytest.raises(RunError) as raised:
            Run.resume(copied, changes)
        assert str(raised.value) == f"{copied}: {stopped}, so nothing is left to train."
    assert Run.resume(copied).why_finished == stopped
    assert Run.resume(copied, ["training.patience=3"]).why_finished == (
        "all 4 epochs are finished (to continue: --set training.epochs=5 or more)"
    )
    # Of three epochs of patience, two have passed.
    resumed = Run.resume(copied, ["training.epochs=9"])
    assert resumed.why_finished == ""
    resumed.training.is_best = lambda record, history: record["epoch"] <= 2
    assert resumed.train()["epochs"] == 5
    assert Run.resume(copied).training.patience == 3


# === The feed ===


@pytest.fixture
def feeds(monkeypatch):
    """Replaces training by a list of the feeds that would have been trained on."""
    found = []
    monkeypatch.setattr(Seq2Seq, "fit", lambda self, feed, **arguments: found.append((feed, arguments)))
    return found


def batches(feeds, tmp_path, epochs=1, **training):
    """The batches of some epochs, in the order in which Keras requests them."""
    config = small(tmp_path, training={**training, "schedule": "constant"})
    data = factory.make_task(config).load()
    factory.make_training(config).fit(factory.make_model(config, data), data, seed=5)
    feed, _ = feeds.pop()
    found = []
    for _ in range(epochs):
        found.append([feed[index] for index in range(len(feed))])
        feed.on_epoch_end()
    return found


def test_an_epoch_is_a_pass_unless_it_has_its_own_steps(feeds, tmp_path):
    (epoch,) = batches(feeds, tmp_path, steps_per_epoch=None)
    assert [target.shape for _, target in epoch] == [(8, 5)] * 5
    # Three epochs of three steps: a pass of five, and four steps of the next.
    epochs = batches(feeds, tmp_path, epochs=3, steps_per_epoch=3)
    assert [len(epoch) for epoch in epochs] == [3, 3, 3]
    in_order = [source.tolist() for epoch in epochs for (source, _), _ in epoch]
    first_pass = sorted(row for batch in in_order[:5] for row in batch)
    assert first_pass == sorted(row for (source, _), _ in epoch for row in source.tolist())
    assert len(first_pass) == 40


def test_buckets_are_shapes(feeds, tmp_path):
    (epoch,) = batches(feeds, tmp_path, steps_per_epoch=None, buckets=2)
    shapes = {target.shape for _, target in epoch}
    assert len(shapes) == 2
    assert (8, 5) in shapes
    rows = [row for _, target in epoch for row in target.tolist() if any(row)]
    assert len(rows) == 40


def test_buckets_are_chosen_from_the_lengths_where_they_pay(tmp_path):
    data = run.load_data(small(tmp_path))

    def chosen(*lengths, batch_size=8, **options):
        pairs = [("a" * length, "a") for length in lengths]
        changed = dataclasses.replace(data, splits={**data.splits, "train": pairs}, **options)
        return Training(batch_size=batch_size).buckets_for(changed)

    assert chosen(*[3] * 40) == chosen(*range(1, 41)) == 1  # of one length, or of all lengths alike
    assert chosen(*[3] * 40, 300) == 4
    assert chosen(*[3] * 40, 300, batch_size=64) == 1  # one batch holds all
    assert chosen(*[3] * 40, 300, window=2) == 1
    assert Training(batch_size=8, buckets=2).buckets_for(data) == 2
    for preset in ("copy", "digits_each", "digits_to_words", "integers", "names", "pig_latin", "reverse", "addition"):
        config = read(presets()[preset], factory.schema)
        assert factory.make_training(config).buckets_for(run.load_data(config)) == 1


def test_buckets_train(tmp_path):
    """More than one shape, to the end."""
    training = {"epochs": 1, "steps_per_epoch": None, "buckets": 2}
    config = small(tmp_path, decoder={"mode": "basic", "sampling": None}, training=training)
    data = factory.make_task(config).load()
    (record,) = factory.make_training(config).fit(factory.make_model(config, data), data, seed=5)
    assert record["steps"] == 5
    assert math.isfinite(record["loss"])


@pytest.mark.parametrize(
    ("training", "compiled"),
    [
        ({"epochs": 4, "steps_per_epoch": 250}, True),
        ({"epochs": 4, "steps_per_epoch": 249}, False),
        ({"epochs": 4, "steps_per_epoch": 250, "buckets": 2}, False),
        ({"epochs": 200, "steps_per_epoch": None}, True),  # five updates are a pass
    ],
)
def test_a_long_training_is_compiled_by_xla(training, compiled, tmp_path):
    config = small(tmp_path, training=training)
    data = factory.make_task(config).load()
    model = factory.make_model(config, data)
    factory.make_training(config).compile(model, data)
    assert (model.jit_compile is True) == compiled
