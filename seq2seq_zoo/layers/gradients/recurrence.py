"""Gradients by hand of the passes over time, where automatic ones are slow.

An automatic gradient keeps every intermediate of every step, and adds up each weight's gradient step by step in small
products. By hand, a step keeps what its cell's `adjoint` needs and no more, the way back carries the states' gradients
alone, and each weight's gradient is one product over all steps.
"""

from typing import Any

from keras import ops

from seq2seq_zoo.layers.backend import custom_gradient
from seq2seq_zoo.layers.scan import scan


def recurrent_pass(
    cell: Any, projected: Any, states: tuple[Any, ...], keep: Any, mask: Any, reverse: bool
) -> tuple[Any, tuple[Any, ...]]:
    """All steps of one layer in one direction.

    Args:
        cell: with an `adjoint`.
        projected: `(time, batch, gates * units)`.
        states: the first states, `(batch, units)` each.
        keep: a dropout mask on what the recurrent product reads, or `None`.
        mask: boolean `(time, batch)`, or `None`; where it is false the states stay as they are.
        reverse: whether to run from the last step to the first.

    Returns:
        `(outputs, states)`: `(time, batch, units)`, and the last states.
    """
    real = () if mask is None else ops.expand_dims(mask, -1)

    def forward(projected: Any, states: Any, weights: Any) -> tuple[Any, Any]:
        def step(states: Any, x: Any) -> Any:
            projected, real = x
            following, saved = cell.combine(projected, cell.recur(states[0], keep, weights), states)
            if mask is not None:
                following = tuple(ops.where(real, new, old) for new, old in zip(following, states, strict=True))
            return following, (following[0], saved)

        last, (outputs, saved) = scan(step, states, (projected, real), reverse=reverse)
        return (outputs, last), (outputs, saved, states[0], weights)

    def backward(kept: Any, gradients: Any) -> tuple[Any, ...]:
        outputs, saved, first, weights = kept
        of_outputs, of_states = gradients
        transposed = ops.transpose(weights[0])

        def step(of_states: Any, x: Any) -> Any:
            of_output, saved, real = x
            of_states = (of_states[0] + of_output, *of_states[1:])
            through = of_states
            if mask is not None:
                through = tuple(ops.where(real, each, 0.0) for each in of_states)
            of_projected, of_product, before = _back(cell, transposed, keep, saved, through)
            if mask is not None:
                before = tuple(ops.where(real, each, held) for each, held in zip(before, of_states, strict=True))
            return before, (of_projected, of_product)

        of_states, (of_projected, of_product) = scan(step, of_states, (of_outputs, saved, real), reverse=not reverse)
        return of_projected, of_states, _of_weights(weights, _before(outputs, first, reverse), keep, of_product)

    return custom_gradient(forward, backward)(projected, states, cell.recurrent_weights())


def _back(cell: Any, transposed: Any, keep: Any, saved: Any, gradients: tuple[Any, ...]) -> tuple[Any, Any, Any]:
    """One step of one layer backwards: gradients of `projected`, of the recurrent product and of the states before.

    `transposed` is the recurrent kernel's transpose.
    """
    of_projected, of_product, (of_h, *others) = cell.adjoint(saved, gradients)
    of_read = ops.matmul(of_product, transposed)
    return of_projected, of_product, (of_h + (of_read if keep is None else of_read * keep), *others)


def _before(outputs: Any, first: Any, reverse: bool) -> Any:
    """What stood before each step."""
    return ops.concatenate([outputs[1:], first[None]] if reverse else [first[None], outputs[:-1]], axis=0)


def _of_weights(weights: Any, read: Any, keep: Any, of_product: Any) -> tuple[Any, ...]:
    """The gradients of `Cell.recurrent_weights`."""
    of_kernel = _of_kernel(read if keep is None else read * keep, of_product)
    return of_kernel, *[ops.sum(of_product, axis=(0, 1)) for _ in weights[1:]]


def _of_kernel(read: Any, of_product: Any) -> Any:
    """The gradient of what `read` is multiplied with at every step: one product over all steps."""
    read, of_product = (ops.reshape(each, (-1, each.shape[-1])) for each in (read, of_product))
    return ops.matmul(ops.transpose(read), of_product)
