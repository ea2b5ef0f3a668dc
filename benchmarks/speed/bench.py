"""Compare contestants: check that they agree, then measure them in turn."""

import math
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contestants import Contestant, ContestantError, Worker, note

Record = dict[str, Any]

SETTLE = 0.3
"""Seconds to wait before each measurement, so that background work of the last contestant can finish."""


class Bench:
    """The workers of a row, started when they are first needed and kept until the row is done.

    Args:
        work: the folder for environments, logs and intermediate files.
        rounds: how often each measurement is repeated.
        data: the folder of the data sets.

    Attributes:
        versions: the package versions in each environment that was used.
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
        """The process of a contestant, the same one for every call."""
        if contestant not in self._workers:
            self._workers[contestant] = self.start(contestant)
        return self._workers[contestant]

    def start(self, contestant: Contestant) -> Worker:
        """A new process of a contestant, which the caller closes."""
        worker = Worker(contestant, self.work)
        self.versions[contestant.environment or "ours"] = worker.versions
        return worker

    def record_versions(self, *contestants: Contestant) -> None:
        """Record the package versions of contestants that run as programs of their own, not as workers."""
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
        """Measure contestants in turn (A B C, A B C, ...), so that other load on the machine affects all of them alike.

        Two calls that are not counted come first: they compile, warm up and determine the number of runs in a
        measurement, which is the same for all.

        Args:
            contestants: the contestants by their names in the tables.
            problem: the fields of a `Problem` (`peers/problem.py`).
            job: the job of all contestants, or of each by its name.
            seconds: the least duration of a measurement of the fastest contestant.
            least: the least number of runs in a measurement, which is a multiple of it.

        Returns:
            The `problem`; the number of `runs` in a measurement; how far the contestants `agreed`; the seconds until
            each had finished its `first` runs; and the `seconds` of a run in every round.

        Raises:
            ContestantError: the contestants do not agree, or one fails.
        """
        jobs = {name: job if isinstance(job, str) else job[name] for name in contestants}
        workers = {name: self.worker(contestant) for name, contestant in contestants.items()}
        checks, first = {}, {}
        for name, worker in workers.items():
            began = time.perf_counter()
            checks[name] = worker.request(prepare=jobs[name], problem=problem)
            worker.request(measure=least)
            first[name] = round(time.perf_counter() - began, 3)
        agreed = agree(checks, problem)
        fastest = min(worker.request(measure=least) for worker in workers.values())
        runs = least * max(1, math.ceil(seconds / fastest / least))
        times: dict[str, list[float]] = {name: [] for name in workers}
        for _ in range(self.rounds):
            for name, worker in workers.items():
                time.sleep(SETTLE)
                times[name].append(worker.request(measure=runs))
        shown = ", ".join(f"{name} {1000 * statistics.median(each):.2f} ms" for name, each in times.items())
        note(f"  {' '.join(f'{key}={value}' for key, value in problem.items())}: {shown}")
        return {"problem": problem, "runs": runs, "agreed": agreed, "first": first, "seconds": times}


def agree(checks: Mapping[str, Any], problem: Record) -> dict[str, Any]:
    """Check that all contestants compute the same.

    Losses may differ by a ten-thousandth. One in twenty outputs of a search may differ: if two tokens are equally
    likely but for rounding, each library chooses one of them, and the rest of the output differs.

    Returns:
        The losses; or for each contestant the share of outputs that equal those of the first contestant.

    Raises:
        ContestantError: they do not.
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
            f"The contestants do not compute the same, so their times cannot be compared: at {problem}, "
            f"{', '.join(wrong)} differs from {first}: {agreed}."
        )
    return agreed
