"""What saved models say, asked in a process of its own: `python answers.py FOLDER [MODULE ...]`."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
from cases import SOURCE, TARGET

from seq2seq_zoo import Seq2Seq
from seq2seq_zoo.decoding.greedy import Greedy


def answers(model):
    """A model's passes, its loss in a training step, and the forced pass after it."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    eager = keras.backend.backend() != "jax"  # which compiles for seconds what takes a moment
    model.compile(keras.optimizers.SGD(0.5), loss, run_eagerly=eager)
    found = {}
    if isinstance(model, Seq2Seq):
        greedy = Greedy(model, 5)
        greedy.run_eagerly = eager
        found = {"free": model.predict_on_batch(SOURCE), **greedy.predict_on_batch(SOURCE)}
    told = SOURCE if isinstance(model, keras.Sequential) else (SOURCE, TARGET)
    found["forced"] = model.predict_on_batch(told)
    found["loss"] = model.train_on_batch(told, TARGET)
    found["taught"] = model.predict_on_batch(told)
    return found


def ask(folder, *modules, **environment):
    """Start a process that asks every model in a folder and writes NAME.BACKEND.npz beside each."""
    hasty = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    return subprocess.Popen([sys.executable, __file__, folder, *modules], env={**os.environ, **hasty, **environment})


if __name__ == "__main__":
    for module in sys.argv[2:]:
        importlib.import_module(module)
    for path in Path(sys.argv[1]).glob("*.keras"):
        found = answers(keras.models.load_model(path))
        np.savez(path.parent / f"{path.stem}.{keras.backend.backend()}.npz", **found)
