"""The base class of layers inside layers, and helpers for ids and padded vectors."""

from typing import Any

import keras
from keras import ops

from seq2seq_zoo.layers.saving import WithConfig

Tensor = Any
"""A tensor of the backend, a NumPy array or a `KerasTensor`: they have no type in common."""


class Sublayer(WithConfig, keras.layers.Layer):
    """A layer that its owner builds, after loading as well: only the owner knows the widths."""

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """Return no mask: sublayers take masks as arguments, and Keras must not attach one to a tensor."""

    def get_build_config(self) -> None:
        """Return nothing: the owner's configuration suffices to build this layer."""


def as_ids(ids: Tensor, owner: str) -> Tensor:
    """Cast ids to integers: an `Input` without a dtype turns them into floats.

    Raises:
        ValueError: the ids are in half precision.
    """
    dtype = keras.backend.standardize_dtype(ids.dtype)
    if dtype in ("float16", "bfloat16"):
        raise ValueError(
            f"{owner} expects integer ids, got {dtype}, which cannot tell all of them apart. Give integers: an Input "
            f"before it needs dtype='int32'."
        )
    return ids if dtype.startswith(("int", "uint")) else ops.cast(ids, "int32")


def unpadded_steps(vectors: Tensor, mask_value: float) -> Tensor:
    """Which steps of `(batch, length, features)` are real: boolean `(batch, length)`.

    A step is padding if all its features equal `mask_value`.
    """
    return ops.any(ops.not_equal(vectors, ops.cast(mask_value, vectors.dtype)), axis=-1)
