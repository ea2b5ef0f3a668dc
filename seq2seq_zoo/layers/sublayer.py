"""The base class of layers inside layers, and helpers for ids and padded vectors."""

from typing import Any

import keras
from keras import ops

from seq2seq_zoo.config.options import checked
from seq2seq_zoo.layers.saving import Constraint, Initializer, Regularizer, WithConfig

Tensor = Any
"""A tensor of the backend, a NumPy array or a `KerasTensor`: they have no type in common."""


class Sublayer(WithConfig, keras.layers.Layer):
    """A layer that its owner builds, after loading as well: only the owner knows the widths."""

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """Return no mask: sublayers take masks as arguments, and Keras must not attach one to a tensor."""

    def add_parameter(self, name: str, shape: tuple[int, ...], kind: str, initializer: Any = None) -> Any:
        """Create a weight with the initializer, regularizer and constraint that the options of its kind give.

        Args:
            name: of the weight.
            shape: of the weight.
            kind: what the options' names start with, such as "kernel".
            initializer: the one to use where the option is `None`.
        """
        given = getattr(self, f"{kind}_initializer")
        return self.add_weight(
            shape=shape,
            initializer=initializer if given is None else given,
            name=name,
            regularizer=getattr(self, f"{kind}_regularizer"),
            constraint=getattr(self, f"{kind}_constraint"),
        )

    def get_build_config(self) -> None:
        """Return nothing: the owner's configuration suffices to build this layer."""


class WithKernel(Sublayer):
    """A sublayer with the options of its matrices. Abstract.

    Args:
        kernel_initializer: of each matrix, as Keras's layers take it: a name, a configuration or an object.
        kernel_regularizer: of each matrix; its loss is one of the model's `losses`.
        kernel_constraint: of each matrix, after each training step.
    """

    @checked
    def __init__(
        self,
        kernel_initializer: Initializer = "glorot_uniform",
        kernel_regularizer: Regularizer = None,
        kernel_constraint: Constraint = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.kernel_initializer = kernel_initializer
        self.kernel_regularizer = kernel_regularizer
        self.kernel_constraint = kernel_constraint


class WithKernelAndBias(WithKernel):
    """A sublayer with the options of its matrices and biases. Abstract.

    Arguments are those of `WithKernel`, and:

    Args:
        bias_initializer: of the biases.
        bias_regularizer: of the biases.
        bias_constraint: of the biases.
    """

    @checked
    def __init__(
        self,
        bias_initializer: Initializer = "zeros",
        bias_regularizer: Regularizer = None,
        bias_constraint: Constraint = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.bias_initializer = bias_initializer
        self.bias_regularizer = bias_regularizer
        self.bias_constraint = bias_constraint


def as_ids(ids: Tensor, owner: str) -> Tensor:
    """Cast ids to integers: an `Input` without a dtype turns them into floats.

    Raises:
        ValueError: the ids are in half precision.
    """
    dtype = keras.backend.standardize_dtype(ids.dtype)
    if dtype in ("float16", "bfloat16"):
        raise ValueError(
            f"{owner} expects integer ids, got {dtype}, which cannot tell all of them apart. Give integers: an Input "
            f"before it needs dtype='int32'."
        )
    return ids if dtype.startswith(("int", "uint")) else ops.cast(ids, "int32")


def unpadded_steps(vectors: Tensor, mask_value: float) -> Tensor:
    """Which steps of `(batch, length, features)` are real: boolean `(batch, length)`.

    A step is padding if all its features equal `mask_value`.
    """
    return ops.any(ops.not_equal(vectors, ops.cast(mask_value, vectors.dtype)), axis=-1)
