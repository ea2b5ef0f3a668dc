"""The page of models in the browser, which `export --format web` and `play` write."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq_zoo.cli.models import load_model, make_search, returning_all, run_task
from seq2seq_zoo.cli.shared import UsageError

EXAMPLES = 6
"""How many sources a page offers."""
CHOSEN_FROM = 50
"""How many sources of test these are chosen from."""
ALIKE = "These models were trained alike. They differ in what a step of the decoder reads."
"""What a page says about runs whose configurations differ in the decoder's mode alone."""


class Page(NamedTuple):
    """A written page."""

    models: list[Any]
    exported: list[Any]
    """The models as they were exported, in the same order."""
    search: Any
    """The search of a page of one model."""


def write_page(
    paths: Sequence[Path],
    directory: Path,
    search: str | None = None,
    overrides: Sequence[str] | None = None,
    quantize: str | None = None,
) -> Page:
    """Write the page of the models at some paths.

    Args:
        paths: run directories or model files.
        directory: a new directory.
        search: the name of the search of a page of one model; beam if not given.
        overrides: its options.
        quantize: see `seq2seq_zoo.export.export`.
    """
    if len(paths) > 1 and (search is not None or overrides):
        raise UsageError("--search and --set: a page of several models takes one step at a time: leave them out.")
    models = [load_model(path) for path in paths]
    from seq2seq_zoo.export import has_search
    from seq2seq_zoo.export.web import web

    chosen = None
    if len(models) == 1 and has_search(models[0]):
        chosen = returning_all(make_search(models[0], search or "beam", overrides))
    title, about = _words(paths)
    exported = web(
        dict(zip(_names(paths), models, strict=True)), directory, title, about, _examples(paths), chosen, quantize
    )
    return Page(models, exported, chosen)


def _configs(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """The configurations of runs; none if a path is a model file."""
    from seq2seq_zoo.experiment.run import read_config

    return [read_config(path) for path in paths] if all(path.is_dir() for path in paths) else []


def _names(paths: Sequence[Path]) -> list[str]:
    """A name for each model: its mode, if all have the same task and other modes; else that of its folder or file.

    Raises:
        UsageError: two have the same name.
    """
    configs = _configs(paths)
    modes = _modes(configs)
    if len(modes) > 1 and all(config["task"] == configs[0]["task"] for config in configs):
        return modes
    if len({path.resolve() for path in paths}) < len(paths):
        raise UsageError("The same model is given twice: leave one out.")
    names = [path.resolve().name if path.is_dir() else path.stem for path in paths]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise UsageError(f"Two models are called {twice[0]!r}: rename the folder of one of them.")
    return names


def _words(paths: Sequence[Path]) -> tuple[str, list[str]]:
    """The title of a page, and the paragraphs below it."""
    from seq2seq_zoo.experiment.card import about
    from seq2seq_zoo.tasks import tasks

    if len(paths) == 1:
        known = about(paths[0])
        name = paths[0].resolve().name if paths[0].is_dir() else paths[0].stem
        return known.get("title", name), [known[part] for part in ("description", "limits") if part in known]
    task = re.split("[:,;(]", tasks.list().get(run_task(paths[0])["name"], "models"))[0].strip()
    task = "models" if task.startswith("your own") else task
    return f"{task[0].upper()}{task[1:]}, side by side", [ALIKE] if _are_alike(_configs(paths)) else []


def _modes(configs: Sequence[dict[str, Any]]) -> list[str]:
    """The modes of configurations if each has another; else none."""
    modes = [config["decoder"]["mode"] for config in configs if config["decoder"] is not None]
    return modes if len(set(modes)) == len(configs) else []


def _are_alike(configs: Sequence[dict[str, Any]]) -> bool:
    """Whether configurations differ only in the mode of the decoder, and in options that not all modes have."""
    if not _modes(configs):
        return False
    common = set.intersection(*({*config["decoder"]} for config in configs)) - {"mode"}
    parts = [{**config, "decoder": {name: config["decoder"][name] for name in common}} for config in configs]
    return all(part == parts[0] for part in parts)


def _examples(paths: Sequence[Path]) -> list[tuple[str, str]]:
    """Short and long pairs of the first run's test split; none if there is no run or its data is not here."""
    from seq2seq_zoo.config.schema import ConfigError
    from seq2seq_zoo.experiment.run import RunError, read_data

    if not paths[0].is_dir():
        return []
    try:
        answers = read_data(paths[0]).answers("test")[:CHOSEN_FROM]
    except (ConfigError, RunError):
        return []
    pairs = {source: targets[0] for source, targets in sorted(answers, key=lambda pair: len(pair[0]))}
    sources, count = [*pairs], min(EXAMPLES, len(pairs))
    places = [round(place * (len(sources) - 1) / max(1, count - 1)) for place in range(count)]
    return [(sources[place], pairs[sources[place]]) for place in places]
