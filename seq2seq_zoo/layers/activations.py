"""Activations by name: Keras's own, and one that it had before version 3."""

from typing import Any

import keras
from keras import ops


def hard_sigmoid_keras2(x: Any) -> Any:
    """`min(1, max(0, x / 5 + 1 / 2))`, which recurrent layers had for gates until Keras 3; there it is `x / 6` now.

    Example:

    >>> import numpy as np
    >>> hard_sigmoid_keras2(np.array([-3.0, 1.0, 3.0])).numpy()
    array([0. , 0.7, 1. ])
    """
    return ops.clip(0.2 * x + 0.5, 0.0, 1.0)


_OURS = {function.__name__: function for function in (hard_sigmoid_keras2,)}


def activation_of(name: str | None) -> Any:
    """The activation of a name; none is the identity."""
    return _OURS[name] if name in _OURS else keras.activations.get(name)


def name_of(activation: Any) -> Any:
    """What `activation_of` makes it of."""
    ours = {function: name for name, function in _OURS.items()}
    return ours[activation] if activation in ours else keras.activations.serialize(activation)
