"""Measure the accuracy and cost of each search and of each export: the tables of docs/decoding.md.

    python benchmarks/decoding/measure.py

Each configuration in this folder is trained with three seeds; models in the folder `--work` are reused. Everything is
measured on the test split, which is used neither in training nor to select an epoch.
"""

import argparse
import functools
import importlib.metadata
import json
import os
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from seq2seq_zoo import Ensemble, load
from seq2seq_zoo.config.reader import read
from seq2seq_zoo.data.padding import pad
from seq2seq_zoo.experiment import factory
from seq2seq_zoo.experiment.run import BEST, CONFIG, METRICS, Run, read_config
from seq2seq_zoo.export import export, formats, generate
from seq2seq_zoo.exported import Exported
from seq2seq_zoo.system.environment import environment
from seq2seq_zoo.system.files import write
from seq2seq_zoo.training.evaluation import evaluate_generation

Record = dict[str, Any]

SEEDS = (1, 2, 3)
SEARCHES: dict[str, Record] = {
    "greedy": {"name": "greedy"},
    "beam 2": {"name": "beam", "size": 2},
    "beam 5": {"name": "beam", "size": 5},
    "beam 10": {"name": "beam", "size": 10},
    "beam 5, length penalty gnmt 0.6": {"name": "beam", "size": 5, "length_penalty": 0.6},
    "beam 5, length penalty power 1": {"name": "beam", "size": 5, "length_penalty": 1.0, "length_formula": "power"},
    "beam 5, coverage penalty 0.2": {"name": "beam", "size": 5, "coverage_penalty": 0.2},
    "sample, temperature 1": {"name": "sample"},
    "sample, top p 0.9": {"name": "sample", "top_p": 0.9},
}
EXPORTS = [(name, weights) for name, kind in formats.items() for weights in (None, *kind.quantizations)]
CHOSEN = ("greedy", "beam 5")  # the searches of the ensemble and of the exports
BATCH = 64
TIMED = 100  # sources for the latency, evenly spaced in the test split
UNUSED = ("encode.onnx", "step.onnx")  # exported files that a search does not need
RUNTIMES = ("onnx", "onnxruntime", "tf2onnx", "ai-edge-litert")


def main() -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default="../shared/data/sigmorphon2020_g2p", help="has ice_train.tsv ...")
    parser.add_argument("--out", type=Path, default="benchmarks/results/decoding", help="for records and tables")
    parser.add_argument("--work", type=Path, default="runs/decoding", help="for the trained models")
    parser.add_argument("--rounds", type=int, default=7, help="number of measurements of each time")
    parser.add_argument("--set", action="append", default=[], help="a change to both configurations")
    args = parser.parse_args()
    files = {split: args.data / f"ice_{split}.tsv" for split in ("train", "dev", "test")}
    of_files = [f"task.{split}={json.dumps(str(file))}" for split, file in files.items()]
    changes = {"digits_to_words": args.set, "icelandic": [*of_files, *args.set]}
    if missing := [str(file) for file in files.values() if not file.exists()]:
        note(f"Not found: {', '.join(missing)}. Only digits_to_words is measured. Give their folder with --data.")
        del changes["icelandic"]

    made = environment()
    made["versions"] |= {name: importlib.metadata.version(name) for name in RUNTIMES}
    command = shlex.join(["python", *sys.argv])
    tasks = {name: measure(name, given, args.work, args.rounds) for name, given in changes.items()}
    write(args.out / "records.json", json.dumps({"command": command, **made, "tasks": tasks}, indent=1) + "\n")
    tables = "\n".join(line for name, task in tasks.items() for line in shown(name, task))
    write(args.out / "tables.md", tables)
    write(args.out / "README.md", heading(command, **made) + tables)
    print(tables)


