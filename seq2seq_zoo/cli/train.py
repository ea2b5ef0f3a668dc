"""The command that trains."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from seq2seq_zoo.cli.shared import (
    Overrides,
    SkipBadLines,
    Usage,
    app,
    examples,
    file_of,
    note,
    presets,
    print_metrics,
    start_backend,
)

if TYPE_CHECKING:
    from seq2seq_zoo.experiment.run import Run


@app.command(
    epilog=examples(
        "seq2seq-zoo train first_25",
        "seq2seq-zoo train digits_to_words --set decoder.mode=peek --out runs/peek",
        "seq2seq-zoo train file --set task.train=pairs.tsv --skip-bad-lines",
        "seq2seq-zoo train --resume runs/peek",
    )
)
def train(
    ctx: typer.Context,
    config: Annotated[
        str | None, typer.Argument(metavar="CONFIG", help="A YAML file, or the name of a preset.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="A new directory; runs/CONFIG-MODE-SEED if not given.", show_default=False)
    ] = None,
    overrides: Overrides = None,
    skip_bad_lines: SkipBadLines = False,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with the run in this directory, in place of CONFIG.", show_default=False)
    ] = None,
) -> None:
    """Train a model in a directory of its own, and measure it on the test split."""
    if (config is None) == (resume is None):
        raise Usage("Give either a CONFIG to begin a new run, or --resume DIR to go on with one.")
    if resume is not None and (out or overrides or skip_bad_lines):
        raise Usage("--resume goes on with the run's own directory and configuration: leave the other options out.")
    run = None
    try:
        path = None if config is None else file_of(config, "preset", presets())
        start_backend()
        from seq2seq_zoo.cli.progress import EpochLines
        from seq2seq_zoo.experiment.run import BEST, CURVES, PREDICTIONS, SERIES, Run

        if path is None:
            run = Run.resume(str(resume))
        else:
            changes = [*(overrides or ()), *(["task.skip_bad_lines=true"] if skip_bad_lines else [])]
            run = _new_run(path, changes, out)
        _introduce(run)
        with EpochLines(Console(stderr=True)) as lines:
            measured = run.train(lines.on_epoch, [lines])
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_saved(run, ctx.command_path)) from None
    note("The best epoch's model on the test split:")
    print_metrics(measured["test"], len(run.data.splits["test"]))
    print()
    for what, file in (("model", BEST), ("outputs", PREDICTIONS), ("curves", CURVES), ("picture", SERIES)):
        if (run.directory / file).exists():
            print(f"{what:7}  {run.directory / file}")


def _new_run(path: Path, changes: Sequence[str], out: Path | None) -> "Run":
    from seq2seq_zoo.config.reader import read
    from seq2seq_zoo.experiment import factory
    from seq2seq_zoo.experiment.run import Run

    config = read(path, factory.schema, changes)
    mode = [] if config["decoder"] is None else [config["decoder"]["mode"]]
    name = "-".join([path.stem, *mode, str(config["seed"])])
    return Run.start(out or Path("runs", name), config)


def _introduce(run: "Run") -> None:
    sizes = {split: f"{run.data.size(split):,}" for split in run.data.splits}
    note(
        f"{run.config['task']['name']}: {sizes['train']} {run.data.counted} to train on, {sizes['dev']} dev, "
        f"{sizes['test']} test" + (f"; bad lines skipped: {run.data.skipped:,}" if run.data.skipped else "")
    )
    what = "no decoder" if run.config["decoder"] is None else f"{run.config['decoder']['mode']} decoder"
    note(f"{what}: {run.model.count_params():,} parameters in the whole model")
    for line in run.notes:
        note(line)
    note(f"{'going on' if run.history else 'training'} in {run.directory}, epoch {len(run.history) + 1}")


def _saved(run: "Run | None", command: str) -> str:
    if run is None:
        return "Stopped before anything was saved."
    epochs = len(run.history)
    kept = f"{epochs} finished epoch{'s' * (epochs > 1)} saved" if epochs else "no epoch is finished yet"
    return f"Stopped: {kept}. Go on with: {command} --resume {shlex.quote(str(run.directory))}"
