"""A contestant's side of the conversation: lines of JSON in, a line of JSON out for each."""

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
    """Prediction until the input ends. A job takes a problem and gives what can be compared, and what to measure by.

    - `{"prepare": job, "problem": {...}}` is answered by `{"check": ...}`, and
    - `{"measure": n}` by `{"measured": ...}`, of the job that was prepared last;
    - `{"memory": true}` by the resident memory now and at its highest, in bytes.

    The first line, before any question, holds the versions. An error is answered by `{"error": ...}`.
    """
    by_name = {job.__name__: job for job in jobs}
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    print(json.dumps({"versions": versions}), file=out)
    measure: Measure | None = None
    for line in sys.stdin:
        question = json.loads(line)
        try:
            if "prepare" in question:
                measure = None  # the last one's model may go before the next is made
                check, measure = by_name[question["prepare"]](Problem(**question["problem"]))
                answer = {"check": check}
            elif "measure" in question and measure is not None:
                answer = {"measured": measure(question["measure"])}
            else:
                answer = {"memory": memory()}
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=out)


def searching(problem: Problem, search: Callable[[np.ndarray], Any]) -> tuple[list[list[int]], Measure]:
    """A job that searches.

    Args:
        problem: whose sources are searched from, batch after batch.
        search: from sources `(batch, length)` to ids `(batch, some length)`.

    Returns:
        The outputs for the first batch, each up to its end; and the measurement of the seconds of a search.
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
    """A job that measures bare matrix products.

    Args:
        problem: whose training step's products are measured.
        make: from a shape to a matrix.
        multiply: the library's product.

    Returns:
        How many there are of each shape; and the measurement of the seconds of each.
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
    """Resident bytes of this process: `now`, and the `peak`."""
    status = Path("/proc/self/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return {key: int(fields[name].split()[0]) * 1024 for key, name in (("now", "VmRSS"), ("peak", "VmHWM"))}
