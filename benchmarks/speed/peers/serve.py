"""The worker's side of the protocol: each request is a line of JSON, and so is its response."""

import importlib.metadata
import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from problem import END, PADDING, Problem, make_sources, products_of

Measure = Callable[[int], Any]
Prepare = Callable[[Problem], tuple[Any, Measure]]

PACKAGES = ("keras", "tensorflow", "tensorflow-addons", "torch", "jax", "yoyodyne", "numpy", "ai-edge-litert")


def serve(*jobs: Prepare) -> None:
    """Serve requests until the input ends.

    - `{"prepare": job, "problem": {...}}` gives `{"check": ...}`, a value that can be compared between contestants.
    - `{"measure": n}` gives `{"measured": ...}`: the measurement of n runs of the job that was prepared last.
    - `{"memory": true}` gives `{"memory": ...}`: the resident memory in bytes, `now` and at its `peak`.

    The first line, before any request, has the versions. The response to a failed request is `{"error": ...}`.

    Args:
        jobs: functions that take a problem and return the check and a function that measures.
    """
    by_name = {job.__name__: job for job in jobs}
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # the output of libraries must not mix with responses
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    print(json.dumps({"versions": versions}), file=out)
    measure: Measure | None = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "prepare" in request:
                measure = None  # frees the last model before the next one is created
                check, measure = by_name[request["prepare"]](Problem(**request["problem"]))
                response = {"check": check}
            elif "measure" in request and measure is not None:
                response = {"measured": measure(request["measure"])}
            else:
                response = {"memory": memory()}
        except Exception:
            response = {"error": traceback.format_exc()}
        print(json.dumps(response), file=out)


def searching(problem: Problem, search: Callable[[np.ndarray], Any]) -> tuple[list[list[int]], Measure]:
    """The results of a job that searches.

    Args:
        problem: the problem, whose sources are searched batch after batch.
        search: takes sources `(batch, length)` and returns ids `(batch, steps)`.

    Returns:
        The outputs for the first batch, each up to its end; and a function that measures the seconds of a search.
    """
    batches = make_sources(problem).reshape(-1, problem.batch, make_sources(problem).shape[-1])

    def measure(count: int) -> float:
        began = time.perf_counter()
        for i in range(count):
            search(batches[i % len(batches)])
        return (time.perf_counter() - began) / count

    outputs = []
    for row in np.asarray(search(batches[0])).tolist():
        row = row[: row.index(END)] if END in row else row
        outputs.append([id for id in row if id != PADDING])
    return outputs, measure


def timed_products(problem: Problem, make: Callable, multiply: Callable) -> tuple[dict[str, int], Measure]:
    """The results of a job that measures the matrix products of a training step.

    Args:
        problem: the problem of the training step.
        make: takes a shape and returns a matrix.
        multiply: the matrix product of the library.

    Returns:
        The number of products of each shape; and a function that measures the seconds of each.
    """
    counts = {"x".join(map(str, shape)): count for shape, count in products_of(problem).items()}
    matrices = {name: [make(tuple(map(int, name.split("x")))[i : i + 2]) for i in (0, 1)] for name in counts}

    def measure(count: int) -> dict[str, float]:
        seconds = {}
        for name, (left, right) in matrices.items():
            began = time.perf_counter()
            for _ in range(count):
                multiply(left, right)
            seconds[name] = (time.perf_counter() - began) / count
        return seconds

    return counts, measure


def memory() -> dict[str, int]:
    """The resident memory of this process in bytes: `now`, and its `peak`."""
    status = Path("/proc/self/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return {key: int(fields[name].split()[0]) * 1024 for key, name in (("now", "VmRSS"), ("peak", "VmHWM"))}
