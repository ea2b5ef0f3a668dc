"""Saved models, read safely."""

import os
import zipfile
from pathlib import Path
from typing import Any

import keras

from seq2seq_zoo.decoders import modes
from seq2seq_zoo.models import ensemble  # noqa: F401  a saved model may be one
from seq2seq_zoo.models.encoder_only import EncoderOnly
from seq2seq_zoo.models.text_model import TextModel


class ModelFileError(ValueError):
    """A file that holds no model of ours."""


def load(path: str | os.PathLike[str]) -> Any:
    """A saved model: a `Seq2Seq`, an `Ensemble` or a `EncoderOnly`.

    Args:
        path: a `.keras` file, or a run directory, whose best model is meant.

    Raises:
        ModelFileError: there is no such file, or it is not a model of ours that Keras can read safely.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "best.keras"
    if not path.exists():
        raise ModelFileError(f"{path}: there is no such file: expected a model (.keras) or a run directory with one.")
    if not zipfile.is_zipfile(path):
        raise ModelFileError(f"{path}: not a model: expected a .keras file.")
    modes.load_entry_points()  # other packages' modes register before their names are looked up
    try:
        model = keras.saving.load_model(path)
    except Exception as error:  # whatever a broken file sets off in Keras
        # Of Keras's pages, the first sentence of what it puts last.
        reason = str(error).rpartition("Exception encountered: ")[2].strip().partition("\n")[0].partition(". ")[0]
        raise ModelFileError(f"{path}: not a model that can be read: {reason.rstrip('.')}.") from error
    if not isinstance(model, TextModel | EncoderOnly):
        raise ModelFileError(
            f"{path}: expected a Seq2Seq, an Ensemble or an EncoderOnly, found a {type(model).__name__}."
        )
    return model
