"""Contestants side by side: agreed first, then measured in turn."""

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from contestants import Contestant, ContestantError, Worker, note

Record = dict[str, Any]


class Bench:
    """The workers of a row, started when they are first wanted and kept until the row is done.

    Args:
        work: for environments, logs and what is made on the way.
        rounds: how often each measurement is taken.
        data: the folder of the shared data sets.

    Attributes:
        versions: of the packages in each environment that was used.
    """

    def __init__(self, work: Path, rounds: int, data: Path):
        self.work = work
        self.rounds = rounds
        self.data = data
        self.versions: Record = {}
        self._workers: dict[int, Worker] = {}

    def __enter__(self) -> "Bench":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers.values():
            worker.close()

    def worker(self, contestant: Contestant) -> Worker:
        """The contestant's process, the same one each time."""
        if id(contestant) not in self._workers:
            worker = self.start(contestant)
            self._workers[id(contestant)] = worker
        return self._workers[id(contestant)]

    def start(self, contestant: Contestant) -> Worker:
        """A fresh process of the contestant, which the caller closes."""
        worker = Worker(contestant, self.work)
        self.versions[contestant.environment or "ours"] = worker.versions
        return worker

    def compare(
        self,
        contestants: Mapping[str, Contestant],
        problem: Record,
        job: str | Mapping[str, str] = "step",
        seconds: float = 0.5,
        least: int = 8,
        tolerance: float | None = 1e-4,
    ) -> Record:
        """Measure contestants in turn (A B C, A B C, ...), so that what else the machine does, it does to all.

        Two unmeasured calls come first: they compile and warm up, and tell how many runs a measurement needs. All make
        the same number of runs.

        Args:
            contestants: by the names they are shown by.
            problem: the fields of `peers/problem.py`'s `Problem`.
            job: what each does, or what each by name does.
            seconds: how long the fastest's measurement takes at least.
            least: the fewest runs in a measurement, which are a multiple of it.
            tolerance: how far the checks may be apart, relatively; `None` where there is nothing to compare.

        Returns:
            `problem`, `runs`, `checks`, and for each contestant the seconds of a run in every round.

        Raises:
            ContestantError: the checks differ, or one fails.
        """
        jobs = {name: job if isinstance(job, str) else job[name] for name in contestants}
        workers = {name: self.worker(contestant) for name, contestant in contestants.items()}
        checks, first = {}, {}
        for name, worker in workers.items():
            began = time.perf_counter()
            checks[name] = worker.ask(prepare=jobs[name], problem=problem)
            worker.ask(measure=least)
            first[name] = round(time.perf_counter() - began, 3)
        if tolerance is not None:
            agree(checks, problem, tolerance)
        fastest = min(worker.ask(measure=least) for worker in workers.values())
        runs = least * max(1, math.ceil(seconds / fastest / least))
        times: dict[str, list[float]] = {name: [] for name in workers}
        for _ in range(self.rounds):
            for name, worker in workers.items():
                times[name].append(worker.ask(measure=runs))
        shown = ", ".join(f"{name} {1000 * sorted(each)[len(each) // 2]:.2f} ms" for name, each in times.items())
        note(f"  {' '.join(f'{key}={value}' for key, value in problem.items())}: {shown}")
        return {"problem": problem, "runs": runs, "checks": checks, "first": first, "seconds": times}


def agree(checks: Mapping[str, Any], problem: Record, tolerance: float) -> None:
    """Raise unless all contestants computed the same: a number within the tolerance, anything else exactly."""
    (name, expected), *others = checks.items()
    for other, found in others:
        same = math.isclose(expected, found, rel_tol=tolerance) if isinstance(expected, float) else expected == found
        if not same:
            raise ContestantError(
                f"Not the same mathematics, so there is nothing to compare: at {problem}, {name} gives {expected} and "
                f"{other} {found}."
            )


def median(values: Sequence[float]) -> float:
    """The middle one, or the upper of the two."""
    return sorted(values)[len(values) // 2]
