"""The worker of seq2seq_zoo, which trains by `Training.fit` as users do."""

import dataclasses
import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from clock import Clock
from problem import SPECIALS, Problem, make_pairs, make_weights
from serve import Measure, searching, serve, timed_products

from seq2seq_zoo import Encoder, Seq2Seq, Tokens
from seq2seq_zoo.data.padding import pad
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.decoders import modes
from seq2seq_zoo.experiment import factory
from seq2seq_zoo.export import export
from seq2seq_zoo.tasks.delimited import Delimited
from seq2seq_zoo.tasks.digits_to_words import DigitsToWords
from seq2seq_zoo.tasks.task import Data
from seq2seq_zoo.training.training import Training

LONG = 10**6  # epochs: compile as for a long training, and time some of its steps


def make_data(problem: Problem) -> Data:
    """The pairs as texts, with a dev split of one."""
    tokens = ["<pad>", "<start>", "<end>", "<unk>", *map(str, range(SPECIALS, problem.vocabulary))]
    vocabulary = Vocabulary(tokens, " ")
    pairs = [(vocabulary.decode(s), vocabulary.decode(t)) for s, t in zip(*make_pairs(problem), strict=True)]
    return Data({"train": pairs, "dev": pairs[:1]}, vocabulary, vocabulary)


def make_model(problem: Problem, data: Data | None = None, max_length: int = 1) -> Seq2Seq:
    """The model with the weights of the problem, and with the vocabularies of the data, if given."""
    keras.backend.clear_session()
    shape: dict[str, Any] = {"units": problem.units, "cell": problem.cell, "depth": problem.depth}
    shape["dtype"] = problem.policy
    sampling = None if problem.sampling is None else {"name": "constant", "p": problem.sampling}
    encoder = Encoder(vocabulary_size=problem.sources, **shape)
    readout = Tokens(problem.vocabulary, dtype=problem.policy)
    decoder = modes.create(problem.mode, readout=readout, sampling=sampling, max_length=max_length, **shape)
    model = Seq2Seq(encoder, decoder, *((data.source, data.target) if data else ()))
    model.build((None, None))
    weights = make_weights(problem)
    for name, variable in named(model).items():
        variable.assign(weights[name])
    return model


def named(model: Seq2Seq) -> dict[str, Any]:
    """The variables by their names in `make_weights`."""
    encoder, decoder = model.encoder, model.decoder
    dense = decoder.first_states.dense
    names = {
        "encoder.embedding": getattr(encoder.embedding, "embeddings", None),
        "decoder.embedding": decoder.readout.embedding,
        "bridge.kernel": dense.kernel,
        "bridge.bias": dense.bias,
        "readout.kernel": decoder.readout.kernel,
        "readout.bias": decoder.readout.bias,
    }
    for side, stack in (("encoder", encoder.stack), ("decoder", decoder.stack)):
        for layer, (cell,) in enumerate(stack.cells):
            for name in ("kernel", "recurrent_kernel", "bias", "recurrent_bias"):
                names[f"{side}.{layer}.{name}"] = getattr(cell, name, None)
    if decoder.has_attention:
        for name in ("query_kernel", "key_kernel", "bias", "scale"):
            names[f"attention.{name}"] = getattr(decoder.attention_layer, name)
    return {name: variable for name, variable in names.items() if variable is not None}


def step(problem: Problem) -> tuple[float, Measure]:
    """The loss of the first batch; seconds of a training step."""
    model, measure = make_training(problem)
    source, target = (array[: problem.batch] for array in make_pairs(problem))
    return float(np.asarray(model.test_on_batch((source, target), target))), measure


def fit(problem: Problem) -> tuple[None, Measure]:
    """Seconds of a training step; nothing else is compiled before."""
    _, measure = make_training(problem)
    return None, measure


def first(problem: Problem) -> tuple[None, Measure]:
    """Seconds from the call of `fit` to the end of its first step, compilation included."""
    _, measure = make_training(problem, skipped=None)
    return None, measure


def make_training(problem: Problem, skipped: int | None = 1) -> tuple[Seq2Seq, Measure]:
    """A compiled model; seconds of a training step after the first `skipped` ones."""
    data = make_data(problem)
    model = make_model(problem, data)
    options = {"epochs": 1, "batch_size": problem.batch, "clip_norm": None}
    long = Training(**{**options, "epochs": LONG})
    long.compile(model, data)

    def measure(steps: int) -> float:
        return fit_seconds(Training(steps_per_epoch=(skipped or 0) + steps, **options), model, data, skipped) / steps

    return model, measure


