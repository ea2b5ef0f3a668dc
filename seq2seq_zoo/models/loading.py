"""Loads saved models, safely."""

import os
from typing import Any

import keras

from seq2seq_zoo.decoders import modes
from seq2seq_zoo.models import ensemble  # noqa: F401  registers Ensemble, which a file may hold
from seq2seq_zoo.models.encoder_only import EncoderOnly
from seq2seq_zoo.models.text_model import TextModel
from seq2seq_zoo.system.model_file import ModelFileError, find_model


def load(path: str | os.PathLike[str]) -> Any:
    """Load a saved model: a `Seq2Seq`, an `Ensemble` or an `EncoderOnly`.

    Args:
        path: a `.keras` file, or a run directory, for its best model.

    Raises:
        ModelFileError: the file does not exist, or it holds no model of this package that Keras can load without
            running code from the file.
    """
    path = find_model(path)
    modes.load_entry_points()  # registers other packages' modes, which a file may hold
    try:
        model = keras.saving.load_model(path)
    except Exception as error:  # a broken file may raise anything in Keras
        # Keras's messages are long; the first sentence of the last part gives the cause.
        reason = str(error).rpartition("Exception encountered: ")[2].strip().partition("\n")[0].partition(". ")[0]
        raise ModelFileError(f"{path}: the model cannot be loaded: {reason.rstrip('.')}.") from error
    if not isinstance(model, TextModel | EncoderOnly):
        raise ModelFileError(
            f"{path}: expected a Seq2Seq, an Ensemble or an EncoderOnly, found a {type(model).__name__}."
        )
    return model
