"""Training on a large file: the time to read it, and the peak memory of the process.

python benchmarks/speed/lines.py --lines 10000000
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from seq2seq_zoo.experiment import factory
from seq2seq_zoo.system.environment import environment, peak_memory

STEPS = 200


def main() -> None:
    """Write the file, train, and print time and memory as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000)
    lines = parser.parse_args().lines
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pairs.tsv")
        with path.open("w") as file:
            file.writelines(make_lines(lines))
        print(json.dumps({"lines": lines, "bytes": path.stat().st_size, **train(path, lines), **environment()}))


def make_lines(lines: int) -> Iterator[str]:
    """Lines with the digits of a random number, a tab, and the digits reversed."""
    random = np.random.default_rng(0)
    for first in range(0, lines, 10_000):
        for number in random.integers(10**11, size=min(10_000, lines - first)).tolist():
            digits = str(number)
            yield f"{digits}\t{digits[::-1]}\n"


def train(path: Path, lines: int) -> dict[str, Any]:
    """Seconds to load the data and of an epoch of `STEPS` steps; the peak memory of the process in bytes."""
    config = factory.schema.resolve(
        {
            # 100 pairs in dev and in test for any size of the file, because all of dev is generated from.
            "task": {"name": "file", "train": str(path), "dev_fraction": 100 / lines, "test_fraction": 100 / lines},
            "encoder": {"units": 64},
            "decoder": {"mode": "attention", "units": 64, "max_length": 100},
            "training": {"epochs": 1, "steps_per_epoch": STEPS},
        }
    )
    began = time.perf_counter()
    data = factory.make_task(config).load()
    loaded = time.perf_counter()
    factory.make_training(config).fit(factory.make_model(config, data), data, config["seed"])
    trained = time.perf_counter()
    seconds = {"load": round(loaded - began, 2), "train": round(trained - loaded, 2)}
    return {"steps": STEPS, "seconds": seconds, "peak_memory": peak_memory()}


if __name__ == "__main__":
    main()
