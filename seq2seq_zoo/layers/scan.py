"""The loop over time, on each backend.

Keras has `ops.scan`, with two limits on TensorFlow: its loop has no static bound, so XLA cannot differentiate it, and
every output must have the carry's structure. This scan has neither.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops, tree

from seq2seq_zoo.layers.backend import is_exporting

Step = Callable[[Any, Any], tuple[Any, Any]]
Until = Callable[[Any], Any]


def scan(
    step: Step, carry: Any, xs: Any = (), length: Any = None, reverse: bool = False, until: Until | None = None
) -> tuple[Any, Any]:
    """Run a step over the leading axis of `xs`, passing a carry from each step to the next.

    Args:
        step: `(carry, x) -> (carry, y)`; all may be nested structures. The carry keeps its shapes and types.
        carry: the initial carry.
        xs: a structure of tensors of shape `(time, ...)`; it may be empty.
        length: the number of steps; needed only where `xs` holds no tensor.
        reverse: whether to run from the last step to the first. The outputs keep the order of `xs`.
        until: `carry -> scalar bool`. After the first step, the loop ends as soon as it holds; the outputs of the steps
            that did not run are zeros. On JAX such a loop has no gradient.

    Returns:
        `(carry, ys)`: the final carry, and each output stacked along a new leading axis.

    Raises:
        ValueError: there are no steps, outside a graph.

    Example:

    >>> from keras import ops
    >>> total, sums = scan(lambda carry, x: (carry + x, carry + x), ops.zeros(()), ops.array([1.0, 2.0, 3.0]))
    >>> ops.convert_to_numpy(sums)
    array([1., 3., 6.], dtype=float32)
    """
    if length is None:
        length = ops.shape(tree.flatten(xs)[0])[0]
    backend = keras.backend.backend()
    if backend == "tensorflow":
        return _tensorflow_scan(step, carry, xs, length, reverse, until)
    if backend == "jax":
        return _jax_scan(step, carry, xs, length, reverse, until)
    return _python_scan(step, carry, xs, length, reverse, until)


def _tensorflow_scan(step, carry, xs, length, reverse, until):
    import tensorflow as tf

    if tf.executing_eagerly():
        return _python_scan(step, carry, xs, int(length), reverse, until)

    def at(i):
        return length - 1 - i if reverse else i

    def with_shapes_of(carry, following):
        for leaf, first in zip(tree.flatten(following), tree.flatten(carry), strict=True):
            leaf.set_shape(first.shape)  # the step may have lost a static batch size
        return following

    # The loop needs to know the outputs' structure, types and shapes before it starts.
    if is_exporting():
        read, stack = tf.gather, tf.identity

        def write(tensor, t, value):
            return tf.tensor_scatter_nd_update(tensor, [[t]], value[None])

        # Some shapes are known only at run time, from an actual step: run the first one before the loop.
        done, inputs = 1, xs
        following, y = step(carry, tree.map_structure(lambda x: x[at(0)], xs))
        carry = with_shapes_of(carry, following)
        outputs = tree.map_structure(lambda y: write(tf.zeros((length, *ops.shape(y)), y.dtype), at(0), y), y)
    else:
        # Tracing a step tells them; it is not run.
        def first_output(carry, xs):
            return step(carry, tree.map_structure(lambda x: x[0], xs))[1]

        done = 0
        traced = tf.function(first_output, autograph=False).get_concrete_function(carry, xs)
        outputs = tree.map_structure(
            lambda y: tf.TensorArray(y.dtype, length, element_shape=y.shape), traced.structured_outputs
        )
        inputs = tree.map_structure(lambda x: tf.TensorArray(x.dtype, length, element_shape=x.shape[1:]).unstack(x), xs)
        read, write, stack = tf.TensorArray.read, tf.TensorArray.write, tf.TensorArray.stack

    def body(i, carry, outputs):
        t = at(i)
        following, y = step(carry, tree.map_structure(lambda each: read(each, t), inputs))
        outputs = tree.map_structure(lambda each, value: write(each, t, value), outputs, y)
        return i + 1, with_shapes_of(carry, following), outputs

    def running(i, carry, outputs):
        return True if until is None else tf.logical_or(tf.equal(i, 0), tf.logical_not(until(carry)))

    # With `maximum_iterations`, XLA can allocate the gradient's storage.
    _, carry, outputs = tf.while_loop(running, body, (done, carry, outputs), maximum_iterations=length - done)
    return carry, tree.map_structure(stack, outputs)


def _jax_scan(step, carry, xs, length, reverse, until):
    import jax

    if until is None:
        return jax.lax.scan(step, carry, xs, length, reverse)

    def at(i):
        t = length - 1 - i if reverse else i
        return t, tree.map_structure(lambda x: x[t], xs)

    def body(state):
        i, carry, outputs = state
        t, x = at(i)
        carry, y = step(carry, x)
        return i + 1, carry, jax.tree.map(lambda output, value: output.at[t].set(value), outputs, y)

    def running(state):
        i, carry, _ = state
        return (i < length) & ((i == 0) | ~until(carry))

    shapes = jax.eval_shape(lambda carry: step(carry, at(0)[1])[1], carry)
    outputs = jax.tree.map(lambda y: jax.numpy.zeros((length, *y.shape), y.dtype), shapes)
    _, carry, outputs = jax.lax.while_loop(running, body, (0, carry, outputs))
    return carry, outputs


def _python_scan(step, carry, xs, length, reverse, until):
    if not length:
        raise ValueError("A sequence needs at least one step, got none. Give it a step of padding.")
    # Unstacked once: the gradient of each single slice would be as long as the whole.
    cut = [ops.unstack(x, length) for x in tree.flatten(xs)]
    slices = [tree.pack_sequence_as(xs, parts) for parts in zip(*cut, strict=True)] if tree.is_nested(xs) else cut[0]
    ys = []
    for i in range(length):
        if until is not None and ys and bool(until(carry)):
            break
        t = length - 1 - i if reverse else i
        carry, y = step(carry, slices[t] if cut else xs)
        ys.append(y)
    ys += [tree.map_structure(ops.zeros_like, ys[-1])] * (length - len(ys))
    if reverse:
        ys.reverse()
    return carry, tree.map_structure(lambda *steps: ops.stack(steps), *ys)
