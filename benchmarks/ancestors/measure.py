"""Measure this project on its ancestors' tasks, with several seeds: the numbers of docs/ancestors.md.

    python benchmarks/ancestors/measure.py

Each of `RUNS` is a preset with changes, trained with every seed from the command line, as a user would do it. Runs that
are complete in `--work` are not trained again. Interrupted runs are resumed.
"""

import argparse
import itertools
import json
import os
import random
import shlex
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from num2words import num2words

from seq2seq_zoo.experiment.run import CONFIG, EPOCHS, METRICS, read_config
from seq2seq_zoo.metrics.metric import METRICS as KNOWN
from seq2seq_zoo.system.files import write

Record = dict[str, Any]

SEEDS = (1, 2, 3)
MODES = ("basic", "feedback", "peek", "attention")
TEACHER_FORCING = "decoder.sampling=null"
HEADLINES = ("task.train_source=content.txt", "task.train_target=title.txt", "task.max_tokens=2000")
SMALL = (
    "encoder.units=128",
    "encoder.depth=1",
    "decoder.units=128",
    "decoder.depth=1",
    "training.learning_rate=0.003",
    "training.epochs=8",
)

RUNS: dict[str, tuple[str, ...]] = {
    **{f"2016, {mode}": ("first_25_2016", f"decoder.mode={mode}") for mode in MODES[:3]},
    "2016, attention": (
        *("first_25_2016", "decoder.mode=attention", "decoder.attention=linear"),
        "decoder.readout_context=false",
    ),
    "addition": ("addition",),
    **{
        f"integers, {pattern}": ("integers", f"task.pattern={pattern}")
        for pattern in ("sorted", "reversed", "maxmin_dup")
    },
    "Pig Latin": ("pig_latin",),
    "headlines, all logits": ("textsum", *HEADLINES, *SMALL, "decoder.softmax_samples=null"),
    "headlines, 512 samples": ("textsum", *HEADLINES, *SMALL, "decoder.softmax_samples=512"),
    "melodies": ("melodies",),
    "names": ("names",),
    "stream": ("stream", "task.train=text.txt"),
    "articulation, both directions": ("articulation",),
    "articulation, one direction": ("articulation", "encoder.bidirectional=false"),
    "forecast, basic": ("forecast", "decoder.mode=basic", TEACHER_FORCING),
    **{f"forecast, {mode}": ("forecast", f"decoder.mode={mode}") for mode in MODES[1:]},
    **{
        f"forecast, {mode}, teacher forcing": ("forecast", f"decoder.mode={mode}", TEACHER_FORCING)
        for mode in MODES[1:]
    },
}


def main() -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=RUNS, default=[*RUNS], metavar="RUN", help=", ".join(RUNS))
    parser.add_argument("--workers", type=int, default=2, help="how many runs are trained at the same time")
    parser.add_argument("--out", type=Path, default="benchmarks/results/ancestors", help="for records and tables")
    parser.add_argument("--work", type=Path, default="runs/ancestors", help="for the texts and the runs")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    write(args.work / "text.txt", numbers())
    for name, texts in zip(("content.txt", "title.txt"), zip(*headlines(), strict=True), strict=True):
        write(args.work / name, "".join(f"{text}\n" for text in texts))
    with ThreadPoolExecutor(args.workers) as pool:
        jobs = itertools.product(args.only, SEEDS)
        records = [*pool.map(lambda job: train(args.work, *job), jobs)]
    made = {"command": shlex.join(["python", *sys.argv])}
    write(args.out / "records.json", json.dumps({**made, "records": records}, indent=1) + "\n")
    text = page(made["command"], records)
    write(args.out / "README.md", text)
    print(text)


def train(work: Path, name: str, seed: int) -> Record:
    """The metrics, epochs and configuration of a run. The run is trained or resumed if it is not complete."""
    directory = work / f"{name.replace(', ', '-').replace(' ', '_')}-{seed}"
    preset, *changes = RUNS[name]
    sets = [argument for change in (*changes, f"seed={seed}") for argument in ("--set", change)]
    command = ["seq2seq-zoo", "train", preset, *sets]
    if not (directory / METRICS).exists():
        print(f"{directory}: training", file=sys.stderr, flush=True)
        started = (directory / CONFIG).exists()
        arguments = ["--resume", directory.name] if started else [preset, *sets, "--out", directory.name]
        with (work / f"{directory.name}.log").open("w") as log:
            variables = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
            program = [sys.executable, "-m", "seq2seq_zoo", "train", *arguments]
            code = subprocess.run(program, cwd=work, env=variables, stdout=log, stderr=log).returncode
        if code:
            raise SystemExit(f"{shlex.join(program)} ended with {code}: see {log.name}")
    metrics = json.loads((directory / METRICS).read_text(encoding="utf-8"))
    epochs = [json.loads(line) for line in (directory / EPOCHS).read_text(encoding="utf-8").splitlines()]
    return {"name": name, "seed": seed, "command": shlex.join(command), **metrics, "history": epochs} | {
        "config": read_config(directory)
    }


