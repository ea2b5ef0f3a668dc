"""How layers and losses are saved: by the arguments of their constructors."""

import inspect
from typing import Any

import keras

from seq2seq_zoo.config.options import config_of
from seq2seq_zoo.layers.activations import name_of

_Keras: Any = object  # To a type checker, a mixin's base may have all that the Keras class after it has.


class WithConfig(_Keras):
    """Mixin, before a Keras class, that derives `get_config` from the constructor's signature.

    A subclass sets each constructor argument as the attribute of the same name and needs no `get_config` of its own.
    """

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), **config_of(self, serialized)}


def serialized(value: Any) -> Any:
    """An activation as its name, an object as Keras serializes it."""
    return name_of(value) if inspect.isfunction(value) else keras.saving.serialize_keras_object(value)
