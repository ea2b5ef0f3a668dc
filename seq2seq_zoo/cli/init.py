"""`seq2seq-zoo init`: writes a preset to a file."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from seq2seq_zoo.cli.shared import app, examples, note, presets, require_absent
from seq2seq_zoo.config.messages import nearest
from seq2seq_zoo.config.registry import UnknownNameError


@app.command(epilog=examples("seq2seq-zoo init digits_to_words", "seq2seq-zoo init file --out inflection.yaml"))
def init(
    preset: Annotated[str, typer.Argument(help="The name of a preset; see 'seq2seq-zoo list presets'.")],
    out: Annotated[Path | None, typer.Option(help="The file to write; PRESET.yaml here if not given.")] = None,
) -> None:
    """Copy a preset to a file of your own, to edit and train."""
    known = presets()
    if preset not in known:
        raise UnknownNameError(f"Unknown preset '{preset}'.{nearest(preset, known)} Presets: {', '.join(known)}.")
    path = out or Path(f"{preset}.yaml")
    require_absent(path)
    path.write_bytes(known[preset].read_bytes())
    note(f"Wrote {path}. Train it with: seq2seq-zoo train {shlex.quote(str(path))}")
