"""Cells as tasks of Ray: on this machine, or on the nodes of a cluster."""

import asyncio
import contextlib
import importlib.metadata
import itertools
import logging
import os
import queue
import re
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
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
from seq2seq_zoo.system.environment import cores

PACKAGE = Path(__file__).parents[1]
FORWARDED = ("KERAS_", "TF_", "XLA_", "JAX_", "SEQ2SEQ_ZOO_")
"""Environment variables with these prefixes affect cells, so all nodes get those of this process."""
RETRIES = 3
"""How often a cell runs again because its node was lost."""
TICK = 0.25
"""Seconds between two looks for events."""
PATIENCE = 10
"""Seconds to wait for an answer of a cluster."""
LOG_BYTES = 1 << 16
"""How much of the log of a cell travels back."""
CALLS = 1 << 20
"""How many calls the mailbox may hold: one for each cell that waits for an answer."""

_REQUESTS = {"gcs": "/ray.rpc.NodeInfoGcsService/GetClusterId", "client": "/ray.rpc.RayletDriver/ClusterInfo"}
"""For each kind of address, a request that a cluster answers at once, and only if the token is right."""
_SERVERS = {"gcs": "the port of the head node", "client": "the client server of the head node"}


class ClusterError(ValueError):
    """A Ray that cannot be used: what was expected, what was found, and what to do next."""


class LostClusterError(RuntimeError):
    """The connection to the cluster was lost during a run."""


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
        self._ray = _connect(address)
        try:
            self._environment = _check_nodes(self._ray, address, cpus, packages)
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
                event = {"event": "failed", "id": identity, "reason": f"Ray: {_line(error)}"}
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
                f"The connection to the Ray cluster was lost: {_line(error)} The same command continues the run."
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


# === The cluster ===


