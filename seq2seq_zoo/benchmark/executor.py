"""Executors run the cells of a suite: what an executor must do, and worker processes on this machine."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

from seq2seq_zoo.system.environment import cores

CELL_FUNCTION = "seq2seq_zoo.benchmark.cell:run_cell"
"""What runs the cells of a suite."""

Cell = dict[str, Any]
Event = dict[str, Any]
Answer = Callable[[Event], Any]
"""Gives, for an event `progress` of a cell that asks, what `progress` returns there: plain JSON."""


def unanswered(event: Event) -> None:
    """The answer if nobody answers."""


class Executor(ABC):
    """Runs cells. Cells and events are plain JSON, so that an executor may run them on other machines. Abstract."""

    @abstractmethod
    def run(self, cells: Sequence[Cell], directory: Path, answer: Answer = unanswered) -> Generator[Event]:
        """Run every cell once, in any order. Closing the generator stops the cells that are running.

        Args:
            cells: the cells to run. Each has an `id`; `question`, `x` and `mode` tell which are similar. A cell with
                `asks` waits for an answer each time it reports progress.
            directory: the directory for logs.
            answer: gives the answers.

        Returns:
            A generator of events, each with `event`, the `id` of the cell, and `worker`, a number from 1. Each cell has
            one event `started`, any number of `progress` (with `progress`, a dict), then either `finished` (with
            `result`, a dict) or `failed` (with `reason`, one line). The last two have in `environment`, if it is known,
            what `seq2seq_zoo.system.environment.environment` returns there.
        """


class LocalProcesses(Executor):
    """Worker processes on this machine. Each runs one cell after another, so that it imports the backend only once.

    A failure affects only its own cell, even if it ends the worker: a new worker continues with the next cell.

    Args:
        workers: the number of processes, among which the cores of the machine are divided.
        cell_function: `module:function`, called with each cell and a function that reports progress.

    Raises:
        ValueError: there is not at least one worker.
    """

    def __init__(self, workers: int, cell_function: str = CELL_FUNCTION):
        if workers < 1:
            raise ValueError(f"Expected at least 1 worker, got {workers}.")
        self.workers = workers
        self.cell_function = cell_function

    def run(self, cells: Sequence[Cell], directory: Path, answer: Answer = unanswered) -> Generator[Event]:
        """See `Executor.run`. The output of the workers goes to `directory/logs`."""
        waiting = list(cells)
        (directory / "logs").mkdir(parents=True, exist_ok=True)
        messages: Messages = queue.SimpleQueue()
        running: dict[WorkerProcess, Cell] = {}
        threads = max(1, cores() // self.workers)

        def start(number: int | str, process: WorkerProcess | None, last: Cell | None) -> Event:
            process = process or WorkerProcess(number, self.cell_function, threads, directory, messages)
            cell = running[process] = _take_next(waiting, last, list(running.values()))
            process.send(cell)
            return {"event": "started", "id": cell["id"], "worker": number}

        try:
            for number in range(1, min(self.workers, len(waiting)) + 1):
                yield start(number, None, None)
            while running:
                process, event = messages.get()
                cell = running.get(process)
                if cell is None:
                    continue  # a late message of a worker that has been replaced
                if event is None:
                    event = {"event": "failed", "id": cell["id"], "reason": process.exit_reason()}
                yield {**event, "worker": process.number}
                if event["event"] == "progress":
                    if "asks" in cell:
                        process.send(answer(event))
                    continue
                del running[process]
                if event["event"] == "failed" or not waiting:
                    process.stop()
                if waiting:
                    yield start(process.number, None if event["event"] == "failed" else process, cell)
        finally:
            for process in running:
                process.stop()


class WorkerProcess:
    """One worker process and the thread that reads its messages.

    Args:
        number: names the log; a text such as "10.0.0.7-4711" where numbers are not unique.
        cell_function: `module:function`, called with each cell and a function that reports progress.
        threads: the number of threads that the backend may use.
        directory: the directory that has the folder `logs`.
        messages: receives this process with each event, and with `None` when the process has ended.
    """

    def __init__(self, number: int | str, cell_function: str, threads: int, directory: Path, messages: "Messages"):
        self.number = number
        self.log = Path("logs", f"worker-{number}.log")
        with open(directory / self.log, "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "seq2seq_zoo.benchmark.worker", cell_function],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=_environment(threads),
                encoding="utf-8",
                start_new_session=True,  # Ctrl-C goes to the parent only, which then stops its workers
            )
        self._messages = messages
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def send(self, message: Any) -> None:
        """Send a cell, after the one before has ended, or the answer that a cell waits for."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the worker died, which the listener reports

    def stop(self) -> None:
        """Kill the process. Nothing in it is needed any more."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for stream in (self._process.stdin, self._process.stdout):
            try:
                if stream is not None:
                    stream.close()
            except BrokenPipeError:
                pass  # it never read its last cell

    def exit_reason(self) -> str:
        """Why the process ended, in one line."""
        code = self._process.wait()
        if code >= 0:
            return f"worker exited with code {code}; see {self.log}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = "unknown"
        guess = ", perhaps out of memory" if name == "SIGKILL" else ""
        return f"worker was killed by signal {-code} ({name}){guess}; see {self.log}"

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.endswith("\n"):  # an incomplete line: the worker was killed while it wrote
                self._messages.put((self, json.loads(line)))
        self._messages.put((self, None))


Messages = queue.SimpleQueue[tuple[WorkerProcess, Event | None]]


def _environment(threads: int) -> dict[str, str]:
    return {
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # otherwise the first worker takes all GPU memory
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": str(threads),
        "PYTHONUNBUFFERED": "1",  # so that the log is complete when a worker dies
        "PYTHONFAULTHANDLER": "1",  # so that the log has a traceback of a crash
    }


def _take_next(waiting: list[Cell], last: Cell | None, running: Sequence[Cell]) -> Cell:
    """Remove and return the waiting cell that a worker should run next.

    In order of preference: a cell of the same kind as the worker's last one (another seed); one of the same question
    and mode that no other worker runs (another x); one of a kind that no other worker runs; any. A worker can thus
    reuse data and compiled code, and none is idle while cells wait.
    """
    taken = {_kind(cell) for cell in running}
    kinds = [_kind(cell) for cell in waiting]
    free = [kind not in taken for kind in kinds]
    own = _kind(last) if last is not None else None
    other_x = [own is not None and (kind[0], kind[2]) == (own[0], own[2]) for kind in kinds]
    ranks = [
        (kind != own, not (near and free), not free) for kind, near, free in zip(kinds, other_x, free, strict=True)
    ]
    return waiting.pop(ranks.index(min(ranks)))


def _kind(cell: Cell) -> tuple[Any, ...]:
    """All but the seed."""
    return cell["question"], cell["x"], cell["mode"]
