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
from seq2seq_zoo.layers.sublayer import unpadded_steps


class Values(Readout):
    """Real-valued outputs: a linear projection of the features; some of it is fed back as it is.

    Abstract: subclasses say how many numbers each feature has, and which is the output. What stands before the first
    output is zeros; no output ends its sequence, so a free run has `max_length` of them.

    Args:
        size: features of an output.
        mask_value: a target all of whose features equal it is padding; `None` if there is no padding.
    """

    numbers: int = 1
    """How many numbers are read for each feature."""
    chosen: int = 0
    """Which of them is the output."""

    @checked
    def __init__(self, size: Positive, mask_value: float | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.size = size
        self.mask_value = mask_value

    def build(self, features: int, feeds_back: bool) -> None:
        """Create the projection."""
        del feeds_back
        shape = (features, self.output_width)
        self.kernel = self.add_weight(shape=shape, initializer="glorot_uniform", name="kernel")
        self.bias = self.add_weight(shape=shape[1:], initializer="zeros", name="bias")
        self.built = True

    @property
    def width(self) -> int:
        """The features."""
        return self.size

    @property
    def output_width(self) -> int:
        """All numbers: `size` of the first kind, `size` of the second, ..."""
        return self.numbers * self.size

    def initial_output(self, batch: Any) -> Any:
        """Zeros."""
        return ops.zeros((batch, self.size), dtype="float32")

    def embed(self, outputs: Any) -> Any:
        """The outputs as they are."""
        return ops.cast(outputs, self.compute_dtype)

    def predict(self, logits: Any) -> Any:
        """The numbers that are the output."""
        return logits[..., self.chosen * self.size : (self.chosen + 1) * self.size]

    def quantiles_of(self, logits: Any) -> dict[float, Any]:
        """What is known of the output's distribution: quantiles `(..., size)` by their level; nothing, of a value."""
        return {}

    def is_end(self, outputs: Any) -> Any:
        """None does."""
        return ops.zeros_like(outputs[..., 0], dtype="bool")

    def mask(self, targets: Any) -> Any:
        """Whatever is not padding."""
        if self.mask_value is None:
            return ops.ones_like(targets[..., 0], dtype="bool")
        return unpadded_steps(targets, self.mask_value)

    def read(self, features: Any) -> Any:
        """The numbers, in float32 whatever the policy."""
        return ops.cast(matmul(features, self.kernel) + self.bias, "float32")

    def loss(self, label_smoothing: float = 0.0) -> keras.losses.Loss:
        """What the numbers are for."""
        if label_smoothing:
            raise ValueError(
                f"label_smoothing={label_smoothing} shares out the probability of tokens, but "
                f"{type(self).__name__} puts out numbers: leave it at 0."
            )
        return self.value_loss()

    def value_loss(self) -> keras.losses.Loss:
        """What there is to minimise."""
        raise NotImplementedError


@readouts.register("vectors", "real-valued vectors, fed back as they are; trained by squared error")
class Vectors(Values):
    """Real-valued vectors. Trained by the mean squared error.

    Arguments are `Values`', and:

    Args:
        activation: of the output, such as "tanh", which bounds it; none if not given.

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

    def read(self, features: Any) -> Any:
        """The outputs."""
        return self.activation(super().read(features))

    def value_loss(self) -> keras.losses.Loss:
        """The mean squared error."""
        return keras.losses.MeanSquaredError()


@readouts.register("gaussian", "a normal distribution for each feature; its mean is fed back")
class Gaussian(Values):
    """A normal distribution for each feature: means, then logarithms of scales, `(..., 2 * size)`. The mean is the
    output.

    Arguments are `Values`'.
    """

    numbers = 2

    def quantiles_of(self, logits: Any) -> dict[float, Any]:
        """Those at 0.1, 0.5 and 0.9."""
        mean, log_scale = logits[..., : self.size], logits[..., self.size :]
        return {level: mean + NormalDist().inv_cdf(level) * ops.exp(log_scale) for level in (0.1, 0.5, 0.9)}

    def value_loss(self) -> keras.losses.Loss:
        """Minus the log-density."""
        return GaussianNLL()


@readouts.register("quantiles", "some quantiles of each feature; the median is fed back")
class Quantiles(Values):
    """Quantiles of each feature, `(..., quantiles * size)`: all features of the first quantile, all of the second, ...
    The median is the output. Nothing keeps two quantiles from crossing where there is little data.

    Arguments are `Values`', and:

    Args:
        quantiles: increasing, between 0 and 1, with 0.5 among them.

    Raises:
        ValueError: quantiles that are not so.
    """

    @checked
    def __init__(self, *args: Any, quantiles: tuple[PositiveFloat, ...] = (0.1, 0.5, 0.9), **kwargs: Any):
        super().__init__(*args, **kwargs)
        if sorted({*quantiles}) != [*quantiles] or not max(quantiles, default=1) < 1 or 0.5 not in quantiles:
            raise ValueError(
                f"Quantiles must increase from above 0 to below 1 with 0.5, the output, among them, got {quantiles}."
            )
        self.quantiles = quantiles
        self.numbers = len(quantiles)
        self.chosen = quantiles.index(0.5)

    def quantiles_of(self, logits: Any) -> dict[float, Any]:
        """Those that there are."""
        return {level: logits[..., n * self.size : (n + 1) * self.size] for n, level in enumerate(self.quantiles)}

    def value_loss(self) -> keras.losses.Loss:
        """The pinball loss."""
        return PinballLoss(self.quantiles)
