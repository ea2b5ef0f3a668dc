"""Measure models of English pronunciation beside g2p_en: the tables of docs/zoo.md.

    python benchmarks/pronunciation/measure.py score --model attention runs/attention-1 runs/attention-2 \\
        --model feedback runs/feedback-1 --recent ../shared/data/cmudict_recent/words.txt
    python benchmarks/pronunciation/measure.py speed --model attention runs/attention-1

`score` computes error rates on the test split of the task, and on the words of `--recent`, there also those of g2p_en.
`speed` measures words a second on one core. benchmarks/README.md explains the columns.
"""

import argparse
import functools
import importlib.metadata
import json
import os
import re
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
os.environ.update(dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1"))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from peer import NAME, VERSION, converted, equal_outputs, load_peer, source_of

from seq2seq_zoo import load
from seq2seq_zoo.benchmark.statistics import estimate, percentiles
from seq2seq_zoo.experiment import factory
from seq2seq_zoo.experiment.run import CONFIG, read_config
from seq2seq_zoo.export import export
from seq2seq_zoo.metrics.tokens import nearest_references, token_error_rate
from seq2seq_zoo.runtime.directory import ExportedModel
from seq2seq_zoo.system.environment import environment
from seq2seq_zoo.system.files import write
from seq2seq_zoo.system.model_file import located
from seq2seq_zoo.tasks.pronunciation import Pronunciation, read_dictionary

Record = dict[str, Any]
Answers = Sequence[tuple[str, Sequence[str]]]
"""Words, each with the pronunciations that are right."""

COMPARED = 500
"""For so many words, the converted network must give the outputs of g2p_en's own code."""
SIZES = (64, 1)
"""How many words are searched at once."""
EXPORTS = (("onnx", None), ("litert", None), ("onnx", "dynamic-int8"), ("litert", "dynamic-int8"))
SPLITS = {"test": "words of the test split", "recent": "words that entered CMUdict after January 2015"}


def main() -> None:
    """Measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("score", "speed"))
    parser.add_argument(
        "--model",
        action="append",
        nargs="+",
        default=[],
        metavar=("NAME FILE", "FILE"),
        help="a name for the tables, and a run, a model file or a zoo: name for each seed; the first --model is "
        "compared with all others",
    )
    parser.add_argument("--recent", type=Path, help="the file with the words that entered CMUdict lately")
    parser.add_argument("--words", type=int, default=1024, help="how many words of the test split speed is measured on")
    parser.add_argument("--rounds", type=int, default=6, help="number of measurements of each speed")
    parser.add_argument("--work", type=Path, default="runs/pronunciation", help="for the package g2p_en")
    parser.add_argument("--out", type=Path, default="benchmarks/results/pronunciation", help="for records and tables")
    args = parser.parse_args()
    models = {name: paths for name, *paths in args.model}
    answers = Pronunciation().load().answers("test")
    peer = load_peer(args.work)
    words = [word for word, _ in answers]
    if args.what == "score":
        splits = {"test": answers} | ({"recent": recent_answers(args.recent)} if args.recent else {})
        record = score_all(models, converted_and_checked(peer, words), splits)
    else:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
        words = words[:: len(words) // args.words][: args.words]
        record = speed(
            {name: load(path, compile=False) for name, (path, *_) in models.items()}, peer, words, args.rounds
        )
    made = environment()
    made["versions"] |= {name: importlib.metadata.version(name) for name in ("cmudict", "onnxruntime", "tf2onnx")}
    made["versions"][NAME] = VERSION
    command = shlex.join(["python", *(re.sub("^/.*/", "", argument) for argument in sys.argv)])
    write(args.out / f"{args.what}.json", json.dumps({"command": command, **made, **record}, indent=1) + "\n")
    records = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(args.out.glob("*.json"))}
    tables = "\n".join([*score_tables(records), *speed_table(records)])
    write(args.out / "tables.md", tables)
    print(tables)


# === Errors ===


def recent_answers(path: Path) -> Answers:
    """The words of a file with their pronunciations in CMUdict."""
    dictionary = read_dictionary()
    return [(word, dictionary[word]) for word in path.read_text("utf-8").split()]


def converted_and_checked(peer: Any, words: Sequence[str]) -> Any:
    """The network of g2p_en in our layers, if it gives the outputs of g2p_en's own code."""
    model, few = converted(peer), words[:: len(words) // COMPARED][:COMPARED]
    if (equal := equal_outputs(peer, model, few)) < len(few):
        raise SystemExit(f"Only {equal} of {len(few)} outputs of the converted network are those of {NAME}.")
    return model


def score_all(models: Mapping[str, Sequence[str]], peer: Any, splits: Mapping[str, Answers]) -> Record:
    """The scores of all models, and for each split the ratio of the first one's errors to those of each other."""
    rows: list[Record] = []
    wrong: dict[str, dict[str, list[np.ndarray]]] = {split: {} for split in splits}
    for name, path in [(name, path) for name, paths in models.items() for path in paths] + [(NAME, None)]:
        config = None if path is None else config_of(path)
        model = peer if path is None else load(path, compile=False)
        row = {"name": name, "config": config, "parameters": model.count_params(), "scores": {}}
        for split, answers in splits.items():
            if path is None and split == "test":
                continue  # its training may well have had these words
            row["scores"][split], errors = score(model, answers)
            wrong[split].setdefault(name, []).append(errors)
        rows.append(row)
        print(name, row["scores"], file=sys.stderr)
    first = next(iter(models), None)
    ratios = [
        {"split": split, "of": first, "to": other, "without_stress": ratio(each[first], each[other])}
        for split, each in wrong.items()
        for other in each
        if first and other != first
    ]
    return {"words": {split: len(answers) for split, answers in splits.items()}, "models": rows, "ratios": ratios}


def config_of(path: str) -> Record | None:
    """The configuration of a run, if it is one; its test split must be ours."""
    if not (located(path) / CONFIG).exists():
        return None
    config = read_config(located(path))
    task, ours = factory.make_task(config), Pronunciation()
    if not isinstance(task, Pronunciation) or (task.seed, task.sizes, task.recent) != (
        ours.seed,
        ours.sizes,
        ours.recent,
    ):
        raise SystemExit(f"{path}: expected a model of the task pronunciation with its default splits.")
    return config


def score(model: Any, answers: Answers) -> tuple[Record, np.ndarray]:
    """Word and phone error rates with and without stress, and for each word whether it is wrong without stress."""
    texts = model.generate([source_of(model, word) for word, _ in answers])
    found: Record = {}
    errors = np.zeros(0)
    for ending, digits in (("", ""), ("_without_stress", r"\d")):
        outputs = [re.sub(digits, "", text).split() if digits else text.split() for text in texts]
        references = [
            [re.sub(digits, "", each).split() if digits else each.split() for each in right] for _, right in answers
        ]
        nearest = nearest_references(references, outputs)
        errors = np.array([output != reference for output, reference in zip(outputs, nearest, strict=True)])
        found |= {f"wer{ending}": float(errors.mean()), f"per{ending}": token_error_rate(nearest, outputs)}
    return found, errors


def ratio(errors: Sequence[np.ndarray], others: Sequence[np.ndarray], resamples: int = 2_000) -> Record:
    """The ratio of two mean error rates, with its 95 % interval by a paired bootstrap over the words.

    Args:
        errors: for each seed, which words are wrong: `(words,)`.
        others: the same of the other side, for the same words.
        resamples: number of bootstrap samples.
    """
    both = np.stack([np.mean(side, axis=0) for side in (errors, others)], axis=1)  # (words, 2)
    random = np.random.default_rng(0)
    samples = np.array([both[random.integers(len(both), size=len(both))].mean(axis=0) for _ in range(resamples)])
    low, high = percentiles(samples[:, 0] / samples[:, 1])
    return {"ratio": float(both[:, 0].mean() / both[:, 1].mean()), "low": float(low), "high": float(high)}


# === Speed ===


def speed(models: Mapping[str, Any], peer: Any, words: Sequence[str], rounds: int) -> Record:
    """Words a second of g2p_en's own code, of models and of their exports; in turn, in alternating order."""
    contestants: dict[tuple[str, str, int], Callable[[], list[str]]] = {}
    contestants[NAME, "its own code", 1] = lambda: [" ".join(peer.predict(word)) for word in words]
    with tempfile.TemporaryDirectory() as folder:
        for name, model in models.items():
            model.searcher().compile_at_once()
            for size in SIZES:
                contestants[name, "keras", size] = functools.partial(outputs, model, words, size)
                for format, weights in EXPORTS:
                    how = f"{format} {weights or 'float32'}"
                    directory = Path(folder, f"{name} {how} {size}")
                    export(model, directory, format, batch=size, quantize=weights)
                    exported = ExportedModel(directory, threads=1)
                    contestants[name, how, size] = functools.partial(outputs, exported, words, size)
        first: dict[tuple[str, str, int], list[str]] = {}
        seconds: dict[tuple[str, str, int], list[float]] = {contestant: [] for contestant in contestants}
        for number in range(1 + rounds):
            for contestant in [*contestants][:: -1 if number % 2 else 1]:
                began = time.perf_counter()
                found = contestants[contestant]()
                if number:
                    seconds[contestant].append(time.perf_counter() - began)
                else:  # this round compiles and warms up
                    first[contestant] = found
    rows = [
        {
            "name": name,
            "runs_as": how,
            "at_once": size,
            "differ": differing(first[name, how, size], first.get((name, "keras", size))),
            "words_per_second": [len(words) / each for each in seconds[name, how, size]],
        }
        for name, how, size in contestants
    ]
    return {"words": len(words), "rows": rows}


def differing(texts: Sequence[str], others: Sequence[str] | None) -> int | None:
    """The number of texts that differ, if there is something to compare with."""
    return None if others is None else sum(text != other for text, other in zip(texts, others, strict=True))


def outputs(model: Any, words: Sequence[str], size: int) -> list[str]:
    """The best output for each word: a call for each of them, or one for all, which searches `size` at once."""
    calls = [[word] for word in words] if size == 1 else [words]
    return [each.text for call in calls for each in model.predictions(call, batch_size=size)]


# === Tables ===


def score_tables(records: Mapping[str, Record]) -> Iterator[str]:
    """For each split a table of error rates, and one of ratios, as lines of Markdown."""
    if (record := records.get("score")) is None:
        return
    for split, title in SPLITS.items():
        groups: dict[str, list[Record]] = {}
        for row in record["models"]:
            if split in row["scores"]:
                groups.setdefault(row["name"], []).append(row)
        if not groups:
            continue
        yield f"| {record['words'][split]:,} {title} | seeds | parameters | WER, % | WER without stress, % | PER, % |"
        yield "| --- | --: | --: | --: | --: | --: |"
        for name, rows in groups.items():
            rates = [
                spread([row["scores"][split][key] for row in rows]) for key in ("wer", "wer_without_stress", "per")
            ]
            yield f"| {name} | {len(rows)} | {rows[0]['parameters']:,} | {' | '.join(rates)} |"
        yield ""
    if record["ratios"]:
        yield "| WER without stress | ratio | 95 % interval |"
        yield "| --- | --: | --: |"
        for each in record["ratios"]:
            what = f"{each['of']} to {each['to']}, {SPLITS[each['split']]}"
            value = each["without_stress"]
            yield f"| {what} | {value['ratio']:.2f} | {value['low']:.2f} to {value['high']:.2f} |"
        yield ""


def spread(rates: Sequence[float]) -> str:
    """The mean of the seeds in percent, with the range of several."""
    found = estimate(rates)
    small = f" <sub>{100 * found.low:.1f}\N{EN DASH}{100 * found.high:.1f}</sub>" if len(rates) > 1 else ""
    return f"{100 * found.value:.1f}{small}"


def speed_table(records: Mapping[str, Record]) -> Iterator[str]:
    """Words a second, and how many times those of g2p_en in the same round, as lines of Markdown."""
    if (record := records.get("speed")) is None:
        return
    theirs = record["rows"][0]["words_per_second"]
    yield f"| one core, {record['words']:,} words | runs as | at once | words/s | times g2p_en | other outputs |"
    yield "| --- | --- | --: | --: | --: | --: |"
    for row in record["rows"]:
        speeds = row["words_per_second"]
        times = [ours / other for ours, other in zip(speeds, theirs, strict=True)]
        shown = f"{statistics.median(times):.1f} <sub>{min(times):.1f}\N{EN DASH}{max(times):.1f}</sub>"
        cells = [row["name"], row["runs_as"], row["at_once"], f"{statistics.median(speeds):,.0f}", shown]
        yield f"| {' | '.join(map(str, cells))} | {'' if row['differ'] is None else row['differ']} |"
    yield ""


if __name__ == "__main__":
    main()
