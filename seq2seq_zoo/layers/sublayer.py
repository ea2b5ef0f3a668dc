"""What layers are made of: layers inside layers, ids, and vectors some of which are padding."""

from typing import Any

import keras
from keras import ops

from seq2seq_zoo.layers.saving import WithConfig


class Sublayer(WithConfig, keras.layers.Layer):
    """A layer whose owner builds it, with widths that only the owner knows, also after loading."""

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """Nothing: masks are arguments here, and the one that Keras attaches to a tensor goes no further."""

    def get_build_config(self) -> None:
        """Nothing: the owner's is enough."""


def knows(cls: type, method: str, *others: str) -> bool:
    """Whether a class's method was written in sight of the other methods that the class has: no subclass changed them
    since."""
    first = {name: next(each for each in cls.__mro__ if name in vars(each)) for name in (method, *others)}
    return all(issubclass(first[method], each) for each in first.values())


def as_ids(ids: Any, owner: str) -> Any:
    """Ids as integers, whatever an `Input` without a dtype made of them.

    Raises:
        ValueError: they are in half precision.
    """
    dtype = keras.backend.standardize_dtype(ids.dtype)
    if dtype in ("float16", "bfloat16"):
        raise ValueError(
            f"{owner} got ids as {dtype}, which cannot tell all of them apart. Give integers: an Input before it needs "
            f"dtype='int32'."
        )
    return ids if dtype.startswith(("int", "uint")) else ops.cast(ids, "int32")


def unpadded_steps(vectors: Any, mask_value: float) -> Any:
    """Which steps of `(batch, length, features)` are not padding, all of whose features equal a value: boolean
    `(batch, length)`."""
    return ops.any(ops.not_equal(vectors, ops.cast(mask_value, vectors.dtype)), axis=-1)
