"""The model in an exported directory: text in, text out, by the search that was exported."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from seq2seq_zoo.data.vocabulary import Vocabulary, input_vocabulary
from seq2seq_zoo.runtime.graph import open_graph, run_in_batches
from seq2seq_zoo.runtime.prediction import Prediction, copied
from seq2seq_zoo.runtime.texts import search_texts
from seq2seq_zoo.runtime.vocabularies import VOCABULARIES, read_vocabularies


class Runtime(NamedTuple):
    """What runs an exported directory."""

    format: str
    """The format, and the extra that installs the runtime."""
    package: str
    """The package that nodes need."""


RUNTIMES = {"search.onnx": Runtime("onnx", "onnxruntime"), "model.tflite": Runtime("litert", "ai-edge-litert")}
"""The runtimes, by the file that they run."""


class ExportedError(ValueError):
    """An exported directory that cannot be used: what was expected, what was found, and what to do next."""


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
    """The model in an exported directory.

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
        runtime = RUNTIMES[graph_of(directory)]
        try:
            self._graph = open_graph(directory, threads)
        except ModuleNotFoundError as error:
            raise ExportedError(
                f"{directory} needs the package {error.name}, which is not installed. "
                f"Run: pip install 'seq2seq-zoo[{runtime.format}]'."
            ) from None
        self.source_vocabulary, self.target_vocabulary = read_vocabularies(directory)
        if input_vocabulary(*self.vocabularies) is not self.source_vocabulary:
            raise ExportedError(
                f"{directory}: expected a model with sources, found a language model. Use the model that was exported."
            )
        ((_, outputs),) = run_in_batches(self._graph, [[]], 1)
        self.n_best = outputs["ids"].shape[1]
        self.has_attention = "weights" in outputs
        self.max_length = None if self.target_vocabulary.end is None else outputs["ids"].shape[-1]

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
        found = search_texts(self._graph, self.vocabularies, texts, batch_size=batch_size)
        if not copy_unknown:
            return found
        source, target = self.vocabularies
        return [
            each._replace(hypotheses=[copied(best, source.split(each.source), target) for best in each.hypotheses])
            for each in found
        ]
