"""LiteRT (formerly TensorFlow Lite), for phones, browsers and small boards."""

import tempfile
from pathlib import Path
from typing import Any

from seq2seq_zoo.export.formats import Format, Run, formats
from seq2seq_zoo.export.savedmodel import save
from seq2seq_zoo.runtime.graph import open_litert
from seq2seq_zoo.system.environment import cores

FILE = "model.tflite"
THREADS = 4
"""Maximum number of threads: matrix products of few rows do not gain from more."""


@formats.register("litert", "LiteRT (TensorFlow Lite): phones, browsers, small boards")
class LiteRT(Format):
    """One file, `model.tflite`, with the signatures `search`, `encode` and `step`, or `predict` for a model without a
    search; all operations are built in.

    Args:
        parts: whether to write the encoder and the step as well.
    """

    batch = 1
    quantizations = ("dynamic-int8", "float16")

    def __init__(self, parts: bool = True):
        self.parts = parts

    def write(self, model: Any, search: Any, batch: int | None, directory: Path, quantize: str | None) -> None:
        """Write `model.tflite`."""
        import ai_edge_litert  # noqa: F401  fail before writing what could not be opened
        import tensorflow as tf

        with tempfile.TemporaryDirectory() as folder:
            signatures = save(model, search, batch, Path(folder), text=False, parts=self.parts)
            converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=signatures)
            if quantize is not None:
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
            if quantize == "float16":
                converter.target_spec.supported_types = [tf.float16]
            Path(directory, FILE).write_bytes(converter.convert())

    def open(self, directory: Path) -> Run:
        """Open the graph in LiteRT's interpreter."""
        return open_litert(directory, min(cores(), THREADS)).run
