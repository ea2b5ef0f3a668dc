"""A Ray cluster: how a command connects to it, and what must hold for its nodes."""

import contextlib
import importlib.metadata
import logging
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from seq2seq_zoo.system.environment import cores

PACKAGE = Path(__file__).parents[1]
FORWARDED = ("KERAS_", "TF_", "XLA_", "JAX_", "SEQ2SEQ_ZOO_")
"""Environment variables with these prefixes affect results, so all nodes get those of this process."""
WITH_BACKEND = ("keras", "tensorflow", "jax", "torch")
PATIENCE = 10
"""Seconds to wait for an answer of a cluster."""

_REQUESTS = {"gcs": "/ray.rpc.NodeInfoGcsService/GetClusterId", "client": "/ray.rpc.RayletDriver/ClusterInfo"}
"""For each kind of address, a request that a cluster answers at once, and only if the token is right."""
_SERVERS = {"gcs": "the port of the head node", "client": "the client server of the head node"}


class ClusterError(ValueError):
    """A Ray that cannot be used: what was expected, what was found, and what to do next."""


class LostClusterError(RuntimeError):
    """The connection to the cluster was lost during a run."""


def connect(address: str | None) -> Any:
    """Connect to a cluster, or start Ray here.

    Args:
        address: see `RayTasks`.

    Returns:
        The module `ray`.

    Raises:
        ClusterError: Ray is not installed, or the cluster cannot be reached, refuses the token or has other versions.
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
            raise ClusterError(
                f"Ray cannot start on this machine: {line_of(error)} Its logs are in /tmp/ray."
            ) from None
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
            f"Ray cluster {address}: {line_of(error)} From a machine that is no node of it, use ray://HOST:10001."
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


def check_nodes(
    ray: Any, address: str | None, cpus: int, packages: Sequence[str], backend: bool = True
) -> dict[str, Any]:
    """Check cores and versions of the nodes.

    Args:
        ray: from `connect`.
        address: of the cluster.
        cpus: the number of cores that one node must have.
        packages: what is imported there beyond the requirements of this package.
        backend: whether Keras and a backend are imported there.

    Returns:
        What Ray must add to the environment of the nodes.

    Raises:
        ClusterError: the cluster has other versions or too few cores.
    """
    nodes = [node for node in ray.nodes() if node["Alive"]]
    most = int(max((node["Resources"].get("CPU", 0) for node in nodes), default=0))
    if 0 < most < cpus:
        raise ClusterError(f"--cpus: expected at most {most}, the cores of the largest node, found {cpus}.")
    if address is None:
        return {}
    required = _requirements(packages)
    if not backend:
        required = {name: version for name, version in required.items() if name not in WITH_BACKEND}
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


def line_of(error: Exception) -> str:
    """The first line of an error of Ray that says something, as a sentence; with the last line if it only announces."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    line = lines[0] if lines else type(error).__name__
    if line.endswith(":") and len(lines) > 1:  # a traceback follows
        line = f"{line} {lines[-1]}"
    return line if line[-1] in ".!?" else f"{line}."
