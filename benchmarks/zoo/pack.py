"""Make a trained run a model of the zoo: weights in half precision, scores and speed of exactly these weights.

    seq2seq-zoo train words_to_digits --out runs/words_to_digits
    python benchmarks/zoo/pack.py runs/words_to_digits

The words of its card that no record has are in `about.yaml`, in the folder of the model.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
import zipfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import h5py
import numpy as np

from seq2seq_zoo.experiment.card import card
from seq2seq_zoo.experiment.directory import CONFIG, DATA, METRICS
from seq2seq_zoo.experiment.run import FOLDER, read_data
from seq2seq_zoo.models.loading import load
from seq2seq_zoo.system.environment import environment
from seq2seq_zoo.system.files import write
from seq2seq_zoo.system.model_file import BEST
from seq2seq_zoo.training.evaluation import evaluate_fully

ZOO = Path(__file__).parents[2] / "seq2seq_zoo" / "zoo"
WEIGHTS = "model.weights.h5"


def main() -> None:
    """Pack, evaluate, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the run directory, with the name of the model")
    parser.add_argument("--zoo", type=Path, default=ZOO, help="the folder of models")
    args = parser.parse_args()
    folder = args.zoo / args.run.name
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as draft:
        whole = Path(draft, "model.keras")
        load(args.run / BEST, compile=False).save(whole)  # without the optimizer
        halve(whole, folder / BEST)
    model, data = load(folder / BEST, compile=False), read_data(args.run)
    metrics = json.loads((args.run / METRICS).read_text())
    for split in ("dev", "test"):
        metrics[split], _ = evaluate_fully(model, data, split)
    metrics["speed"] = {**speed(model, data), "machine": environment()["machine"]}
    shutil.copy(args.run / CONFIG, folder / CONFIG)
    record = json.loads((args.run / DATA).read_text())
    record.pop(FOLDER, None)  # of this machine; a model that is packed again has none
    write(folder / DATA, json.dumps(record, ensure_ascii=False) + "\n")
    write(folder / METRICS, json.dumps(metrics, indent=1, ensure_ascii=False) + "\n")
    print(card(folder))


def halve(source: Path, target: Path) -> None:
    """A copy of a saved model, with its weights in half precision. Keras converts them when it loads the file."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            content = old.read(entry)
            if entry == WEIGHTS:
                content = halved(content)
            new.writestr(zipfile.ZipInfo(entry), content, zipfile.ZIP_DEFLATED)


def halved(content: bytes) -> bytes:
    """The content of an HDF5 file, with its float32 arrays in float16."""
    with tempfile.TemporaryDirectory() as folder:
        paths = Path(folder, "old.h5"), Path(folder, "new.h5")
        paths[0].write_bytes(content)
        with h5py.File(paths[0]) as old, h5py.File(paths[1], "w") as new:

            def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
                if isinstance(item, h5py.Group):
                    made = new.require_group(name)
                else:
                    values = item[()]
                    made = new.create_dataset(
                        name, data=values.astype("float16") if values.dtype == "float32" else values
                    )
                made.attrs.update(item.attrs)

            old.visititems(copy)
            new.attrs.update(old.attrs)
        return paths[1].read_bytes()


def speed(model: object, data: object, seconds: float = 2.0) -> dict[str, float]:
    """Sources a second by greedy search, one by one and 64 at once, with everything that a call does."""
    sources = [source for source, _ in data.answers("test")]
    found = {}
    for name, size in (("one by one", 1), ("64 at once", 64)):
        batches = [sources[at : at + size] for at in range(0, min(len(sources), 2048), size)]
        for batch in batches:
            model.generate(batch)  # compiles
        began, count, rounds = time.perf_counter(), 0, []
        while time.perf_counter() - began < seconds:
            for batch in batches:
                model.generate(batch)
                count += len(batch)
            rounds.append(count / (time.perf_counter() - began))
        found[name] = float(np.median(rounds))
    return found


if __name__ == "__main__":
    main()
