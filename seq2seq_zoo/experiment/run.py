"""A run: one training in a directory, from its configuration to its results. A kill loses no finished epoch."""

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
from matplotlib.figure import Figure

from seq2seq_zoo.config.options import OptionError, errors_at
from seq2seq_zoo.config.reader import dump, read
from seq2seq_zoo.config.schema import ConfigError
from seq2seq_zoo.data.inputs import Inputs
from seq2seq_zoo.data.lines import DataFileError
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.experiment import factory
from seq2seq_zoo.experiment.directory import (
    CONFIG,
    DATA,
    EPOCHS_OPTION,
    METRICS,
    PATIENCE_OPTION,
    RunError,
    require_new,
    require_resumable,
    require_run,
)
from seq2seq_zoo.figures import image, trajectories
from seq2seq_zoo.metrics import metric
from seq2seq_zoo.metrics.tokens import nearest_references
from seq2seq_zoo.models.loading import load
from seq2seq_zoo.models.pretrained import Pretrained
from seq2seq_zoo.runtime.prediction import Output, table
from seq2seq_zoo.system.environment import environment
from seq2seq_zoo.system.files import atomic_path
from seq2seq_zoo.system.interrupt import interruptible
from seq2seq_zoo.system.model_file import BEST, ModelFileError, find_model
from seq2seq_zoo.tasks.task import Data, Row, Series
from seq2seq_zoo.training.devices import is_first_process
from seq2seq_zoo.training.evaluation import evaluate_fully
from seq2seq_zoo.training.trackers import recorded, trackers
from seq2seq_zoo.training.training import TrainingError

EPOCHS = "epochs.jsonl"
LAST = "last.keras"
PREDICTIONS = "predictions.tsv"
CURVES = "curves.png"
SERIES = "series.png"
VOCABULARY = "_vocabulary.json"

FOLDER = "folder"
"""The key in `data.json` of the folder in which the run was started."""
FROM = "from"
"""The key in `data.json` and `metrics.json` of the model from which the training goes on: its file and checksum."""


