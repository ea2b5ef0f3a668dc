"""Shows the progress of a training: a line for each epoch, and on a terminal a bar below them."""

import time
from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from seq2seq_zoo.benchmark.board import duration
from seq2seq_zoo.metrics.metric import METRICS


class EpochLines(keras.callbacks.Callback):
    """Prints the progress of a training to a console.

    Use it as a context manager and as a Keras callback, and pass its `on_epoch` to the run.

    Args:
        console: where to print. Only a terminal gets the bar.
    """

    def __init__(self, console: Console):
        super().__init__()
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("preparing", total=None)
        self._steps = 0
        self._first = 0.0

    def __enter__(self) -> "EpochLines":
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def on_epoch(self, record: dict[str, Any], better: bool) -> None:
        """Print the line of an epoch that is finished and saved."""
        epochs, steps = self._size
        left = (epochs - record["epoch"]) * steps
        # The first step is left out: it is nearly all compilation.
        remaining = left * (time.monotonic() - self._first) / max(1, self._steps - 1)
        parts = [
            f"epoch {record['epoch']:{len(str(epochs))}} of {epochs}",
            f"loss {record['loss']:.4f}",
            f"dev: {', '.join(_shown(record))}",
            duration(record["seconds"]),
            *([f"about {duration(remaining)} left"] if left else []),
            *(["best"] if better else []),
        ]
        self._console.print("  ".join(parts), highlight=False, soft_wrap=True)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Move the bar to an epoch, counted from 0."""
        epochs, steps = self._size
        self._bar.update(self._task, total=steps * epochs, completed=steps * epoch)
        if not self._steps:
            self._bar.update(self._task, description="compiling")

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Move the bar by a step."""
        self._steps += 1
        if self._steps == 1:
            self._first = time.monotonic()
            self._bar.update(self._task, description="training")
        self._bar.advance(self._task)

    @property
    def _size(self) -> tuple[int, int]:
        """`(epochs, steps in each)`."""
        params: Any = self.params  # set by Keras when training starts
        return params["epochs"], params["steps"]


def _shown(record: dict[str, Any]) -> list[str]:
    """The dev metrics of an epoch, as many as fit in a line."""
    if "exact_match" in record:
        return [f"exact match {record['exact_match']:6.1%}", f"error rate {record['token_error_rate']:6.1%}"]
    known = [name for name in METRICS if name in record]
    return [f"{METRICS[name].label} {METRICS[name].shown(record[name])}" for name in known[:3]]
