"""`seq2seq-zoo train`: trains a model."""

import json
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from seq2seq_zoo.cli.metrics import print_metrics
from seq2seq_zoo.cli.shared import (
    Overrides,
    SkipBadLines,
    UsageError,
    app,
    chosen_backend,
    examples,
    find_file,
    note,
    presets,
    start_backend,
)
from seq2seq_zoo.experiment.directory import require_new, require_resumable, require_run
from seq2seq_zoo.system.model_file import find_model

if TYPE_CHECKING:
    from seq2seq_zoo.experiment.run import Run


@app.command(
    epilog=examples(
        "seq2seq-zoo train first_25",
        "seq2seq-zoo train digits_to_words --set decoder.mode=peek --out runs/peek",
        "seq2seq-zoo train file --set task.train=pairs.tsv --skip-bad-lines",
        "seq2seq-zoo train file --set task.train=more.tsv --from runs/peek --out runs/more",
        "seq2seq-zoo train --resume runs/peek",
        "seq2seq-zoo train --resume runs/peek --set training.epochs=30",
        "seq2seq-zoo train mine.yaml --processes 2 --coordinator 10.0.0.1:1234 --process 0",
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
    base: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="RUN_OR_MODEL",
            help="Go on from this trained model, whose parts the CONFIG must have; its vocabularies grow.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Continue the run in this directory, instead of a CONFIG.", show_default=False)
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="How many processes train together on JAX; start this command in each. See docs/scaling.md.",
            show_default=False,
        ),
    ] = None,
    coordinator: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Where the first process listens for the others.", show_default=False),
    ] = None,
    process: Annotated[
        int | None, typer.Option(min=0, help="The number of this process; that of the first is 0.", show_default=False)
    ] = None,
) -> None:
    """Train a model in a run directory, and evaluate it on the test split."""
    if (config is None) == (resume is None):
        raise UsageError("Give either a CONFIG, to start a new run, or --resume DIR, to continue one.")
    if resume is not None and (out or skip_bad_lines or base):
        raise UsageError(
            "--resume continues a run in its directory and with its configuration: leave --out, --skip-bad-lines and "
            "--from out."
        )
    connect = _connection(processes, coordinator, process)
    run = None
    try:
        path = None
        changes = [*(overrides or ()), *(["task.skip_bad_lines=true"] if skip_bad_lines else [])]
        if base is not None:
            find_model(base)
            changes.append(f"pretrained.model={json.dumps(str(base), ensure_ascii=False)}")
        if config is not None:
            path = find_file(config, "preset", presets())
            _require_files(path, changes)
        elif resume is not None:
            require_resumable(changes)
            require_run(resume)
        if out is not None and not process:  # otherwise the first process may have made it
            require_new(out)
        start_backend(connect)
        from seq2seq_zoo.cli.progress import EpochLines
        from seq2seq_zoo.experiment.run import BEST, CURVES, PREDICTIONS, SERIES, Run

        run = Run.resume(str(resume), changes) if path is None else _new_run(path, changes, out)
        _describe(run)
        with EpochLines(Console(stderr=True)) as lines:
            metrics = run.train(lines.on_epoch, [lines])
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_stopped(run, ctx.command_path)) from None
    note(f"Epoch {metrics['best_epoch']} of {metrics['epochs']} was the best on dev. Its model on the test split:")
    print_metrics(metrics["test"], len(run.data.splits["test"]))
    print()
    for what, file in (("model", BEST), ("outputs", PREDICTIONS), ("curves", CURVES), ("picture", SERIES)):
        if (run.directory / file).exists():
            print(f"{what:7}  {run.directory / file}")


