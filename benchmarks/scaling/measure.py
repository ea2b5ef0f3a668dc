"""Measure how a suite scales with Ray, and fit the model of docs/scaling.md to it.

    python benchmarks/scaling/measure.py

The quick form of the default suite runs with one and with two workers, as local processes and on Ray, each with one
thread. Then cells that do nothing run on Ray: what a cell costs besides its training. A model of these times gives the
table beyond this machine.
"""

import argparse
import heapq
import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before the backend

from rich.console import Console

from seq2seq_zoo.benchmark import executor as executors
from seq2seq_zoo.benchmark import ray_cluster, runner
from seq2seq_zoo.benchmark.cell import match_parameters
from seq2seq_zoo.benchmark.executor import Executor, LocalProcesses
from seq2seq_zoo.benchmark.ray_tasks import RayTasks
from seq2seq_zoo.benchmark.records import read_records
from seq2seq_zoo.benchmark.suite import read_suite
from seq2seq_zoo.experiment import factory
from seq2seq_zoo.system.environment import environment
from seq2seq_zoo.system.files import write

HERE = Path(__file__).parent
EMPTY_CELLS = 400
CORES = 16
"""Cores of a node of the model; each runs one cell."""
NODES = (10, 100, 1000)
CELLS = (1_000, 10_000, 100_000)


def nothing(cell: Mapping[str, Any], progress: Any) -> dict[str, Any]:
    """A cell that does nothing."""
    return {"metrics": {}}


def main() -> None:
    """Measure, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4, help="how often each of the four cells runs")
    parser.add_argument("--out", type=Path, default="benchmarks/results/scaling", help="for records and tables")
    parser.add_argument("--work", type=Path, default="runs/scaling", help="for the results of the suite; emptied first")
    parser.add_argument("--note", default="", help="what else ran on the machine, for the record")
    args = parser.parse_args()
    shutil.rmtree(args.work, ignore_errors=True)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])

    runs = {}
    for executor in ("local", "ray"):
        for workers in (1, 2):
            runs[f"{executor}, {workers}"] = measure_suite(executor, workers, args.seeds, args.work)
    found = {"note": args.note, **environment(), "runs": runs, "empty": measure_empty(args.work)}
    found["model"] = fit(runs["ray, 2"], found["empty"])
    write(args.out / "records.json", json.dumps(found, indent=1) + "\n")
    text = tables(found)
    write(args.out / "tables.md", text)
    print(text)


def measure_suite(executor: str, workers: int, seeds: int, work: Path) -> dict[str, Any]:
    """Seconds of a whole run and of its cells."""
    overrides = [f"quick.seeds={list(range(1, seeds + 1))}"]
    path = HERE.parent / "default.yaml"
    suite = read_suite(path, factory.schema, factory.modes, match_parameters, True, overrides)
    directory = work / f"{executor}-{workers}"
    executors.cores = ray_cluster.cores = lambda: workers  # one core for each worker
    started = time.perf_counter()
    connected = 0.0
    if executor == "ray":
        with RayTasks() as tasks:
            connected = time.perf_counter() - started
            run(suite, directory, tasks)
    else:
        run(suite, directory, LocalProcesses(workers))
    total = time.perf_counter() - started
    cells = [record["seconds"]["cell"] for record in read_records(directory)]
    return {"workers": workers, "total": total, "connected": connected, "cells": cells}


def run(suite: Any, directory: Path, executor: Executor) -> None:
    """Run a suite whose cells must all finish."""
    code = runner.run(suite, directory, executor, Console(file=sys.stderr, width=160))
    assert code == 0, f"{directory}: cells failed, see their records"


def measure_empty(work: Path) -> dict[str, float]:
    """Seconds of the first cell, and of each later one, of a run of cells that do nothing."""
    cells = [
        {"id": f"{number}", "question": "q", "x": None, "mode": "basic", "seed": number, "config": {}}
        for number in range(EMPTY_CELLS)
    ]
    with RayTasks(cell_function="measure:nothing") as tasks:
        started = time.perf_counter()
        ends = [
            time.perf_counter() - started
            for event in tasks.run(cells, work / "empty")
            if event["event"] in ("finished", "failed")
        ]
    assert len(ends) == EMPTY_CELLS
    return {"first": ends[0], "each": (ends[-1] - ends[1]) / (EMPTY_CELLS - 2)}


def fit(run: Mapping[str, Any], empty: Mapping[str, float]) -> dict[str, Any]:
    """The parameters of the model."""
    ordered = sorted(run["cells"], reverse=True)
    warm = ordered[run["workers"] :]  # the first cell of each worker also waits for the import of the backend
    return {
        "cells": warm,
        "start": run["connected"] + statistics.mean(ordered[: run["workers"]]) - statistics.mean(warm),
        "driver": empty["each"],
    }


def predict(model: Mapping[str, Any], cells: int, workers: int) -> float:
    """Seconds of a run: workers take one cell after another, and the driver can start only so many in a second."""
    free = [model["start"]] * min(workers, cells)
    durations = model["cells"]
    driver = 0.0
    for number in range(cells):
        driver += model["driver"]
        begin = max(heapq.heappop(free), driver)
        heapq.heappush(free, begin + durations[number % len(durations)])
    return max(free)


def tables(found: Mapping[str, Any]) -> str:
    """The measured table and the model's, as Markdown."""
    lines = [
        "| executor | workers | whole run, s | a cell, mean, s | longest cell, s |",
        "| --- | --: | --: | --: | --: |",
    ]
    for name, run in found["runs"].items():
        executor, _ = name.split(", ")
        mean, longest = statistics.mean(run["cells"]), max(run["cells"])
        lines.append(f"| {executor} | {run['workers']} | {run['total']:.1f} | {mean:.1f} | {longest:.1f} |")
    model = found["model"]
    mean = statistics.mean(model["cells"])
    lines += [
        "",
        f"Model: {model['start']:.1f} s until a worker has its backend; {mean:.1f} s a cell, in the mean of the "
        f"measured ones, which it takes in turn; {1000 * model['driver']:.1f} ms of the driver a cell.",
        "",
        f"| cells | nodes of {CORES} cores | whole run | core hours | share of them in cells, % |",
        "| --: | --: | --: | --: | --: |",
    ]
    for cells in CELLS:
        work = mean * cells
        for nodes in NODES:
            seconds = predict(model, cells, nodes * CORES)
            paid = seconds * nodes * CORES
            lines.append(
                f"| {cells:,} | {nodes:,} | {duration(seconds)} | {paid / 3600:,.1f} | {100 * work / paid:.0f} |"
            )
    measured = predict(model, len(found["runs"]["ray, 2"]["cells"]), 2)
    lines += ["", f"The model gives {measured:.1f} s for the measured run on Ray with two workers."]
    return "\n".join(lines) + "\n"


def duration(seconds: float) -> str:
    """Minutes below two hours, hours above."""
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


if __name__ == "__main__":
    main()
