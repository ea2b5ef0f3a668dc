"""Trackers: other programs that record a run and show it beside other runs.

A tracker records the configuration, the loss and the dev metrics of each epoch, and in the end the metrics of the best
model. Where it records them, its own settings say (environment variables, a login). Without any, nothing leaves the
machine.
"""

import abc
import contextlib
import importlib.util
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from seq2seq_zoo.config.registry import Registry
from seq2seq_zoo.system.files import write

Log = Callable[[Mapping[str, float], int], object]
"""Records some values, by name, at an epoch."""

IDS = "trackers.json"
"""The file in a run's directory with the id that each tracker gave the run, so that a resumed run stays one run."""


class TrackerError(RuntimeError):
    """A tracker that failed to record a run."""


class Tracker(abc.ABC):
    """A program that records runs. Abstract; each one is registered under its name, which is that of its package.

    Raises:
        ValueError: the package is not installed.
    """

    def __init__(self) -> None:
        if importlib.util.find_spec(self.name) is None:
            raise ValueError(
                f"{self.name} needs a package that is not installed. Run: pip install 'seq2seq-zoo[{self.name}]'"
            )

    @property
    def name(self) -> str:
        """The name under which it is registered."""
        return trackers.name_of(type(self))

    @abc.abstractmethod
    def record(self, directory: Path, config: Mapping[str, Any]) -> contextlib.AbstractContextManager[Log]:
        """Record a run for the duration of a block, which gets the function that records values.

        Args:
            directory: of the run.
            config: the resolved configuration of the run.
        """


trackers: Registry[Tracker] = Registry("tracker", base=Tracker)


@trackers.register("tensorboard", "TensorBoard: logs in the run's folder tensorboard/")
class TensorBoard(Tracker):
    """Scalars and hyperparameters, for `tensorboard --logdir runs`."""

    @contextlib.contextmanager
    def record(self, directory: Path, config: Mapping[str, Any]) -> Iterator[Log]:
        """Write event files."""
        from tensorboard.plugins.hparams import api
        from tensorboard.summary import Writer

        folder = str(directory / "tensorboard")
        hyperparameters = api.KerasCallback(folder, _flat(config))
        hyperparameters.on_train_begin()
        writer = Writer(folder)

        def log(values: Mapping[str, float], epoch: int) -> None:
            for name, value in values.items():
                writer.add_scalar(name, value, epoch)
            writer.flush()

        try:
            yield log
        finally:
            hyperparameters.on_train_end()
            writer.close()


@trackers.register("mlflow", "MLflow: at MLFLOW_TRACKING_URI, by default in the current folder")
class MLflow(Tracker):
    """Parameters and metrics of a run in the experiment that MLflow's own settings name."""

    @contextlib.contextmanager
    def record(self, directory: Path, config: Mapping[str, Any]) -> Iterator[Log]:
        """Record by MLflow's fluent functions. A run's parameters are those with which it started."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        import mlflow

        before = _ids(directory).get(self.name)
        with mlflow.start_run(before, run_name=None if before else directory.name, log_system_metrics=False) as run:
            if before is None:
                _keep_id(directory, self.name, run.info.run_id)
                mlflow.log_params(_flat(config))
            yield lambda values, epoch: mlflow.log_metrics(dict(values), step=epoch)


@trackers.register("wandb", "Weights & Biases: in the run's folder wandb/, offline unless WANDB_MODE is set")
class Wandb(Tracker):
    """Configuration and metrics of a run in the project that wandb's own settings name."""

    @contextlib.contextmanager
    def record(self, directory: Path, config: Mapping[str, Any]) -> Iterator[Log]:
        """Record by a wandb run. `wandb sync` uploads one that was offline."""
        os.environ.setdefault("WANDB_MODE", "offline")
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb

        before = _ids(directory).get(self.name)
        settings = wandb.Settings(silent=True, console="off")
        with wandb.init(
            config=dict(config), dir=directory, name=directory.name, id=before, resume="allow", settings=settings
        ) as run:
            _keep_id(directory, self.name, run.id)
            yield lambda values, epoch: run.log(dict(values), step=epoch)


@contextlib.contextmanager
def recorded(names: Any, directory: Path, config: Mapping[str, Any]) -> Iterator[Log]:
    """Record a run by several trackers.

    Raises:
        TrackerError: a tracker fails.
    """
    with contextlib.ExitStack() as stack:
        logs = {}
        for tracker in map(trackers.create, names):
            with _failures_of(tracker.name, directory):
                logs[tracker.name] = stack.enter_context(tracker.record(directory, config))

        def log(values: Mapping[str, float], epoch: int) -> None:
            for name, each in logs.items():
                with _failures_of(name, directory):
                    each(values, epoch)

        yield log


@contextlib.contextmanager
def _failures_of(name: str, directory: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # a server that is not there, no rights, or a full disk: each program has its own errors
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise TrackerError(
            f"The tracker {name} failed: {reason}. All finished epochs are saved in {directory}: mend the tracker's "
            f"settings, and continue with --resume {directory}."
        ) from error


def _ids(directory: Path) -> dict[str, str]:
    path = directory / IDS
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _keep_id(directory: Path, name: str, id: str) -> None:
    write(directory / IDS, json.dumps({**_ids(directory), name: id}) + "\n")


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The options of a configuration by their dotted keys; what is neither number nor text, as JSON."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value if isinstance(value, bool | int | float | str) else json.dumps(value)
    return flat
