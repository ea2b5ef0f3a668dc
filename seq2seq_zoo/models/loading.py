"""Loads saved models, safely."""

import os
from typing import Any

import keras

from seq2seq_zoo.decoders import modes
from seq2seq_zoo.layers.encoder import NoEncoder
from seq2seq_zoo.layers.saving import WithConfig
from seq2seq_zoo.models import serializable  # noqa: F401  registers what a file may hold
from seq2seq_zoo.system.model_file import ModelFileError, find_model


def load(path: str | os.PathLike[str], compile: bool = True) -> Any:
    """Load a saved model: a `Seq2Seq`, an `Ensemble`, an `EncoderOnly`, or any Keras model with layers of this package.

    Args:
        path: a `.keras` file, a run directory, for its best model, or a model that comes with the package, such as
            "zoo:words_to_digits".
        compile: whether to load the optimizer and the loss as well, to train on. Without them, loading takes less time.

    Raises:
        ModelFileError: the file does not exist, or it holds no model of this package that Keras can load without
            running code from the file.
        UnknownNameError: no such model comes with the package.

    Example:

    >>> load("zoo:words_to_digits").generate(["four hundred and seven"])
    ['407']
    """
    path = find_model(path)
    modes.load_entry_points()  # registers other packages' modes, which a file may hold
    try:
        model = keras.saving.load_model(path, compile=compile)
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