# === Texts ===


def numbers() -> str:
    """6,000 random numbers below 1,000 in words: the stream of docs/ancestors.md."""
    draw = random.Random(1)
    return "".join(f"{num2words(draw.randrange(1000))}\n" for _ in range(6000))


def headlines(count: int = 11_000) -> Iterator[tuple[str, str]]:
    """Synthetic articles and their titles.

    An article has 3 to 5 sentences `[today] noun verb noun in place TAG_DATE .`, of which exactly one has "today". The
    title is `noun verb noun , place` of that sentence. There are 3,000 nouns, 100 verbs and 200 places. Their
    frequencies follow Zipf's law: the n-th of each is drawn 1 / n as often as the first.
    """
    draw = random.Random(1)
    weights = {
        kind: [*itertools.accumulate(1 / n for n in range(1, count + 1))]
        for kind, count in {"noun": 3000, "verb": 100, "place": 200}.items()
    }

    def word(kind: str) -> str:
        return f"{kind}{draw.choices(range(len(weights[kind])), cum_weights=weights[kind])[0]}"

    for _ in range(count):
        sentences = [[word(kind) for kind in ("noun", "verb", "noun", "place")] for _ in range(draw.randint(3, 5))]
        today = draw.randrange(len(sentences))
        article = [
            f"{'today ' * (number == today)}{subject} {verb} {thing} in {place} TAG_DATE ."
            for number, (subject, verb, thing, place) in enumerate(sentences)
        ]
        subject, verb, thing, place = sentences[today]
        yield " ".join(article), f"{subject} {verb} {thing} , {place}"


# === Pages ===


def page(command: str, records: Sequence[Record]) -> str:
    """All scores, as Markdown."""
    versions, machine = records[0]["versions"], records[0]["machine"]
    lines = [
        "# Ancestors",
        "",
        f"By `{command}`, on {machine['cores']} cores of an {machine['cpu']}, with "
        + ", ".join(f"{name} {versions[name]}" for name in ("python", "tensorflow", "keras"))
        + ". Scores are of generated outputs on the test split unless the metric says otherwise: the mean over the "
        + f"seeds {', '.join(map(str, SEEDS))}, and in small print each of them. The purpose of the runs is in "
        + "[docs/ancestors.md](../../../docs/ancestors.md); configurations, versions and the scores of every epoch are "
        + "in [records.json](records.json).",
        "",
        "| run | parameters | updates until 100 % on dev | scores |",
        "| --- | --: | --: | --- |",
    ]
    for name, group in itertools.groupby(records, key=lambda record: record["name"]):
        runs = [*group]
        lines.append(
            f"| {name} | {runs[0]['parameters']:,} | {', '.join(map(until_perfect, runs))} | "
            + "; ".join(scores([run["test"] for run in runs]))
            + " |"
        )
    for name, group in itertools.groupby(records, key=lambda record: record["name"]):
        runs = [*group]
        if name.startswith("integers"):
            by_length = zip(*(run["test"]["by_length"] for run in runs), strict=True)
            exact = {each[0]["length"]: statistics.mean(one["exact_match"] for one in each) for each in by_length}
            lines += ["", f"`{name}`, exact match by the length of the row:", ""]
            lines += [f"| {' | '.join(map(str, exact))} |", f"|{' --: |' * len(exact)}"]
            lines.append(f"| {' | '.join(f'{100 * each:.0f} %' for each in exact.values())} |")
    return "\n".join(lines) + "\n"


def until_perfect(run: Mapping[str, Any]) -> str:
    """The number of updates until every output for dev was correct; "-" if there was no such epoch."""
    return next((str(epoch["steps"]) for epoch in run["history"] if epoch.get("exact_match") == 1), "-")


def scores(runs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Every metric of a run, and those of its baselines."""
    for key, metric in KNOWN.items():
        if key in runs[0]:
            values = [run[key] for run in runs]
            each = ", ".join(map(metric.shown, values))
            yield f"{metric.label} {metric.shown(statistics.mean(values))} <sub>{each}</sub>"
    for name, baseline in runs[0].get("baselines", {}).items():
        found = [f"{KNOWN[key].label} {KNOWN[key].shown(value)}" for key, value in baseline.items() if key in KNOWN]
        yield f"*{name}*: {', '.join(found)}"


if __name__ == "__main__":
    main()
