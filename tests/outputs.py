"""What saved models say, asked in a process of its own: `python outputs.py FOLDER [MODULE ...]`."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
from cases import SOURCE, TARGET, TOKENS, small

from seq2seq_zoo import Seq2Seq, Tokens

SEARCHES = {
    "greedy": {"name": "greedy", "max_length": 5},
    "beam": {"name": "beam", "size": 3, "n_best": 2, "max_length": 5, "length_penalty": 0.5, "no_repeat_ngram": 2},
}


HASTY = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
"""The environment of processes whose programs run once."""

SAMPLED = {"mode": "feedback", "cell": "gru", "depth": 2, "sampling": {"name": "constant", "p": 0}}
OLD = {"mode": "attention", "attention": "linear", "readout_context": False, "depth": 2, "shared_state": True}


def special():
    """Models whose steps read no previous target, or no previous token."""
    return {"sampled": small(**SAMPLED), "old": small(readout=Tokens(TOKENS, feedback="features"), **OLD)}


def outputs(model):
    """A model's passes and searches, the loss of a training step, and the teacher-forced pass after it."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    eager = keras.backend.backend() != "jax"  # where compiling takes far longer than running
    model.compile(keras.optimizers.SGD(0.5), loss, run_eagerly=eager)
    found = {}
    if isinstance(model, Seq2Seq):
        found["free-running"] = model.predict_on_batch(SOURCE)
        for name, search in SEARCHES.items():
            model.searcher(search).run_eagerly = eager
            fields = model.search(SOURCE, search)._asdict().items()
            found |= {f"{name} {field}": value for field, value in fields if value is not None}
    inputs = SOURCE if isinstance(model, keras.Sequential) else (SOURCE, TARGET)
    found["teacher-forced"] = model.predict_on_batch(inputs)
    found["loss"] = model.train_on_batch(inputs, TARGET)
    found["trained"] = model.predict_on_batch(inputs)
    return found


def ask(folder, *modules, **environment):
    """Start a process that asks every model in a folder and writes NAME.BACKEND.npz beside each."""
    return subprocess.Popen([sys.executable, __file__, folder, *modules], env={**os.environ, **HASTY, **environment})


if __name__ == "__main__":
    for module in sys.argv[2:]:
        importlib.import_module(module)
    for path in Path(sys.argv[1]).glob("*.keras"):
        found = outputs(keras.models.load_model(path))
        np.savez(path.parent / f"{path.stem}.{keras.backend.backend()}.npz", **found)
