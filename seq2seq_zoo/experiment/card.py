"""The card of a model: what it does, how well, and how it was made, as Markdown from the records of its run."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from scipy.stats import binomtest

from seq2seq_zoo.experiment.directory import CONFIG, DATA, METRICS, RunError, require_run
from seq2seq_zoo.metrics.metric import METRICS as METRIC_NAMES
from seq2seq_zoo.system.model_file import BEST

SHARES = {"exact_match", "exact_match_first"}
"""The metrics that are shares of the examples."""

ABOUT = "about.yaml"
"""What the records of a model that comes with the package do not say: its `title`, `description`, `use`, `limits` and
`data`, and the `command` that makes it again."""


def card(directory: str | os.PathLike[str]) -> str:
    """The card of the model in a run directory.

    Args:
        directory: of a run that has ended. If it has a file `about.yaml`, its words come first.

    Returns:
        Markdown with the scores and their intervals, the configuration, the seed, the versions and the machine.

    Raises:
        RunError: there is no run in the directory, or it has not ended.
    """
    directory = Path(directory)
    return "\n".join([*_introduction(directory), *_evidence(directory)])


def about(directory: Path) -> dict[str, str]:
    """What the records of a run do not say about its model; nothing unless it comes with the package."""
    path = directory / ABOUT
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}


def scores(directory: Path, split: str = "test") -> dict[str, str]:
    """The number of examples of a split, and each metric as text; a share of the examples has its interval."""
    metrics = _metrics(directory)[split]
    sizes = json.loads((directory / DATA).read_text(encoding="utf-8"))["sizes"]
    count = metrics.get("sources", sizes[split])
    shown = {"examples": f"{count:,}"}
    for name in metrics.keys() & METRIC_NAMES.keys():
        shown[name] = METRIC_NAMES[name].shown(metrics[name])
        if name in SHARES:
            interval = binomtest(round(metrics[name] * count), count).proportion_ci(method="wilson")
            shown[name] = f"{metrics[name]:.2%} ({interval.low:.2%} to {interval.high:.2%})"
    return shown


def _metrics(directory: Path) -> dict[str, Any]:
    """The metrics of a run that has ended."""
    require_run(directory)
    if not (directory / METRICS).exists():
        raise RunError(f"{directory} has no {METRICS}: the run has not ended. Continue it with train --resume.")
    return json.loads((directory / METRICS).read_text(encoding="utf-8"))


def _introduction(directory: Path) -> Iterator[str]:
    """What the model does and cannot do, and how well it does it."""
    both = [scores(directory, split) for split in ("dev", "test")]
    words = about(directory)
    yield f"# {words.get('title', directory.name)}"
    if words:
        yield from ("", words["description"].strip(), "", "```console", words["use"].strip(), "```")
        yield from ("", "## What it cannot do", "", words["limits"].strip())
    yield from ("", "## Scores", "", "| | dev | test |", "| --- | --: | --: |")
    for name in ("examples", *METRIC_NAMES):
        if name in both[1]:
            label = METRIC_NAMES[name].label if name in METRIC_NAMES else name
            yield f"| {label} | {' | '.join(each[name] for each in both)} |"
    if SHARES & both[1].keys():
        yield from ("", "An interval is Wilson's, of 95 %, over the examples. It says nothing about other seeds.")


def _evidence(directory: Path) -> Iterator[str]:
    """The model, its data and how it was made."""
    config = yaml.safe_load((directory / CONFIG).read_text(encoding="utf-8"))
    metrics, words = _metrics(directory), about(directory)
    machine, decoder = metrics["machine"], config["decoder"]
    mode = "no decoder" if decoder is None else f"mode {decoder['mode']}"
    size = (directory / BEST).stat().st_size / 1e6
    yield from ("", "## The model", "", f"- {mode}, {metrics['parameters']:,} parameters, {size:.1f} MB")
    if speed := metrics.get("speed"):
        yield f"- greedy search on {_cores(speed['machine'])}: sources a second"
        yield from (f"    - {how}: {speed[how]:,.0f}" for how in speed if how != "machine")
    if words:
        yield from ("", "## Data and licence", "", words["data"].strip())
    yield from ("", "## How it was made", "")
    if words:
        yield from ("```console", f"$ {words['command'].strip()}", "```", "")
    yield f"- seed {config['seed']}; epoch {metrics['best_epoch']} of {metrics['epochs']} was the best on dev"
    yield f"- {metrics['seconds'] / 60:.0f} minutes on {_cores(machine)}"
    yield f"- {', '.join(f'{name} {version}' for name, version in metrics['versions'].items())}"
    yield from ("", "```yaml", yaml.safe_dump(config, sort_keys=False, allow_unicode=True).strip(), "```", "")


def _cores(machine: dict[str, Any]) -> str:
    """How many cores, and of what."""
    return f"{machine['cores']} core{'s' * (machine['cores'] != 1)} of {machine['cpu']}"
