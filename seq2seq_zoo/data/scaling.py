"""Real values without their unit: standardised features, and the way back."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seq2seq_zoo.config.options import OptionError


class Scale(NamedTuple):
    """What takes the unit from features. `scale * values + mean` gives it back: see `Row.restore`."""

    mean: np.ndarray
    """`(features,)`."""
    scale: np.ndarray
    """`(features,)`, above 0."""

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Values `(time, features)` without their unit, float32."""
        return ((values - self.mean) / self.scale).astype("float32")


def standardise(values: np.ndarray, names: Sequence[str], where: str) -> Scale:
    """The scale on which features have mean 0 and standard deviation 1.

    Args:
        values: `(time, features)`.
        names: of the features.
        where: whose values these are, for messages.

    Raises:
        ValueError: a feature that never changes.

    Example:

    >>> values = np.array([[1.0, 10.0], [3.0, 40.0]])
    >>> scale = standardise(values, ["a", "b"], "train")
    >>> scale.apply(values).tolist(), scale.mean.tolist()
    ([[-1.0, -1.0], [1.0, 1.0]], [2.0, 25.0])
    """
    # Not by the deviation: rounding gives equal numbers a small one.
    for name, low, high in zip(names, values.min(axis=0), values.max(axis=0), strict=True):
        if low == high:
            raise OptionError(
                ("scaling",),
                f"'{name}' is {low:g} throughout {where}: what never changes cannot be standardised. Leave the column "
                "out, or set scaling to null.",
            )
    return Scale(values.mean(axis=0), values.std(axis=0))


def as_they_are(features: int) -> Scale:
    """The scale that changes nothing."""
    return Scale(np.zeros(features), np.ones(features))
