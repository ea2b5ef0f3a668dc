"""What a suite will take: from the recorded times of its cells, or from a calibration of a few seconds."""

import contextlib
import dataclasses
import heapq
import json
import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from seq2seq_zoo.benchmark.board import duration
from seq2seq_zoo.benchmark.cell import fresh_model, load_texts
from seq2seq_zoo.benchmark.executor import Executor
from seq2seq_zoo.benchmark.plots import number
from seq2seq_zoo.benchmark.records import Record, read_records
from seq2seq_zoo.benchmark.studies import number_of_trials
from seq2seq_zoo.benchmark.suite import Cell, Suite
from seq2seq_zoo.data.published import paths_in, require
from seq2seq_zoo.experiment import factory
from seq2seq_zoo.tasks.task import Data
from seq2seq_zoo.training.evaluation import evaluate_generation

CELL_FUNCTION = "seq2seq_zoo.benchmark.cost:measure"
"""What measures a kind of cell."""

SECONDS = 1.0
"""How long the steps of a calibration take, after the first one."""

ROWS = 256
"""How many texts are generated at once, in an evaluation and in a calibration."""


class CostError(RuntimeError):
    """A cell that cannot be measured."""


@dataclass(frozen=True)
class Kind:
    """The cells that differ in their seed alone; or one study.

    Args:
        cells: the cells.
        finished: how many of them have finished.
        each: the seconds of a training.
        once: the seconds that compilation adds: to each trial of a study, and to the first of the other cells.
        recorded: whether the seconds are those of finished cells.
    """

    cells: Sequence[Cell]
    finished: int
    each: float
    once: float = 0.0
    recorded: bool = False

    @property
    def trials(self) -> int:
        """The number of trials, if this is a study."""
        return number_of_trials(self.cells[0]["tune"]) if "tune" in self.cells[0] else 0

    @property
    def waiting(self) -> list[float]:
        """The seconds of each cell that has not finished."""
        left = len(self.cells) - self.finished
        if self.trials:
            return [self.trials * (self.once + self.each)] * left
        return [self.each + self.once * (not index) for index in range(left)]


# === In this process ===


def dry_run(suite: Suite, directory: str | os.PathLike[str], executor: Executor, workers: int) -> list[str]:
    """What `benchmark --dry-run` prints: the cells, their estimated time, and what the estimate is based on.

    Args:
        suite: the suite.
        directory: the directory of the run, which may not exist yet; it is only read.
        executor: see `estimate_kinds`.
        workers: how many cells the run will train at once.

    Raises:
        CostError: a cell cannot be measured.
        DataFileError: the published data that the suite needs are not there.
        RecordError: the records cannot be read.
    """
    if suite.data is not None:
        require(suite.data)
    kinds, spent = estimate_kinds(suite, read_records(directory), executor)
    return _lines(suite, kinds, workers, spent)


def estimate_kinds(suite: Suite, records: Iterable[Record], executor: Executor) -> tuple[list[Kind], float]:
    """The kinds of cells of a suite, with the seconds that each takes.

    Args:
        suite: the suite.
        records: the records of cells that have ended.
        executor: measures cells, with the cell function `CELL_FUNCTION`, and with as many workers as the run will have,
            since they share the machine.

    Returns:
        The kinds, and the seconds that the calibration took.

    Raises:
        CostError: a cell cannot be measured.
    """
    kinds: dict[str, list[Cell]] = {}
    for cell in suite.cells:
        kinds.setdefault(_kind(cell), []).append(cell)
    known = {record["id"]: record for record in records if record["status"] == "ok"}
    done = {kind: [known[cell["id"]] for cell in cells if cell["id"] in known] for kind, cells in kinds.items()}
    recorded = {kind: _recorded_seconds(found) for kind, found in done.items() if found}
    started = time.monotonic()
    measured = _calibrate([cells[0] for kind, cells in kinds.items() if kind not in recorded], executor)
    spent = time.monotonic() - started if measured else 0.0
    return [
        Kind(cells, len(done[kind]), recorded[kind], recorded=True)
        if kind in recorded
        else Kind(cells, 0, *measured[cells[0]["id"]])
        for kind, cells in kinds.items()
    ], spent


def _kind(cell: Cell) -> str:
    return json.dumps([cell["question"], cell["x"], cell["mode"], "tune" in cell])


def _recorded_seconds(records: Sequence[Record]) -> float:
    """The mean seconds of a training in finished cells."""
    trainings = sum(len(record["trials"]) if "trials" in record else 1 for record in records)
    return sum(record["seconds"]["cell"] for record in records) / trainings


def _calibrate(cells: Sequence[Cell], executor: Executor) -> dict[str, tuple[float, float]]:
    """For each cell, by its id, the seconds of a training and of compilation.

    Cells that differ in their task alone are measured together.
    """
    shapes: dict[str, list[Cell]] = {}
    for cell in cells:
        shape = {key: value for key, value in cell["config"].items() if key not in ("task", "seed")}
        shapes.setdefault(json.dumps(shape, sort_keys=True), []).append(cell)
    alike = {group[0]["id"]: group for group in shapes.values()}
    asked = [{**group[0], "tasks": [cell["config"]["task"] for cell in group]} for group in shapes.values()]
    found: dict[str, tuple[float, float]] = {}
    if not asked:
        return found
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(executor.run(asked, Path(folder))) as events:
        for event in events:
            if event["event"] == "failed":
                raise CostError(f"{event['id']} cannot be measured: {event['reason']}")
            if event["event"] == "finished":
                result = event["result"]
                for cell, seconds in zip(alike[event["id"]], result["each"], strict=True):
                    found[cell["id"]] = seconds, result["once"]
    return found


