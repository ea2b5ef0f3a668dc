"""Measure the gain from pretraining on unlabelled texts when labels are few: the table of docs/ancestors.md.

    python benchmarks/pretraining/measure.py

For each seed, texts are drawn from a small grammar, some with labels. Two of the configurations in this folder are an
autoencoder and a language model of the unlabelled texts. The third is a classifier of the labelled texts, which starts
from random weights or from those of one of the two. `CHOSEN` holds the options that `--tune` found best on dev, with
seeds of its own.
"""

import argparse
import itertools
import json
import os
import random
import shlex
import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from seq2seq_zoo.benchmark.cell import fresh_model
from seq2seq_zoo.benchmark.statistics import Estimate, estimate
from seq2seq_zoo.config.reader import read
from seq2seq_zoo.experiment import factory
from seq2seq_zoo.experiment.run import CONFIG, METRICS, Run, read_config
from seq2seq_zoo.system.environment import environment
from seq2seq_zoo.system.files import write
from seq2seq_zoo.training.evaluation import evaluate_split

Record = dict[str, Any]
Arm = tuple[str, str]

SEEDS = range(1, 9)
SIZES = {"texts": 3000, "train": 100, "dev": 100, "test": 1000}

STARTS = {"random": None, "SA-LSTM": "autoencode", "LM-LSTM": "language"}
WAYS = ("last step", "linear gain", "joint training")
ARMS: list[Arm] = list(itertools.product(STARTS, WAYS))

TUNING = range(101, 104)
RATES = (0.003, 0.01, 0.03)
WEIGHTS = (0.1, 0.5)  # of joint training
CHOICES: dict[Arm, list[Record]] = {
    (start, way): [
        {"training.learning_rate": rate, **({"encoder_only.joint_weight": weight} if weight else {})}
        for rate in RATES
        for weight in (WEIGHTS if way == "joint training" else (0.0,))
    ]
    for start, way in ARMS
}
CHOSEN: dict[Arm, Record] = {
    ("random", "last step"): {"training.learning_rate": 0.03},
    ("random", "linear gain"): {"training.learning_rate": 0.03},
    ("random", "joint training"): {"training.learning_rate": 0.01, "encoder_only.joint_weight": 0.5},
    ("SA-LSTM", "last step"): {"training.learning_rate": 0.01},
    ("SA-LSTM", "linear gain"): {"training.learning_rate": 0.01},
    ("SA-LSTM", "joint training"): {"training.learning_rate": 0.01, "encoder_only.joint_weight": 0.1},
    ("LM-LSTM", "last step"): {"training.learning_rate": 0.003},
    ("LM-LSTM", "linear gain"): {"training.learning_rate": 0.003},
    ("LM-LSTM", "joint training"): {"training.learning_rate": 0.01, "encoder_only.joint_weight": 0.1},
}

# === The texts ===

KINDS = ("animal", "food", "tool", "place")
NOUNS, ADJECTIVES, VERBS = 20, 8, 8  # of each kind


def sentence(draw: random.Random) -> tuple[str, str]:
    """A random text and its label, the kind of its subject.

        sentence = [near noun phrase] noun phrase [that noun phrase verb] verb [noun phrase]
        noun phrase = [adjective] noun

    Each part in brackets occurs with probability 1/2. The kind of each noun is drawn independently. An adjective has
    the kind of its noun, a verb that of its subject.
    """

    def phrase(kind: str) -> list[str]:
        return [*maybe([word(kind, "ish", ADJECTIVES)]), word(kind, "", NOUNS)]

    def word(kind: str, ending: str, count: int) -> str:
        return f"{kind}{ending}{draw.randrange(count)}"

    def maybe(words: list[str]) -> list[str]:
        return words if draw.random() < 0.5 else []

    def some() -> str:
        return draw.choice(KINDS)

    subject, other = some(), some()
    words = [
        *maybe(["near", *phrase(some())]),
        *phrase(subject),
        *maybe(["that", *phrase(other), word(other, "s", VERBS)]),
        word(subject, "s", VERBS),
        *maybe(phrase(some())),
    ]
    return " ".join(words), subject


def texts(work: Path, seed: int) -> Path:
    """The folder with the texts of a seed, all of them different."""
    folder = work / f"texts-{seed}"
    if (folder / "test.tsv").exists():
        return folder
    draw = random.Random(seed)
    drawn: dict[str, str] = {}
    while len(drawn) < sum(SIZES.values()):
        drawn.update([sentence(draw)])
    pairs = iter(
        draw.sample([*drawn.items()], len(drawn))
    )  # in random order: all of the shortest texts are drawn early
    for name, size in SIZES.items():
        lines = itertools.islice(pairs, size)
        if name == "texts":
            write(folder / "texts.txt", "".join(f"{text}\n" for text, _ in lines))
        else:
            write(folder / f"{name}.tsv", "".join(f"{text}\t{label}\n" for text, label in lines))
    return folder


# === Training ===


def pretrain(work: Path, kind: str, seed: int) -> Path:
    """The run of an autoencoder or a language model of the texts of a seed. It is trained if it is not complete."""
    directory = work / f"{kind}-{seed}"
    if (directory / METRICS).exists():
        return directory
    note(f"{directory}: training")
    changes = [f"task.train={json.dumps(str(texts(work, seed) / 'texts.txt'))}", f"seed={seed}"]
    config = read(Path(__file__).with_name(f"{kind}.yaml"), factory.schema, changes)
    (Run.resume(directory) if (directory / CONFIG).exists() else Run.start(directory, config)).train()
    return directory


