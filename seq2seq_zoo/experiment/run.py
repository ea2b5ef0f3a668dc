"""A run directory: one training from its configuration to its results, which a kill costs no finished epoch."""

import contextlib
import hashlib
import importlib.util
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
from seq2seq_zoo.data.pairs import DataFileError
from seq2seq_zoo.experiment import factory
from seq2seq_zoo.figures import image, trajectories
from seq2seq_zoo.metrics.metric import METRICS as KNOWN
from seq2seq_zoo.models.loading import load
from seq2seq_zoo.system.environment import environment
from seq2seq_zoo.system.files import atomic_path, write
from seq2seq_zoo.system.interrupt import interruptible
from seq2seq_zoo.tasks.task import Data, Row, Series
from seq2seq_zoo.training.evaluation import evaluate_fully
from seq2seq_zoo.training.real_values import Output, table
from seq2seq_zoo.training.training import TrainingError

CONFIG = "config.yaml"
DATA = "data.json"
EPOCHS = "epochs.jsonl"
LAST = "last.keras"
BEST = "best.keras"
METRICS = "metrics.json"
PREDICTIONS = "predictions.tsv"
CURVES = "curves.png"
SERIES = "series.png"


class RunError(ValueError):
    """A run directory that cannot be used as asked."""


class Run:
    """A training in a directory of its own.

    The directory holds `config.yaml` (resolved), `data.json` (by which the same data is known again, and what reads
    further files), `source_vocabulary.json` and `target_vocabulary.json`, `epochs.jsonl` (a line an epoch),
    `last.keras` and `best.keras` (each a whole model), and in the end `metrics.json` (the best model on dev and test,
    with versions and machine), `predictions.tsv` (source, target and output of the test split), `curves.png` and, of
    real values, `series.png` (a few rows of the test split).

    Use `Run.start` for a new directory and `Run.resume` for one that is there.

    Args:
        directory: where it lives.
        config: resolved.

    Attributes:
        data: the task's.
        model: as it stands after the last epoch of `history`.
        history: one record for each finished epoch.
        notes: what is pretrained of the model, a line a part; of a run that goes on, nothing.

    Raises:
        ConfigError: the task's data cannot be had, or no model can be made, with this configuration.
    """

    def __init__(self, directory: Path, config: Mapping[str, Any]):
        self.directory = directory
        self.config = config
        self.history: list[dict[str, Any]] = []
        self.notes: list[str] = []
        with _config_errors(config):
            self.training = factory.make_training(config)
            if self.training.tensorboard and importlib.util.find_spec("tensorboard") is None:
                raise OptionError(
                    ("training", "tensorboard"),
                    "needs a package that is not installed. Run: pip install 'seq2seq-zoo[tensorboard]'",
                )
            keras.utils.set_random_seed(config["seed"])
            self.data = load_data(config)
            self.metrics = factory.make_metrics(config, self.data)
            if (directory / LAST).exists():
                self.model = load(directory / LAST)
                self._continue()
            else:
                self.model = factory.make_model(config, self.data)
                pretrained = factory.make_pretrained(config)
                with errors_at("pretrained"):
                    self.notes = pretrained.into(self.model)
            with errors_at("training"):
                self.training.check(self.model, self.data)

    @classmethod
    def start(cls, directory: str | os.PathLike[str], config: Mapping[str, Any]) -> "Run":
        """A new run.

        Raises:
            RunError: there is something in the directory already.
        """
        directory = Path(directory)
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise RunError(
                f"{directory} is there already and is not overwritten: give another name with --out, "
                f"or go on with it by --resume {directory}."
            )
        run = cls(directory, config)
        run._write(CONFIG, dump(config))
        run._write(DATA, json.dumps(_summary(run.data), ensure_ascii=False) + "\n")
        if isinstance(run.data, Data):
            for side, vocabulary in (("source", run.data.source), ("target", run.data.target)):
                run._write(f"{side}_vocabulary.json", json.dumps(vocabulary.get_config(), ensure_ascii=False) + "\n")
        return run

    @classmethod
    def resume(cls, directory: str | os.PathLike[str]) -> "Run":
        """The run in a directory, to go on from its last finished epoch.

        Raises:
            RunError: there is no run in the directory, or its data has changed.
        """
        directory = Path(directory)
        config = read_config(directory)
        # What a kill in the middle of writing left behind.
        for name in (EPOCHS, LAST, BEST, METRICS, PREDICTIONS, CURVES, SERIES):
            for draft in directory.glob(f".{name}.*"):
                shutil.rmtree(draft)
        return cls(directory, config)

    def train(
        self,
        on_epoch: Callable[[dict[str, Any], bool], None] | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> dict[str, Any]:
        """Train to the end, from the last finished epoch on if there is one; then measure the best model.

        A run that was stopped at any moment, by Ctrl-C or a kill, and goes on ends like one that was not: the epoch
        under way is given up and begun again.

        Args:
            on_epoch: called with each epoch's record and whether it is the best so far, once it is saved.
            callbacks: further Keras callbacks.

        Returns:
            What `metrics.json` holds.

        Raises:
            TrainingError: the loss is not a number any more; the last good checkpoints stay.
        """

        def save(model: Any, record: dict[str, Any], better: bool) -> None:
            # `last.keras` goes last, since it tells which epochs are finished: killed before it, one is run again.
            self._write(EPOCHS, "".join(json.dumps(each) + "\n" for each in [*self.history, record]))
            for name in (BEST, LAST) if better else (LAST,):
                with atomic_path(self.directory / name) as draft:
                    model.save(draft)
            self.history.append(record)
            if on_epoch is not None:
                on_epoch(record, better)

        with interruptible() as check:
            callbacks = [*callbacks, keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: check())]
            if self.training.tensorboard:
                callbacks.append(keras.callbacks.TensorBoard(str(self.directory / "tensorboard")))
            try:
                self.training.fit(self.model, self.data, self.config["seed"], self.history, save, callbacks)
            except TrainingError as error:
                kept = f" The model of epoch {len(self.history)} is kept in {self.directory}." if self.history else ""
                raise TrainingError(f"{error}{kept}") from None
            return self._measure(load(self.directory / BEST))

    def _continue(self) -> None:
        """The records of the epochs that the loaded model has been through."""
        _require_same(self.directory, self.data)
        lines = (self.directory / EPOCHS).read_text(encoding="utf-8").splitlines()
        steps = int(self.model.optimizer.iterations)
        self.history = [record for record in map(json.loads, lines) if record["steps"] <= steps]

    def _measure(self, model: Any) -> dict[str, Any]:
        """Dev and test of the best model, the predictions, the curves."""
        measured: dict[str, Any] = {
            "epochs": len(self.history),
            "seconds": self.history[-1]["seconds"],
            "parameters": model.count_params(),
        }
        for split in ("dev", "test"):
            measured[split], outputs = evaluate_fully(model, self.data, split, self.metrics)
        if outputs:
            self._write(PREDICTIONS, "".join("\t".join(row) + "\n" for row in _predictions(self.data, outputs)))
        if isinstance(self.data, Series):
            write(self.directory / SERIES, image(_draw_series(self.data, outputs)))
        with atomic_path(self.directory / CURVES) as draft:
            _draw_curves(self.history, draft)
        measured |= environment()
        self._write(METRICS, json.dumps(measured, indent=2, ensure_ascii=False) + "\n")
        return measured

    def _write(self, name: str, text: str) -> None:
        with atomic_path(self.directory / name) as draft:
            draft.write_text(text, encoding="utf-8")


