"""Recurrent cells, and the stack of them that encoder and decoders share.

A cell's step is split where speed needs it split: `project` (what it takes from its input) leaves the loop over time
as one large matrix product, `advance` (what it takes from its state) stays in it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from seq2seq_zoo.config.options import Positive, checked
from seq2seq_zoo.config.registry import Registry
from seq2seq_zoo.layers.activations import activation_of
from seq2seq_zoo.layers.backend import supports_custom_gradients
from seq2seq_zoo.layers.dropout import dropped
from seq2seq_zoo.layers.products import EmbeddingLookup, matmul
from seq2seq_zoo.layers.sublayer import Sublayer, knows

States = tuple[tuple[Any, ...], ...]  # one tuple a layer, the layer's output state first


class Cell(Sublayer):
    """One recurrent layer's weights and step. Abstract: `LSTMCell`, `GRUCell` and `SimpleCell` are the final ones.

    The input may come in parts, each with its own width: a product with a concatenation is the sum of the products
    with its parts, so a part that never changes is projected once, whatever the others do.

    Args:
        units: width of each state.
        activation: of the candidate state: a name that Keras has, or `hard_sigmoid_keras2`.
        recurrent_activation: of the gates: the same.
    """

    gates: int
    """How many `units`-wide blocks the projection has."""
    state_count: int
    """How many state tensors there are; the first is the output."""

    @checked
    def __init__(self, units: Positive, activation: str = "tanh", recurrent_activation: str = "sigmoid", **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units
        self.activation = activation_of(activation)
        self.recurrent_activation = activation_of(recurrent_activation)

    def build(self, widths: Sequence[int]) -> None:
        """Create the weights, for input parts of the given widths."""
        self.widths = tuple(widths)
        width = self.gates * self.units
        self.kernel = self.add_weight(shape=(sum(widths), width), initializer="glorot_uniform", name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, width), initializer="orthogonal", name="recurrent_kernel"
        )
        self.bias = self.add_weight(shape=(width,), initializer=self.initial_bias, name="bias")
        self.built = True

    def initial_bias(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """The bias before training."""
        return ops.zeros(shape, dtype=dtype)

    def project(self, parts: Sequence[Any], first: int = 0, kernels: Sequence[Any] | None = None) -> Any:
        """What the gates take from the input.

        Args:
            parts: tensors of shape `(..., width)`, which broadcast against one another, or an `EmbeddingLookup`.
            first: the position of `parts[0]` among the widths that the cell was built with. The bias comes with part 0.
            kernels: `kernels()` at hand.

        Returns:
            A tensor of shape `(..., gates * units)`.
        """
        kernels = (self.kernels() if kernels is None else kernels)[first : first + len(parts)]
        total = sum(
            part.times(kernel) if isinstance(part, EmbeddingLookup) else matmul(part, kernel)
            for part, kernel in zip(parts, kernels, strict=True)
        )
        return total + self.bias if first == 0 else total

    def kernels(self) -> tuple[Any, ...]:
        """The kernel in its parts."""
        return tuple(self.kernel_of(part) for part in range(len(self.widths)))

    def kernel_of(self, part: int) -> Any:
        """The rows of the kernel that are for one part."""
        row = sum(self.widths[:part])
        return self.kernel[row : row + self.widths[part]]

    def advance(self, projected: Any, states: tuple[Any, ...], keep: Any = None) -> tuple[Any, ...]:
        """One step.

        Args:
            projected: `(batch, gates * units)`, from `project`; a search has an axis of hypotheses after the batch.
            states: tensors of shape `(batch, units)`, with the same axis.
            keep: a dropout mask on what the recurrent product reads, or `None`.

        Returns:
            The next states.
        """
        return self.combine(projected, self.recur(states[0], keep), states)[0]

    def recur(self, h: Any, keep: Any, weights: tuple[Any, ...] | None = None) -> Any:
        """The recurrent product, and what is added to it, if anything; `weights` are `recurrent_weights` at hand."""
        kernel, *biases = weights or self.recurrent_weights()
        return sum(biases, matmul(dropped(h, keep), kernel))

    def recurrent_weights(self) -> tuple[Any, ...]:
        """The matrix of the recurrent product, and what is added to the product, if anything."""
        return (ops.convert_to_tensor(self.recurrent_kernel),)

    def combine(self, projected: Any, product: Any, states: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
        """What a step does beside its products, element by element; a cell says this, or all of `advance`.

        Args:
            projected: from `project`.
            product: from `recur`.
            states: the states before.

        Returns:
            `(states, saved)`: the next states, and whatever `adjoint` needs to know.
        """
        raise NotImplementedError

    adjoint: Callable[[Any, tuple[Any, ...]], tuple[Any, Any, tuple[Any, ...]]] | None = None
    """The gradient of `combine` by hand, for the usual activations: `(saved, gradients of the next states) ->
    gradients of (projected, product, the states before)`, to the last of which the product adds. `None` for a cell
    that is to be differentiated automatically."""

    @property
    def default_activations(self) -> bool:
        """Whether the activations are the usual ones, which `adjoint` is written for."""
        return (self.activation, self.recurrent_activation) == (keras.activations.tanh, keras.activations.sigmoid)

    def has_custom_gradient(self) -> bool:
        """Whether a pass over time takes its gradient by hand, here and now."""
        # An `adjoint` is right for the step that its own class has or inherits, not for one that a subclass changes.
        right = self.adjoint is not None and knows(type(self), "adjoint", "advance", "combine")
        return right and self.default_activations and supports_custom_gradients()


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

    def initial_bias(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """Zeros, and ones for the forget gate."""
        del shape
        block = (self.units,)
        zeros, ones = ops.zeros(block, dtype=dtype), ops.ones(block, dtype=dtype)
        return ops.concatenate([zeros, ones, zeros, zeros])

    def combine(self, projected: Any, product: Any, states: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
        """The next `(h, c)`."""
        _, before = states
        i, f, g, o = self.activated(projected + product)
        c = f * before + i * g
        return (o * self.activation(c), c), (i, f, g, o, before)

    def activated(self, gates: Any) -> Any:
        """The four gates after their activations."""
        if not self.default_activations:
            i, f, g, o = ops.split(gates, 4, axis=-1)
            i, f, o = (self.recurrent_activation(gate) for gate in (i, f, o))
            return i, f, self.activation(g), o
        # One tanh for all, since sigmoid(x) = (1 + tanh(x / 2)) / 2: one pass over memory instead of four.
        half = ops.cast(np.repeat([0.5, 0.5, 1.0, 0.5], self.units), gates.dtype)
        return ops.split(ops.tanh(gates * half) * half + (1 - half), 4, axis=-1)

    def adjoint(self, saved: Any, gradients: tuple[Any, ...]) -> tuple[Any, Any, tuple[Any, ...]]:
        """Of the equations above."""
        i, f, g, o, before = saved
        dh, dc = gradients
        bounded = ops.tanh(f * before + i * g)
        dc = dc + dh * o * (1 - bounded * bounded)
        di = dc * g * i * (1 - i)
        df = dc * before * f * (1 - f)
        dg = dc * i * (1 - g * g)
        do = dh * bounded * o * (1 - o)
        together = ops.concatenate([di, df, dg, do], axis=-1)
        return together, together, (ops.zeros_like(dh), dc * f)


@cells.register("gru", "gated recurrent unit: two gates, one state")
class GRUCell(Cell):
    """Gated recurrent unit, the reset gate applied after the recurrent product (as cuDNN, Keras and PyTorch do).

        z, r = sigmoid(W x + U h + b)
        h' = z * h + (1 - z) * tanh(W x + b + r * (U h + d))

    `d` is `recurrent_bias`; the gates need no second bias, since theirs would only be added to `b`.

    Reference:
        Cho et al. 2014, arXiv:1406.1078v1, where the reset gate comes after the product.
    """

    gates = 3
    state_count = 1

    def build(self, widths: Sequence[int]) -> None:
        """Create the weights, for input parts of the given widths."""
        super().build(widths)
        self.recurrent_bias = self.add_weight(shape=(self.units,), initializer="zeros", name="recurrent_bias")

    def recurrent_weights(self) -> tuple[Any, ...]:
        """The matrix, and the candidate's second bias."""
        return *super().recurrent_weights(), ops.pad(self.recurrent_bias, [[2 * self.units, 0]])

    def combine(self, projected: Any, product: Any, states: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
        """The next `(h,)`."""
        (before,) = states
        xz, xr, xh = ops.split(projected, 3, axis=-1)
        hz, hr, hh = ops.split(product, 3, axis=-1)
        z, r = self.recurrent_activation(xz + hz), self.recurrent_activation(xr + hr)
        candidate = self.activation(xh + r * hh)
        return (z * before + (1 - z) * candidate,), (z, r, candidate, hh, before)

    def adjoint(self, saved: Any, gradients: tuple[Any, ...]) -> tuple[Any, Any, tuple[Any, ...]]:
        """Of the equations above."""
        z, r, candidate, hh, before = saved
        (dh,) = gradients
        dz = dh * (before - candidate) * z * (1 - z)
        dh_candidate = dh * (1 - z) * (1 - candidate * candidate)
        dr = dh_candidate * hh * r * (1 - r)
        projected = ops.concatenate([dz, dr, dh_candidate], axis=-1)
        product = ops.concatenate([dz, dr, dh_candidate * r], axis=-1)
        return projected, product, (dh * z,)


@cells.register("simple", "Elman's plain recurrence, for comparison")
class SimpleCell(Cell):
    """The plain recurrence `h' = tanh(W x + U h + b)`.

    Reference:
        Elman 1990, "Finding structure in time".
    """

    gates = 1
    state_count = 1

    def combine(self, projected: Any, product: Any, states: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
        """The next `(h,)`."""
        del states
        h = self.activation(projected + product)
        return (h,), h

    def adjoint(self, saved: Any, gradients: tuple[Any, ...]) -> tuple[Any, Any, tuple[Any, ...]]:
        """Of the equation above."""
        (dh,) = gradients
        d = dh * (1 - saved * saved)
        return d, d, (ops.zeros_like(dh),)
