"""`seq2seq-zoo benchmark`: runs a suite."""

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from seq2seq_zoo.cli.executor import Address, Cpus, ExecutorName, check_executor, open_executor
from seq2seq_zoo.cli.shared import (
    DataDir,
    Overrides,
    UsageError,
    Workers,
    app,
    examples,
    find_file,
    start_backend,
    suites,
)
from seq2seq_zoo.system.environment import cores


@app.command(
    epilog=examples(
        "seq2seq-zoo benchmark --quick",
        "seq2seq-zoo benchmark g2p --dry-run",
        "seq2seq-zoo benchmark default --workers 4 --out results",
        "seq2seq-zoo benchmark mine.yaml --set base.training.epochs=3",
        "seq2seq-zoo benchmark mine.yaml --executor ray --address ray://head:10001",
    )
)
def benchmark(
    suite: Annotated[
        str, typer.Argument(help="A YAML file, or the name of a suite that comes with the package.")
    ] = "default",
    quick: Annotated[bool, typer.Option("--quick", help="Run the short form of the suite.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print the cells and the estimated time; train nothing, write nothing."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="A new directory, or one of this suite to continue; runs/benchmark-SUITE if not given.",
            show_default=False,
        ),
    ] = None,
    workers: Workers = None,
    executor: ExecutorName = "local",
    address: Address = None,
    cpus: Cpus = None,
    data_dir: DataDir = None,
    overrides: Overrides = None,
) -> None:
    """Train every mode for each question of a suite, and write a report.

    If it is stopped or killed, the same command continues with what is not finished.
    """
    path = find_file(suite, "suite", suites())
    check_executor(executor, workers, address, cpus)
    if dry_run and executor != "local":
        raise UsageError(f"--dry-run measures cells on this machine: leave out --executor {executor}.")
    start_backend()
    from seq2seq_zoo.benchmark import cost, runner
    from seq2seq_zoo.benchmark.cell import match_parameters
    from seq2seq_zoo.benchmark.executor import CELL_FUNCTION
    from seq2seq_zoo.benchmark.suite import read_suite
    from seq2seq_zoo.experiment import factory

    loaded = read_suite(path, factory.schema, factory.modes, match_parameters, quick, overrides or ())
    directory = out or Path("runs", f"benchmark-{loaded.name}")
    changes = [argument for override in overrides or () for argument in ("--set", override)]
    command = shlex.join(["seq2seq-zoo", "benchmark", suite, *(["--quick"] if quick else []), *changes])
    packages = [] if loaded.tune is None else ["optuna"]
    cells = len(loaded.cells)
    if dry_run:
        with open_executor(executor, cells, workers, address, cpus, cost.CELL_FUNCTION, packages) as measures_cells:
            print(*cost.dry_run(loaded, directory, measures_cells, min(workers or cores(), cells)), sep="\n")
        return
    with open_executor(executor, cells, workers, address, cpus, CELL_FUNCTION, packages) as runs_cells:
        raise typer.Exit(runner.run(loaded, directory, runs_cells, Console(stderr=True), command))