def read_config(directory: str | os.PathLike[str]) -> dict[str, Any]:
    """The resolved configuration of a run.

    Raises:
        RunError: there is no run in the directory.
    """
    path = Path(directory, CONFIG)
    if not path.exists():
        raise RunError(f"{Path(directory)} holds no run: expected {CONFIG} in it. Give a directory that `train` made.")
    return read(path, factory.schema)


def load_data(config: Mapping[str, Any]) -> Any:
    """The data of a resolved configuration's task.

    Raises:
        ConfigError: the task refuses its arguments, or its data cannot be read.
    """
    with _config_errors(config):
        task = factory.make_task(config)
        with errors_at("task", refusals=DataFileError):
            return task.load()


def read_data(directory: str | os.PathLike[str]) -> Any:
    """The data of a run, if it is what the run began with.

    Raises:
        RunError: there is no run in the directory, or its data has changed.
        ConfigError: the data cannot be read.
    """
    data = load_data(read_config(directory))
    _require_same(Path(directory), data)
    return data


def read_rows(directory: str | os.PathLike[str], file: str | os.PathLike[str]) -> tuple[list[str], Sequence[Row]]:
    """The names of a run's targets, and the rows of a further file, whose targets are not known; the run's own data is
    not asked for.

    Raises:
        RunError: there is no run in the directory.
        DataFileError: the file cannot be read, or the task reads none.
    """
    task = factory.make_task(read_config(directory))
    summary = json.loads(Path(directory, DATA).read_text(encoding="utf-8"))
    return summary["target"], task.read_rows(file, summary["kept"])


