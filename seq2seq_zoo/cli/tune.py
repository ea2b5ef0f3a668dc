"""`seq2seq-zoo tune`: searches for the best setting of a configuration on dev."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seq2seq_zoo.cli.executor import Address, Cpus, ExecutorName, check_executor, open_executor
from seq2seq_zoo.cli.shared import (
    ConfigName,
    Overrides,
    UsageError,
    Workers,
    app,
    examples,
    find_file,
    note,
    presets,
    require_file,
    start_backend,
)

if TYPE_CHECKING:
    from seq2seq_zoo.metrics.metric import Metric


class Sampler(StrEnum):
    """How to choose settings."""

    tpe = "tpe"
    random = "random"
    grid = "grid"


class Pruner(StrEnum):
    """How to stop bad trials early."""

    median = "median"
    asha = "asha"
    none = "none"


@app.command(
    epilog=examples(
        "seq2seq-zoo tune copy space.yaml",
        "seq2seq-zoo tune mine.yaml --trials 50 --sampler random --pruner asha",
        "seq2seq-zoo tune mine.yaml space.yaml --storage postgresql://me@host/trials",
        "seq2seq-zoo tune mine.yaml space.yaml --executor ray --address ray://head:10001",
        "seq2seq-zoo train runs/tune-mine/best.yaml",
    )
)
def tune(
    config: ConfigName,
    space: Annotated[
        Path | None,
        typer.Argument(
            metavar="SPACE",
            help="A YAML file with the section `search`; CONFIG itself has it if not given.",
            show_default=False,
        ),
    ] = None,
    trials: Annotated[
        int, typer.Option(min=1, help="How many settings to try, those of earlier starts included.")
    ] = 20,
    sampler: Annotated[Sampler, typer.Option(help="How to choose settings.")] = Sampler.tpe,
    pruner: Annotated[Pruner, typer.Option(help="How to stop bad trials early.")] = Pruner.median,
    seed: Annotated[int, typer.Option(min=0, help="Seeds the sampler; trial i trains with this seed + i.")] = 1000,
    storage: Annotated[
        str | None,
        typer.Option(
            help="An Optuna storage URL, for trials on several machines; a journal in --out if not given.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The directory for the trials; runs/tune-CONFIG if not given.", show_default=False),
    ] = None,
    workers: Workers = None,
    executor: ExecutorName = "local",
    address: Address = None,
    cpus: Cpus = None,
    overrides: Overrides = None,
) -> None:
    """Search for the best setting of a configuration, on dev alone.

    If it is stopped or killed, the same command continues. Started several times, the processes share the trials.
    """
    path = find_file(config, "preset", presets())
    check_executor(executor, workers, address, cpus)
    if space is not None:
        require_file(space)
    from seq2seq_zoo.benchmark import studies
    from seq2seq_zoo.config.options import OptionError

    try:
        studies.require_optuna()
    except OptionError as error:
        raise UsageError(f"tune {error.message}") from None
    start_backend()
    from seq2seq_zoo.benchmark import tuning
    from seq2seq_zoo.metrics.metric import METRICS

    arguments = {"trials": trials, "sampler": sampler.value, "pruner": pruner.value, "seed": seed}
    search = tuning.read_search(path, space, arguments, overrides or ())
    metric = METRICS[search.metric]
    note(f"study {search.name}: {studies.number_of_trials(search.tune)} trials, compared by {metric.label} on dev")
    ended = {"finished": 0, "failed": 0}

    def on_end(event: dict[str, Any]) -> None:
        ended[event["event"]] += 1
        note(_line(event, metric))

    directory = out or Path("runs", f"tune-{path.stem}")
    try:
        with open_executor(executor, trials, workers, address, cpus, tuning.CELL_FUNCTION) as runs_trials:
            found, best = tuning.run_search(search, directory, runs_trials, on_end, storage)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"Stopped: {ended['finished']} trials finished. The same command continues.") from None
    _print_trials(found, best, metric)
    print(f"\nbest setting  {directory / tuning.BEST}")
    raise typer.Exit(1 if ended["failed"] else 0)


def _line(event: dict[str, Any], metric: "Metric") -> str:
    """One line about a trial that has just ended."""
    from seq2seq_zoo.benchmark.board import duration

    if event["event"] == "failed":
        return f"a trial could not start: {event['reason']}. The same command tries again."
    trial = event["result"]
    if not trial:
        return "another process has started the last trial"
    score = "no score" if trial["score"] is None else f"{metric.label} {metric.shown(trial['score'])}"
    state = "" if trial["state"] == "complete" else f" ({trial['state']})"
    setting = ", ".join(f"{key}={_shown(value)}" for key, value in trial["params"].items())
    reason = f": {trial['reason']}" if "reason" in trial else ""
    return f"trial {trial['number']}: {score}{state}, {setting}, {duration(trial['seconds'])}{reason}"


def _print_trials(trials: list[dict[str, Any]], best: dict[str, Any], metric: "Metric") -> None:
    """Print all trials, the best ones first."""
    from seq2seq_zoo.cli.metrics import print_columns

    sign = -1 if metric.higher_is_better else 1
    others = sorted(trials, key=lambda trial: (trial["score"] is None, sign * (trial["score"] or 0.0)))
    rows = [["trial", "", f"{metric.label} (dev)", "epochs", *best["params"]]]
    for trial in [best, *(each for each in others if each["number"] != best["number"])]:
        state = "best" if trial is best else "" if trial["state"] == "complete" else trial["state"]
        score = "" if trial["score"] is None else metric.shown(trial["score"])
        setting = [_shown(trial["params"].get(key, "")) for key in best["params"]]
        rows.append([str(trial["number"]), state, score, str(trial["epochs"]), *setting])
    print_columns(rows)


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
