"""Commands that train nothing: what there is, and configurations."""

import json
import pkgutil
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from seq2seq_zoo.cli.shared import (
    ConfigName,
    Overrides,
    Usage,
    app,
    examples,
    file_of,
    note,
    presets,
    start_backend,
    suites,
)
from seq2seq_zoo.registry import UnknownNameError, nearest


def _registered(place: str) -> Callable[[], dict[str, str]]:
    def read() -> dict[str, str]:
        if not place.startswith(("seq2seq_zoo.tasks", "seq2seq_zoo.text_metrics")):
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
    "metrics": _registered("seq2seq_zoo.text_metrics:text_metrics"),
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


@app.command(epilog=examples("seq2seq-zoo init digits_to_words", "seq2seq-zoo init file --out inflection.yaml"))
def init(
    preset: Annotated[str, typer.Argument(help="The name of a preset: see 'seq2seq-zoo list presets'.")],
    out: Annotated[Path | None, typer.Option(help="The file to write; PRESET.yaml here if not given.")] = None,
) -> None:
    """Write a preset into a file of your own, to change and to train."""
    known = presets()
    if preset not in known:
        raise UnknownNameError(f"Unknown preset '{preset}'.{nearest(preset, known)} Presets: {', '.join(known)}.")
    path = out or Path(f"{preset}.yaml")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(known[preset].read_text(encoding="utf-8"))
    except FileExistsError:
        raise Usage(f"{path} is there already and is not overwritten: give another name with --out.") from None
    note(f"Wrote {path}. Train it with: seq2seq-zoo train {shlex.quote(str(path))}")


@app.command(epilog=examples("seq2seq-zoo show copy", "seq2seq-zoo show copy --set decoder.mode=peek"))
def show(config: ConfigName, overrides: Overrides = None) -> None:
    """Print a configuration with every default filled in."""
    path = file_of(config, "preset", presets())
    start_backend()
    from seq2seq_zoo import factory
    from seq2seq_zoo.config import dump, read

    print(dump(read(path, factory.schema, overrides or ())), end="")


@app.command(epilog=examples("seq2seq-zoo schema > seq2seq-zoo.schema.json"))
def schema() -> None:
    """Print the JSON Schema of configurations, by which an editor completes and checks them."""
    start_backend()
    from seq2seq_zoo import factory
    from seq2seq_zoo.config import json_schema

    print(json.dumps(json_schema(factory.schema), indent=2))