def _summary(data: Data | Series) -> dict[str, Any]:
    """What is kept of a run's data: how it is known again, and what reads further files."""
    summary: dict[str, Any] = {"sizes": {split: len(rows) for split, rows in data.splits.items()}}
    if isinstance(data, Series):
        # Not the values, of which another machine may round some otherwise.
        return {**summary, "source": [*data.source], "target": [*data.target], "kept": data.kept}
    digest = hashlib.sha256()
    for vocabulary in (data.source, data.target):
        digest.update(json.dumps(vocabulary.get_config()).encode())
    for split in ("dev", "test"):
        for pair in data.splits[split]:
            digest.update("\t".join((*pair, "\n")).encode())
    return {**summary, "digest": digest.hexdigest()}


def _require_same(directory: Path, data: Data | Series) -> None:
    """Raise if a run's data is not what it began with: what was train may be test now."""
    began, now = json.loads((directory / DATA).read_text(encoding="utf-8")), _summary(data)
    if any(began[key] != now[key] for key in now if key != "kept"):
        sizes = [", ".join(f"{name} {size:,}" for name, size in each["sizes"].items()) for each in (began, now)]
        raise RunError(
            f"{directory}: the task's data is not what it was when the run began ({sizes[0]}; now {sizes[1]}), so what "
            "was trained on may be tested on. Put the data back as it was, or begin a new run."
        )


@contextlib.contextmanager
def _config_errors(config: Mapping[str, Any]) -> Iterator[None]:
    """Turn an error about an option into a `ConfigError` that names its file and line. Other errors pass unchanged."""
    try:
        yield
    except OptionError as error:
        raise ConfigError.at(error, getattr(config, "origins", {})) from error


def _predictions(data: Data | Series, outputs: Sequence[Any]) -> Iterator[Sequence[str]]:
    """The lines of a table of the test split and what was said to it; of real values a line a step."""
    if isinstance(data, Data):
        yield "source", "target", "output"
        for pair, output in zip(data.splits["test"], outputs, strict=True):
            # A tab in a text is written as two characters, since it ends a column here.
            yield tuple(text.replace("\t", "\\t") for text in (*pair, data.target.join(output)))
        return
    yield from table(data.target, outputs, data.splits["test"])


def _draw_series(data: Series, outputs: Sequence[Output]) -> Figure:
    """The first row of the test split, one in the middle and the last."""
    places = sorted({0, len(outputs) // 2, len(outputs) - 1})
    rows, chosen = [data.splits["test"][place] for place in places], [outputs[place] for place in places]
    return trajectories(
        data.target,
        [row.restore(row.target) for row in rows],
        [output.values for output in chosen],
        [row.past for row in rows],
        [[*output.quantiles.values()] for output in chosen],
    )


def _draw_curves(history: list[dict[str, Any]], path: Path) -> None:
    """Training loss, and what the dev split was judged by, against epochs."""
    figure = Figure(figsize=(6, 5), layout="constrained")
    above, below = figure.subplots(2, sharex=True)
    epochs = [record["epoch"] for record in history]
    above.plot(epochs, [record["loss"] for record in history], color="black", marker=".")
    known = [name for name in KNOWN if name in history[0]]
    generated = "exact_match" in known
    above.set_ylabel("training loss, nats a token" if generated or "perplexity" in known else "training loss")
    shown = ("exact_match", "token_error_rate") if generated else known[:1]
    for name, color, marker in zip(shown, ("#0072B2", "#D55E00"), "os", strict=False):
        values = [KNOWN[name].scale * record[name] for record in history]
        below.plot(epochs, values, color=color, marker=marker, label=KNOWN[name].label)
    below.set_ylabel("dev, generated, %" if generated else "dev")
    below.set_xlabel("epoch")
    below.set_ylim(bottom=0)
    below.xaxis.get_major_locator().set_params(integer=True)
    below.legend()
    figure.savefig(path, dpi=150)