def _connect(address: str | None) -> Any:
    """Connect to a cluster, or start Ray here.

    Returns:
        The module `ray`.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")  # a page for each lost node, whose cells run again anyway
    try:
        import grpc
        import ray
    except ModuleNotFoundError as error:
        raise ClusterError(
            f"--executor ray needs the package {error.name}, which is not installed. "
            "Run: pip install 'seq2seq-zoo[ray]'."
        ) from None
    logging.getLogger("ray").setLevel(logging.ERROR)
    variables = {name: value for name, value in os.environ.items() if name.startswith(FORWARDED)}
    environment: dict[str, Any] = {"env_vars": variables}
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "runtime_env": environment}
    if address is None:
        try:
            ray.init("local", num_cpus=cores(), include_dashboard=False, **options)
        except Exception as error:
            ray.shutdown()
            raise ClusterError(f"Ray cannot start on this machine: {_line(error)} Its logs are in /tmp/ray.") from None
        return ray
    _check_answer(ray, grpc, address)
    environment["py_modules"] = [str(PACKAGE)]
    try:
        ray.init(address, **options)
    except Exception as error:
        ray.shutdown()  # it is half connected
        if address == "auto" and isinstance(error, ConnectionError):
            raise ClusterError(
                "--address auto: expected a node of a Ray cluster, found none on this machine. Start the command on a "
                "node, or name the cluster: ray://HOST:10001."
            ) from None
        found = re.search(r"Ray: (\S+)\s+Python: (\S+).*Ray: (\S+)\s+Python: (\S+)", str(error), re.DOTALL)
        if found:
            theirs, ours = (f"Ray {found[each]} and Python {found[each + 1]}" for each in (1, 3))
            raise ClusterError(
                f"Ray cluster {address}: expected {ours} as here, found {theirs}. Install the same versions in both."
            ) from None
        raise ClusterError(
            f"Ray cluster {address}: {_line(error)} From a machine that is no node of it, use ray://HOST:10001."
        ) from None
    return ray


def _check_answer(ray: Any, grpc: Any, address: str) -> None:
    """Ask the cluster for an answer. Ray itself tries for a minute, and does not tell a wrong token from no cluster."""
    if address == "auto":
        return
    found = re.fullmatch(r"(ray://)?([^/:]+|\[[^/]+\]):(\d+)", address)
    if found is None:
        raise ClusterError(
            f"--address: expected ray://HOST:PORT, HOST:PORT or auto, found '{address}'. The ports of Ray are 10001 "
            "with ray:// and 6379 without."
        )
    client, host, port = found.groups()
    kind = "client" if client else "gcs"
    from ray._private.grpc_utils import init_grpc_channel  # it knows the token and the certificates

    try:
        channel: Any = init_grpc_channel(f"{host}:{port}")
        with contextlib.closing(channel):
            request = channel.unary_unary(_REQUESTS[kind])
            request(b"", metadata=[("client_id", "seq2seq-zoo")], timeout=PATIENCE)
    except ray.exceptions.AuthenticationError:
        raise ClusterError(_wrong_token(address, "no token here")) from None
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.UNAUTHENTICATED:
            raise ClusterError(_wrong_token(address, "another one or none here")) from None
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            other = f"{host}:{port}" if client else f"ray://{host}:{port}"
            raise ClusterError(
                f"Ray cluster {address}: expected {_SERVERS[kind]}, found another service. Did you mean '{other}'?"
            ) from None
        if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
            raise ClusterError(
                f"Ray cluster {address}: expected an answer, found none. Check host and port (10001 with ray://, 6379 "
                "without), and that the port is open to this machine."
            ) from None
        # Any other code is an answer.


def _wrong_token(address: str, found: str) -> str:
    return (
        f"Ray cluster {address}: expected its token, found {found}. Set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or "
        "RAY_AUTH_TOKEN_PATH: 'ray get-auth-token' on a node prints the token."
    )


def _check_nodes(ray: Any, address: str | None, cpus: int, packages: Sequence[str]) -> dict[str, Any]:
    """Check cores and versions of the nodes.

    Returns:
        What Ray must add to the environment of the cells.
    """
    nodes = [node for node in ray.nodes() if node["Alive"]]
    most = int(max((node["Resources"].get("CPU", 0) for node in nodes), default=0))
    if 0 < most < cpus:
        raise ClusterError(f"--cpus: expected at most {most}, the cores of the largest node, found {cpus}.")
    if address is None:
        return {}
    required = _requirements(packages)
    found = _versions_on(ray, nodes, required)
    for host, versions in found.items():
        for name in ("seq2seq-zoo", "keras", "numpy", os.environ.get("KERAS_BACKEND") or "tensorflow", *packages):
            here, there = required.get(name), versions.get(name)
            if here and there and here != there:
                raise ClusterError(
                    f"Ray cluster {address}: expected {name} {here} as here, found {there} on node {host}. Install the "
                    "same version in both."
                )
    missing = {name for versions in found.values() for name in required.keys() - versions.keys() - {"seq2seq-zoo"}}
    return {"pip": [f"{name}=={required[name]}" for name in sorted(missing)]} if missing else {}


def _requirements(packages: Sequence[str]) -> dict[str, str]:
    """The packages that a node needs, with the versions of this process."""
    lines: list[str] = []
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # this package runs without being installed
        lines = importlib.metadata.requires("seq2seq-zoo") or []
    names = [re.split(r"[^\w.-]", line)[0] for line in lines if "extra ==" not in line]
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    return _version_reader()(["seq2seq-zoo", "keras", "numpy", *names, backend, *packages])


def _version_reader() -> Callable[[list[str]], dict[str, str]]:
    """A function that Ray sends as code, because a node may lack what this module imports."""

    def versions(names: list[str]) -> dict[str, str]:
        installed = {}
        for name in names:
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                installed[name] = importlib.metadata.version(name)
        return installed

    return versions


def _versions_on(ray: Any, nodes: Iterable[dict[str, Any]], names: Iterable[str]) -> dict[str, dict[str, str]]:
    """The versions of the packages that are installed on the nodes, for each host that answers."""
    affinity = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    references = {}
    for node in nodes:
        task = ray.remote(_version_reader()).options(
            num_cpus=0, max_retries=0, scheduling_strategy=affinity(node["NodeID"], soft=False)
        )
        references[task.remote(list(names))] = node["NodeManagerAddress"]
    answered, _ = ray.wait(list(references), num_returns=len(references), timeout=6 * PATIENCE)
    found = {}
    for reference in answered:
        with contextlib.suppress(ray.exceptions.RayError):  # it was lost meanwhile
            found[references[reference]] = ray.get(reference)
    return found


def _line(error: Exception) -> str:
    """The first line of an error of Ray that says something, as a sentence."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    line = lines[0] if lines else type(error).__name__
    return line if line[-1] in ".!?" else f"{line}."
