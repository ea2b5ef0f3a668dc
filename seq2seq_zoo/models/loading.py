"""Loads saved models, safely."""

import os
import zipfile
from pathlib import Path
from typing import Any

import keras

from seq2seq_zoo.decoders import modes
from seq2seq_zoo.layers.encoder import NoEncoder
from seq2seq_zoo.layers.saving import WithConfig
from seq2seq_zoo.models import serializable  # noqa: F401  registers what a file may hold


class ModelFileError(ValueError):
    """A file that holds no model of this package."""


def load(path: str | os.PathLike[str]) -> Any:
    """Load a saved model: a `Seq2Seq`, an `Ensemble`, an `EncoderOnly`, or any Keras model with layers of this package.

    Args:
        path: a `.keras` file, or a run directory, for its best model.

    Raises:
        ModelFileError: the file does not exist, or it holds no model of this package that Keras can load without
            running code from the file.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "best.keras"
    if not path.exists():
        raise ModelFileError(f"{path}: no such file: expected a model (.keras) or a run directory with one.")
    if not zipfile.is_zipfile(path):
        raise ModelFileError(f"{path}: not a model: expected a .keras file.")
    modes.load_entry_points()  # registers other packages' modes, which a file may hold
    try:
        model = keras.saving.load_model(path)
    except Exception as error:  # a broken file may raise anything in Keras
        # Keras's messages are long; the first sentence of the last part gives the cause.
        reason = str(error).rpartition("Exception encountered: ")[2].strip().partition("\n")[0].partition(". ")[0]
        raise ModelFileError(f"{path}: the model cannot be loaded: {reason.rstrip('.')}.") from error
    if not _has_layers_of_ours(model):
        raise ModelFileError(
            f"{path}: expected a model with layers of this package, such as a Seq2Seq, found a {type(model).__name__} "
            f"without. Load it with keras.models.load_model."
        )
    return model


def _has_layers_of_ours(layer: Any) -> bool:
    """Whether a layer or one within it is of this package."""
    return isinstance(layer, WithConfig | NoEncoder) or any(map(_has_layers_of_ours, getattr(layer, "layers", ())))
