"""Real-valued outputs: values, normal distributions or quantiles."""

from statistics import NormalDist
from typing import Any

import keras
from keras import ops

from seq2seq_zoo.config.options import Positive, PositiveFloat, checked
from seq2seq_zoo.layers.activations import activation_of
from seq2seq_zoo.layers.losses import GaussianNLL, PinballLoss
from seq2seq_zoo.layers.products import matmul
from seq2seq_zoo.layers.readouts.readout import Readout, readouts
from seq2seq_zoo.layers.sublayer import Tensor, unpadded_steps


class RealValues(Readout):
    """Real-valued outputs, computed by a linear projection and fed back without an embedding.

    Abstract: a subclass defines how many numbers there are for each feature of an output (such as a mean and a scale),
    which of them is the output, and the loss. The first step reads zeros. No output ends its sequence, so a
    free-running pass has `max_length` outputs.

    Arguments are those of `Readout`, and:

    Args:
        size: number of features of an output.
        mask_value: a target is padding if all its features have this value; `None` if there is no padding.
    """

    numbers: int = 1
    """How many numbers there are for each feature."""
    chosen: int = 0
    """The index of the number that is the output."""

    @checked
    def __init__(self, size: Positive, mask_value: float | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.size = size
        self.mask_value = mask_value

    def build(self, features: int, feeds_back: bool) -> None:
        """Create the projection."""
        del feeds_back
        shape = (features, self.output_width)
        self.kernel = self.add_parameter("kernel", shape, "kernel")
        self.bias = self.add_parameter("bias", shape[1:], "bias")
        self.built = True

    @property
    def width(self) -> int:
        """The number of features."""
        return self.size

    @property
    def output_width(self) -> int:
        """`numbers * size`: the first number of each feature, then the second of each, and so on."""
        return self.numbers * self.size

    def initial_output(self, batch: Any) -> Tensor:
        """Zeros."""
        return ops.zeros((batch, self.size), dtype="float32")

    def embed(self, outputs: Tensor) -> Tensor:
        """The outputs, unchanged."""
        return ops.cast(outputs, self.compute_dtype)

    def predict(self, logits: Tensor) -> Tensor:
        """The numbers that are the output."""
        return logits[..., self.chosen * self.size : (self.chosen + 1) * self.size]

    def quantiles_of(self, logits: Tensor) -> dict[float, Tensor]:
        """Quantiles of the output's distribution by their level, `(..., size)` each; none if the output is a value."""
        return {}

    def is_end(self, outputs: Tensor) -> Tensor:
        """No output does."""
        return ops.zeros_like(outputs[..., 0], dtype="bool")

    def mask(self, targets: Tensor) -> Tensor:
        """Which targets are not padding."""
        if self.mask_value is None:
            return ops.ones_like(targets[..., 0], dtype="bool")
        return unpadded_steps(targets, self.mask_value)

    def read(self, features: Tensor) -> Tensor:
        """The numbers, in float32 whatever the policy."""
        return ops.cast(matmul(features, self.kernel) + self.bias, "float32")

    def loss(self, label_smoothing: float = 0.0) -> keras.losses.Loss:
        """`value_loss`."""
        if label_smoothing:
            raise ValueError(
                f"label_smoothing={label_smoothing} smooths the probabilities of tokens, but the outputs of "
                f"{type(self).__name__} are real values: leave it at 0."
            )
        return self.value_loss()

    def value_loss(self) -> keras.losses.Loss:
        """The loss to minimise."""
        raise NotImplementedError  # abstract: each kind of readout defines it


@readouts.register("vectors", "real-valued vectors, fed back unchanged; trained by squared error")
class Vectors(RealValues):
    """Real-valued vectors, trained by the mean squared error.

    Arguments are those of `RealValues`, and:

    Args:
        activation: activation of the output, such as "tanh", which bounds it; none if not given.

    Example:

    >>> import numpy as np
    >>> from seq2seq_zoo import Encoder, FeedbackDecoder, Vectors
    >>> encoded = Encoder(8)(np.ones((1, 4, 3)))
    >>> decoder = FeedbackDecoder(8, readout=Vectors(2, activation="tanh"), max_length=5)
    >>> decoder(encoded, np.zeros((1, 6, 2))).shape, decoder(encoded).shape
    (TensorShape([1, 6, 2]), TensorShape([1, 5, 2]))
    """

    @checked
    def __init__(self, *args: Any, activation: str | None = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.activation = activation_of(activation)

    def read(self, features: Tensor) -> Tensor:
        """The vectors."""
        return self.activation(super().read(features))

    def value_loss(self) -> keras.losses.Loss:
        """The mean squared error."""
        return keras.losses.MeanSquaredError()


@readouts.register("gaussian", "a normal distribution for each feature; its mean is fed back")
class Gaussian(RealValues):
    """A normal distribution for each feature: the means, then the logarithms of the standard deviations,
    `(..., 2 * size)`. The mean is the output.

    Arguments are those of `RealValues`.
    """

    numbers = 2

    def quantiles_of(self, logits: Tensor) -> dict[float, Tensor]:
        """The quantiles at levels 0.1, 0.5 and 0.9."""
        mean, log_scale = logits[..., : self.size], logits[..., self.size :]
        return {level: mean + NormalDist().inv_cdf(level) * ops.exp(log_scale) for level in (0.1, 0.5, 0.9)}

    def value_loss(self) -> keras.losses.Loss:
        """The negative log-likelihood."""
        return GaussianNLL()


@readouts.register("quantiles", "quantiles of each feature; the median is fed back")
class Quantiles(RealValues):
    """Quantiles of each feature, `(..., quantiles * size)`: the first quantile of each feature, then the second of
    each, and so on. The median is the output. Nothing prevents quantiles from crossing where there is little data.

    Arguments are those of `RealValues`, and:

    Args:
        quantiles: the levels, increasing, between 0 and 1, including 0.5.

    Raises:
        ValueError: the quantiles are not as described.
    """

    @checked
    def __init__(self, *args: Any, quantiles: tuple[PositiveFloat, ...] = (0.1, 0.5, 0.9), **kwargs: Any):
        super().__init__(*args, **kwargs)
        if sorted({*quantiles}) != [*quantiles] or not max(quantiles, default=1) < 1 or 0.5 not in quantiles:
            raise ValueError(f"Quantiles must increase between 0 and 1 and include 0.5, the output, got {quantiles}.")
        self.quantiles = quantiles
        self.numbers = len(quantiles)
        self.chosen = quantiles.index(0.5)

    def quantiles_of(self, logits: Tensor) -> dict[float, Tensor]:
        """The quantiles themselves."""
        return {level: logits[..., n * self.size : (n + 1) * self.size] for n, level in enumerate(self.quantiles)}

    def value_loss(self) -> keras.losses.Loss:
        """The pinball loss."""
        return PinballLoss(self.quantiles)
