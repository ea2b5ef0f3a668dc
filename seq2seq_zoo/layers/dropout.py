"""Dropout masks, drawn once a sequence."""

from typing import Any, NamedTuple

import keras
from keras import ops

from seq2seq_zoo.layers.draws import drawn
from seq2seq_zoo.layers.sublayer import Tensor


class DropoutMasks(NamedTuple):
    """One layer's dropout masks. They are drawn before the loop and hold for all steps; `None` drops nothing."""

    states: tuple[Tensor, ...]
    """For each direction, the mask on the state that the recurrent product reads: `(batch, units)`."""
    output: Tensor
    """The mask on the layer's output: `(batch, units * directions)`."""


def dropout_mask(shape: tuple[Any, ...], rate: float, seed: Any, dtype: str, training: bool | None) -> Tensor:
    """A mask that is zero with probability `rate` and `1 / (1 - rate)` elsewhere, so that the mean stays one.

    It is `None` outside training and at rate zero.
    """
    if not training or not rate:
        return None
    rows, *sizes = shape
    return drawn(lambda rows: keras.random.dropout(ops.ones((rows, *sizes), dtype=dtype), rate, seed=seed), rows)


def dropped(x: Tensor, mask: Tensor) -> Tensor:
    """`x` times a dropout mask; `x` itself if there is none."""
    return x if mask is None else x * mask
