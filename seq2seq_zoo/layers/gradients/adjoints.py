"""The cells' adjoints: the gradient of `Cell.combine`, in a table by exact class."""

import abc
from collections.abc import Callable
from typing import Any

from keras import ops

from seq2seq_zoo.layers.activations import default_activations, fused_lstm_gates
from seq2seq_zoo.layers.backend import supports_custom_gradients
from seq2seq_zoo.layers.cells import Cell, GRUCell, LayerStates, LSTMCell, SimpleCell
from seq2seq_zoo.layers.sublayer import Tensor


class Adjoint(abc.ABC):
    """The gradient of one cell's `combine` with the default activations. Abstract."""

    @abc.abstractmethod
    def forward(self, projected: Tensor, product: Tensor, states: LayerStates) -> tuple[LayerStates, Any]:
        """The cell's `combine`, which also returns the values that `backward` needs.

        Returns:
            `(states, saved)`: the next states, exactly as `combine` returns them, and the saved values.
        """

    @abc.abstractmethod
    def backward(self, saved: Any, d_states: LayerStates) -> tuple[Tensor, Tensor, LayerStates]:
        """The gradients of `combine`'s arguments.

        Args:
            saved: from `forward`.
            d_states: the gradients of the next states.

        Returns:
            `(d_projected, d_product, d_states)`; the last are those of the states before, without what reaches them
            through the recurrent product.
        """


_adjoints: dict[type[Cell], Adjoint] = {}


def adjoint(cell: type[Cell]) -> Callable[[type[Adjoint]], type[Adjoint]]:
    """Class decorator: enters an `Adjoint` for exactly this class of cells.

    A subclass of the cell may change the step, so it does not inherit the adjoint.
    """

    def enter(cls: type[Adjoint]) -> type[Adjoint]:
        _adjoints[cell] = cls()
        return cls

    return enter


def adjoint_of(cell: Cell) -> Adjoint:
    """The adjoint for a cell that has one."""
    return _adjoints[type(cell)]


def has_custom_gradient(cell: Cell) -> bool:
    """Whether a pass over time can use the cell's adjoint here and now."""
    return (
        type(cell) in _adjoints
        and default_activations(cell.activation, cell.recurrent_activation)
        and supports_custom_gradients()
    )


@adjoint(LSTMCell)
class LSTMAdjoint(Adjoint):
    """`c' = f * c + i * g` and `h' = o * tanh(c')`, with `i, f, g, o` after their activations."""

    def forward(self, projected: Tensor, product: Tensor, states: LayerStates) -> tuple[LayerStates, Any]:
        """The next `(h, c)`; the gates and the cell state before."""
        _, before = states
        i, f, g, o = fused_lstm_gates(projected + product)
        c = f * before + i * g
        return (o * ops.tanh(c), c), (i, f, g, o, before)

    def backward(self, saved: Any, d_states: LayerStates) -> tuple[Tensor, Tensor, LayerStates]:
        """The gates' derivatives are `x * (1 - x)` for sigmoids and `1 - x * x` for tanh."""
        i, f, g, o, before = saved
        dh, dc = d_states
        bounded = ops.tanh(f * before + i * g)  # computed again, rather than kept for every step
        dc = dc + dh * o * (1 - bounded * bounded)
        di = dc * g * i * (1 - i)
        df = dc * before * f * (1 - f)
        dg = dc * i * (1 - g * g)
        do = dh * bounded * o * (1 - o)
        d_gates = ops.concatenate([di, df, dg, do], axis=-1)
        return d_gates, d_gates, (ops.zeros_like(dh), dc * f)


@adjoint(GRUCell)
class GRUAdjoint(Adjoint):
    """`h' = z * h + (1 - z) * g` and `g = tanh(xh + r * hh)`, with `z, r` after their activations."""

    def forward(self, projected: Tensor, product: Tensor, states: LayerStates) -> tuple[LayerStates, Any]:
        """The next `(h,)`; the gates, the candidate, its recurrent product and the state before."""
        (before,) = states
        xz, xr, xh = ops.split(projected, 3, axis=-1)
        hz, hr, hh = ops.split(product, 3, axis=-1)
        z, r = ops.sigmoid(xz + hz), ops.sigmoid(xr + hr)
        g = ops.tanh(xh + r * hh)
        return (z * before + (1 - z) * g,), (z, r, g, hh, before)

    def backward(self, saved: Any, d_states: LayerStates) -> tuple[Tensor, Tensor, LayerStates]:
        """The candidate reads `r * hh`, so its gradient reaches the product scaled by `r`."""
        z, r, g, hh, before = saved
        (dh,) = d_states
        dz = dh * (before - g) * z * (1 - z)
        dg = dh * (1 - z) * (1 - g * g)
        dr = dg * hh * r * (1 - r)
        d_projected = ops.concatenate([dz, dr, dg], axis=-1)
        d_product = ops.concatenate([dz, dr, dg * r], axis=-1)
        return d_projected, d_product, (dh * z,)


@adjoint(SimpleCell)
class SimpleAdjoint(Adjoint):
    """`h' = tanh(projected + product)`."""

    def forward(self, projected: Tensor, product: Tensor, states: LayerStates) -> tuple[LayerStates, Any]:
        """The next `(h,)`, which is also what `backward` needs."""
        del states
        h = ops.tanh(projected + product)
        return (h,), h

    def backward(self, saved: Any, d_states: LayerStates) -> tuple[Tensor, Tensor, LayerStates]:
        """The derivative of tanh."""
        (dh,) = d_states
        d_sum = dh * (1 - saved * saved)
        return d_sum, d_sum, (ops.zeros_like(dh),)