def measure(name: str, changes: Sequence[str], work: Path, rounds: int) -> Record:
    """All measurements of one task."""
    config = Path(__file__).with_name(f"{name}.yaml")
    configs = [read(config, factory.schema, [*changes, f"seed={seed}"]) for seed in SEEDS]
    runs = [work / f"{name}-{seed}" for seed in SEEDS]
    trained = [train(run, config) for run, config in zip(runs, configs, strict=True)]
    splits = factory.make_task(configs[0]).load().splits
    models = [load(run) for run in runs]
    note(f"{name}: searches")
    searches = measure_searches(models, splits["test"], rounds)
    note(f"{name}: exports")
    return {
        "config": configs[0],
        "seeds": SEEDS,
        "trained": trained,
        "pairs": {split: len(pairs) for split, pairs in splits.items()},
        "searches": searches,
        "exports": measure_exports(models[0], runs[0], splits["test"], rounds),
    }


def train(directory: Path, config: Mapping[str, Any]) -> Record:
    """The metrics of a run. The run is trained or resumed if it is not complete."""
    started = (directory / CONFIG).exists()
    if started and read_config(directory) != config:
        raise SystemExit(f"{directory} holds a training with another configuration: give another --work.")
    if not (directory / METRICS).exists():
        note(f"{directory}: training")
        (Run.resume(directory) if started else Run.start(directory, config)).train()
    metrics = json.loads((directory / METRICS).read_text(encoding="utf-8"))
    scores = {key: metrics["test"][key] for key in ("exact_match", "token_error_rate")}
    return {"seed": config["seed"], **scores, **{key: metrics[key] for key in ("parameters", "epochs", "seconds")}}


def note(text: str) -> None:
    """Print a message about the progress."""
    print(text, file=sys.stderr, flush=True)


# === Measuring ===


def in_turn(measures: Sequence[Callable[[], float]], rounds: int) -> list[list[float]]:
    """Take all measurements in turn (A B C, A B C, ...), so that other load on the machine affects all of them alike.

    The first round is not counted: it compiles and warms up.

    Returns:
        For each measurement its values, one for each round.
    """
    values = [[measure() for measure in measures] for _ in range(1 + rounds)]
    return [list(each) for each in zip(*values[1:], strict=True)]


def measure_searches(models: Sequence[Any], pairs: Sequence[tuple[str, str]], rounds: int) -> list[Record]:
    """Scores and speed of each search with the first model, and with the ensemble of all."""
    sources = [source for source, _ in pairs]
    jobs: list[tuple[str, Any, Record]] = [(label, models[0], search) for label, search in SEARCHES.items()]
    ensemble = Ensemble(models)
    jobs += [(f"{label}, ensemble of {len(models)}", ensemble, SEARCHES[label]) for label in CHOSEN]

    def speed(model: Any, search: Record) -> float:
        began = time.perf_counter()
        model.predictions(sources, search, batch_size=BATCH)
        return len(sources) / (time.perf_counter() - began)

    speeds = in_turn([functools.partial(speed, *job) for _, *job in jobs], rounds)
    rows = []
    for (label, model, search), each in zip(jobs, speeds, strict=True):
        scores, _ = evaluate_generation(model, [(source, [target]) for source, target in pairs], search, BATCH)
        kept = {key: scores[key] for key in ("exact_match", "token_error_rate")}
        rows.append({"search": label, "options": search, **kept, "sources_per_second": each})
    return rows


