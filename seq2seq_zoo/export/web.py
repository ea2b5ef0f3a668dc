"""Models as a page: a folder of static files that runs them in the browser."""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seq2seq_zoo.decoders import modes
from seq2seq_zoo.export.formats import Exported, ExportError, export, has_search
from seq2seq_zoo.figures import styles
from seq2seq_zoo.models.text_model import AnySearch

PAGE = Path(__file__).with_name("page")
"""What every page has: its HTML, style and scripts, and ONNX Runtime for browsers."""
BEAM = {"name": "beam", "size": 5, "n_best": 5}
"""The search of a page of one model, by default."""


def web(
    models: Mapping[str, Any],
    directory: str | os.PathLike[str],
    title: str,
    about: Sequence[str] = (),
    examples: Sequence[tuple[str, str]] = (),
    search: AnySearch | None = None,
    quantize: str | None = None,
) -> list[Exported]:
    """Write a page that runs models in the browser: a folder for any server of files.

    The page of one model shows its outputs for a text, their probabilities and its attention. The page of several
    models shows their steps side by side, free-running and teacher-forced, and how each goes on after another output.

    Args:
        models: built models that read and write texts, by name. Several models need equal vocabularies.
        directory: a new directory. If something fails, it is not created.
        title: of the page.
        about: paragraphs below the title.
        examples: sources to choose from, and their targets.
        search: the search of a page of one model; a beam search with all its hypotheses by default. A page of several
            models takes one step at a time, so it has no search.
        quantize: see `export`.

    Returns:
        The exported models. Those of a page of several models run a greedy search over single steps.

    Raises:
        ExportError: a model reads or writes no texts, the vocabularies differ, several models are given a search, or as
            `export`.
    """
    target = Path(directory)
    if target.exists():
        raise ExportError(f"{target} already exists and is not overwritten: give another directory.")
    _require_texts(models)
    several = len(models) > 1
    if several:
        _require_equal_vocabularies(models)
        if search is not None:
            raise ExportError("A page of several models takes one step at a time and has no search: leave it out.")
    kinds = {name: _mode(model) for name, model in models.items()}
    chosen = styles(kinds.values())
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        draft = Path(folder, target.name)
        shutil.copytree(PAGE, draft)
        options = {"name": "onnx", "search": False} if several else {"name": "onnx", "parts": False}
        exported = [
            export(model, draft / "models" / name, options, None if several else search or BEAM, None, quantize)
            for name, model in models.items()
        ]
        about_models = [
            {
                "name": name,
                "about": modes.list().get(kinds[name], ""),
                "color": chosen[kinds[name]].color,
                "glyph": chosen[kinds[name]].glyph,
                "feedsBack": any(each.decoder.feeds_back for each in getattr(model, "models", [model])),
                "maxLength": model.max_length,
            }
            for name, model in models.items()
        ]
        site = {"title": title, "about": [*about], "examples": [*map(list, examples)], "models": about_models}
        (draft / "models.json").write_text(json.dumps(site, ensure_ascii=False, indent=1), encoding="utf-8")
        os.replace(draft, target)
    return exported


def _mode(model: Any) -> str:
    """The name of a model's mode; an ensemble has no mode."""
    return modes.name_of(type(model.decoder)) if hasattr(model, "decoder") else "ensemble"


def _require_texts(models: Mapping[str, Any]) -> None:
    """Refuse what does not write a text for a text.

    Raises:
        ExportError: a model predicts labels or real values, has no vocabularies or no sources.
    """
    for name, model in models.items():
        has_vocabularies = model.source_vocabulary is not None and model.target_vocabulary is not None
        reasons = {
            "predicts real values": model.readout.vocabulary_size is None,
            "has no vocabularies": not has_vocabularies,
            "labels texts": not has_search(model),
            "is a language model": not model.has_source,
        }
        for reason, holds in reasons.items():
            if holds:
                raise ExportError(
                    f"A page needs a model that writes a text for each text, but {name} {reason}: export it as onnx."
                )


def _require_equal_vocabularies(models: Mapping[str, Any]) -> None:
    """Refuse models that cannot read the same text.

    Raises:
        ExportError: the vocabularies of two models differ.
    """
    (first, one), *others = models.items()
    for name, model in others:
        for side, ours, theirs in zip(("source", "target"), one.vocabularies, model.vocabularies, strict=True):
            if ours != theirs:
                raise ExportError(
                    f"A page of several models needs equal vocabularies, but the {side} vocabularies of {first} and "
                    f"{name} differ: choose models of one task and one configuration of it."
                )