class Run:
    """A training in a directory of its own.

    The directory contains:

    - `config.yaml`: the resolved configuration.
    - `data.json`: a fingerprint of the data, so that a resumed run never tests on training pairs; the folder in which
      the run was started, which relative paths refer to; the model from which the training goes on, if there is one,
      with its checksum; for real values, also what is needed to read further files.
    - `source_vocabulary.json` and `target_vocabulary.json`.
    - `epochs.jsonl`: one record for each epoch.
    - `last.keras` and `best.keras`: whole models.

    and after training:

    - `metrics.json`: the metrics of the best model on dev and test, with versions and machine.
    - `predictions.tsv`: source, target and output of each row of the test split; of several targets, the nearest to the
      output.
    - `curves.png`: the loss and the dev metrics of each epoch.
    - `series.png`: a few rows of the test split, for real values.

    Use `Run.start` for a new directory and `Run.resume` for an existing one.

    Args:
        directory: of the run.
        config: the resolved configuration.

    Attributes:
        data: the task's data.
        model: in its state after the last epoch of `history`.
        history: one record for each finished epoch.
        notes: lines to read before training: those of the data and, in a new run, one for each part of the model that
            starts with pretrained weights.
        base: the `file` of the model from which the training goes on, and its `sha256`; `None` if there is none.

    Raises:
        ConfigError: the task's data cannot be loaded, or the model cannot be made, with this configuration.
    """

    def __init__(self, directory: Path, config: Mapping[str, Any]):
        self.directory = directory
        self.config = config
        self.history: list[dict[str, Any]] = []
        self.notes: list[str] = []
        with _config_errors(config):
            self.training = factory.make_training(config)
            with errors_at("training", "trackers", refusals=ValueError):
                for tracker in self.training.trackers:
                    trackers.create(tracker)
            keras.utils.set_random_seed(config["seed"])
            pretrained = factory.make_pretrained(config)
            self.base = self._find_base(pretrained)
            self.data = _load_data(config, directory, pretrained)
            self.notes += self.data.notes
            self.metrics = factory.make_metrics(config, self.data)
            with errors_at("training"):
                devices = self.training.devices
            with devices.scope():
                if (directory / LAST).exists():
                    self.model = load(directory / LAST)
                    if self.training.schedule != "constant":
                        # The saved schedule has the length of the epochs that the run had before it was resumed.
                        self.model.optimizer.learning_rate = self.training.rate(self.data)
                    self.history = self._finished_epochs()
                else:
                    with errors_at("pretrained"), _paths_of(directory):
                        longest = getattr(pretrained.saved_model, "max_length", 0)
                    self.model = factory.make_model(config, self.data, longest)
                    with errors_at("pretrained"), _paths_of(directory):
                        self.notes += pretrained.into(self.model)
            with errors_at("training"):
                self.training.check(self.model, self.data)

    @classmethod
    def start(cls, directory: str | os.PathLike[str], config: Mapping[str, Any]) -> "Run":
        """A new run.

        Raises:
            ConfigError: as the constructor. No directory is made then.
            RunError: the directory exists and is not empty.
        """
        directory = Path(directory)
        if is_first_process():  # which may have made it already if this is another one
            require_new(directory)
        run = cls(directory, config)
        summary = {**_summary(run.data), FOLDER: str(Path.cwd())}
        if run.base is not None:
            summary[FROM] = run.base
        run._write(DATA, json.dumps(summary, ensure_ascii=False) + "\n")
        if isinstance(run.data, Data):
            for side, vocabulary in (("source", run.data.source), ("target", run.data.target)):
                run._write(f"{side}{VOCABULARY}", json.dumps(vocabulary.get_config(), ensure_ascii=False) + "\n")
        run._write(CONFIG, dump(config))  # last, because it makes the directory a run
        return run

    @classmethod
    def resume(cls, directory: str | os.PathLike[str], changes: Sequence[str] = ()) -> "Run":
        """The run of a directory, to continue after its last finished epoch.

        Args:
            directory: of the run.
            changes: of the number of epochs and the patience, such as "training.epochs=30"; written to the run's
                configuration. The patience counts the epochs before, too.

        Raises:
            RunError: there is no run in the directory, its data has changed, another option is changed, more epochs are
                finished already, or the patience has run out, so that the changes would have no effect.
        """
        directory = Path(directory)
        require_resumable(changes)
        config = read_config(directory, changes)
        # A kill during a write leaves a draft behind.
        for name in (EPOCHS, LAST, BEST, METRICS, PREDICTIONS, CURVES, SERIES) if is_first_process() else ():
            for draft in directory.glob(f".{name}.*"):
                shutil.rmtree(draft)
        run = cls(directory, config)
        if changes:
            if run.training.epochs < len(run.history):
                raise RunError(
                    f"{directory}: {len(run.history)} epochs are finished already: expected a {EPOCHS_OPTION} of at "
                    f"least that, got {run.training.epochs}."
                )
            if run.training.out_of_patience(run.history):
                raise RunError(f"{directory}: {run.why_finished}, so nothing is left to train.")
            run._write(CONFIG, dump(config))
        return run

    @property
    def why_finished(self) -> str:
        """Why nothing is left to train, and what would continue the run; empty if an epoch is left."""
        epochs = len(self.history)
        if self.training.out_of_patience(self.history):
            best = self.training.best_epoch(self.history)["epoch"]
            return (
                f"{PATIENCE_OPTION}, {self.training.patience}, stopped the run after epoch {epochs}, since none after "
                f"epoch {best} was better (to continue: --set {PATIENCE_OPTION}={epochs - best + 1} or more, or null)"
            )
        if epochs >= self.training.epochs:
            return f"all {epochs} epochs are finished (to continue: --set {EPOCHS_OPTION}={epochs + 1} or more)"
        return ""

    def train(
        self,
        on_epoch: Callable[[dict[str, Any], bool], None] | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> dict[str, Any]:
        """Train to the end, then evaluate the best model.

        A run may be stopped at any moment, by Ctrl-C or a kill. When it is resumed, it repeats the unfinished epoch
        and ends with the same results as one that was not stopped.

        Args:
            on_epoch: called after each epoch is saved, with its record and whether it is the best so far.
            callbacks: further Keras callbacks.

        Returns:
            The content of `metrics.json`.

        Raises:
            TrainingError: the loss became NaN or infinite. The last good checkpoints remain.
            TrackerError: a tracker failed. All finished epochs are saved.
        """

        def save(model: Any, record: dict[str, Any], better: bool) -> None:
            # `last.keras` is written last, because it determines which epochs are finished: if a kill prevents it, the
            # epoch is repeated.
            self._write(EPOCHS, "".join(json.dumps(each) + "\n" for each in [*self.history, record]))
            for name in (BEST, LAST) if better else (LAST,):
                self._save(name, model.save)
            self.history.append(record)
            if on_epoch is not None:
                on_epoch(record, better)
            log({"loss": record["loss"], **_named("dev", record)}, record["epoch"])

        devices = self.training.devices
        names = self.training.trackers if is_first_process() else ()
        with devices.scope(), interruptible() as check, recorded(names, self.directory, self.config) as log:
            callbacks = [*callbacks, keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: check())]
            try:
                self.training.fit(self.model, self.data, self.config["seed"], self.history, save, callbacks)
            except TrainingError as error:
                saved = f" The model of epoch {len(self.history)} is saved in {self.directory}." if self.history else ""
                raise TrainingError(f"{error}{saved}") from None
            devices.wait()  # until the first process has written the model
            metrics = self._evaluate(load(self.directory / BEST))
            best = {**_named("best/dev", metrics["dev"]), **_named("best/test", metrics["test"])}
            log(best, len(self.history))
            return metrics

    def _find_base(self, pretrained: Pretrained) -> dict[str, str] | None:
        """The file of the model from which the training goes on and its checksum, as recorded when the run started.

        Raises:
            RunError: no epoch is finished, so the run needs the file, and it has changed.
        """
        if pretrained.model is None:
            return None
        record = self.directory / DATA
        before = json.loads(record.read_text(encoding="utf-8"))[FROM] if record.exists() else None
        if before is not None and (self.directory / LAST).exists():
            return before
        with errors_at("pretrained", "model", refusals=ModelFileError), _paths_of(self.directory):
            file = find_model(pretrained.model)
            with file.open("rb") as content:
                now = {"file": str(file), "sha256": hashlib.file_digest(content, "sha256").hexdigest()}
        if before is not None and before["sha256"] != now["sha256"]:
            raise RunError(
                f"{self.directory}: {file}, the model from which the run started, has changed since, and no epoch is "
                "finished. Restore the file, or start a new run."
            )
        return now

    def _finished_epochs(self) -> list[dict[str, Any]]:
        """The records of the epochs that the loaded model has been trained for."""
        _require_same_data(self.directory, self.data)
        lines = (self.directory / EPOCHS).read_text(encoding="utf-8").splitlines()
        steps = int(self.model.optimizer.iterations)
        return [record for record in map(json.loads, lines) if record["steps"] <= steps]

    def _evaluate(self, model: Any) -> dict[str, Any]:
        """Evaluate the best model on dev and test, and write all results."""
        metrics: dict[str, Any] = {
            "epochs": len(self.history),
            "best_epoch": self.training.best_epoch(self.history)["epoch"],
            "seconds": self.history[-1]["seconds"],
            "parameters": model.count_params(),
        }
        for split in ("dev", "test"):
            metrics[split], outputs = evaluate_fully(model, self.data, split, self.metrics)
        if outputs:
            self._write(PREDICTIONS, predictions_table(self.data, outputs))
        if isinstance(self.data, Series):
            series = image(_draw_series(self.data, outputs))
            self._save(SERIES, lambda draft: draft.write_bytes(series))
        self._save(CURVES, lambda draft: _draw_curves(self.history, draft))
        metrics |= {} if self.base is None else {FROM: self.base}
        metrics |= environment()
        self._write(METRICS, json.dumps(metrics, indent=2, ensure_ascii=False) + "\n")
        return metrics

    def _write(self, name: str, text: str) -> None:
        self._save(name, lambda draft: draft.write_text(text, encoding="utf-8"))

    def _save(self, name: str, save: Callable[[Path], Any]) -> None:
        """Save a file of the directory; of several processes that train together, the first does."""
        if is_first_process():
            with atomic_path(self.directory / name) as draft, self.training.devices.alone():
                save(draft)


