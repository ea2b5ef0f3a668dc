"""The custom gradient of one layer's pass over time in one direction."""

from typing import Any

from keras import ops

from seq2seq_zoo.layers.backend import custom_gradient
from seq2seq_zoo.layers.cells import Cell, LayerStates
from seq2seq_zoo.layers.gradients.adjoints import adjoint_of
from seq2seq_zoo.layers.scan import scan
from seq2seq_zoo.layers.sublayer import Tensor


def recurrent_pass(
    cell: Cell, projected: Tensor, states: LayerStates, keep: Tensor | None, mask: Tensor | None, reverse: bool
) -> tuple[Tensor, LayerStates]:
    """All steps of one layer in one direction.

    Args:
        cell: a cell for which `has_custom_gradient` holds.
        projected: `(time, batch, gates * units)`.
        states: the initial states, `(batch, units)` each.
        keep: a dropout mask on the state that the recurrent product reads, or `None`.
        mask: boolean `(time, batch)`, or `None`; where it is false, the states stay as they are.
        reverse: whether to run from the last step to the first.

    Returns:
        `(outputs, states)`: `(time, batch, units)`, and the final states.
    """
    adjoint = adjoint_of(cell)
    real = () if mask is None else ops.expand_dims(mask, -1)

    def forward(projected: Tensor, states: LayerStates, weights: Any) -> tuple[Any, Any]:
        def step(states: LayerStates, x: Any) -> Any:
            projected, real = x
            following, saved = adjoint.forward(projected, cell.recur(states[0], keep, weights), states)
            if mask is not None:
                following = tuple(ops.where(real, new, old) for new, old in zip(following, states, strict=True))
            return following, (following[0], saved)

        final, (outputs, saved) = scan(step, states, (projected, real), reverse=reverse)
        return (outputs, final), (outputs, saved, states[0], weights)

    def backward(kept: Any, gradients: Any) -> tuple[Any, ...]:
        outputs, saved, initial, weights = kept
        d_outputs, d_final = gradients
        transposed = ops.transpose(weights[0])

        def step(d_states: LayerStates, x: Any) -> Any:
            d_output, saved, real = x
            d_states = (d_states[0] + d_output, *d_states[1:])
            d_following = d_states
            if mask is not None:
                d_following = tuple(ops.where(real, each, 0.0) for each in d_states)
            d_projected, d_product, d_before = step_backward(cell, transposed, keep, saved, d_following)
            if mask is not None:
                d_before = tuple(ops.where(real, each, kept) for each, kept in zip(d_before, d_states, strict=True))
            return d_before, (d_projected, d_product)

        d_initial, (d_projected, d_product) = scan(step, d_final, (d_outputs, saved, real), reverse=not reverse)
        before = states_before(outputs, initial, reverse)
        return d_projected, d_initial, recurrent_weights_gradient(weights, before, keep, d_product)

    return custom_gradient(forward, backward)(projected, states, cell.recurrent_weights())


def step_backward(
    cell: Cell, transposed: Tensor, keep: Tensor | None, saved: Any, d_states: LayerStates
) -> tuple[Tensor, Tensor, LayerStates]:
    """The gradient of one step of one layer.

    Args:
        cell: the layer's cell.
        transposed: the transpose of the recurrent kernel.
        keep: a dropout mask on the state that the recurrent product reads, or `None`.
        saved: from the adjoint's `forward`.
        d_states: the gradients of the states after the step.

    Returns:
        `(d_projected, d_product, d_before)`; the last are the gradients of the states before the step.
    """
    d_projected, d_product, (dh, *d_others) = adjoint_of(cell).backward(saved, d_states)
    d_read = ops.matmul(d_product, transposed)
    return d_projected, d_product, (dh + (d_read if keep is None else d_read * keep), *d_others)


def states_before(outputs: Tensor, initial: Tensor, reverse: bool) -> Tensor:
    """The output state before each step: the outputs, shifted by one step."""
    return ops.concatenate([outputs[1:], initial[None]] if reverse else [initial[None], outputs[:-1]], axis=0)


def recurrent_weights_gradient(
    weights: Any, before: Tensor, keep: Tensor | None, d_product: Tensor
) -> tuple[Tensor, ...]:
    """The gradients of `Cell.recurrent_weights`, from the states before each step and the products' gradients."""
    d_kernel = kernel_gradient(before if keep is None else before * keep, d_product)
    return d_kernel, *[ops.sum(d_product, axis=(0, 1)) for _ in weights[1:]]


def kernel_gradient(x: Tensor, d_product: Tensor) -> Tensor:
    """The gradient of a kernel that `x` is multiplied with at every step: one product over all steps."""
    x, d_product = (ops.reshape(each, (-1, each.shape[-1])) for each in (x, d_product))
    return ops.matmul(ops.transpose(x), d_product)
