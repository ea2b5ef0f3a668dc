"""Exported directories, run without Keras and TensorFlow: by ONNX Runtime or LiteRT.

>>> sorted(RUNTIMES)
['model.tflite', 'search.onnx']
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from seq2seq_zoo.data.padding import pad
from seq2seq_zoo.data.vocabulary import Vocabulary, input_vocabulary
from seq2seq_zoo.prediction import Prediction, copied, hypotheses_of

VOCABULARIES = "vocabularies.json"

Run = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""An exported search: from source ids `(batch, length)` to the fields of a `Generated`. For a language model, the ids
are the prefixes of its outputs."""


class Exported(NamedTuple):
    """An exported search, opened by the format's own runtime."""

    run: Run
    batch: int | None
    """Number of rows of every call; `None` for any number."""


class ExportedError(ValueError):
    """An exported directory that cannot be used: what was expected, what was found, and what to do next."""


# === Runtimes ===


def open_onnx(path: Path, threads: int = 0) -> Exported:
    """Open a search in ONNX Runtime.

    Args:
        path: `search.onnx`.
        threads: number of threads; as many as the runtime chooses by default.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options)
    names = [output.name for output in session.get_outputs()]
    rows = session.get_inputs()[0].shape[0]
    return Exported(
        lambda sources: dict(zip(names, session.run(None, {"sources": sources}), strict=True)),
        rows if isinstance(rows, int) else None,
    )


def open_litert(path: Path, threads: int = 1) -> Exported:
    """Open a search in LiteRT's interpreter.

    Args:
        path: `model.tflite`.
        threads: number of threads.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=threads)
    run = interpreter.get_signature_runner("search")
    rows = int(run.get_input_details()["sources"]["shape_signature"][0])

    def search(sources: np.ndarray) -> dict[str, np.ndarray]:
        _ = interpreter  # it owns the weights, so it must stay alive
        return dict(run(sources=sources))

    return Exported(search, rows if rows > 0 else None)


class Runtime(NamedTuple):
    """What opens an exported directory."""

    format: str
    """The format, and the extra that installs the runtime."""
    package: str
    """The package that nodes need."""
    open: Callable[[Path, int], Exported]


RUNTIMES = {
    "search.onnx": Runtime("onnx", "onnxruntime", open_onnx),
    "model.tflite": Runtime("litert", "ai-edge-litert", open_litert),
}
"""The runtimes, by the file that they open."""


# === Directories ===


def is_exported(path: str | os.PathLike[str]) -> bool:
    """Whether a path is that of an exported directory, of any format."""
    return Path(path, VOCABULARIES).is_file()


def graph_of(directory: Path) -> str:
    """The name of the file with the graph in an exported directory.

    Raises:
        ExportedError: it is in a format that needs TensorFlow.
    """
    for name in RUNTIMES:
        if Path(directory, name).is_file():
            return name
    raise ExportedError(
        f"{directory}: expected an exported directory with {' or '.join(RUNTIMES)}, found neither. Export the model "
        "with --format onnx."
    )


def checksum_of(directory: Path) -> str:
    """The checksum of what an exported directory computes."""
    found = hashlib.sha256()
    for name in (graph_of(directory), VOCABULARIES):
        found.update(Path(directory, name).read_bytes())
    return found.hexdigest()


class ExportedModel:
    """The model in an exported directory: text in, text out, by the search that was exported.

    Args:
        directory: written by `seq2seq_zoo.export.export`, for ONNX Runtime or LiteRT.
        threads: number of threads.

    Attributes:
        n_best: number of outputs for each text.
        max_length: the maximum number of output tokens; `None` if outputs have no end.

    Raises:
        ExportedError: the directory has no graph for a runtime without TensorFlow, or that of a language model, or the
            runtime is not installed.
    """

    has_source = True

    def __init__(self, directory: str | os.PathLike[str], threads: int = 1):
        directory = Path(directory)
        name = graph_of(directory)
        runtime = RUNTIMES[name]
        try:
            self._exported = runtime.open(directory / name, threads)
        except ModuleNotFoundError as error:
            raise ExportedError(
                f"{directory} needs the package {error.name}, which is not installed. "
                f"Run: pip install 'seq2seq-zoo[{runtime.format}]'."
            ) from None
        texts = json.loads(Path(directory, VOCABULARIES).read_text(encoding="utf-8"))
        self.source_vocabulary, self.target_vocabulary = (
            Vocabulary.from_config(texts[side]) for side in ("source", "target")
        )
        if input_vocabulary(*self.vocabularies) is not self.source_vocabulary:
            raise ExportedError(
                f"{directory}: expected a model with sources, found a language model. Use the model that was exported."
            )
        empty = _run(self._exported, [[]])
        self.n_best = empty.ids.shape[1]
        self.has_attention = empty.weights is not None
        self.max_length = None if self.target_vocabulary.end is None else empty.ids.shape[-1]

    @property
    def vocabularies(self) -> tuple[Vocabulary, Vocabulary]:
        """The source vocabulary and the target vocabulary."""
        return self.source_vocabulary, self.target_vocabulary

    def predictions(self, texts: Sequence[str], batch_size: int = 64, copy_unknown: bool = False) -> list[Prediction]:
        """The outputs for each text, as `TextModel.predictions` gives them.

        Args:
            texts: the sources.
            batch_size: number of texts that are searched at once, if the graph takes any number.
            copy_unknown: see `TextModel.predictions`.
        """
        source, target = self.vocabularies
        found: list[Prediction] = []
        for batch, lengths, generated in _batches(self._exported, source, texts, batch_size):
            for text, hypotheses in zip(batch, hypotheses_of(generated, target, lengths), strict=True):
                if copy_unknown:
                    tokens = source.split(text)
                    hypotheses = [copied(each, tokens, target) for each in hypotheses]
                found.append(Prediction(text, source.unknown_in(text), hypotheses))
        return found


def generate(
    exported: Exported, vocabularies: tuple[Vocabulary, Vocabulary], sources: Sequence[str], batch_size: int = 64
) -> list[str]:
    """The best output for each text, as `TextModel.generate` gives it, by an exported search.

    Args:
        exported: from `export`.
        vocabularies: the source vocabulary and the target vocabulary.
        sources: texts.
        batch_size: number of texts that are searched at once, if the graph takes any number; has no effect on the
            results.
    """
    target = vocabularies[1]
    texts: list[str] = []
    for batch, _, generated in _batches(exported, input_vocabulary(*vocabularies), sources, batch_size):
        texts += [target.decode(hypotheses[0].tolist()) for hypotheses in generated.ids[: len(batch)]]
    return texts


def _batches(
    exported: Exported, vocabulary: Vocabulary, texts: Sequence[str], batch_size: int
) -> Iterator[tuple[Sequence[str], list[int], Any]]:
    """Texts in batches, the number of tokens of each, and what the search returns for them."""
    rows = exported.batch or batch_size
    for first in range(0, len(texts), rows):
        batch = texts[first : first + rows]
        encoded = [vocabulary.encode(text) for text in batch]
        yield batch, [*map(len, encoded)], _run(exported, encoded)


def _run(exported: Exported, encoded: list[list[int]]) -> Any:
    filled = encoded + [[]] * (exported.batch - len(encoded)) if exported.batch else encoded
    return SimpleNamespace(**{"weights": None, **exported.run(pad(filled, max(1, *map(len, encoded))))})
