"""The search for the best setting of one configuration: a study that may be shared, and an executor for its trials."""

import hashlib
import json
import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq_zoo.benchmark import studies
from seq2seq_zoo.benchmark.executor import Cell, Event, Executor
from seq2seq_zoo.config.options import Option, OptionError, errors_at, options_of
from seq2seq_zoo.config.reader import dump, read
from seq2seq_zoo.config.schema import Config, ConfigError, Schema, plain
from seq2seq_zoo.config.space import resolve_space, with_values
from seq2seq_zoo.experiment import factory
from seq2seq_zoo.experiment.run import load_data
from seq2seq_zoo.system.files import shared_lock, write
from seq2seq_zoo.system.interrupt import postponed
from seq2seq_zoo.training.evaluation import monitorable_metrics

CELL_FUNCTION = "seq2seq_zoo.benchmark.cell:run_trial"
JOURNAL = "trials.jsonl"
BEST = "best.yaml"
LOCK = ".lock"

SEARCH = Option("search", dict[str, Any] | None, None, "the values to search among, for options by their dotted keys.")
"""The section of a search space."""


class StorageError(ValueError):
    """A storage that cannot be opened or used."""


@dataclass(frozen=True)
class Search:
    """A configuration, and what to search for in it.

    Args:
        name: the name of the study: that of the configuration, and a hash of everything that its trials depend on.
        given: the configuration without defaults.
        tune: the arguments of `Tune`, with a resolved space.
        metric: the dev metric by which trials are compared.
    """

    name: str
    given: dict[str, Any]
    tune: dict[str, Any]
    metric: str


def read_search(
    path: str | os.PathLike[str],
    space: str | os.PathLike[str] | None,
    tune: Mapping[str, Any],
    overrides: Sequence[str] = (),
) -> Search:
    """Read a configuration with a search space, and refuse what cannot be trained.

    Args:
        path: the file of the configuration.
        space: a file with the section `search`; `None` if it is in the configuration.
        tune: the arguments of `Tune` without the space.
        overrides: changes of the configuration such as "decoder.units=256".

    Raises:
        ConfigError: the first mistake.
    """
    found = read(path, _WithSearch(), overrides)
    search = found
    if space is not None:
        if found["search"] is not None:
            raise ConfigError(f"{path}: search: the section is in {space} as well: leave out one of them.")
        search = read(space, Schema({"search": SEARCH}))
    given, metric = found["given"], _metric(Config(found["config"], found.origins))
    fixed = {"seed": "each trial has a seed of its own", "training.monitor": "it is the score of a trial"}
    try:
        resolved = resolve_space(search["search"], given, factory.schema, fixed)
        arguments = Schema(options_of(studies.Tune)).resolve({**tune, "space": resolved})
        with errors_at("search"):
            studies.number_of_trials(arguments)
    except OptionError as error:
        raise ConfigError.at(error, search.origins) from None
    # Another configuration or space is another study. More trials, or another sampler, continue it.
    contents = json.dumps([given, resolved, arguments["seed"]], sort_keys=True)
    name = f"{Path(path).stem}-{hashlib.sha256(contents.encode()).hexdigest()[:6]}"
    return Search(name, given, arguments, metric)


