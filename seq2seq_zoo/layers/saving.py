"""How layers and losses are saved: by their constructors' arguments."""

import inspect
from typing import Annotated, Any

import keras

from seq2seq_zoo.config.options import FromKeras, config_of
from seq2seq_zoo.layers.activations import name_of

_Keras: Any = object  # For type checkers: the Keras class that follows the mixin provides the other methods.


class WithConfig(_Keras):
    """Mixin that derives `get_config` from the constructor's signature; it stands before a Keras class.

    A subclass keeps each constructor argument in the attribute of the same name and needs no `get_config` of its own.
    """

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), **config_of(self, serialized)}


def serialized(value: Any) -> Any:
    """An activation's name, or an object as Keras serializes it."""
    return name_of(value) if inspect.isfunction(value) else keras.saving.serialize_keras_object(value)


Initializer = Annotated[Any, FromKeras("initializer", keras.initializers)]
Regularizer = Annotated[Any, FromKeras("regularizer", keras.regularizers)] | None
Constraint = Annotated[Any, FromKeras("constraint", keras.constraints)] | None
