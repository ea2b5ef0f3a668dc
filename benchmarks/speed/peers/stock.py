"""The worker of `keras.layers.LSTM` and `GRU` in a functional model."""

import keras
import numpy as np
from clock import Clock
from problem import Problem, make_pairs, make_weights, shifted
from serve import Measure, serve


def make_model(problem: Problem) -> keras.Model:
    """An encoder and a decoder."""
    units, layers = problem.units, keras.layers
    recurrent = {"lstm": layers.LSTM, "gru": layers.GRU}[problem.cell]
    source, previous = (keras.Input((problem.length,), dtype="int32") for _ in range(2))
    x = layers.Embedding(problem.vocabulary, units, name="encoder_embedding")(source)
    summary = recurrent(units, name="encoder")(x)
    states = layers.Dense(problem.states * units, activation="tanh", name="bridge")(summary)
    states = keras.ops.split(states, problem.states, axis=-1)
    parts = []
    if problem.mode != "basic":
        parts.append(layers.Embedding(problem.vocabulary, units, name="decoder_embedding")(previous))
    if problem.mode != "feedback":
        parts.append(layers.RepeatVector(problem.length)(summary))
    x = parts[0] if len(parts) == 1 else layers.Concatenate()(parts)
    x = recurrent(units, return_sequences=True, name="decoder")(x, initial_state=states)
    logits = layers.Dense(problem.vocabulary, name="readout")(x)
    model = keras.Model([source, previous], logits)
    weights = make_weights(problem)
    for layer in model.layers:
        if layer.name in ("encoder", "decoder"):
            bias = weights[f"{layer.name}.0.bias"]
            if problem.cell == "gru":
                recurrent_bias = np.zeros_like(bias)
                recurrent_bias[2 * units :] = weights[f"{layer.name}.0.recurrent_bias"]
                bias = np.stack([bias, recurrent_bias])
            kernels = [weights[f"{layer.name}.0.{kernel}"] for kernel in ("kernel", "recurrent_kernel")]
            layer.set_weights([*kernels, bias])
        elif layer.name in ("bridge", "readout"):
            layer.set_weights([weights[f"{layer.name}.kernel"], weights[f"{layer.name}.bias"]])
        elif layer.name.endswith("embedding"):
            layer.set_weights([weights[layer.name.replace("_", ".")]])
    return model


def step(problem: Problem) -> tuple[float, Measure]:
    """The loss of the first batch; seconds of a training step."""
    keras.backend.clear_session()
    model = make_model(problem)
    model.compile(keras.optimizers.Adam(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    sources, targets = make_pairs(problem)
    arrays = [sources, shifted(targets)], targets
    first = [array[: problem.batch] for array in arrays[0]], targets[: problem.batch]
    loss = model.test_on_batch(*first)

    def measure(steps: int) -> float:
        clock = Clock(skipped=1)
        rows = np.arange((1 + steps) * problem.batch) % problem.pairs
        x, y = [array[rows] for array in arrays[0]], targets[rows]
        model.fit(x, y, batch_size=problem.batch, verbose=0, callbacks=[clock])
        return clock.seconds / steps

    return float(np.asarray(loss)), measure


if __name__ == "__main__":
    serve(step)
