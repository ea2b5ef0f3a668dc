"""Cells as tasks of Ray: on this machine, or on the nodes of a cluster."""

import asyncio
import contextlib
import itertools
import os
import queue
import tempfile
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from seq2seq_zoo.benchmark.executor import (
    CELL_FUNCTION,
    Answer,
    Cell,
    Event,
    Executor,
    Messages,
    WorkerProcess,
    unanswered,
)
from seq2seq_zoo.benchmark.ray_cluster import LostClusterError, check_nodes, connect, line_of

RETRIES = 3
"""How often a cell runs again because its node was lost."""
TICK = 0.25
"""Seconds between two looks for events."""
LOG_BYTES = 1 << 16
"""How much of the log of a cell travels back."""
CALLS = 1 << 20
"""How many calls the mailbox may hold: one for each cell that waits for an answer."""


class RayTasks(Executor):
    """One task of Ray for each cell. Ray runs it on any node with free cores, and again if that node is lost.

    A task gives its cell to a worker process like those of `LocalProcesses`, so the records are the same. The process
    stays for the next task of the same Ray worker, so that the backend is imported only once.

    A cluster gets the code of this package and the environment variables that affect results. Packages that its nodes
    lack are installed there by Ray, in the versions of this process.

    Args:
        address: a cluster: `ray://HOST:10001` from anywhere, `HOST:6379` or `auto` from one of its nodes; by default,
            Ray starts on this machine and ends with `close`.
        cpus: the number of cores, and of the backend's threads, for each cell.
        cell_function: `module:function`, called with each cell and a function that reports progress.
        packages: what the cells import beyond the requirements of this package.

    Raises:
        ClusterError: Ray is not installed, or the cluster cannot be reached, refuses the token, has other versions or
            too few cores.
    """

    def __init__(
        self,
        address: str | None = None,
        cpus: int = 1,
        cell_function: str = CELL_FUNCTION,
        packages: Sequence[str] = (),
    ):
        self.cpus = cpus
        self.cell_function = cell_function
        self._ray = connect(address)
        try:
            self._environment = check_nodes(self._ray, address, cpus, packages)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Leave the cluster, or end the Ray on this machine."""
        self._ray.shutdown()

    def __enter__(self) -> "RayTasks":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def run(self, cells: Sequence[Cell], directory: Path, answer: Answer = unanswered) -> Generator[Event]:
        """See `Executor.run`. The output of the worker processes goes to `directory/logs` when a cell has ended.

        Raises:
            LostClusterError: the connection to the cluster was lost.
        """
        ray = self._ray
        logs = directory / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        # On the node without which there is no cluster, so that no event is lost with a node.
        options = {"num_cpus": 0, "resources": {"node:__internal_head__": 0.001}, "runtime_env": self._environment}
        mailbox = ray.remote(_Mailbox).options(max_concurrency=CALLS, **options).remote()
        options = {"num_cpus": self.cpus, "max_retries": RETRIES, "runtime_env": self._environment, "name": "cell"}
        task = ray.remote(_run_cell).options(**options)
        settings = (self.cell_function, self.cpus, os.getcwd())
        pending = {task.remote(cell, *settings, mailbox): cell["id"] for cell in cells}
        workers: dict[str, int] = {}
        passed: dict[str, int] = {}
        asks = {cell["id"] for cell in cells if "asks" in cell}
        answers: dict[str, dict[int, Any]] = {identity: {} for identity in asks}

        def begin(identity: str) -> Event:
            busy = set(workers.values())
            workers[identity] = next(number for number in itertools.count(1) if number not in busy)
            return {"event": "started", "id": identity, "worker": workers[identity]}

        def forward(reported: Iterable[tuple[int, Event]]) -> Iterator[Event]:
            for number, event in reported:
                identity = event["id"]
                if number == passed.get(identity, 0):  # else it runs again, because its node was lost
                    passed[identity] = number + 1
                    yield begin(identity) if event["event"] == "started" else {**event, "worker": workers[identity]}
                    if identity in answers and event["event"] == "progress":
                        answers[identity][number] = answer(event)
                if number in answers.get(identity, ()):  # it gets the same answers again
                    mailbox.answer.remote(identity, number, answers[identity][number])

        def end(reference: Any) -> Iterator[Event]:
            identity = pending.pop(reference)
            answers.pop(identity, None)
            if identity not in workers:
                yield begin(identity)  # Ray could not start it
            try:
                event, name, log = ray.get(reference)
            except ray.exceptions.RayError as error:
                event = {"event": "failed", "id": identity, "reason": f"Ray: {line_of(error)}"}
            else:
                with open(logs / name, "ab") as file:
                    file.write(log)
            yield {**event, "worker": workers.pop(identity)}

        try:
            while pending:
                ended, _ = ray.wait(list(pending), num_returns=len(pending), timeout=TICK)
                reported = ray.get(mailbox.take.remote())  # with all events of those that have ended
                last = {pending[reference] for reference in ended}
                yield from forward(each for each in reported if each[1]["id"] in last)
                for reference in ended:
                    yield from end(reference)
                yield from forward(each for each in reported if each[1]["id"] not in last)
        except (ConnectionError, ray.exceptions.RayError) as error:
            raise LostClusterError(
                f"The connection to the Ray cluster was lost: {line_of(error)} The same command continues the run."
            ) from None
        finally:
            with contextlib.suppress(Exception):  # a cluster that is gone runs no cells
                for reference in pending:
                    ray.cancel(reference, force=True)
                ray.kill(mailbox)


# === What runs on the nodes ===


class _Mailbox:
    """Holds the events of running cells until the driver takes them."""

    def __init__(self) -> None:
        self._events: list[tuple[int, Event]] = []
        self._answers: dict[tuple[str, int], asyncio.Future[Any]] = {}

    async def put(self, number: int, event: Event) -> None:
        self._events.append((number, event))

    async def ask(self, number: int, event: Event) -> Any:
        """Put an event, and wait for its answer."""
        self._events.append((number, event))
        found = self._answers[event["id"], number] = asyncio.get_running_loop().create_future()
        return await found

    async def answer(self, identity: str, number: int, answer: Any) -> None:
        waiting = self._answers.pop((identity, number), None)
        if waiting is not None:
            waiting.set_result(answer)

    async def take(self) -> list[tuple[int, Event]]:
        events, self._events = self._events, []
        return events


_kept: list[tuple[WorkerProcess, Messages, tempfile.TemporaryDirectory]] = []
"""The worker process that has run the last cell of this Ray worker, for the next one."""


def _run_cell(cell: Cell, cell_function: str, cpus: int, folder: str, mailbox: Any) -> tuple[Event, str, bytes]:
    """The task: run a cell in a worker process, and report its events.

    Returns:
        The last event, the name of the log, and what the cell has written to it.
    """
    import ray

    numbers = itertools.count()

    def report(event: Event) -> None:
        ray.get(mailbox.put.remote(next(numbers), event))  # arrives before the result of this task

    report({"event": "started", "id": cell["id"]})
    if not _kept:
        if os.path.isdir(folder):
            os.chdir(folder)  # relative paths of data refer to it
        logs = tempfile.TemporaryDirectory(prefix="seq2seq-zoo-")
        Path(logs.name, "logs").mkdir()
        messages: Messages = queue.SimpleQueue()
        name = f"{ray.util.get_node_ip_address()}-{os.getpid()}"
        _kept.append((WorkerProcess(name, cell_function, cpus, Path(logs.name), messages), messages, logs))
    process, messages, logs = _kept[0]
    log = Path(logs.name) / process.log
    before = log.stat().st_size
    process.send(cell)
    while (event := messages.get()[1]) and event["event"] == "progress":
        if "asks" in cell:
            process.send(ray.get(mailbox.ask.remote(next(numbers), event)))
        else:
            report(event)
    if event is None:
        event = {"event": "failed", "id": cell["id"], "reason": process.exit_reason()}
    if event["event"] == "failed":
        process.stop()
        _kept.clear()
    with open(log, "rb") as file:
        file.seek(max(before, log.stat().st_size - LOG_BYTES))
        return event, log.name, file.read()
