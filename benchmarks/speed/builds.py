"""Many models in one process: its memory after each tenth of them.

python benchmarks/speed/builds.py --builds 100

A model is built, makes one training step, and is dropped. With --search it also searches for two sources.
"""

import argparse
import gc
import json
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from seq2seq_zoo import AttentionDecoder, Encoder, Seq2Seq, Tokens

IDS = np.random.default_rng(0).integers(3, 20, (32, 6))


def main() -> None:
    """Build, and print the memory as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--builds", type=int, default=100)
    parser.add_argument("--search", action="store_true", help="also search once with each model")
    options = parser.parse_args()
    for number in range(1, options.builds + 1):
        build(options.search)
        keras.backend.clear_session()
        gc.collect()
        if number % max(1, options.builds // 10) == 0:
            print(json.dumps({"builds": number, "megabytes": round(resident() / 1e6)}), flush=True)


def build(search: bool) -> None:
    """One model and its training step."""
    model = Seq2Seq(Encoder(16, vocabulary_size=20), AttentionDecoder(16, readout=Tokens(20), max_length=8))
    model.compile("adam", model.readout.loss())
    model.train_on_batch((IDS, IDS), IDS)
    if search:
        model.search(IDS[:2])


def resident() -> int:
    """The memory of this process in bytes, on Linux."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