def run_search(
    search: Search,
    directory: str | os.PathLike[str],
    executor: Executor,
    on_end: Callable[[Event], None],
    storage: str | None = None,
) -> tuple[list[studies.Trial], studies.Trial]:
    """Run the trials of a search that have not run yet, and write the best configuration to `best.yaml`.

    Args:
        search: the search.
        directory: the directory for the trials; an earlier run in it is continued.
        executor: runs the trainings of the trials, with the cell function `CELL_FUNCTION`. Only this process has the
            study.
        on_end: called with each last event of the executor; the `result` of `finished` is a trial, or empty if another
            process has started the last one.
        storage: an Optuna storage URL; a journal in the directory if not given.

    Returns:
        All trials, and the best one.

    Raises:
        StorageError: the storage cannot be opened or used.
        TuningError: no trial was trained to its end.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    with _storage_errors("opened"):
        opened = studies.open_storage(storage or str(directory / JOURNAL))
        study = studies.open_study(opened, search.name, search.metric, search.tune)
    # Heartbeats tell which trials in a database are alive; for a journal, the lock does.
    with (
        shared_lock(directory / LOCK, lambda: None if storage else studies.retry_running(study)),
        _storage_errors("used"),
    ):
        left, count = studies.trials_left(study, search.tune), studies.number_of_trials(search.tune)
        cell = {"question": search.name, "x": None, "mode": None, "given": search.given, "metric": search.metric}
        cells: list[Cell] = [
            {"id": f"{search.name}-{number}", **cell, "asks": True} for number in range(count - left, count)
        ]
        running: dict[str, _Trial] = {}

        def answer(event: Event) -> Any:
            identity, record = event["id"], event["progress"].get("record")
            if record is not None:
                return running[identity].stops_after(record)
            if not studies.trials_left(study, search.tune):
                return None
            running[identity] = _Trial(search, opened)
            return running[identity].start()

        with closing(executor.run(cells, directory, answer)) as events:
            for event in events:
                if event["event"] not in ("finished", "failed"):
                    continue
                with postponed():  # a trial is recorded and shown, or none of it
                    if event["id"] in running:
                        event = {"event": "finished", "result": running.pop(event["id"]).end(event)}
                    on_end(event)
    best = studies.best_trial(study, search.tune["space"])
    write(directory / BEST, dump(with_values(search.given, best["params"], factory.schema)))
    return studies.trials(study, search.tune["space"]), best


class _Trial:
    """A trial of a study whose training runs in a cell: Optuna runs it in a thread, which waits for the training.

    Args:
        search: the search.
        storage: an Optuna storage.
    """

    def __init__(self, search: Search, storage: Any):
        self._search = search
        self._storage = storage
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def start(self) -> dict[str, Any]:
        """Start the trial. Returns its `setting` and `seed`."""
        threading.Thread(target=self._run, daemon=True).start()
        return self._answer()

    def stops_after(self, record: dict[str, Any]) -> bool:
        """Report the record of an epoch. Returns whether the pruner stops the trial."""
        self._events.put(record)
        return self._answer()

    def end(self, event: Event) -> studies.Trial:
        """End the trial with the last event of its cell."""
        self._events.put(event)
        return self._answer()

    def _answer(self) -> Any:
        answer = self._answers.get()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _run(self) -> None:
        search = self._search
        try:
            study = studies.open_study(self._storage, search.name, search.metric, search.tune)
            self._answers.put(studies.run_trial(study, search.tune, self._train, search.metric))
        except Exception as error:
            self._answers.put(error)

    def _train(self, setting: dict[str, Any], seed: int, on_epoch: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        self._answers.put({"setting": setting, "seed": seed})
        while "event" not in (event := self._events.get()):
            try:
                on_epoch(event)
            except Exception:  # the pruner stops it
                self._answers.put(True)
                self._events.get()
                raise
            self._answers.put(False)
        if event["event"] == "failed":
            raise RuntimeError(event["reason"])
        if "diverged" in event["result"]:
            raise studies.Diverged(event["result"]["diverged"])
        return event["result"]["best"]


class _WithSearch(Schema):
    """A configuration that may have the section `search`. It resolves to `config`, resolved; `given`, without defaults;
    and `search`, unchecked.
    """

    def __init__(self):
        super().__init__({**factory.schema.sections, "search": SEARCH})

    def resolve(self, given: Any) -> dict[str, Any]:
        search = super().resolve(given)["search"]
        given = {key: value for key, value in plain(given).items() if key != "search"}
        return {"config": factory.schema.resolve(given), "given": given, "search": search}


def _metric(config: Config) -> str:
    """The dev metric by which trials are compared."""
    data = load_data(config)
    try:
        studies.require_one_device(config)
        training, model = factory.make_training(config), factory.make_model(config, data)
        with errors_at("training"):
            training.check(model, data)
    except OptionError as error:
        raise ConfigError.at(error, config.origins) from None
    return training.monitor or monitorable_metrics(model, data)[0]


@contextmanager
def _storage_errors(done: str) -> Iterator[None]:
    """Turn the errors of a database into one line, without its URL, which may have a password.

    Args:
        done: what cannot be done with it: "opened" or "used".
    """
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, ImportError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise StorageError(
            f"The storage cannot be {done}: {reason}. Expected a URL of an SQLAlchemy database whose driver is "
            "installed, such as sqlite:///trials.db."
        ) from None
