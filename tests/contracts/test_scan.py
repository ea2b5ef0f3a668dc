"""The loop over time, with the same results in eager mode, in a graph, compiled and exported."""

import numpy as np
import pytest
import tensorflow as tf
from cases import close
from keras import ops

from seq2seq_zoo.layers.backend import exporting
from seq2seq_zoo.layers.scan import scan


def exported(function):
    def traced(*arguments):
        with exporting():
            return function(*arguments)

    return tf.function(traced, autograph=False)


X = np.arange(1.0, 6.0, dtype="float32")
WAYS = {
    "eager": lambda f: f,
    "graph": lambda f: tf.function(f, autograph=False),
    "compiled": lambda f: tf.function(f, autograph=False, jit_compile=True),
    "exported": exported,
}


@pytest.fixture(params=WAYS)
def way(request):
    return WAYS[request.param]


def counting(carry, x):
    total, steps = carry
    return (total + x, steps + 1), {"total": total + x, "parts": (x, steps)}


START = (np.float32(0), np.int32(0))


def run(xs=X, **options):
    return scan(counting, tuple(map(ops.convert_to_tensor, START)), ops.convert_to_tensor(xs), **options)


def test_a_scan_passes_the_carry_on_and_stacks_the_outputs(way):
    (total, steps), outputs = way(run)()
    assert (float(total), int(steps)) == (15, 5)
    close(outputs["total"], np.cumsum(X))
    close(outputs["parts"], [X, range(5)])


def test_a_reversed_scan_keeps_the_order_of_its_outputs(way):
    _, outputs = way(lambda: run(reverse=True))()
    close(outputs["total"], np.cumsum(X[::-1])[::-1])


@pytest.mark.parametrize(("limit", "steps"), [(-1, 1), (3, 2), (4, 3), (99, 5)])
def test_a_scan_with_until_ends_early_but_runs_at_least_one_step(way, limit, steps):
    (total, counted), outputs = way(lambda: run(until=lambda carry: carry[0] >= limit))()
    assert (float(total), int(counted)) == (X[:steps].sum(), steps)
    close(outputs["total"], np.where(np.arange(5) < steps, np.cumsum(X), 0))


def test_a_scan_without_inputs_needs_a_length(way):
    def powers():
        return scan(lambda carry, _: (2 * carry, carry), ops.ones((2,)), length=4)

    _, outputs = way(powers)()
    close(outputs, np.repeat([[1], [2], [4], [8]], 2, axis=1))


def test_a_scan_has_a_gradient(way):
    @way
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            carry, _ = scan(lambda carry, x: (carry * x, carry), ops.ones(()), x)
        return tape.gradient(carry, x)

    close(gradient(tf.constant(X)), 120 / X)


def test_a_scan_of_no_steps_is_refused():
    with pytest.raises(ValueError, match="A sequence needs at least one step, got none"):
        run(X[:0])