def read_config(directory: str | os.PathLike[str], changes: Sequence[str] = ()) -> dict[str, Any]:
    """The resolved configuration of a run, with changes such as "training.epochs=30".

    Raises:
        RunError: there is no run in the directory.
    """
    return read(require_run(directory), factory.schema, changes)


def load_data(config: Mapping[str, Any], directory: str | os.PathLike[str] | None = None) -> Any:
    """The data of a resolved configuration's task.

    Args:
        config: the configuration.
        directory: that of its run. Relative paths of data refer to the folder in which the run was started; without a
            run, to the current folder.

    Raises:
        ConfigError: the task refuses its options, or its data cannot be read.
    """
    with _config_errors(config):
        return _load_data(config, directory, factory.make_pretrained(config))


def _load_data(
    config: Mapping[str, Any], directory: str | os.PathLike[str] | None, pretrained: Pretrained
) -> Data | Series:
    """`load_data`; if the training goes on from a model, with the vocabularies of that model and their new tokens."""
    task = factory.make_task(config)
    with errors_at("task", refusals=DataFileError), _paths_of(directory):
        data = task.load()
    if pretrained.model is None or isinstance(data, Series):
        return data
    files = [Path(directory, f"{side}{VOCABULARY}") for side in ("source", "target")] if directory else []
    if files and all(file.exists() for file in files):  # of a run, which then no longer needs the model
        source, target = (Vocabulary.from_config(json.loads(file.read_text(encoding="utf-8"))) for file in files)
        source, target = source.grown(data.source.ordinary), target.grown(data.target.ordinary)
    else:
        with errors_at("pretrained"):
            source, target = pretrained.vocabularies(data.source, data.target)
    return dataclasses.replace(data, source=source, target=target)


