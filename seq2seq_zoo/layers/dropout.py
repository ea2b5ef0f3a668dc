"""Dropout masks, drawn once a sequence."""

from typing import Any, NamedTuple

import keras
from keras import ops


class DropoutMasks(NamedTuple):
    """One layer's dropout masks, drawn before the loop and the same at every step; `None` where nothing is dropped."""

    states: tuple[Any, ...]  # (batch, units) for each direction, on the state that the recurrent product reads
    output: Any  # (batch, units * directions), on the layer's output


def dropout_mask(shape: tuple[Any, ...], rate: float, seed: Any, dtype: str, training: bool | None) -> Any:
    """Zeros at `rate`, the rest scaled up so that the mean stays one; `None` where nothing is to be dropped."""
    if not training or not rate:
        return None
    return keras.random.dropout(ops.ones(shape, dtype=dtype), rate, seed=seed)


def dropped(x: Any, mask: Any) -> Any:
    """`x` under a dropout mask, or `x` itself."""
    return x if mask is None else x * mask
