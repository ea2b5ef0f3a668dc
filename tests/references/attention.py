"""Attention of one query to the real positions of one row, in plain numpy."""

import numpy as np

from references.cells import weights

SCORES = {
    "additive": lambda q, h, query_kernel, key_kernel, bias, scale: (
        np.tanh(q @ query_kernel + h @ key_kernel + bias) @ scale[:, 0]
    ),
    "dot": lambda q, h: q @ h,
    "scaled_dot": lambda q, h: q @ h / np.sqrt(len(h)),
    "linear": lambda q, h, kernel, bias, scale, shift: (h @ kernel + bias + q) @ scale[:, 0] + shift[0],
    "general": lambda q, h, kernel: q @ (h @ kernel),
}


def attend(name, attention, query, sequence):
    """`(context, weights)`."""
    parameters = weights(attention)
    exponentials = np.exp([SCORES[name](query, h, **parameters) for h in sequence])
    attention_weights = exponentials / exponentials.sum() if len(sequence) else np.zeros(0)
    values = sequence @ parameters["kernel"] + parameters["bias"] if name == "linear" else sequence
    return attention_weights @ values, attention_weights
