"""Export: the formats that a model can be written in, and the function that writes one."""

import abc
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import keras

from seq2seq_zoo.config.registry import Registry
from seq2seq_zoo.decoding import searches
from seq2seq_zoo.exported import VOCABULARIES, Exported, Run
from seq2seq_zoo.models.text_model import AnySearch, TextModel


class ExportError(ValueError):
    """A model, search or directory that export cannot use."""


class Format(abc.ABC):
    """A file format and its runtime. Abstract: a format is a subclass, registered under its name.

    If a format needs further packages, the extra of the same name installs them.
    """

    batch: int | None = None
    """Number of rows of every call by default; `None` for any number."""
    quantizations: tuple[str, ...] = ()
    """How the format can store weights, besides float32."""

    @abc.abstractmethod
    def write(self, model: TextModel, search: Any, batch: int | None, directory: Path, quantize: str | None) -> None:
        """Write the files.

        Args:
            model: a built model in single precision.
            search: the search to export.
            batch: number of rows of every call; `None` for any number.
            directory: an empty directory.
            quantize: one of `quantizations`, or `None`.
        """

    @abc.abstractmethod
    def open(self, directory: Path) -> Run:
        """Open the search in a directory that `write` has filled, in the format's own runtime."""


formats: Registry[Format] = Registry("export format", base=Format)


def export(
    model: TextModel,
    directory: str | os.PathLike[str],
    format: str,
    search: AnySearch = "greedy",
    batch: int | str | None = None,
    quantize: str | None = None,
) -> Exported:
    """Write a model's search as one graph, its encoder and its step as graphs of their own, and its vocabularies.

    Args:
        model: a built `Seq2Seq` or `Ensemble`.
        directory: a new directory. If the export fails, it is not created.
        format: a registered format's name.
        search: the search to export: greedy or beam search.
        batch: number of rows of every call; `"dynamic"` for any number. The format's own default is 1 for LiteRT and
            any number for the others.
        quantize: `"dynamic-int8"` (8-bit integer weights and matrix products) or `"float16"` (weights stored in half
            precision), if the format supports it; `None` for float32.

    Returns:
        The exported search, opened by the format's own runtime.

    Raises:
        ExportError: the backend is not TensorFlow, the directory exists, the search is random, the format does not
            support the quantization, or a package is not installed.
        ValueError: the format or the search is unknown.
    """
    if keras.backend.backend() != "tensorflow":
        raise ExportError(
            f"Export needs TensorFlow, but Keras runs on {keras.backend.backend()} here: set KERAS_BACKEND=tensorflow. "
            f"Model files are the same on every backend."
        )
    target = Path(directory)
    kind = formats.create(format)
    chosen = searches.create(search)
    if chosen.is_random:
        raise ExportError(f"An exported search cannot be random: expected greedy or beam, got {chosen!r}.")
    if quantize is not None and quantize not in kind.quantizations:
        supported = " or ".join(kind.quantizations) or "none"
        raise ExportError(f"The format {format} cannot store weights as {quantize}; supported: {supported}.")
    rows = kind.batch if batch is None else None if batch == "dynamic" else batch
    if not (rows is None or (isinstance(rows, int) and rows >= 1)):
        raise ExportError(f"The batch must be an integer of at least 1 or 'dynamic', got {batch!r}.")
    if target.exists():
        raise ExportError(f"{target} already exists and is not overwritten: give another directory.")
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


def in_single_precision(model: TextModel) -> TextModel:
    """The model itself if it computes in float32, else a copy of it that does, since other runtimes need that."""
    if model.step_policy.compute_dtype == "float32":
        return model

    def with_float32(config: Any) -> Any:
        if isinstance(config, dict):
            return {key: "float32" if key == "dtype" else with_float32(value) for key, value in config.items()}
        return [with_float32(each) for each in config] if isinstance(config, list) else config

    copy = type(model).from_config(with_float32(model.get_config()))
    copy.build((None, None))
    copy.set_weights(model.get_weights())
    return copy