def read_data(directory: str | os.PathLike[str]) -> Any:
    """The data of a run, if it is still what the run started with.

    Raises:
        RunError: there is no run in the directory, or its data has changed.
        ConfigError: the data cannot be read.
    """
    data = load_data(read_config(directory), directory)
    _require_same_data(Path(directory), data)
    return data


def read_rows(directory: str | os.PathLike[str], file: str | os.PathLike[str]) -> tuple[list[str], Sequence[Row]]:
    """The names of a run's target features, and the rows of a further file, whose targets are unknown.

    This does not need the run's own data.

    Raises:
        RunError: there is no run in the directory.
        DataFileError: the file cannot be read, or the task reads no files.
    """
    task = factory.make_task(read_config(directory))
    summary = json.loads(Path(directory, DATA).read_text(encoding="utf-8"))
    return summary["target"], task.read_rows(file, summary["kept"])


def read_inputs(directory: str | os.PathLike[str]) -> Inputs | None:
    """What a run's model of real values is given, in its own units, or `None` if the task does not define it.

    Raises:
        RunError: there is no run in the directory.
    """
    task = factory.make_task(read_config(directory))
    return task.inputs(json.loads(Path(directory, DATA).read_text(encoding="utf-8"))["kept"])


@contextlib.contextmanager
def _paths_of(directory: str | os.PathLike[str] | None) -> Iterator[None]:
    """Read files as in the folder in which a run was started, if that still exists. The error about a data file names
    the folder. Any option of a task may be a path, so the process changes to that folder for the block.
    """
    record = None if directory is None else Path(directory, DATA)
    started = json.loads(record.read_text(encoding="utf-8")).get(FOLDER) if record and record.exists() else None
    if started is None:
        yield
        return
    folder, why = started, "in which the run was started"
    if not os.path.isdir(started):
        folder, why = os.getcwd(), f"since {started}, in which the run was started, does not exist"
    try:
        with contextlib.chdir(folder):
            yield
    except DataFileError as error:
        raise DataFileError(f"{error} A relative path refers to {folder}, {why}.") from None


def _summary(data: Data | Series) -> dict[str, Any]:
    """The content of `data.json`."""
    summary: dict[str, Any] = {"sizes": {split: len(rows) for split, rows in data.splits.items()}}
    if isinstance(data, Series):
        # Without the values, since another machine may round some of them differently.
        return {**summary, "source": [*data.source], "target": [*data.target], "kept": data.kept}
    digest = hashlib.sha256()
    for vocabulary in (data.source, data.target):
        config = {key: value for key, value in vocabulary.get_config().items() if key != "normalize"}  # is no data
        digest.update(json.dumps(config).encode())
    for split in ("dev", "test"):
        for pair in data.splits[split]:
            digest.update("\t".join((*pair, "\n")).encode())
    return {**summary, "digest": digest.hexdigest()}


