"""The parts of `predict --out` on Ray Data: actors that hold the exported graph."""

import contextlib
import itertools
import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from seq2seq_zoo.benchmark.ray_cluster import ClusterError, LostClusterError, check_nodes, connect, line_of
from seq2seq_zoo.cli.answers import Answers, Wanted
from seq2seq_zoo.cli.models import exported_from
from seq2seq_zoo.runtime.directory import RUNTIMES, ExportedModel, graph_of
from seq2seq_zoo.runtime.vocabularies import VOCABULARIES

PARTS = 32
"""How many parts each actor has, at most, before all actors start again: they are what is in memory."""


@contextlib.contextmanager
def answering_on_ray(
    path: Path, wanted: Wanted, actors: int | None, address: str | None
) -> Iterator[tuple[dict[str, Any], Any]]:
    """The description of a model, and a function that answers parts in their order, by actors of Ray.

    Args:
        path: an exported directory, or a model, which is exported first.
        wanted: which outputs.
        actors: number of actors; one for each core of the cluster by default.
        address: see `RayTasks`.

    Raises:
        ClusterError: see `RayTasks`.
        UsageError: the model or an option does not go with an exported graph.
    """
    # Ray Data's actors make Ray warn, on every run, of what is lost only with the driver.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    with _hidden_stderr():  # Ray says that it has read this variable
        ray = connect(address)
    try:
        _import_ray_data()
        with exported_from(path, wanted) as directory:
            description = Answers(ExportedModel(directory), path, wanted).description()
            graph = graph_of(directory)
            packages = [RUNTIMES[graph].package, "pandas", "pyarrow"]
            environment = check_nodes(ray, address, 1, packages, backend=False)
            # In the object store of this node, which is not lost. The nodes need no access to the directory.
            files = ray.put({name: Path(directory, name).read_bytes() for name in (graph, VOCABULARIES)})
        count = actors or max(1, int(ray.cluster_resources().get("CPU", 1)))
        given = count, ([files], str(path), wanted), environment, (address or "").startswith("ray://")
        yield description, lambda parts: _answer_all(ray, parts, *given)
    finally:
        ray.shutdown()


def _import_ray_data() -> Any:
    """Ray Data, which needs more packages than Ray."""
    try:
        from ray import data
    except ImportError as error:
        raise ClusterError(
            f"predict --executor ray needs the package {error.name or 'pandas'}, which is not installed. "
            "Run: pip install 'seq2seq-zoo[ray]'."
        ) from None
    return data


@contextlib.contextmanager
def _hidden_stderr() -> Iterator[None]:
    """Hide what libraries write. Errors are exceptions."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def _answer_all(
    ray: Any,
    parts: Iterable[Any],
    actors: int,
    given: tuple[Any, ...],
    environment: dict[str, Any],
    is_client: bool,
) -> Iterator[Any]:
    waiting = iter(parts)
    try:
        while rows := [{"part": json.dumps(part)} for part in itertools.islice(waiting, PARTS * actors)]:
            if is_client:  # Ray Data needs a process on a node: on the one without which there is no cluster
                options = {"num_cpus": 0, "resources": {"node:__internal_head__": 0.001}, "runtime_env": environment}
                task = ray.remote(_answer_there).options(**options)
                answered = ray.get(task.remote(rows, actors, given, environment))
            else:
                answered = _answer(rows, actors, given, environment)
            yield from map(json.loads, answered)
    except (ConnectionError, ray.exceptions.RayError) as error:
        raise LostClusterError(
            f"The connection to the Ray cluster was lost: {line_of(error)} The same command continues behind the last "
            "whole block."
        ) from None


def _answer_there(*given: Any) -> list[str]:
    return list(_answer(*given))


def _answer(
    rows: list[dict[str, str]], actors: int, given: tuple[Any, ...], environment: dict[str, Any]
) -> Iterator[str]:
    """Map rows over actors, in their order. What a lost node had is answered by the others."""
    data = _import_ray_data()
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    answered = data.from_items(rows, override_num_blocks=len(rows)).map(
        _Graph,
        fn_constructor_args=given,
        compute=data.ActorPoolStrategy(size=min(actors, len(rows))),
        num_cpus=1,
        runtime_env=environment,
    )
    for row in answered.iter_rows():
        yield row["answer"]


class _Graph:
    """The actor. It imports neither Keras nor a backend.

    Args:
        files: a list of one reference, to the contents of the files of an exported directory by their names.
        path: of the model, for messages.
        wanted: which outputs.
    """

    def __init__(self, files: list[Any], path: str, wanted: Wanted):
        import ray

        (contents,) = ray.get(files)
        self._folder = tempfile.TemporaryDirectory(prefix="seq2seq-zoo-")
        for name, content in contents.items():
            Path(self._folder.name, name).write_bytes(content)
        self._answers = Answers(ExportedModel(self._folder.name), Path(path), wanted)

    def __call__(self, row: dict[str, str]) -> dict[str, str]:
        lines, counts = self._answers.part(*json.loads(row["part"]))
        return {"answer": json.dumps([lines, counts.to_json()])}
