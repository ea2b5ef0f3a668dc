"""`seq2seq-zoo list`: what there is to choose from."""

import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from seq2seq_zoo.cli.shared import app, examples, presets, start_backend, suites
from seq2seq_zoo.config.messages import nearest
from seq2seq_zoo.config.registry import UnknownNameError

Descriptions = Callable[[], dict[str, str]]
"""Returns the description of each entry, by name."""


def _registry(place: str, backend: bool = True) -> Descriptions:
    """The entries of a registry given as `module:name`, which is imported when it is read."""

    def read() -> dict[str, str]:
        if backend:
            start_backend()
        return pkgutil.resolve_name(place).list()

    return read


def _first_comments(files: Callable[[], dict[str, Path]]) -> Descriptions:
    """The comment on the first line of each file."""
    return lambda: {
        name: path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ") for name, path in files().items()
    }


def _titles() -> dict[str, str]:
    """The title of each published data set."""
    from seq2seq_zoo.data.published import data_sets

    return {name: data_set.title for name, data_set in data_sets().items()}


def _models() -> dict[str, str]:
    """The title of each model that comes with the package."""
    from seq2seq_zoo.experiment.card import about
    from seq2seq_zoo.system.model_file import zoo

    return {name: about(directory)["title"] for name, directory in zoo().items()}


KINDS: dict[str, Descriptions] = {
    "modes": _registry("seq2seq_zoo.decoders:modes"),
    "cells": _registry("seq2seq_zoo.layers.cells:cells"),
    "attentions": _registry("seq2seq_zoo.layers.attention:attentions"),
    "bridges": _registry("seq2seq_zoo.layers.bridge:bridges"),
    "schedules": _registry("seq2seq_zoo.layers.schedules:schedules"),
    "searches": _registry("seq2seq_zoo.decoding:searches"),
    "formats": _registry("seq2seq_zoo.export:formats"),
    "trackers": _registry("seq2seq_zoo.training.trackers:trackers"),
    "tasks": _registry("seq2seq_zoo.tasks:tasks", backend=False),
    "metrics": _registry("seq2seq_zoo.metrics.texts:text_metrics", backend=False),
    "presets": _first_comments(presets),
    "suites": _first_comments(suites),
    "data": _titles,
    "models": _models,
}


@app.command("list", epilog=examples("seq2seq-zoo list", "seq2seq-zoo list modes"))
def list_(
    kind: Annotated[str | None, typer.Argument(help=f"One of {', '.join(KINDS)}; all of them if not given.")] = None,
) -> None:
    """List what there is to choose from, one line each."""
    if kind is not None and kind not in KINDS:
        raise UnknownNameError(f"Unknown kind '{kind}'.{nearest(kind, KINDS)} Kinds: {', '.join(KINDS)}.")
    indent = "  " if kind is None else ""
    for each in KINDS if kind is None else [kind]:
        if kind is None:
            print(f"{each}:")
        entries = KINDS[each]()
        width = max(map(len, entries), default=0)
        for name, description in entries.items():
            print(f"{indent}{name:{width}}  {description}")