def _require_same_data(directory: Path, data: Data | Series) -> None:
    """Raise a `RunError` if a run's data has changed, since training pairs may be in the test split now."""
    before, now = json.loads((directory / DATA).read_text(encoding="utf-8")), _summary(data)
    if any(before[key] != now[key] for key in now if key != "kept"):
        sizes = [", ".join(f"{name} {size:,}" for name, size in each["sizes"].items()) for each in (before, now)]
        raise RunError(
            f"{directory}: the task's data has changed since the run started ({sizes[0]}; now {sizes[1]}), so training "
            "pairs may be in the test split. Restore the data, or start a new run."
        )


@contextlib.contextmanager
def _config_errors(config: Mapping[str, Any]) -> Iterator[None]:
    """Turn an error about an option into a `ConfigError` that names its file and line. Other errors pass unchanged."""
    try:
        yield
    except OptionError as error:
        raise ConfigError.at(error, getattr(config, "origins", {})) from error


def _named(prefix: str, metrics: Mapping[str, Any]) -> dict[str, float]:
    """The metrics among some values, by their names for trackers."""
    return {f"{prefix}/{name}": value for name, value in metrics.items() if name in metric.METRICS}


def predictions_table(data: Data | Series, outputs: Sequence[Any]) -> str:
    """The test split and its outputs side by side, as tab-separated text with a line for each pair (for each source, if
    all of its targets are right), or for each step of real values.
    """
    return "".join("\t".join(row) + "\n" for row in _predictions(data, outputs))


def _predictions(data: Data | Series, outputs: Sequence[Any]) -> Iterator[Sequence[str]]:
    """The rows of `predictions_table`."""
    if isinstance(data, Data):
        yield "source", "target", "output"
        answers = data.answers("test")
        references = [[data.target.split(target) for target in targets] for _, targets in answers]
        rows = zip(answers, nearest_references(references, outputs), outputs, strict=True)
        for (source, _), *tokens in rows:
            # A tab or a line break would end the column: it is written as two characters.
            texts = (source, *map(data.target.join, tokens))
            yield tuple(text.replace("\t", "\\t").replace("\n", "\\n") for text in texts)
        return
    rows = data.splits["test"]
    yield from table(data.target, outputs, [row.times for row in rows], [row.restore(row.target) for row in rows])


def _draw_series(data: Series, outputs: Sequence[Output]) -> Figure:
    """The first row of the test split, one in the middle and the last."""
    places = sorted({0, len(outputs) // 2, len(outputs) - 1})
    rows = [data.splits["test"][place] for place in places]
    shown = [outputs[place] for place in places]
    return trajectories(
        data.target,
        [row.restore(row.target) for row in rows],
        [output.values for output in shown],
        [row.past for row in rows],
        [[*output.quantiles.values()] for output in shown],
    )


def _draw_curves(history: list[dict[str, Any]], path: Path) -> None:
    """Draw the training loss and the first dev metrics against epochs."""
    figure = Figure(figsize=(6, 5), layout="constrained")
    above, below = figure.subplots(2, sharex=True)
    epochs = [record["epoch"] for record in history]
    above.plot(epochs, [record["loss"] for record in history], color="black", marker=".")
    known = [name for name in metric.METRICS if name in history[0]]
    generated = "exact_match" in known
    above.set_ylabel("training loss, nats a token" if generated or "perplexity" in known else "training loss")
    shown = ("exact_match", "token_error_rate") if generated else known[:1]
    for name, color, marker in zip(shown, ("#0072B2", "#D55E00"), "os", strict=False):
        values = [metric.METRICS[name].scale * record[name] for record in history]
        below.plot(epochs, values, color=color, marker=marker, label=metric.METRICS[name].label)
    below.set_ylabel("dev, generated, %" if generated else "dev")
    below.set_xlabel("epoch")
    below.set_ylim(bottom=0)
    below.xaxis.get_major_locator().set_params(integer=True)
    below.legend()
    figure.savefig(path, dpi=150)
