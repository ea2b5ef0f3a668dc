"""Activations by name: those of Keras, and one that Keras had before version 3."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

Activation = Callable[[Any], Any]


def hard_sigmoid_keras2(x: Any) -> Any:
    """`min(1, max(0, x / 5 + 1 / 2))`, the gate activation of Keras 2; the `hard_sigmoid` of Keras 3 has `x / 6`.

    Example:

    >>> import numpy as np
    >>> hard_sigmoid_keras2(np.array([-3.0, 1.0, 3.0])).numpy()
    array([0. , 0.7, 1. ])
    """
    return ops.clip(0.2 * x + 0.5, 0.0, 1.0)


_ADDED: dict[str, Activation] = {"hard_sigmoid_keras2": hard_sigmoid_keras2}


def activation_of(name: str | None) -> Activation:
    """The activation with the given name; `None` is the identity."""
    return _ADDED[name] if name in _ADDED else keras.activations.get(name)


def name_of(activation: Activation) -> Any:
    """The name from which `activation_of` returns this activation."""
    names = {function: name for name, function in _ADDED.items()}
    return names[activation] if activation in names else keras.activations.serialize(activation)


def default_activations(activation: Activation, recurrent_activation: Activation) -> bool:
    """Whether a cell has the activations of the literature: tanh, and sigmoid for the gates."""
    return (activation, recurrent_activation) == (keras.activations.tanh, keras.activations.sigmoid)


def lstm_gates(gates: Any, activation: Activation, recurrent_activation: Activation) -> Sequence[Any]:
    """An LSTM's `i`, `f`, `g` and `o`: `recurrent_activation` of the three gates, `activation` of the candidate `g`.

    Args:
        gates: the four before their activations, side by side: `(..., 4 * units)`.
        activation: of `g`.
        recurrent_activation: of `i`, `f` and `o`.
    """
    if default_activations(activation, recurrent_activation):
        return fused_lstm_gates(gates)
    i, f, g, o = ops.split(gates, 4, axis=-1)
    return recurrent_activation(i), recurrent_activation(f), activation(g), recurrent_activation(o)


def fused_lstm_gates(gates: Any) -> Sequence[Any]:
    """`lstm_gates` with the default activations, by a single tanh.

    Since sigmoid(x) = (1 + tanh(x / 2)) / 2, one pass over memory computes what otherwise takes four.
    """
    half = ops.cast(np.repeat([0.5, 0.5, 1.0, 0.5], gates.shape[-1] // 4), gates.dtype)
    return ops.split(ops.tanh(gates * half) * half + (1 - half), 4, axis=-1)
