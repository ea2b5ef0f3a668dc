"""The peak memory of a training step, measured, beside the estimate that `train` prints.

python benchmarks/speed/memory.py
"""

import json
import os
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SHAPES = [
    ("basic", 64, 400, 400, 64, 100),
    ("basic", 64, 400, 1600, 64, 100),
    ("feedback", 64, 400, 400, 64, 100),
    ("feedback", 32, 400, 400, 256, 100),
    ("feedback", 32, 400, 400, 64, 4000),
    ("peek", 64, 400, 400, 64, 100),
    ("attention", 64, 400, 400, 64, 100),
    ("attention", 32, 400, 1600, 64, 100),
    ("attention", 8, 1600, 1600, 32, 100),
    ("attention", 32, 400, 400, 256, 100),
]
"""Mode, batch size, length of sources and of targets, units, tokens."""


def measure(mode, batch, source, target, units, vocabulary):
    """The peak memory of a step beyond what is in use before it, and the estimate, in bytes."""
    import keras
    import numpy as np

    from seq2seq_zoo import Encoder, Seq2Seq, Tokens
    from seq2seq_zoo.decoders import modes
    from seq2seq_zoo.system.environment import peak_memory, reset_peak_memory
    from seq2seq_zoo.training.memory import step_memory

    readout = Tokens(vocabulary)
    model = Seq2Seq(Encoder(units, vocabulary_size=vocabulary), modes[mode](units, readout=readout))
    model.compile(keras.optimizers.Adam(global_clipnorm=1.0), readout.loss(), jit_compile=False)
    random = np.random.default_rng(0)

    def step(batch, source, target):
        targets = random.integers(4, vocabulary, (batch, target))
        model.train_on_batch((random.integers(4, vocabulary, (batch, source)), targets), targets)

    step(2, 3, 4)
    step(3, 4, 5)  # traced for any shape
    reset_peak_memory()
    before = peak_memory()
    step(batch, source, target)
    step(batch, source, target)
    return peak_memory() - before, step_memory(model, batch, source, target)


def main():
    """Measure each shape in a process of its own."""
    if len(sys.argv) > 1:
        print(*measure(*json.loads(sys.argv[1])))
        return
    for shape in SHAPES:
        done = subprocess.run([sys.executable, __file__, json.dumps(shape)], capture_output=True, text=True, check=True)
        measured, estimated = map(int, done.stdout.split())
        print(
            *shape, f"measured {measured / 1e6:,.0f} MB, estimated {estimated / measured:.2f} times as much", flush=True
        )


if __name__ == "__main__":
    main()