def epoch(problem: Problem) -> tuple[list[int], Measure]:
    """The number of pairs in a file; seconds of an epoch."""
    assert problem.file is not None
    data = Delimited(problem.file, dev_fraction=1e-6, test_fraction=1e-6, target_tokens="words").load()
    sizes = {"vocabulary": len(data.target), "source_vocabulary": len(data.source)}
    model = make_model(dataclasses.replace(problem, **sizes), data)
    options = {"batch_size": problem.batch, "clip_norm": None, "buckets": problem.buckets}
    Training(epochs=LONG, **options).compile(model, data)
    training = Training(epochs=1, **options)

    def measure(epochs: int) -> float:
        return sum(fit_seconds(training, model, data) for _ in range(epochs)) / epochs

    return [len(data.splits["train"])], measure


def fit_seconds(training: Training, model: Seq2Seq, data: Data, skipped: int | None = 0) -> float:
    """The seconds of one epoch of `fit` until the end of its last step, without the first `skipped` steps. With `None`,
    they include the start of `fit`."""
    clock, called = Clock(skipped or 0), time.perf_counter()
    training.fit(model, data, seed=0, callbacks=[clock])
    return clock.ended - called if skipped is None else clock.seconds


def search(problem: Problem, options: dict[str, Any]) -> tuple[list, Measure]:
    """The outputs for the first batch; seconds of a search."""
    model = make_model(problem)
    model.searcher(options).compile_at_once()
    return searching(problem, lambda source: model.search(source, options).ids[:, 0])


def greedy(problem: Problem) -> tuple[list, Measure]:
    """Greedy search."""
    return search(problem, {"name": "greedy", "max_length": problem.steps})


def beam(problem: Problem) -> tuple[list, Measure]:
    """Beam search."""
    return search(problem, {"name": "beam", "size": problem.beams, "max_length": problem.steps})


def litert(problem: Problem) -> tuple[list, Measure]:
    """Greedy search, exported to LiteRT."""
    model = make_model(problem)
    with tempfile.TemporaryDirectory() as folder:
        options = {"name": "greedy", "max_length": problem.steps}
        exported = export(model, Path(folder, "new"), "litert", options, batch=problem.batch)
    return searching(problem, lambda source: exported.run(source)["ids"][:, 0])


def train(problem: Problem) -> tuple[None, Measure]:
    """Train a model that TensorFlow Addons can compute as well, and write its weights with sources for the search."""
    # Addons has no bias of the keys, and its readout does not read the context. These weights stay zero.
    assert problem.weights is not None
    keras.utils.set_random_seed(1)
    data = DigitsToWords(train_size=5000).load()
    shape = {"units": problem.units}
    config = {"encoder": shape, "decoder": {"mode": "attention", "max_length": problem.steps, **shape}}
    config |= {"task": {"name": "digits_to_words"}, "training": {"epochs": 15, "learning_rate": 0.002}}
    model = factory.make_model(factory.schema.resolve(config), data)
    weights = named(model)
    reads = np.arange(2 * problem.units)[:, None] < problem.units
    weights["readout.kernel"].constraint = lambda kernel: keras.ops.where(reads, kernel, 0.0)
    weights["readout.kernel"].assign(weights["readout.kernel"].constraint(weights["readout.kernel"]))
    weights["attention.bias"].constraint = keras.ops.zeros_like
    history = Training(epochs=15, learning_rate=0.002, schedule="cosine").fit(model, data, seed=1)
    arrays = {name: np.asarray(variable) for name, variable in weights.items()}
    sources = [source for source, _ in data.encode("test")]
    np.savez(problem.weights, sources=pad(sources), **arrays)
    return history[-1]["exact_match"], lambda count: count


def products(problem: Problem) -> tuple[dict[str, int], Measure]:
    """Seconds of each matrix product of a training step."""
    import tensorflow as tf

    return timed_products(problem, tf.random.normal, tf.matmul)


if __name__ == "__main__":
    serve(step, fit, first, epoch, greedy, beam, litert, train, products)
