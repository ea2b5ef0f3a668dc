"""seq2seq_zoo, through what its users call: `Training.fit`."""

import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from problem import SPECIALS, Problem, make_pairs, make_weights
from serve import Measure, searching, serve

from seq2seq_zoo import Encoder, Seq2Seq, Tokens
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.decoders import modes
from seq2seq_zoo.export import export
from seq2seq_zoo.tasks.task import Data
from seq2seq_zoo.training import Training


class Clock(keras.callbacks.Callback):
    """Seconds from an epoch's begin to the end of its last step: before the dev split is looked at."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start."""
        self.began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Look."""
        self.seconds = time.perf_counter() - self.began


def make_data(problem: Problem) -> Data:
    """The pairs as texts, with a dev split of one."""
    symbols = ["<pad>", "<start>", "<end>", "<unk>", *map(str, range(SPECIALS, problem.vocabulary))]
    vocabulary = Vocabulary(symbols, " ")
    pairs = [(vocabulary.decode(s), vocabulary.decode(t)) for s, t in zip(*make_pairs(problem), strict=True)]
    return Data({"train": pairs, "dev": pairs[:1]}, vocabulary, vocabulary)


def make_model(problem: Problem, data: Data | None = None, **options: Any) -> Seq2Seq:
    """The model with the problem's weights, and with vocabularies where there are data."""
    shape: dict[str, Any] = {"units": problem.units, "cell": problem.cell, "depth": problem.depth}
    encoder = Encoder(vocabulary_size=problem.sources, **shape)
    decoder = modes.create(problem.mode, readout=Tokens(problem.vocabulary), **shape, **options)
    model = Seq2Seq(encoder, decoder, *((data.source, data.target) if data else ()))
    model.build((None, None))
    weights = make_weights(problem)
    for name, variable in named(model).items():
        variable.assign(weights[name])
    return model


def named(model: Seq2Seq) -> dict[str, Any]:
    """The variables by the problem's names."""
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
    if decoder.looks:
        for name in ("query_kernel", "key_kernel", "bias", "scale"):
            names[f"attention.{name}"] = getattr(decoder.attend, name)
    return {name: variable for name, variable in names.items() if variable is not None}


def step(problem: Problem, **options: Any) -> tuple[float, Measure]:
    """The loss of the first batch; seconds of a training step."""
    keras.backend.clear_session()
    data = make_data(problem)
    model = make_model(problem, data, max_length=1, **options)

    def training(steps: int) -> Training:
        return Training(epochs=1, steps_per_epoch=steps, batch_size=problem.batch, clip_norm=None)

    training(1).compile(model, data)
    source, target = (array[: problem.batch] for array in make_pairs(problem))
    loss = model.test_on_batch((source, target), target)

    def measure(steps: int) -> float:
        clock = Clock()
        training(steps).fit(model, data, seed=0, callbacks=[clock])
        return clock.seconds / steps

    return float(np.asarray(loss)), measure


def search(problem: Problem, options: dict[str, Any]) -> tuple[list, Measure]:
    """The outputs for the first batch; seconds of a search."""
    keras.backend.clear_session()
    model = make_model(problem)
    return searching(problem, lambda source: model.search(source, options).ids[:, 0])


def greedy(problem: Problem) -> tuple[list, Measure]:
    """Greedy search."""
    return search(problem, {"name": "greedy", "max_length": problem.steps})


def beam(problem: Problem) -> tuple[list, Measure]:
    """Beam search."""
    return search(problem, {"name": "beam", "size": problem.beams, "max_length": problem.steps})


def litert(problem: Problem) -> tuple[list, Measure]:
    """Greedy search, exported."""
    keras.backend.clear_session()
    model = make_model(problem)
    with tempfile.TemporaryDirectory() as folder:
        options = {"name": "greedy", "max_length": problem.steps}
        exported = export(model, Path(folder, "new"), "litert", options, batch=problem.batch)
    return searching(problem, lambda source: exported.run(source)["ids"][:, 0])


if __name__ == "__main__":
    serve({"step": step, "greedy": greedy, "beam": beam, "litert": litert})
