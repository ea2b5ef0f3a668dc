"""LiteRT (formerly TensorFlow Lite), for phones, browsers and small boards."""

import tempfile
from pathlib import Path
from typing import Any

from seq2seq_zoo.export.formats import Format, formats
from seq2seq_zoo.export.savedmodel import save
from seq2seq_zoo.exported import Run, open_litert
from seq2seq_zoo.models.text_model import TextModel
from seq2seq_zoo.system.environment import cores

FILE = "model.tflite"
SIGNATURES = ["search", "encode", "step"]
THREADS = 4
"""Maximum number of threads: matrix products of few rows do not gain from more."""


@formats.register("litert", "LiteRT (TensorFlow Lite): phones, browsers, small boards")
class LiteRT(Format):
    """One file, `model.tflite`, with the signatures `search`, `encode` and `step`; all operations are built in."""

    batch = 1
    quantizations = ("dynamic-int8", "float16")

    def write(self, model: TextModel, search: Any, batch: int | None, directory: Path, quantize: str | None) -> None:
        """Write `model.tflite`."""
        import ai_edge_litert  # noqa: F401  fail before writing what could not be opened
        import tensorflow as tf

        with tempfile.TemporaryDirectory() as folder:
            save(model, search, batch, Path(folder), text=False)
            converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=SIGNATURES)
            if quantize is not None:
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
            if quantize == "float16":
                converter.target_spec.supported_types = [tf.float16]
            Path(directory, FILE).write_bytes(converter.convert())

    def open(self, directory: Path) -> Run:
        """Open the search in LiteRT's interpreter."""
        return open_litert(directory / FILE, min(cores(), THREADS)).run
