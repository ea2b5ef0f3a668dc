"""Export: the formats that a model can be written in, and the function that writes one."""

import abc
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from seq2seq_zoo.config.registry import Registry
from seq2seq_zoo.data import inputs as real_inputs
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.decoding import searches
from seq2seq_zoo.models.text_model import AnySearch, TextModel
from seq2seq_zoo.runtime.graph import Graph, Run
from seq2seq_zoo.runtime.labels import label_texts
from seq2seq_zoo.runtime.prediction import Output
from seq2seq_zoo.runtime.texts import search_texts
from seq2seq_zoo.runtime.values import predict_values
from seq2seq_zoo.runtime.vocabularies import VOCABULARIES

INPUTS = "inputs.json"


class Exported(NamedTuple):
    """An exported model, opened by the format's own runtime."""

    run: Run
    """From source ids `(batch, length)` to the fields of a `Generated`. For a language model, the ids are the prefixes
    of its outputs. From real values `(batch, time, features)` to `values` and, if the model predicts a distribution,
    `quantiles`."""
    batch: int | None
    """Number of rows of every call; `None` for any number."""
    inputs: real_inputs.Inputs | None = None
    """For a model of real values, its inputs in their own units."""
    levels: Sequence[float] = ()
    """For a model of real values, the levels of its quantiles."""

    @property
    def graph(self) -> Graph:
        """The graph alone."""
        return Graph(self.run, self.batch)


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
    def write(self, model: Any, search: Any, batch: int | None, directory: Path, quantize: str | None) -> None:
        """Write the files.

        Args:
            model: a built model in single precision.
            search: the search to export. For a model without a search, see `Graphs`.
            batch: number of rows of every call; `None` for any number.
            directory: an empty directory.
            quantize: one of `quantizations`, or `None`.
        """

    @abc.abstractmethod
    def open(self, directory: Path) -> Run:
        """Open the graph in a directory that `write` has filled, in the format's own runtime."""


formats: Registry[Format] = Registry("export format", base=Format)


def export(
    model: Any,
    directory: str | os.PathLike[str],
    format: str | Mapping[str, Any],
    search: AnySearch | None = None,
    batch: int | str | None = None,
    quantize: str | None = None,
    inputs: real_inputs.Inputs | None = None,
) -> Exported:
    """Write a model as one graph, and its vocabularies. Of a model with a search, that is the whole search; its encoder
    and its step are graphs of their own.

    Args:
        model: a built `Seq2Seq`, `Ensemble` or `EncoderOnly`.
        directory: a new directory. If the export fails, it is not created.
        format: a registered format's name, or a mapping of its `name` and options.
        search: the search to export: greedy (the default) or beam search.
        batch: number of rows of every call; `"dynamic"` for any number. The format's own default is 1 for LiteRT and
            any number for the others.
        quantize: `"dynamic-int8"` (8-bit integer weights and matrix products) or `"float16"` (weights stored in half
            precision), if the format supports it; `None` for float32.
        inputs: for a model of real values, its inputs in their own units; see `read_inputs`. The graph then scales them
            and converts its outputs back. Without it, the graph takes and gives scaled values, as the model does.

    Returns:
        The exported model, opened by the format's own runtime.

    Raises:
        ExportError: the backend is not TensorFlow, the directory exists, the search is random or the model has none,
            the format does not support the quantization, or a package is not installed.
        ValueError: the format or the search is unknown.
    """
    if keras.backend.backend() != "tensorflow":
        raise ExportError(
            f"Export needs TensorFlow, but Keras runs on {keras.backend.backend()} here: set KERAS_BACKEND=tensorflow. "
            f"Model files are the same on every backend."
        )
    target = Path(directory)
    name = format if isinstance(format, str) else format["name"]
    kind = formats.create(format)
    chosen = searches.create(search or "greedy")
    searching = has_search(model)
    if search is not None and not searching:
        raise ExportError("This model does not generate tokens, so it has no search to export: leave `search` out.")
    if chosen.is_random:
        raise ExportError(f"An exported search cannot be random: expected greedy or beam, got {chosen!r}.")
    if quantize is not None and quantize not in kind.quantizations:
        supported = " or ".join(kind.quantizations) or "none"
        raise ExportError(f"The format {name} cannot store weights as {quantize}; supported: {supported}.")
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
            kind.write(in_single_precision(model), chosen if searching else inputs, rows, draft, quantize)
        except ModuleNotFoundError as error:
            raise ExportError(
                f"The format {name} needs the package {error.name}: pip install 'seq2seq-zoo[{name}]'."
            ) from error
        if model.source_vocabulary is not None and model.target_vocabulary is not None:
            texts = {"source": model.source_vocabulary.get_config(), "target": model.target_vocabulary.get_config()}
            Path(draft, VOCABULARIES).write_text(json.dumps(texts, ensure_ascii=False, indent=1), encoding="utf-8")
        if inputs is not None:
            content = {**real_inputs.to_json(inputs), "levels": levels_of(model)}
            Path(draft, INPUTS).write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
        os.replace(draft, target)
    return Exported(kind.open(target), rows, inputs, levels_of(model))


