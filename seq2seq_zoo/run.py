"""A run directory: one training from its configuration to its results, which a kill costs no finished epoch."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
from matplotlib.figure import Figure

from seq2seq_zoo import factory
from seq2seq_zoo.config import dump, read
from seq2seq_zoo.environment import environment
from seq2seq_zoo.evaluation import evaluate, perplexity
from seq2seq_zoo.files import whole
from seq2seq_zoo.model import Seq2Seq, load
from seq2seq_zoo.tasks.task import Data

CONFIG = "config.yaml"
EPOCHS = "epochs.jsonl"
LAST = "last.keras"
BEST = "best.keras"
METRICS = "metrics.json"
PREDICTIONS = "predictions.tsv"
CURVES = "curves.png"


class RunError(ValueError):
    """A run directory that cannot be used as asked."""


class Run:
    """A training in a directory of its own.

    The directory holds `config.yaml` (resolved), `source_vocabulary.json` and `target_vocabulary.json`, `epochs.jsonl` (a
    line an epoch), `last.keras` and `best.keras` (each a whole model), and in the end `metrics.json` (the best model on dev
    and test, with versions and machine), `predictions.tsv` (source, target and output of the test split) and `curves.png`.

    Use `Run.start` for a new directory and `Run.resume` for one that is there.

    Args:
        directory: where it lives.
        config: resolved.
    """

    def __init__(self, directory: Path, config: Mapping[str, Any]):
        self.directory = directory
        self.config = config

    @classmethod
    def start(cls, directory: str | os.PathLike[str], config: Mapping[str, Any]) -> "Run":
        """A new run.

        Raises:
            RunError: there is something in the directory already.
        """
        directory = Path(directory)
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise RunError(
                f"{directory} is there already and is not overwritten: give --out another name, or go on with it by --resume."
            )
        with whole(directory / CONFIG) as draft:
            draft.write_text(dump(config), encoding="utf-8")
        return cls(directory, config)

    @classmethod
    def resume(cls, directory: str | os.PathLike[str]) -> "Run":
        """The run in a directory, to go on from its last finished epoch.

        Raises:
            RunError: there is no run in the directory.
        """
        directory = Path(directory)
        if not (directory / CONFIG).exists():
            raise RunError(f"{directory} holds no run: expected {CONFIG} in it. Give a directory that `train` made.")
        return cls(directory, read(directory / CONFIG, factory.schema))

    def train(self, on_epoch: Callable[[dict[str, Any], bool], None] | None = None) -> dict[str, Any]:
        """Train to the end, from the last finished epoch on if there is one; then measure the best model.

        A run that was killed at any moment and goes on ends like one that was not. On the first Ctrl-C the epoch under way
        is given up and the run can go on later from the epoch before it.

        Args:
            on_epoch: called with each epoch's record and whether it is the best so far.

        Returns:
            What `metrics.json` holds.

        Raises:
            TrainingError: the loss is not a number any more; the last good checkpoints stay.
            KeyboardInterrupt: stopped by Ctrl-C; everything finished is saved.
        """
        data = factory.make_task(self.config).load()
        training = factory.make_training(self.config)
        seed = self.config["seed"]
        keras.utils.set_random_seed(seed)
        model, history = self._last()
        if model is None:
            model = factory.make_model(self.config, data)
            for side, vocabulary in (("source", data.source), ("target", data.target)):
                self._write(f"{side}_vocabulary.json", json.dumps(vocabulary.get_config(), ensure_ascii=False) + "\n")
        records = list(history)

        def save(model: Seq2Seq, record: dict[str, Any], better: bool) -> None:
            # `last.keras` goes last, since it tells which epochs are finished: killed before it, the epoch is run again.
            records.append(record)
            self._write(EPOCHS, "".join(json.dumps(each) + "\n" for each in records))
            for name in (BEST, LAST) if better else (LAST,):
                with whole(self.directory / name) as draft:
                    model.save(draft)
            if on_epoch is not None:
                on_epoch(record, better)

        callbacks = [keras.callbacks.TensorBoard(self.directory / "tensorboard")] if training.tensorboard else []
        history = training.fit(model, data, seed, history, save, callbacks)
        return self._measure(load(self.directory / BEST), data, history)

    def _last(self) -> tuple[Seq2Seq | None, list[dict[str, Any]]]:
        """The model after its last finished epoch, and the records of the finished epochs."""
        if not (self.directory / LAST).exists():
            return None, []
        model = load(self.directory / LAST)
        lines = (self.directory / EPOCHS).read_text(encoding="utf-8").splitlines()
        records = [json.loads(line) for line in lines]
        return model, [record for record in records if record["steps"] <= int(model.optimizer.iterations)]

    def _measure(self, model: Seq2Seq, data: Data, history: list[dict[str, Any]]) -> dict[str, Any]:
        """Dev and test of the best model, the predictions, the curves."""
        measured: dict[str, Any] = {
            "epochs": len(history),
            "seconds": history[-1]["seconds"],
            "parameters": model.count_params(),
        }
        for split in ("dev", "test"):
            pairs = data.splits[split]
            metrics, outputs = evaluate(model, pairs)
            measured[split] = {**metrics, "perplexity": perplexity(model, pairs)}
        rows = [(*pair, data.target.join(output)) for pair, output in zip(pairs, outputs, strict=True)]
        self._write(PREDICTIONS, "".join("\t".join(row) + "\n" for row in [("source", "target", "output"), *rows]))
        with whole(self.directory / CURVES) as draft:
            _draw_curves(history, draft)
        measured |= environment()
        self._write(METRICS, json.dumps(measured, indent=2, ensure_ascii=False) + "\n")
        return measured

    def _write(self, name: str, text: str) -> None:
        with whole(self.directory / name) as draft:
            draft.write_text(text, encoding="utf-8")


def _draw_curves(history: list[dict[str, Any]], path: Path) -> None:
    """Training loss, and the dev split's exact match and error rate, against epochs."""
    figure = Figure(figsize=(6, 5), layout="constrained")
    above, below = figure.subplots(2, sharex=True)
    epochs = [record["epoch"] for record in history]
    above.plot(epochs, [record["loss"] for record in history], color="black", marker=".")
    above.set_ylabel("training loss, nats a symbol")
    for metric, color, marker in (("exact_match", "#0072B2", "o"), ("symbol_error_rate", "#D55E00", "s")):
        percents = [100 * record[metric] for record in history]
        below.plot(epochs, percents, color=color, marker=marker, label=metric.replace("_", " "))
    below.set_ylabel("dev, generated, %")
    below.set_xlabel("epoch")
    below.set_ylim(bottom=0)
    below.xaxis.get_major_locator().set_params(integer=True)
    below.legend()
    figure.savefig(path, dpi=150)
