"""The command that lists what there is to choose from."""

import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from seq2seq_zoo.cli.shared import (
    app,
    examples,
    presets,
    start_backend,
    suites,
)
from seq2seq_zoo.config.registry import UnknownNameError, nearest


def _registered(place: str) -> Callable[[], dict[str, str]]:
    def read() -> dict[str, str]:
        if not place.startswith(("seq2seq_zoo.tasks", "seq2seq_zoo.metrics.texts")):
            start_backend()
        return pkgutil.resolve_name(place).list()

    return read


def _purposes(files: Callable[[], dict[str, Path]]) -> Callable[[], dict[str, str]]:
    """The comment on the first line of each file."""
    return lambda: {
        name: path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ") for name, path in files().items()
    }


KINDS: dict[str, Callable[[], dict[str, str]]] = {
    "modes": _registered("seq2seq_zoo.decoders:modes"),
    "cells": _registered("seq2seq_zoo.layers.cells:cells"),
    "attentions": _registered("seq2seq_zoo.layers.attention:attentions"),
    "bridges": _registered("seq2seq_zoo.layers.bridge:bridges"),
    "schedules": _registered("seq2seq_zoo.layers.schedules:schedules"),
    "searches": _registered("seq2seq_zoo.decoding:searches"),
    "formats": _registered("seq2seq_zoo.export:formats"),
    "tasks": _registered("seq2seq_zoo.tasks:tasks"),
    "metrics": _registered("seq2seq_zoo.metrics.texts:text_metrics"),
    "presets": _purposes(presets),
    "suites": _purposes(suites),
}


@app.command("list", epilog=examples("seq2seq-zoo list", "seq2seq-zoo list modes"))
def list_(
    kind: Annotated[str | None, typer.Argument(help=f"One of {', '.join(KINDS)}; all of them if not given.")] = None,
) -> None:
    """Say what there is to choose from, each with one line."""
    if kind is not None and kind not in KINDS:
        raise UnknownNameError(f"Unknown kind '{kind}'.{nearest(kind, KINDS)} Kinds: {', '.join(KINDS)}.")
    for each in KINDS if kind is None else [kind]:
        entries = KINDS[each]()
        width = max(map(len, entries), default=0)
        indent = ""
        if kind is None:
            print(f"{each}:")
            indent = "  "
        for name, description in entries.items():
            print(f"{indent}{name:{width}}  {description}")
