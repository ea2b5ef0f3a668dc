"""The options that choose where cells and trials run."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from seq2seq_zoo.cli.shared import UsageError

if TYPE_CHECKING:
    from seq2seq_zoo.benchmark.executor import Executor

ExecutorName = Annotated[
    Literal["local", "ray"],
    typer.Option(help="Where the trainings run: in processes on this machine, or as tasks of Ray."),
]
Address = Annotated[
    str | None,
    typer.Option(
        help="The Ray cluster: ray://HOST:10001 from anywhere; HOST:6379 or auto on one of its nodes. "
        "If not given, Ray starts on this machine and ends with the run.",
        show_default=False,
    ),
]
Cpus = Annotated[
    int | None, typer.Option(min=1, help="Cores for each training on Ray; 1 if not given.", show_default=False)
]


def check_executor(name: str, workers: int | None, address: str | None, cpus: int | None) -> None:
    """Refuse options of the other executor.

    Raises:
        UsageError: an option does not go with the executor.
    """
    for option, given, owner in (
        ("--workers", workers, "local"),
        ("--address", address, "ray"),
        ("--cpus", cpus, "ray"),
    ):
        if given is not None and name != owner:
            also = " Ray runs as many trainings at once as have --cpus cores." if owner == "local" else ""
            raise UsageError(f"{option} goes with --executor {owner}, got --executor {name}.{also}")


@contextlib.contextmanager
def open_executor(
    name: str,
    cells: int,
    workers: int | None,
    address: str | None,
    cpus: int | None,
    cell_function: str,
    packages: Sequence[str] = (),
) -> Iterator["Executor"]:
    """The executor of a command, until the command ends.

    Args:
        name: `local` or `ray`.
        cells: the greatest number of cells that could run at the same time.
        workers: see `cli.shared.Workers`.
        address: see `Address`.
        cpus: see `Cpus`.
        cell_function: what runs a cell; see `LocalProcesses`.
        packages: what the cells import beyond the requirements of this package.
    """
    if name == "ray":
        from seq2seq_zoo.benchmark.ray_tasks import RayTasks

        with RayTasks(address, cpus or 1, cell_function, packages) as tasks:
            yield tasks
    else:
        from seq2seq_zoo.benchmark.executor import LocalProcesses
        from seq2seq_zoo.system.environment import cores

        yield LocalProcesses(min(workers or cores(), cells), cell_function)
