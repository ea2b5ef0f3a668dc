"""Scheduled sampling: how often a decoder in training reads the target, as a function of the training step."""

from typing import Any

import keras
from keras import ops

from seq2seq_zoo.config.options import PositiveFloat, Probability, checked, config_of
from seq2seq_zoo.config.registry import Registry
from seq2seq_zoo.layers.saving import serialized


class Schedule:
    """The probability that a step reads the previous target instead of the decoder's own previous output.

    Abstract: a subclass defines `__call__`.

    Reference:
        Bengio et al. 2015, arXiv:1506.03099, section 2.4.
    """

    def __call__(self, step: Any) -> Any:
        """The probability at a training step, a scalar tensor of type float32."""
        raise NotImplementedError  # a schedule defines it

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return config_of(self, serialized)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Schedule":
        """The schedule that `get_config` described."""
        return cls(**config)


schedules: Registry[Schedule] = Registry(
    "schedule", base=Schedule, serializable=keras.saving.register_keras_serializable
)


@schedules.register("constant", "the same probability throughout")
class Constant(Schedule):
    """`p`.

    Args:
        p: the probability; 1 is teacher forcing, 0 is free running.
    """

    @checked
    def __init__(self, p: Probability = 0.5):
        self.p = p

    def __call__(self, step: Any) -> Any:
        """The probability at a training step."""
        return ops.convert_to_tensor(self.p, dtype="float32")


@schedules.register("linear", "falls from 1 by the same amount at every step, down to a floor")
class Linear(Schedule):
    """`max(floor, 1 - (1 - floor) * step / steps)`.

    Args:
        steps: number of training steps until the floor is reached.
        floor: the lowest probability.
    """

    @checked
    def __init__(self, steps: PositiveFloat = 1000.0, floor: Probability = 0.0):
        self.steps = steps
        self.floor = floor

    def __call__(self, step: Any) -> Any:
        """The probability at a training step."""
        return ops.maximum(self.floor, 1.0 - (1.0 - self.floor) * step / self.steps)


@schedules.register("exponential", "starts at 1 and is multiplied by the same factor at every step")
class Exponential(Schedule):
    """`k ** step`.

    Args:
        k: the factor, at most 1.
    """

    @checked
    def __init__(self, k: Probability = 0.999):
        self.k = k

    def __call__(self, step: Any) -> Any:
        """The probability at a training step."""
        return ops.power(ops.convert_to_tensor(self.k, dtype="float32"), step)


@schedules.register("inverse_sigmoid", "stays near 1, then falls off along a sigmoid")
class InverseSigmoid(Schedule):
    """`k / (k + exp(step / k))`.

    Args:
        k: at least 1. The larger it is, the later and the more slowly the probability falls; it is one half after
            `k ln k` steps.
    """

    @checked
    def __init__(self, k: PositiveFloat = 200.0):
        if k < 1:
            raise ValueError(f"InverseSigmoid: `k` must be at least 1, got {k}.")
        self.k = k

    def __call__(self, step: Any) -> Any:
        """The probability at a training step."""
        # k / (k + e^(s/k)) = sigmoid(ln k - s/k), which does not overflow
        return ops.sigmoid(ops.log(ops.convert_to_tensor(self.k, dtype="float32")) - step / self.k)
