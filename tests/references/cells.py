"""The cells in NumPy, for one row: a step of one layer, and of a stack."""

import numpy as np


def weights(layer):
    """A layer's weights, by name."""
    return {weight.name: np.asarray(weight, "float64") for weight in layer.weights}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, states, kernel, recurrent_kernel, bias, keep=1.0):
    h, c = states
    i, f, g, o = np.split(x @ kernel + (h * keep) @ recurrent_kernel + bias, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru(x, states, kernel, recurrent_kernel, bias, recurrent_bias, keep=1.0):
    (h,) = states
    xz, xr, xh = np.split(x @ kernel + bias, 3)
    hz, hr, hh = np.split((h * keep) @ recurrent_kernel, 3)
    z, r = sigmoid(xz + hz), sigmoid(xr + hr)
    return (z * h + (1 - z) * np.tanh(xh + r * (hh + recurrent_bias)),)


def simple(x, states, kernel, recurrent_kernel, bias, keep=1.0):
    (h,) = states
    return (np.tanh(x @ kernel + (h * keep) @ recurrent_kernel + bias),)


CELLS = {"lstm": lstm, "gru": gru, "simple": simple}
STATES = {"lstm": 2, "gru": 1, "simple": 1}


def stack_step(name, stack, x, states):
    """One step through a stack of one direction: the output and the next states."""
    following = []
    for layer, (cell,) in enumerate(stack.cells):
        state = following.pop() if stack.shared_state and layer else states[layer]
        following.append(CELLS[name](x, state, **weights(cell)))
        x = following[-1][0] + (x if stack.residual and layer else 0)
    return x, following
