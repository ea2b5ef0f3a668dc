"""Recurrent cells: one layer's weights and the equations of its step.

A step has two parts. `project`, the product with the input, needs no state: it leaves the loop over time as one large
matrix product. `advance`, which reads the states, stays in the loop.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from seq2seq_zoo.config.options import Positive, checked
from seq2seq_zoo.config.registry import Registry
from seq2seq_zoo.layers.activations import activation_of, lstm_gates
from seq2seq_zoo.layers.dropout import dropped
from seq2seq_zoo.layers.products import EmbeddingLookup, matmul
from seq2seq_zoo.layers.saving import Constraint, Initializer, Regularizer
from seq2seq_zoo.layers.sublayer import Sublayer, Tensor

LayerStates = tuple[Tensor, ...]
"""One layer's states, `(batch, units)` each. The first is the layer's output."""
States = tuple[LayerStates, ...]
"""The states of all layers, from the lowest to the highest."""


class Cell(Sublayer):
    """One recurrent layer's weights and step. Abstract: a subclass defines `combine`, or all of `advance`.

    The input may come in parts, each with a width of its own. The product of a kernel with a concatenation is the sum
    of the products with its parts, so a part that is the same at every step is projected only once.

    Args:
        units: width of each state.
        activation: of the candidate state: a name that Keras has, or `hard_sigmoid_keras2`.
        recurrent_activation: of the gates: the same.
        kernel_initializer: of the input kernel, as Keras's layers take it: a name, a configuration or an object.
        recurrent_initializer: of the recurrent kernel.
        bias_initializer: of the biases; zeros if not given, with ones for the forget gate of an LSTM.
        kernel_regularizer: of the input kernel; its loss is one of the model's `losses`.
        recurrent_regularizer: of the recurrent kernel.
        bias_regularizer: of the biases.
        kernel_constraint: of the input kernel, after each training step.
        recurrent_constraint: of the recurrent kernel.
        bias_constraint: of the biases.
    """

    gates: int
    """Number of blocks of `units` columns in the projection."""
    state_count: int
    """Number of state tensors; the first is the output."""

    @checked
    def __init__(
        self,
        units: Positive,
        activation: str = "tanh",
        recurrent_activation: str = "sigmoid",
        kernel_initializer: Initializer = "glorot_uniform",
        recurrent_initializer: Initializer = "orthogonal",
        bias_initializer: Initializer | None = None,
        kernel_regularizer: Regularizer = None,
        recurrent_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        kernel_constraint: Constraint = None,
        recurrent_constraint: Constraint = None,
        bias_constraint: Constraint = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units = units
        self.activation = activation_of(activation)
        self.recurrent_activation = activation_of(recurrent_activation)
        self.kernel_initializer = kernel_initializer
        self.recurrent_initializer = recurrent_initializer
        self.bias_initializer = bias_initializer
        self.kernel_regularizer = kernel_regularizer
        self.recurrent_regularizer = recurrent_regularizer
        self.bias_regularizer = bias_regularizer
        self.kernel_constraint = kernel_constraint
        self.recurrent_constraint = recurrent_constraint
        self.bias_constraint = bias_constraint

    def build(self, widths: Sequence[int]) -> None:
        """Create the weights, for input parts of the given widths."""
        self.widths = tuple(widths)
        width = self.gates * self.units
        self.kernel = self.add_parameter("kernel", (sum(widths), width), "kernel")
        self.recurrent_kernel = self.add_parameter("recurrent_kernel", (self.units, width), "recurrent")
        self.bias = self.add_parameter("bias", (width,), "bias", self.initial_bias)
        self.built = True

    def initial_bias(self, shape: tuple[int, ...], dtype: Any = None) -> Tensor:
        """The bias before training: zeros."""
        return ops.zeros(shape, dtype=dtype)

    def project(
        self, parts: Sequence[Tensor | EmbeddingLookup], first: int = 0, kernels: Sequence[Tensor] | None = None
    ) -> Tensor:
        """The product of the kernel with input parts, `W x + b`.

        Args:
            parts: tensors of shape `(..., width)`, which broadcast against one another, or `EmbeddingLookup`s.
            first: the position of `parts[0]` among the widths that the cell was built with. The bias is added with
                part 0.
            kernels: the result of `kernels()`, if the caller has it already.

        Returns:
            A tensor of shape `(..., gates * units)`.
        """
        kernels = (self.kernels() if kernels is None else kernels)[first : first + len(parts)]
        total = sum(
            part.project(kernel) if isinstance(part, EmbeddingLookup) else matmul(part, kernel)
            for part, kernel in zip(parts, kernels, strict=True)
        )
        return total + self.bias if first == 0 else total

    def kernels(self) -> tuple[Tensor, ...]:
        """The kernel, cut into one matrix for each input part."""
        return tuple(self.kernel_of(part) for part in range(len(self.widths)))

    def kernel_of(self, part: int) -> Tensor:
        """The rows of the kernel that one input part is multiplied with."""
        row = sum(self.widths[:part])
        return self.kernel[row : row + self.widths[part]]

    def advance(self, projected: Tensor, states: LayerStates, keep: Tensor | None = None) -> LayerStates:
        """One step.

        Args:
            projected: from `project`: `(batch, gates * units)`, or `(batch, hypotheses, gates * units)` in a search.
            states: tensors of shape `(batch, units)`, or `(batch, hypotheses, units)`.
            keep: a dropout mask on the state that the recurrent product reads, or `None`.

        Returns:
            The next states.
        """
        return self.combine(projected, self.recur(states[0], keep), states)

    def recur(self, h: Tensor, keep: Tensor | None, weights: tuple[Tensor, ...] | None = None) -> Tensor:
        """The recurrent product, `U h` plus the recurrent bias if there is one.

        Args:
            h: the state that is multiplied.
            keep: a dropout mask on it, or `None`.
            weights: the result of `recurrent_weights()`, if the caller has it already.
        """
        kernel, *biases = weights or self.recurrent_weights()
        return sum(biases, matmul(dropped(h, keep), kernel))

    def recurrent_weights(self) -> tuple[Tensor, ...]:
        """The recurrent kernel; after it, the recurrent bias if there is one."""
        return (ops.convert_to_tensor(self.recurrent_kernel),)

    def combine(self, projected: Tensor, product: Tensor, states: LayerStates) -> LayerStates:
        """The part of a step that works element by element.

        Args:
            projected: from `project`.
            product: from `recur`.
            states: the states before the step.

        Returns:
            The next states.
        """
        raise NotImplementedError  # a cell defines it


cells: Registry[Cell] = Registry("cell", base=Cell, serializable=keras.saving.register_keras_serializable)


@cells.register("lstm", "long short-term memory: a gated cell state beside the output")
class LSTMCell(Cell):
    """Long short-term memory with forget bias one.

        i, f, g, o = W x + U h + b
        c' = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h' = sigmoid(o) * tanh(c')

    Reference:
        Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000; forget bias: Jozefowicz et al. 2015, section 5.
    """

    gates = 4
    state_count = 2

    def initial_bias(self, shape: tuple[int, ...], dtype: Any = None) -> Tensor:
        """The bias before training: ones for the forget gate, zeros for the others."""
        del shape
        block = (self.units,)
        zeros, ones = ops.zeros(block, dtype=dtype), ops.ones(block, dtype=dtype)
        return ops.concatenate([zeros, ones, zeros, zeros])

    def combine(self, projected: Tensor, product: Tensor, states: LayerStates) -> LayerStates:
        """The next `(h, c)`."""
        _, c = states
        i, f, g, o = lstm_gates(projected + product, self.activation, self.recurrent_activation)
        c = f * c + i * g
        return o * self.activation(c), c


@cells.register("gru", "gated recurrent unit: two gates, one state")
class GRUCell(Cell):
    """Gated recurrent unit, the reset gate applied after the recurrent product (as cuDNN, Keras and PyTorch do).

        z, r = sigmoid(W x + U h + b)
        h' = z * h + (1 - z) * tanh(W x + b + r * (U h + d))

    `d` is `recurrent_bias`; the gates need no second bias, since it would only be added to `b`.

    Reference:
        Cho et al. 2014, arXiv:1406.1078v1, where the reset gate comes after the product.
    """

    gates = 3
    state_count = 1

    def build(self, widths: Sequence[int]) -> None:
        """Create the weights, for input parts of the given widths."""
        super().build(widths)
        self.recurrent_bias = self.add_parameter("recurrent_bias", (self.units,), "bias", "zeros")

    def recurrent_weights(self) -> tuple[Tensor, ...]:
        """The recurrent kernel, and `d` with zeros for the gates."""
        return *super().recurrent_weights(), ops.pad(self.recurrent_bias, [[2 * self.units, 0]])

    def combine(self, projected: Tensor, product: Tensor, states: LayerStates) -> LayerStates:
        """The next `(h,)`."""
        (h,) = states
        xz, xr, xh = ops.split(projected, 3, axis=-1)
        hz, hr, hh = ops.split(product, 3, axis=-1)
        z, r = self.recurrent_activation(xz + hz), self.recurrent_activation(xr + hr)
        return (z * h + (1 - z) * self.activation(xh + r * hh),)


@cells.register("simple", "Elman's plain recurrence, for comparison")
class SimpleCell(Cell):
    """The plain recurrence `h' = tanh(W x + U h + b)`.

    Reference:
        Elman 1990, "Finding structure in time".
    """

    gates = 1
    state_count = 1

    def combine(self, projected: Tensor, product: Tensor, states: LayerStates) -> LayerStates:
        """The next `(h,)`."""
        del states
        return (self.activation(projected + product),)
