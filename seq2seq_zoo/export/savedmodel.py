"""SavedModel, TensorFlow's own format, for TensorFlow Serving."""

from pathlib import Path
from typing import Any

import numpy as np

from seq2seq_zoo.export.formats import Format, formats
from seq2seq_zoo.exported import Run
from seq2seq_zoo.models.text_model import TextModel


@formats.register("savedmodel", "TensorFlow and TensorFlow Serving, with a signature from text to text")
class SavedModel(Format):
    """A SavedModel with the signatures `search`, `encode` and `step`, and `serving_default` from texts to texts."""

    def write(self, model: TextModel, search: Any, batch: int | None, directory: Path, quantize: str | None) -> None:
        """Write `saved_model.pb` and the weights."""
        del quantize
        save(model, search, batch, directory, text=model.source_vocabulary is not None)

    def open(self, directory: Path) -> Run:
        """Open the search in TensorFlow."""
        import tensorflow as tf

        loaded = tf.saved_model.load(str(directory))
        run = loaded.signatures["search"]

        def search(sources: np.ndarray) -> dict[str, np.ndarray]:
            _ = loaded  # it owns the weights, so it must stay alive
            return {name: value.numpy() for name, value in run(sources=tf.constant(sources)).items()}

        return search


def save(model: TextModel, search: Any, batch: int | None, directory: Path, text: bool) -> None:
    """Write the graphs as a SavedModel."""
    import tensorflow as tf

    from seq2seq_zoo.export.graphs import Graphs

    graphs = Graphs(model, search, batch, text)
    signatures = dict(graphs.functions)
    if text:
        signatures["serving_default"] = signatures.pop("text")
    tf.saved_model.save(graphs, str(directory), signatures)