def measure_exports(model: Any, run: Path, pairs: Sequence[tuple[str, str]], rounds: int) -> list[Record]:
    """Size, latency and agreement of each format and quantization, and of the Keras model itself."""
    sources, targets = map(list, zip(*pairs, strict=True))
    source_vocabulary, target_vocabulary = model.vocabularies
    few = sources[:: max(1, len(sources) // TIMED)][:TIMED]

    def by_texts(search: Record, text: str) -> str:
        return model.generate([text], search)[0]

    def by_ids(search: Record, text: str) -> str:
        ids = source_vocabulary.encode(text)
        length = max(8, 1 << (len(ids) - 1).bit_length())  # few lengths, because each is compiled
        return target_vocabulary.decode(model.search(pad([ids], length), search).ids[0, 0].tolist())

    def by_runtime(exported: Exported, text: str) -> str:
        return generate(exported, model.vocabularies, [text])[0]

    def latency(generate_one: Callable[[str], str]) -> float:
        times = []
        for text in few:
            began = time.perf_counter()
            generate_one(text)
            times.append(1000 * (time.perf_counter() - began))
        return statistics.median(times)

    rows: list[Record] = []
    measures: list[Callable[[], float]] = []
    for label in CHOSEN:
        search = SEARCHES[label]
        own = model.generate(sources, search)
        right = same(own, targets)
        for format, weights in (("keras, generate", None), ("keras, search", None), *EXPORTS):
            if format in formats:
                with tempfile.TemporaryDirectory() as folder:
                    exported = export(model, Path(folder, "new"), format, search, quantize=weights)
                    files = [file for file in Path(folder).rglob("*") if file.is_file() and file.name not in UNUSED]
                    size = sum(file.stat().st_size for file in files)
                generate_one = functools.partial(by_runtime, exported)
            else:
                size = (run / BEST).stat().st_size
                generate_one = functools.partial(by_texts if format == "keras, generate" else by_ids, search)
            outputs = [generate_one(text) for text in sources]
            row: Record = {"search": label, "format": format, "weights": weights or "float32", "bytes": size}
            row |= {"same_text": same(outputs, own), "right": same(outputs, targets), "right_in_process": right}
            rows.append(row)
            measures.append(functools.partial(latency, generate_one))
    return [{**row, "milliseconds": each} for row, each in zip(rows, in_turn(measures, rounds), strict=True)]


def same(texts: Sequence[str], others: Sequence[str]) -> int:
    """The number of equal pairs."""
    return sum(a == b for a, b in zip(texts, others, strict=True))


# === Pages ===


def heading(command: str, machine: Record, versions: Record) -> str:
    """The page around the tables."""
    names = ("python", "tensorflow", "keras", "onnxruntime", "ai-edge-litert")
    return f"""# Searches and exports

By `{command}`, on {machine["cores"]} cores of an {machine["cpu"]},
with {", ".join(f"{name} {versions[name]}" for name in names)}. The columns are explained in
[benchmarks/README.md](../../README.md#searches-and-exports); configurations, seeds and the times of every round are in
[records.json](records.json).

"""


def shown(name: str, task: Record) -> Iterator[str]:
    """The two tables of a task, as lines of Markdown."""
    test, trained = task["pairs"]["test"], task["trained"]
    greedy = [each["exact_match"] for each in trained]
    yield (
        f"**{name}**: {task['config']['decoder']['mode']}, {trained[0]['parameters']:,} parameters, "
        f"{task['pairs']['train']:,} training pairs; {test:,} held-out sources. The tables are for seed "
        f"{trained[0]['seed']}; with greedy search, the seeds reach {', '.join(map(percent, greedy))}. One standard "
        f"error of exact match is {percent((greedy[0] * (1 - greedy[0]) / test) ** 0.5)}."
    )
    yield ""
    yield "| search | exact match, % | token error rate, % | sources/s |"
    yield "| --- | --: | --: | --: |"
    for row in task["searches"]:
        scores = f"{percent(row['exact_match'])} | {percent(row['token_error_rate'], 2)}"
        yield f"| {row['search']} | {scores} | {spread(row['sources_per_second'], 0)} |"
    yield ""
    yield "| search | runs as | weights | KiB | ms a source | same text | exact match, % | difference |"
    yield "| --- | --- | --- | --: | --: | --: | --: | --: |"
    for row in task["exports"]:
        what = f"{row['search']} | {row['format']} | {row['weights']}"
        more = 100 * (row["right"] - row["right_in_process"]) / test
        scores = f"{row['same_text']:,} of {test:,} | {percent(row['right'] / test)} | {more:+.1f}"
        yield f"| {what} | {row['bytes'] / 1024:,.0f} | {spread(row['milliseconds'], 2)} | {scores} |"
    yield ""


def percent(share: float, digits: int = 1) -> str:
    """A percentage without the sign."""
    return f"{100 * share:.{digits}f}"


def spread(values: Sequence[float], digits: int) -> str:
    """The median of the rounds, with minimum and maximum."""
    low, middle, high = (f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} <sub>{low}\N{EN DASH}{high}</sub>"


if __name__ == "__main__":
    main()