def _connection(processes: int | None, coordinator: str | None, process: int | None) -> Callable[[], None] | None:
    """A function that connects this process with the others; `None` if there are no others.

    Raises:
        UsageError: an option is missing or wrong, or the backend cannot do this.
    """
    given = {"--processes": processes, "--coordinator": coordinator, "--process": process}
    missing = [name for name, value in given.items() if value is None]
    if len(missing) == len(given):
        return None
    if processes is None or coordinator is None or process is None:
        raise UsageError(f"{', '.join(given)} go together: add {' and '.join(missing)}.")
    if process >= processes:
        raise UsageError(f"--process must be below --processes, {processes}, got {process}: the first is 0.")
    if not re.fullmatch(r".+:\d+", coordinator):
        raise UsageError(f"--coordinator must be HOST:PORT, such as 10.0.0.1:1234, got '{coordinator}'.")
    if chosen_backend() != "jax":
        raise UsageError(f"--processes needs JAX, but KERAS_BACKEND is {chosen_backend()}: set KERAS_BACKEND=jax.")

    def connect() -> None:
        import keras

        keras.utils.set_random_seed(0)  # otherwise Keras draws a seed for all; each run sets its own
        try:
            keras.distribution.initialize(coordinator, processes, process)
        except RuntimeError as error:
            raise UsageError(
                f"Process {process} of {processes} has no connection at {coordinator}: {str(error).rstrip('.')}. Start "
                "all of them within five minutes, with the same --processes and --coordinator."
            ) from None

    return connect


def _require_files(path: Path, changes: Sequence[str]) -> None:
    """Refuse a task whose files cannot be read, before the backend is imported."""
    from seq2seq_zoo.config.options import OptionError, errors_at
    from seq2seq_zoo.config.reader import read
    from seq2seq_zoo.config.schema import Choice, ConfigError, Schema
    from seq2seq_zoo.tasks import tasks

    try:
        config = read(path, Schema({"task": Choice(tasks, key="name")}), changes, partial=True)
    except ConfigError:
        return  # it is reported with the whole configuration
    try:
        with errors_at("task", refusals=ValueError):
            tasks.create(config["task"]).peek()
    except OptionError as error:
        raise ConfigError.at(error, config.origins) from None


def _new_run(path: Path, changes: Sequence[str], out: Path | None) -> "Run":
    """A run of a configuration, in a directory that is named after it unless `out` is given."""
    from seq2seq_zoo.config.reader import read
    from seq2seq_zoo.experiment import factory
    from seq2seq_zoo.experiment.run import Run

    config = read(path, factory.schema, changes)
    mode = [] if config["decoder"] is None else [config["decoder"]["mode"]]
    name = "-".join([path.stem, *mode, str(config["seed"])])
    return Run.start(out or Path("runs", name), config)


def _describe(run: "Run") -> None:
    """Print what is trained on what, and what to know about it before."""
    from seq2seq_zoo.experiment import notes

    sizes = {split: f"{run.data.size(split):,}" for split in run.data.splits}
    too_long = getattr(run.data, "too_long", 0)
    note(
        f"{run.config['task']['name']}: {sizes['train']} {run.data.counted} to train on, {sizes['dev']} dev, "
        f"{sizes['test']} test"
        + (f"; bad lines skipped: {run.data.skipped:,}" if run.data.skipped else "")
        + (f"; too long and left out: {too_long:,}" if too_long else "")
    )
    model = "no decoder" if run.config["decoder"] is None else f"{run.config['decoder']['mode']} decoder"
    note(f"{model}: {run.model.count_params():,} parameters in the whole model")
    for line in [*run.notes, *notes.before_training(run.config["task"], run.training, run.data, run.model)]:
        note(line)
    if run.why_finished:
        note(f"{run.directory} is only evaluated again: {run.why_finished}")
    else:
        note(f"{'resuming' if run.history else 'training'} in {run.directory}, epoch {len(run.history) + 1}")


def _stopped(run: "Run | None", command: str) -> str:
    """The message after Ctrl-C: what is saved, and the command that continues."""
    if run is None:
        return "Stopped before anything was saved."
    epochs = len(run.history)
    saved = f"{epochs} finished epoch{'s' * (epochs > 1)} saved" if epochs else "no epoch is finished yet"
    return f"Stopped: {saved}. Continue with: {command} --resume {shlex.quote(str(run.directory))}"