def has_search(model: Any) -> bool:
    """Whether a model has a search: it has a decoder, and its outputs are tokens."""
    return isinstance(model, TextModel) and model.readout.vocabulary_size is not None


def levels_of(model: Any) -> list[float]:
    """The levels of the quantiles that a model of real values predicts; none for tokens."""
    if model.readout.vocabulary_size is not None:
        return []
    return [*model.readout.quantiles_of(np.zeros((1, model.readout.output_width), "float32"))]


def in_single_precision(model: Any) -> Any:
    """The model itself if it computes in float32, else a copy of it that does, since other runtimes need that."""
    if (model.step_policy if isinstance(model, TextModel) else model.encoder.dtype_policy).compute_dtype == "float32":
        return model

    def with_float32(config: Any) -> Any:
        if isinstance(config, dict):
            return {key: "float32" if key == "dtype" else with_float32(value) for key, value in config.items()}
        return [with_float32(each) for each in config] if isinstance(config, list) else config

    copy = type(model).from_config(with_float32(model.get_config()))
    copy.build(source_shape(model))
    copy.set_weights(model.get_weights())
    return copy


def source_shape(model: Any) -> tuple[int | None, ...]:
    """The shape of a model's sources: of ids `(batch, time)`, or of vectors `(batch, time, features)`."""
    encoder = getattr(model, "models", [model])[0].encoder
    if not model.has_source or encoder.vocabulary_size is not None:
        return None, None
    return None, None, encoder.stack.cells[0][0].widths[0]


def generate(
    exported: Exported, vocabularies: tuple[Vocabulary, Vocabulary], sources: Sequence[str], batch_size: int = 64
) -> list[str]:
    """The best output for each text, by an exported search: as `TextModel.generate` gives it.

    Args:
        exported: from `export`.
        vocabularies: the source vocabulary and the target vocabulary.
        sources: texts.
        batch_size: number of texts that are searched at once, if the graph takes any number; has no effect on the
            results.
    """
    found = search_texts(exported.graph, vocabularies, sources, 1, batch_size)
    return [each.text for each in found]


def label(
    exported: Exported, vocabularies: tuple[Vocabulary, Vocabulary], sources: Sequence[str], batch_size: int = 64
) -> list[list[str]]:
    """The most likely labels of each text, by an exported model: as `EncoderOnly.labels` gives them.

    Arguments are those of `generate`.
    """
    found = label_texts(exported.graph, vocabularies, sources, batch_size)
    return [each.hypotheses[0].tokens for each in found]


def predict(exported: Exported, sources: Sequence[Any], batch_size: int = 64) -> list[Output]:
    """The real-valued output for each source, by a model that was exported with its `inputs`.

    Args:
        exported: from `export`.
        sources: arrays `(time, columns)` in their own units.
        batch_size: as in `generate`.

    Raises:
        ExportError: the model was exported without its `inputs`.
        ValueError: a source has another shape, or values that are not finite.
    """
    if exported.inputs is None:
        raise ExportError("This model takes scaled values: export it with its `inputs`, or call `run`.")
    return predict_values(exported.graph, exported.inputs, exported.levels, sources, batch_size)
