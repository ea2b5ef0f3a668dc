"""Where a model may go, and the way there."""

import abc
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from seq2seq_zoo.config.registry import Registry
from seq2seq_zoo.data.padding import pad
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.decoding import searches
from seq2seq_zoo.models.text_model import AnySearch, TextModel

VOCABULARIES = "vocabularies.json"

Run = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""From source ids `(batch, length)`, to a language model those that its outputs begin with, to the fields of a
`Generated`."""


class Exported(NamedTuple):
    """What was exported, opened by the format's own runtime."""

    run: Run
    batch: int | None
    """How many rows it takes; `None` for any number."""


class ExportError(ValueError):
    """A model, a search or a place that cannot be exported, or exported to."""


class Format(abc.ABC):
    """One kind of file for one kind of runtime. Abstract; a format registers under its name.

    A format needs packages that an extra of its own name installs.
    """

    batch: int | None = None
    """How many rows a graph takes if nothing is said; `None` for any number."""
    quantizations: tuple[str, ...] = ()
    """What it can store weights as, besides float32."""

    @abc.abstractmethod
    def write(self, model: TextModel, search: Any, batch: int | None, directory: Path, quantize: str | None) -> None:
        """Write the files.

        Args:
            model: built, in single precision.
            search: what to put into the graph.
            batch: rows of every call; `None` for any number.
            directory: an empty one.
            quantize: one of `quantizations`, or `None`.
        """

    @abc.abstractmethod
    def open(self, directory: Path) -> Run:
        """The search in a directory that `write` filled, run by the format's own runtime."""


formats: Registry[Format] = Registry("export format", base=Format)


def export(
    model: TextModel,
    directory: str | os.PathLike[str],
    format: str,
    search: AnySearch = "greedy",
    batch: int | str | None = None,
    quantize: str | None = None,
) -> Exported:
    """Write a model's search as one graph, its encoder and step apart, and its vocabularies beside them.

    Args:
        model: a built `Seq2Seq` or `Ensemble`.
        directory: a new one; written whole or not at all.
        format: a registered format's name.
        search: what to put into the graph: greedy or beam search.
        batch: rows of every call; `"dynamic"` for any number; if not given, what suits the format: 1 for LiteRT, any
            number for the others.
        quantize: `"dynamic-int8"` (weights as 8-bit integers, and products with them) or `"float16"` (weights stored
            in half precision), where the format can; `None` for float32.

    Returns:
        The exported search, opened by the format's own runtime.

    Raises:
        ExportError: another backend than TensorFlow; a directory that is there; a search that draws lots; what the
            format cannot store; a package that is not installed.
        ValueError: an unknown format or search.
    """
    if keras.backend.backend() != "tensorflow":
        raise ExportError(
            f"Export runs on TensorFlow, and Keras runs on {keras.backend.backend()} here: set "
            f"KERAS_BACKEND=tensorflow. A model file is the same on every backend."
        )
    from seq2seq_zoo.export.graphs import in_single_precision

    target = Path(directory)
    kind = formats.create(format)
    chosen = searches.create(search)
    if chosen.is_random:
        raise ExportError(f"An exported search leaves nothing to chance: expected greedy or beam, got {chosen!r}.")
    if quantize is not None and quantize not in kind.quantizations:
        can = " or ".join(kind.quantizations) or "none"
        raise ExportError(f"The format {format} cannot store weights as {quantize}; it can as: {can}.")
    rows = kind.batch if batch is None else None if batch == "dynamic" else batch
    if not (rows is None or (isinstance(rows, int) and rows >= 1)):
        raise ExportError(f"The batch must be an integer of at least 1 or 'dynamic', got {batch!r}.")
    if target.exists():
        raise ExportError(f"{target} is there already and is not overwritten: give another directory.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        draft = Path(folder, target.name)
        draft.mkdir()
        try:
            kind.write(in_single_precision(model), chosen, rows, draft, quantize)
        except ModuleNotFoundError as error:
            raise ExportError(
                f"The format {format} needs the package {error.name}: pip install 'seq2seq-zoo[{format}]'."
            ) from error
        if model.source_vocabulary is not None and model.target_vocabulary is not None:
            texts = {"source": model.source_vocabulary.get_config(), "target": model.target_vocabulary.get_config()}
            Path(draft, VOCABULARIES).write_text(json.dumps(texts, ensure_ascii=False, indent=1), encoding="utf-8")
        os.replace(draft, target)
    return Exported(kind.open(target), rows)


def generate(
    exported: Exported, vocabularies: tuple[Vocabulary, Vocabulary], sources: Sequence[str], batch_size: int = 64
) -> list[str]:
    """`TextModel.generate` of what was exported.

    Args:
        exported: from `export`.
        vocabularies: the source's and the target's.
        sources: texts.
        batch_size: texts searched at once, where the graph takes any number; changes no result.
    """
    source, target = input_vocabulary(vocabularies), vocabularies[1]
    encoded = [source.encode(text) for text in sources]
    rows = exported.batch or batch_size
    texts: list[str] = []
    for first in range(0, len(encoded), rows):
        batch = encoded[first : first + rows]
        filled = batch + [[]] * (rows - len(batch)) if exported.batch else batch
        found = exported.run(pad(filled, max(1, *map(len, batch))))["ids"]
        texts += [target.decode(ids[0].tolist()) for ids in found[: len(batch)]]
    return texts


def input_vocabulary(vocabularies: tuple[Vocabulary, Vocabulary]) -> Vocabulary:
    """That of the ids which an exported search is given: the sources', or of a language model the outputs', since what
    it is given is what its outputs begin with."""
    source, target = vocabularies
    return source if source.ordinary else target
