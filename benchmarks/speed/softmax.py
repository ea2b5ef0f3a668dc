"""A training step with a large vocabulary: logits of all tokens, or of the target and of sampled tokens.

python benchmarks/speed/softmax.py
"""

import argparse
import json
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from seq2seq_zoo import AttentionDecoder, Encoder, Seq2Seq, Tokens
from seq2seq_zoo.system.environment import environment, peak_memory, reset_peak_memory

UNITS, BATCH, SOURCE, TARGET = 256, 64, 30, 15
TURNS, STEPS = 5, 4


def main() -> None:
    """Measure both in turn, in one process; print medians and ratios as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocabulary", type=int, default=50_000)
    parser.add_argument("--samples", type=int, default=4096)
    parser.add_argument("--jit", action="store_true", help="compile by XLA")
    options = parser.parse_args()
    random = np.random.default_rng(0)
    source, target = (random.integers(4, options.vocabulary, (BATCH, length)) for length in (SOURCE, TARGET))
    models = {}
    for name, samples in (("full", None), ("sampled", options.samples)):
        readout = Tokens(options.vocabulary, softmax_samples=samples)
        models[name] = Seq2Seq(Encoder(UNITS, vocabulary_size=options.vocabulary), AttentionDecoder(UNITS, readout))
        optimizer = keras.optimizers.Adam(global_clipnorm=1.0)
        models[name].compile(optimizer, readout.loss(), jit_compile=options.jit)
        models[name].train_on_batch((source, target), target)
    seconds: dict[str, list[float]] = {name: [] for name in models}
    extra: dict[str, list[int]] = {name: [] for name in models}
    for _ in range(TURNS):
        for name, model in models.items():
            reset_peak_memory()
            before, began = peak_memory() or 0, time.perf_counter()
            for _ in range(STEPS):
                model.train_on_batch((source, target), target)
            seconds[name].append((time.perf_counter() - began) / STEPS)
            extra[name].append((peak_memory() or 0) - before)
    found = {
        "seconds a step": {name: round(statistics.median(each), 3) for name, each in seconds.items()},
        "full over sampled": [round(f / s, 2) for f, s in zip(seconds["full"], seconds["sampled"], strict=True)],
        "MB a step, temporary": {name: round(max(each) / 1e6) for name, each in extra.items()},
    }
    print(json.dumps({**vars(options), **found, **environment()}, indent=2))


if __name__ == "__main__":
    main()
