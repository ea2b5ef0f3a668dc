"""The command that runs a suite."""

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from seq2seq_zoo.cli.shared import Overrides, app, examples, file_of, start_backend, suites


@app.command(
    epilog=examples(
        "seq2seq-zoo benchmark --quick",
        "seq2seq-zoo benchmark default --workers 4 --out results",
        "seq2seq-zoo benchmark mine.yaml --set base.training.epochs=3",
    )
)
def benchmark(
    suite: Annotated[str, typer.Argument(help="A YAML file, or the name of a suite that comes with this.")] = "default",
    quick: Annotated[bool, typer.Option("--quick", help="The suite's short form.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="A directory, new or begun with this suite; runs/benchmark-SUITE if not given.", show_default=False
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that train at once; a core each if not given.", show_default=False),
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Train every mode on the questions of a suite, and write a report.

    What has finished is kept: stopped or killed at any time, the same command goes on.
    """
    path = file_of(suite, "suite", suites())
    start_backend()
    from seq2seq_zoo.benchmark import runner
    from seq2seq_zoo.benchmark.cell import match_parameters
    from seq2seq_zoo.benchmark.executor import LocalProcesses
    from seq2seq_zoo.benchmark.suite import read_suite
    from seq2seq_zoo.experiment import factory
    from seq2seq_zoo.system.environment import cores

    wanted = read_suite(path, factory.schema, factory.modes, match_parameters, quick, overrides or ())
    directory = out or Path("runs", f"benchmark-{wanted.name}")
    executor = LocalProcesses(min(workers or cores(), len(wanted.cells)))
    changes = [argument for override in overrides or () for argument in ("--set", override)]
    command = shlex.join(["seq2seq-zoo", "benchmark", suite, *(["--quick"] if quick else []), *changes])
    raise typer.Exit(runner.run(wanted, directory, executor, Console(stderr=True), command))