def wall_time(kinds: Iterable[Kind], workers: int) -> float:
    """The seconds until all cells have finished: first the studies, then the others, each on the first free worker."""
    kinds, now = list(kinds), 0.0
    for studies in (True, False):
        free = [now] * workers
        for seconds in (each for kind in kinds if (kind.trials > 0) == studies for each in kind.waiting):
            heapq.heapreplace(free, free[0] + seconds)
        now = max(free)
    return now


def _lines(suite: Suite, kinds: Sequence[Kind], workers: int, spent: float) -> list[str]:
    """A table of the kinds, the whole time, and where the estimates come from."""
    rows = [("question", "x", "mode", "cells", "finished", "each", "left")]
    for kind in kinds:
        cell = kind.cells[0]
        cells = f"{kind.trials} trials" if kind.trials else f"seeds {', '.join(str(c['seed']) for c in kind.cells)}"
        x = "" if cell["x"] is None else number(cell["x"])
        left = duration(sum(kind.waiting)) if kind.waiting else "nothing"
        rows.append((cell["question"], x, cell["mode"], cells, str(kind.finished), duration(kind.each), left))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    shown = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    total = f"{len(suite.cells)} cells, {sum(kind.finished for kind in kinds)} finished."
    left = [kind for kind in kinds if kind.waiting]
    if not left:
        return [*shown, "", total]
    seconds, whole = sum(sum(kind.waiting) for kind in left), wall_time(left, workers)
    workers_named = f"{workers} {'worker' if workers == 1 else 'workers'}"
    total += f" Left: {duration(seconds)} of training, about {duration(whole)} with {workers_named}."
    return [*shown, "", total, _basis(left, spent)]


def _basis(kinds: Sequence[Kind], spent: float) -> str:
    found, bound = [], ""
    if any(kind.recorded for kind in kinds):
        found.append("finished cells of the same question, x and mode")
    if not all(kind.recorded for kind in kinds):
        found.append(
            f"a calibration, which took {duration(spent)}: some training steps and the generation of up to {ROWS} dev "
            "texts, once for all cells that differ in their task alone, with the load that this machine has now"
        )
        bound = " Each training is counted to its last epoch; patience and pruning save time."
    return f"Basis: {'; '.join(found)}.{bound}"


# === In a worker ===


def measure(cell: Mapping[str, Any], progress: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """Measure what a training of a cell costs: some steps, and the generation of a few texts of dev.

    Args:
        cell: a cell with `tasks`, those of all cells that differ from it in their task alone. The task with the longest
            texts is measured. For the others, a step costs as much less as their texts are shorter.
        progress: never called.

    Returns:
        `each`, the seconds of a training with each of the tasks; and `once`, the seconds of compilation.
    """
    training = factory.make_training(cell["config"])
    with paths_in(cell.get("data")):
        every = [load_texts(json.dumps(task)) for task in cell["tasks"]]

    def positions(data: Data) -> float:
        lengths = np.sort(data.lengths("train").sum(axis=1))
        shapes = np.array_split(lengths, training.buckets_for(data))
        return statistics.fmean(float(shape[-1]) for shape in shapes if len(shape))

    longest = max(range(len(every)), key=lambda index: positions(every[index]))
    data, config = every[longest], {**cell["config"], "task": cell["tasks"][longest]}
    few = dataclasses.replace(data, splits={**data.splits, "dev": data.splits["dev"][:ROWS]})
    started = time.perf_counter()
    model = fresh_model(config, few, training)
    answers = few.answers("dev")
    evaluate_generation(model, answers)
    searching = time.perf_counter() - started
    clock = _Clock(training.buckets_for(data))
    training.fit(model, few, config["seed"], callbacks=[clock])
    started = time.perf_counter()
    _, outputs = evaluate_generation(model, answers)
    generated = time.perf_counter() - started
    # A model that has not learned to end generates up to the greatest length; a trained one, as much as the targets.
    most = model.decoder.max_length
    position = generated / min(most, max(map(len, outputs)) + 1)

    def generation(data: Data, split: str) -> float:
        longest = min(most, int(data.lengths(split)[:, 1].max()) + 1)
        return position * longest * math.ceil(len(data.splits[split]) / ROWS)

    def seconds(other: Data) -> float:
        dev, test = generation(other, "dev"), generation(other, "test")
        steps = training.steps_per_epoch or math.ceil(len(other.splits["train"]) / training.batch_size)
        step = clock.step * positions(other) / positions(data)
        # On test, the texts are generated twice: for the scores, and for their time.
        return training.epochs * (steps * step + dev) + dev + 2 * test

    shapes = training.buckets_for(data) if model.jit_compile is True else 1
    once = max(0.0, searching - generated) + shapes * clock.steps[0]
    return {"each": [seconds(each) for each in every], "once": once}


class _Clock(keras.callbacks.Callback):
    """Has the seconds of each step of a training, and ends it when there are enough.

    Args:
        shapes: the number of shapes of batches. The first step of each is slow, since its code is compiled.
    """

    def __init__(self, shapes: int):
        super().__init__()
        self._started = 0.0
        self._least = 2 * shapes + 3
        self.steps: list[float] = []

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.steps.append(time.perf_counter() - self._started)
        if len(self.steps) >= self._least and sum(self._compiled) > SECONDS:
            self.model.stop_training = True

    @property
    def step(self) -> float:
        """The mean seconds of a step whose code is compiled."""
        return statistics.fmean(self._compiled)

    @property
    def _compiled(self) -> list[float]:
        steps = self.steps[1:] or self.steps
        return [step for step in steps if step <= 10 * statistics.median(steps)]
