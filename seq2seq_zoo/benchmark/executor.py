"""Who runs the cells: processes of this machine now, a cluster's later."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from seq2seq_zoo.system.environment import cores

Cell = dict[str, Any]
Event = dict[str, Any]


class Executor(ABC):
    """Takes cells as plain JSON and tells as plain JSON what becomes of them; shares nothing with them but files."""

    @abstractmethod
    def run(self, cells: Sequence[Cell], directory: Path) -> Generator[Event]:
        """Run every cell once, in any order, at any number of places; closing the generator stops what still runs.

        Args:
            cells: what to run; each has an `id`, and `question`, `x` and `mode` tell which are alike.
            directory: where logs belong.

        Returns:
            A generator of events, each with `event`, the cell's `id` and `worker`, a number from 1. For every cell one
            `started`, any number of `progress` (with `progress`, a dict), then either `finished` (with `result`, a
            dict) or `failed` (with `reason`, one line). The last two tell in `environment`, where they can, what
            `seq2seq_zoo.environment` finds there.
        """


class LocalProcesses(Executor):
    """Worker processes on this machine, each of which takes one cell after another.

    So the backend is imported once a worker. A cell that fails, or takes its worker with it, costs that one cell: a
    fresh worker goes on with the next.

    Args:
        workers: how many processes; the machine's cores are shared out among them.
        cell_function: `module:function` that a worker calls with each cell and a function that reports progress.

    Raises:
        ValueError: fewer than one worker.
    """

    def __init__(self, workers: int, cell_function: str = "seq2seq_zoo.benchmark.cell:run_cell"):
        if workers < 1:
            raise ValueError(f"Cells need at least 1 worker, got {workers}.")
        self.workers = workers
        self.cell_function = cell_function

    def run(self, cells: Sequence[Cell], directory: Path) -> Generator[Event]:
        """See `Executor.run`; what a worker prints is in `directory/logs`."""
        waiting = list(cells)
        (directory / "logs").mkdir(parents=True, exist_ok=True)
        messages: queue.SimpleQueue[tuple[_Process, Event | None]] = queue.SimpleQueue()
        running: dict[_Process, Cell] = {}

        def start(number: int, process: _Process | None, last: Cell | None) -> Event:
            process = process or _Process(number, self._command, self._environment, directory, messages)
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
                    continue  # the last words of a worker that has been replaced
                if event is None:
                    event = {"event": "failed", "id": cell["id"], "reason": process.why_it_ended()}
                yield {**event, "worker": process.number}
                if event["event"] == "progress":
                    continue
                del running[process]
                if event["event"] == "failed" or not waiting:
                    process.stop()
                if waiting:
                    yield start(process.number, None if event["event"] == "failed" else process, cell)
        finally:
            for process in running:
                process.stop()

    @property
    def _command(self) -> list[str]:
        return [sys.executable, "-m", "seq2seq_zoo.benchmark.worker", self.cell_function]

    @property
    def _environment(self) -> dict[str, str]:
        threads = str(max(1, cores() // self.workers))
        return {
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # or the first worker takes the whole card
            **os.environ,
            "OMP_NUM_THREADS": threads,
            "TF_NUM_INTRAOP_THREADS": threads,
            "TF_NUM_INTEROP_THREADS": threads,
            "PYTHONUNBUFFERED": "1",  # the log is complete when a worker dies
            "PYTHONFAULTHANDLER": "1",  # and tells where
        }


class _Process:
    """One worker process and the thread that listens to it."""

    def __init__(
        self,
        number: int,
        command: list[str],
        environment: dict[str, str],
        directory: Path,
        messages: "queue.SimpleQueue[tuple[_Process, Event | None]]",
    ):
        self.number = number
        self.log = Path("logs", f"worker-{number}.log")
        with open(directory / self.log, "ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                encoding="utf-8",
                start_new_session=True,  # Ctrl-C reaches the parent alone, which then stops its workers
            )
        self._messages = messages
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def send(self, cell: Cell) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(cell) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it died; the listener says so

    def stop(self) -> None:
        """End the process at once; it holds nothing that is still wanted."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for stream in (self._process.stdin, self._process.stdout):
            try:
                if stream is not None:
                    stream.close()
            except BrokenPipeError:
                pass  # a cell that it never read

    def why_it_ended(self) -> str:
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
            if line.endswith("\n"):  # else it was killed while writing
                self._messages.put((self, json.loads(line)))
        self._messages.put((self, None))


def _take_next(waiting: list[Cell], last: Cell | None, running: Sequence[Cell]) -> Cell:
    """Take the next of the cells that wait: one like the last, else one nearly like it, else one unlike all that run.

    Cells that differ in their seed alone, or in their x as well, thus meet in one worker, where data and compiled code
    can serve again; and yet no worker idles while cells wait.
    """
    taken = {_kind(cell) for cell in running}
    kinds = [_kind(cell) for cell in waiting]
    free = [kind not in taken for kind in kinds]
    own = _kind(last) if last is not None else None
    near = [own is not None and (kind[0], kind[2]) == (own[0], own[2]) for kind in kinds]
    ranks = [(kind != own, not (near and free), not free) for kind, near, free in zip(kinds, near, free, strict=True)]
    return waiting.pop(ranks.index(min(ranks)))


def _kind(cell: Cell) -> tuple[Any, ...]:
    return cell["question"], cell["x"], cell["mode"]
