"""Contestants side by side: agreed first, then measured in turn."""

import math
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contestants import Contestant, ContestantError, Worker, note

Record = dict[str, Any]

SETTLE = 0.3
"""Seconds before each measurement, in which what another has left running comes to its end."""


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
        self._workers: dict[Contestant, Worker] = {}

    def __enter__(self) -> "Bench":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers.values():
            worker.close()

    def worker(self, contestant: Contestant) -> Worker:
        """The contestant's process, the same one each time."""
        if contestant not in self._workers:
            self._workers[contestant] = self.start(contestant)
        return self._workers[contestant]

    def start(self, contestant: Contestant) -> Worker:
        """A fresh process of the contestant, which the caller closes."""
        worker = Worker(contestant, self.work)
        self.versions[contestant.environment or "ours"] = worker.versions
        return worker

    def look_up(self, *contestants: Contestant) -> None:
        """The versions in some contestants' environments, where they are not asked but run as programs of their own."""
        for contestant in contestants:
            self.start(contestant).close()

    def compare(
        self,
        contestants: Mapping[str, Contestant],
        problem: Record,
        job: str | Mapping[str, str] = "step",
        seconds: float = 0.3,
        least: int = 2,
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

        Returns:
            `problem`; `runs` in a measurement; how far the contestants `agreed`; the seconds until each had made its
            `first` runs; and the `seconds` of a run in every round.

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
        agreed = agree(checks, problem)
        fastest = min(worker.ask(measure=least) for worker in workers.values())
        runs = least * max(1, math.ceil(seconds / fastest / least))
        times: dict[str, list[float]] = {name: [] for name in workers}
        for _ in range(self.rounds):
            for name, worker in workers.items():
                time.sleep(SETTLE)
                times[name].append(worker.ask(measure=runs))
        shown = ", ".join(f"{name} {1000 * statistics.median(each):.2f} ms" for name, each in times.items())
        note(f"  {' '.join(f'{key}={value}' for key, value in problem.items())}: {shown}")
        return {"problem": problem, "runs": runs, "agreed": agreed, "first": first, "seconds": times}


def agree(checks: Mapping[str, Any], problem: Record) -> dict[str, Any]:
    """Raise unless all contestants compute the same.

    Losses may be a ten-thousandth apart. Of a search's outputs one in twenty may differ: where two are equally likely
    but for rounding, each library chooses for itself, and another token makes another output.

    Returns:
        The losses; or for each contestant the share of outputs that are those of the first.
    """
    first, expected = next(iter(checks.items()))
    if isinstance(expected, float):
        agreed = dict(checks)
        wrong = [name for name, loss in checks.items() if not math.isclose(loss, expected, rel_tol=1e-4)]
    else:
        agreed = {
            name: sum(a == b for a, b in zip(found, expected, strict=True)) / len(expected)
            for name, found in checks.items()
        }
        wrong = [name for name, share in agreed.items() if share < 0.95]
    if wrong:
        raise ContestantError(
            f"Not the same mathematics, so there is nothing to compare: at {problem}, {', '.join(wrong)} differs from "
            f"{first}: {agreed}."
        )
    return agreed