def of_run(directory: Path) -> Record:
    """The scores, seconds and configuration of a run."""
    metrics = json.loads((directory / METRICS).read_text(encoding="utf-8"))
    return {key: metrics[key] for key in ("dev", "test", "seconds")} | {"config": read_config(directory)}


def classify(work: Path, arm: Arm, seed: int, options: Mapping[str, Any]) -> Record:
    """The scores of a classifier after the best epoch on dev."""
    start, way = arm
    folder = texts(work, seed)
    changes = {f"task.{split}": str(folder / f"{split}.tsv") for split in ("train", "dev", "test")}
    changes |= {"task.vocabulary": str(folder / "texts.txt"), "encoder_only.linear_gain": way == "linear gain"}
    if (kind := STARTS[start]) is not None:
        changes["pretrained.encoder"] = str(pretrain(work, kind, seed))
    changes |= {**options, "seed": seed}
    given = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
    config = read(Path(__file__).with_name("labels.yaml"), factory.schema, given)
    data, training = factory.make_task(config).load(), factory.make_training(config)
    model = fresh_model(config, data, training)
    best: list[np.ndarray] = []

    def keep(model: Any, record: Record, better: bool) -> None:
        if better:
            best[:] = model.get_weights()

    epochs = training.fit(model, data, seed, on_epoch=keep)
    model.set_weights(best)
    accuracy = {split: evaluate_split(model, data, split)[0]["accuracy"] for split in ("dev", "test")}
    record = {"start": start, "way": way, "seed": seed, "options": dict(options), **accuracy}
    note(" ".join(map(str, record.values())))
    return {**record, "seconds": epochs[-1]["seconds"], "config": config}


def note(text: str) -> None:
    """Print a message about the progress."""
    print(text, file=sys.stderr, flush=True)


# === Measuring ===


def main() -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tune", action="store_true", help="only try the choices on dev, with seeds of their own")
    parser.add_argument("--out", type=Path, default="benchmarks/results/pretraining", help="for records and tables")
    parser.add_argument("--work", type=Path, default="runs/pretraining", help="for the texts and the pretrained models")
    args = parser.parse_args()
    made = {"command": shlex.join(["python", *sys.argv]), **environment(), "sizes": SIZES}
    tried = CHOICES if args.tune else {arm: [options] for arm, options in CHOSEN.items()}
    jobs = [(arm, seed, options) for arm in ARMS for options in tried[arm] for seed in (TUNING if args.tune else SEEDS)]
    # Consecutive jobs that differ only in start and seed are compiled once.
    jobs.sort(key=lambda job: (WAYS.index(job[0][1]), str(job[2])))
    records = [classify(args.work, *job) for job in jobs]
    records.sort(key=lambda record: (ARMS.index((record["start"], record["way"])), str(record["options"])))
    if args.tune:
        write(args.out / "tuning.json", json.dumps({**made, "records": records}, indent=1) + "\n")
        print(*tuned(records), sep="\n")
        return
    pretrained = [
        {"kind": kind, "seed": seed, **of_run(pretrain(args.work, kind, seed))}
        for kind in STARTS.values()
        if kind is not None
        for seed in SEEDS
    ]
    everything = {**made, "pretrained": pretrained, "records": records}
    write(args.out / "records.json", json.dumps(everything, indent=1) + "\n")
    table = "".join(f"{line}\n" for line in shown(records))
    write(args.out / "tables.md", table)
    write(args.out / "README.md", heading(**made) + table)
    print(table)


def tuned(records: Sequence[Record]) -> Iterator[str]:
    """The choices of each arm, with their mean accuracy on dev."""
    for arm in ARMS:
        for options in CHOICES[arm]:
            dev = [each["dev"] for each in records if (each["start"], each["way"], each["options"]) == (*arm, options)]
            yield f"{arm} {options}: {percent(statistics.mean(dev))} of {', '.join(map(percent, dev))}"


# === Pages ===


def heading(command: str, machine: Record, versions: Record, **rest: Any) -> str:
    """The page around the table."""
    names = ("python", "tensorflow", "keras")
    return f"""# Pretraining

By `{command}`, on {machine["cores"]} cores of an {machine["cpu"]},
with {", ".join(f"{name} {versions[name]}" for name in names)}. The columns are explained in
[benchmarks/README.md](../../README.md#pretraining); configurations and the scores of every seed are in
[records.json](records.json).

"""


def shown(records: Iterable[Record]) -> Iterator[str]:
    """The table, as lines of Markdown."""
    test: dict[Arm, list[float]] = {arm: [] for arm in ARMS}
    for record in records:
        test[record["start"], record["way"]].append(record["test"])

    def above(arm: Arm, other: Arm) -> str:
        differences = [a - b for a, b in zip(test[arm], test[other], strict=True)]
        return interval(estimate(differences), "+") if arm != other else ""

    heads = ["initial weights", "trained by", "accuracy on test, %", "least, greatest", "above random start"]
    yield f"| {' | '.join([*heads, 'above last step'])} |"
    yield "| --- | --- | --: | --: | --: | --: |"
    for start, way in ARMS:
        scores = test[start, way]
        row = [start, way, interval(estimate(scores)), f"{percent(min(scores))}, {percent(max(scores))}"]
        row += [above((start, way), ("random", way)), above((start, way), (start, WAYS[0]))]
        yield f"| {' | '.join(row)} |"


def percent(share: float, sign: str = "") -> str:
    """A percentage without the percent sign; `sign="+"` shows a plus."""
    return f"{100 * share:{sign}.1f}"


def interval(found: Estimate, sign: str = "") -> str:
    """An estimate with its interval in small print."""
    low, high = percent(found.low, sign), percent(found.high, sign)
    return f"{percent(found.value, sign)} <sub>{low} to {high}</sub>"


if __name__ == "__main__":
    main()
