"""Standardised features, and the way back to their own unit."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seq2seq_zoo.config.options import OptionError


class Scale(NamedTuple):
    """A mean and a scale for each feature: `scaled = (values - mean) / scale`. `Row.restore` is the inverse."""

    mean: np.ndarray
    """`(features,)`."""
    scale: np.ndarray
    """`(features,)`, above 0."""

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Scaled values, float32: `(time, features)`."""
        return ((values - self.mean) / self.scale).astype("float32")


def standardise(values: np.ndarray, names: Sequence[str], where: str) -> Scale:
    """The scale that gives each feature mean 0 and standard deviation 1.

    Args:
        values: `(time, features)`.
        names: the names of the features.
        where: what the values are, for error messages, such as "train".

    Raises:
        ValueError: a feature is constant.

    Example:

    >>> values = np.array([[1.0, 10.0], [3.0, 40.0]])
    >>> scale = standardise(values, ["a", "b"], "train")
    >>> scale.apply(values).tolist(), scale.mean.tolist()
    ([[-1.0, -1.0], [1.0, 1.0]], [2.0, 25.0])
    """
    # The standard deviation would not tell: rounding can make that of equal numbers greater than 0.
    for name, low, high in zip(names, values.min(axis=0), values.max(axis=0), strict=True):
        if low == high:
            raise OptionError(
                ("scaling",),
                f"'{name}' is {low:g} throughout {where}: a constant cannot be standardised. Leave the column out, or "
                "set scaling to null.",
            )
    return Scale(values.mean(axis=0), values.std(axis=0))


def identity_scale(features: int) -> Scale:
    """The scale that leaves values unchanged."""
    return Scale(np.zeros(features), np.ones(features))
