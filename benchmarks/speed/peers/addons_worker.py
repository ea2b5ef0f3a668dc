"""The worker of TensorFlow Addons."""

import functools
import time
from collections.abc import Callable

import tensorflow as tf
from addons_models import make_model
from problem import Problem, make_pairs, shifted
from serve import Measure, searching, serve

# With XLA, a training step with `dynamic_decode` takes a hundred times as long. The legacy Adam is faster on CPUs.


def step(problem: Problem) -> tuple[float, Measure]:
    """The loss of the first batch; seconds of a training step."""
    tf.keras.backend.clear_session()
    model = make_model(problem)
    optimizer = tf.keras.optimizers.legacy.Adam(1e-3)
    crossentropy = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    sources, targets = make_pairs(problem)
    arrays = (sources, shifted(targets), targets)

    @tf.function
    def train(source, previous, target):
        with tf.GradientTape() as tape:
            loss = crossentropy(target, model((source, previous)))
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    data = tf.data.Dataset.from_tensor_slices(arrays).shuffle(problem.pairs).repeat()
    data = data.batch(problem.batch, drop_remainder=True).prefetch(2)

    def measure(steps: int) -> float:
        began, total = 0.0, tf.zeros(())
        for number, batch in enumerate(data.take(1 + steps)):
            total += train(*batch)
            if not number:  # the first step opens the data, and is not counted
                total.numpy()
                began = time.perf_counter()
        total.numpy()
        return (time.perf_counter() - began) / steps

    source, previous, target = (array[: problem.batch] for array in arrays)
    return float(crossentropy(target, model((source, previous)))), measure


def search(problem: Problem, by: Callable) -> tuple[list, Measure]:
    """The outputs for the first batch; seconds of a search."""
    tf.keras.backend.clear_session()
    model = make_model(problem)
    run = tf.function(functools.partial(by, model))
    return searching(problem, lambda source: run(tf.constant(source)).numpy())


def greedy(problem: Problem) -> tuple[list, Measure]:
    """Greedy search."""
    return search(problem, lambda model, source: model.greedy(source, problem.steps))


def beam(problem: Problem) -> tuple[list, Measure]:
    """Beam search."""
    return search(problem, lambda model, source: model.beam(source, problem.beams, problem.steps))


if __name__ == "__main__":
    tf.config.threading.set_intra_op_parallelism_threads(2)
    tf.config.threading.set_inter_op_parallelism_threads(2)
    serve(step, greedy, beam)
