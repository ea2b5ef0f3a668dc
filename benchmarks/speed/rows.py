"""The measurements: one function for each row. Each returns a record of raw measurements for `report.py`."""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from bench import Bench, Record
from contestants import (
    ADDONS,
    HERE,
    OURS,
    STOCK,
    TORCH,
    TORCH_STEP,
    Contestant,
    ContestantError,
    note,
    python_of,
    variables,
)

from seq2seq_zoo.tasks.digits_to_words import DigitsToWords

SIZES = [{"units": units, "length": length} for units in (128, 256, 512) for length in (12, 40)]
MODES = ("basic", "feedback", "peek", "attention")

Row = Callable[[Bench], Record]
rows: dict[str, Row] = {}


def row(function: Row) -> Row:
    """Register a row by the name of its function."""
    rows[function.__name__] = function
    return function


# === Training steps ===


@row
def step(bench: Bench) -> Record:
    """The training step of the modes without attention, against fused kernels."""
    problems = [
        {"mode": mode, "cell": cell, **size} for cell in ("lstm", "gru") for mode in MODES[:3] for size in SIZES
    ]
    contestants = {"ours": OURS, "torch": TORCH}
    more = {"feedback": {"stock": STOCK}}  # one mode is enough to compare with keras.layers
    return {"cells": [bench.compare({**contestants, **more.get(each["mode"], {})}, each) for each in problems]}


@row
def attention(bench: Bench) -> Record:
    """The training step of the attention mode."""
    contestants = {"ours": OURS, "addons": ADDONS, "torch": TORCH, "torch.compile": TORCH_STEP}
    return {"cells": [bench.compare(contestants, {"mode": "attention", **size}) for size in SIZES]}


@row
def order(bench: Bench) -> Record:
    """Whether the ratio depends on who runs first, or on the threads of a contestant that waits."""
    ours, torch = dataclasses.replace(OURS, stopped=True), dataclasses.replace(TORCH, stopped=True)
    arrangements = {
        "ours, torch": {"ours": OURS, "torch": TORCH},
        "torch, ours": {"torch": TORCH, "ours": OURS},
        "the waiting one stopped": {"ours": ours, "torch": torch},
    }
    return {
        "cells": [
            {"arrangement": name, **bench.compare(contestants, {"mode": mode, "units": units, "length": 12})}
            for mode in ("feedback", "attention")
            for units in (128, 256)
            for name, contestants in arrangements.items()
        ]
    }


@row
def busy(bench: Bench) -> Record:
    """The training step on two quiet cores, and while another process keeps the first of them busy."""
    core = min(os.sched_getaffinity(0))
    spin = f"import os\nos.sched_setaffinity(0, [{core}])\nwhile True: pass"
    cells = []
    for mode, cell in (("feedback", "lstm"), ("feedback", "gru"), ("attention", "lstm")):
        for units in (128, 256):
            problem = {"mode": mode, "cell": cell, "units": units, "length": 12}
            for beside in (False, True):
                process = subprocess.Popen([sys.executable, "-c", spin]) if beside else None
                try:
                    cells.append({"busy": beside, **bench.compare({"ours": OURS, "torch": TORCH}, problem)})
                finally:
                    if process:
                        process.kill()
                        process.wait()
    return {"cells": cells}


@row
def roof(bench: Bench) -> Record:
    """The matrix products of a training step alone, and the step itself."""
    problems = [{"mode": mode, "units": 256, "length": length} for mode in MODES for length in (12, 40)]
    cells, counts = [], {}
    for problem in problems:
        libraries = {"tensorflow": bench.worker(OURS), "torch": bench.worker(TORCH)}
        for worker in libraries.values():
            counts = worker.request(prepare="products", problem=problem)
            worker.request(measure=10)
        found: dict[str, list[dict[str, float]]] = {name: [] for name in libraries}
        for _ in range(bench.rounds):
            for name, worker in libraries.items():
                found[name].append(worker.request(measure=50))
        cells.append({**bench.compare({"ours": OURS}, problem), "counts": counts, "products": found})
    return {"cells": cells}


@row
def sampling(bench: Bench) -> Record:
    """Training in free running or with scheduled sampling, beside teacher forcing."""
    cells = []
    for mode in ("feedback", "attention"):
        for probability in (None, 0.5, 0.0):
            problem = {"mode": mode, "units": 256, "length": 12, "sampling": probability}
            cells.append(bench.compare({"ours": OURS}, problem))
    return {"cells": cells}


@row
def bfloat16(bench: Bench) -> Record:
    """Mixed precision, beside single precision."""
    return {
        "cells": [
            bench.compare({"ours": OURS}, {"mode": mode, "units": units, "length": 12, "policy": policy})
            for mode in ("feedback", "attention")
            for units in (128, 512)
            for policy in ("float32", "mixed_bfloat16")
        ]
    }


@row
def backends(bench: Bench) -> Record:
    """Ours and Keras's own layers on the other backends."""
    cells = []
    for backend in ("jax", "torch"):
        chosen = {"variables": {"KERAS_BACKEND": backend}, "environment": "backends"}
        contestants = {"ours": Contestant("ours.py", **chosen), "stock": Contestant("stock.py", **chosen)}
        for cell in ("lstm", "gru"):
            problem = {"mode": "feedback", "cell": cell, "units": 128, "length": 12}
            cells.append({"backend": backend, **bench.compare(contestants, problem)})
    return {"cells": cells}


@row
def buckets(bench: Bench) -> Record:
    """An epoch of sequences of different lengths, with one shape and with six."""
    given = bench.data / "cmudict_g2p" / "eng_cmudict_train.tsv"
    file = bench.work / "cmudict_20000.tsv"
    file.write_text("".join(given.read_text().splitlines(keepends=True)[:20_000]))
    problem = {"mode": "attention", "units": 128, "length": 0, "file": str(file)}
    counts = (1, 6)
    return {"cells": [bench.compare({"ours": OURS}, {**problem, "buckets": n}, "epoch", 0, 1) for n in counts]}


@row
def curves(bench: Bench) -> Record:
    """The training step against each size."""
    base = {"units": 128, "length": 12}
    varied = {
        "length": (6, 12, 24, 48, 96),
        "batch": (8, 32, 128, 512),
        "units": (64, 128, 256, 512),
        "vocabulary": (64, 1_000, 10_000, 50_000),
        "depth": (1, 2, 3, 4),
    }
    cells = []
    for mode in ("feedback", "attention"):
        for key, values in varied.items():
            # The torch loop has one layer only.
            ours_only = key == "depth" and mode == "attention"
            contestants = {"ours": OURS} if ours_only else {"ours": OURS, "torch": TORCH}
            for value in values:
                problem = {"mode": mode, **base, key: value}
                cells.append({"varied": key, **bench.compare(contestants, problem)})
    return {"cells": cells}


# === Searches ===


@row
def greedy(bench: Bench) -> Record:
    """Greedy search of 20 steps, none of which generates the end."""
    searchers = {"ours": OURS, "addons": ADDONS, "torch": TORCH, "torch.compile": TORCH_STEP}
    cells = []
    for units in (128, 256):
        for batch in (64, 1):
            problem = {"mode": "attention", "units": units, "length": 12, "batch": batch, "endless": True}
            exported = {"litert": Contestant("ours.py")} if batch == 1 else {}
            jobs = {name: "litert" if name == "litert" else "greedy" for name in (*searchers, *exported)}
            cells.append(bench.compare({**searchers, **exported}, problem, jobs))
    return {"cells": cells}


@row
def beam(bench: Bench) -> Record:
    """Beam search: of 20 steps without an end, and with trained models, which generate the end."""
    cells = []
    for units in (128, 256):
        problem = {"mode": "attention", "units": units, "length": 12}
        cells.append({"kind": "full length", **_beam(bench, {**problem, "endless": True})})
        file = bench.work / f"digits_to_words-{units}.npz"
        problem |= {"weights": str(file), "pads": True}
        exact = bench.worker(OURS).request(prepare="train", problem=problem)
        with np.load(file) as weights:
            sizes = {"source_vocabulary": "encoder.embedding", "vocabulary": "decoder.embedding"}
            problem |= {key: len(weights[name]) for key, name in sizes.items()}
        cells.append({"kind": "trained", "exact_match": exact, **_beam(bench, problem)})
    return {"cells": cells}


def _beam(bench: Bench, problem: Record) -> Record:
    return bench.compare({"ours": OURS, "addons": ADDONS}, problem, "beam", least=4)


# === Whole processes ===


@row
def whole(bench: Bench) -> Record:
    """The time from the start of a process to 99 % exact match on dev."""
    bench.record_versions(OURS, TORCH, ADDONS)
    task = DigitsToWords(train_size=5_000, dev_size=500)
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for split, pairs in task.load().splits.items():
            Path(folder, f"{split}.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in pairs))
        for seed in (1, 2, 3):
            for name, environment in (("ours", None), ("torch", "torch"), ("addons", "addons")):
                script = HERE / "peers" / f"whole_{name}.py"
                command = [python_of(environment, bench.work), str(script), folder, str(seed)]
                epochs = _lines(command, bench.work / "logs" / f"whole-{name}-{seed}.log")
                runs.append({"who": name, "seed": seed, "epochs": epochs})
                last = epochs[-1]
                note(
                    f"  {name}, seed {seed}: {last['exact_match']:.3f} after {len(epochs)} epochs, {last['seconds']} s"
                )
    return {"train_size": 5_000, "runs": runs}


@row
def icelandic(bench: Bench) -> Record:
    """A real training from the command line, ours and yoyodyne's, until the outputs for dev and test exist."""
    bench.record_versions(OURS, Contestant("torch_worker.py", "yoyodyne"))
    data = bench.data.resolve() / "sigmorphon2020_g2p"
    files = {split: str(data / f"ice_{split}.tsv") for split in ("train", "dev", "test")}
    training = yaml.safe_load((HERE / "icelandic.yaml").read_text())["training"]
    pairs = len(Path(files["train"]).read_text().splitlines())
    measured: Record = {"steps": training["epochs"] * -(-pairs // training["batch_size"])}
    with tempfile.TemporaryDirectory() as folder:
        run, log = Path(folder, "run"), bench.work / "logs" / "icelandic.log"
        sets = [f"--set=task.{split}={json.dumps(file)}" for split, file in files.items()]
        command = [sys.executable, "-m", "seq2seq_zoo", "train", str(HERE / "icelandic.yaml"), "--out", str(run), *sets]
        seconds = _timed(command, log, folder)
        metrics = json.loads((run / "metrics.json").read_text())
        wer = {split: 100 * (1 - metrics[split]["exact_match"]) for split in ("dev", "test")}
        measured["ours"] = {"fit": seconds, "predict": 0.0, "wer": wer}
        note(f"  ours: {seconds:.0f} s, {wer}")

        program = Path(python_of("yoyodyne", bench.work)).with_name("yoyodyne")
        common = ["--config", str(HERE / "yoyodyne.yaml"), "--data.model_dir", folder, "--data.train", files["train"]]
        fit = [str(program), "fit", *common, "--data.val", files["dev"], "--checkpoint.dirpath", folder]
        seconds, predicting, wer = _timed(fit, log, folder), 0.0, {}
        for split in ("dev", "test"):
            predictions = Path(folder, f"{split}.txt")
            more = ["--ckpt_path", f"{folder}/best.ckpt", "--prediction.path", str(predictions)]
            predicting += _timed([str(program), "predict", *common, "--data.predict", files[split], *more], log, folder)
            targets = [line.split("\t")[1].split() for line in Path(files[split]).read_text().splitlines()]
            outputs = [line.split() for line in predictions.read_text().splitlines()]
            wrong = sum(a != b for a, b in zip(outputs, targets, strict=True))
            wer[split] = 100 * wrong / len(targets)
        measured["yoyodyne"] = {"fit": seconds, "predict": predicting, "wer": wer}
        note(f"  yoyodyne: {seconds:.0f} s and {predicting:.0f} s, {wer}")
    return measured


@row
def memory(bench: Bench) -> Record:
    """The peak memory of a training process, in all and above that of its imports."""
    sizes = [{"units": 256, "length": length} for length in (12, 40, 160)]
    cells = []
    for problem in [{"mode": mode, **size} for mode in MODES for size in sizes]:
        found = {}
        for name, contestant in (("ours", OURS), ("torch", TORCH)):
            worker = bench.start(contestant)
            found[name] = {"imports": worker.request(memory=True)["now"]}
            worker.request(prepare="fit", problem=problem)
            worker.request(measure=16)
            found[name] |= worker.request(memory=True)
            worker.close()
        note(f"  {problem}: { ({name: each['peak'] >> 20 for name, each in found.items()}) } MiB")
        cells.append({"problem": problem, "memory": found})
    return {"cells": cells}


@row
def lines(bench: Bench) -> Record:
    """The peak memory of a training on files with increasing numbers of lines."""
    bench.record_versions(OURS)
    cells = []
    for count in (10_000, 1_000_000, 10_000_000):
        command = [sys.executable, str(HERE / "lines.py"), "--lines", str(count)]
        (cell,) = _lines(command, bench.work / "logs" / f"lines-{count}.log")
        cells.append({key: cell[key] for key in ("lines", "bytes", "steps", "peak_memory")} | {"took": cell["seconds"]})
        note(f"  {count:,} lines: {cell['peak_memory'] >> 20} MiB")
    return {"cells": cells}


@row
def compile(bench: Bench) -> Record:
    """From the start of a process to the end of its first step, with an empty and a full cache of compiled programs."""
    cells = []
    for mode in MODES:
        problem = {"mode": mode, "units": 128, "length": 12}
        with tempfile.TemporaryDirectory() as folder:
            flags = f"--tf_xla_persistent_cache_directory={folder}"
            cached = Contestant("ours.py", variables={"TF_XLA_FLAGS": flags})
            seconds = {}
            for name, contestant in (("torch", TORCH), ("ours", OURS), ("empty cache", cached), ("full cache", cached)):
                began = time.perf_counter()
                worker = bench.start(contestant)
                started = time.perf_counter() - began
                worker.request(prepare="first", problem=problem)
                seconds[name] = [started, time.perf_counter() - began + worker.request(measure=1)]
                worker.close()
        note(f"  {mode}: { ({name: round(each[1], 1) for name, each in seconds.items()}) } s")
        cells.append({"problem": problem, "started_and_stepped": seconds})
    return {"cells": cells}


def _timed(command: Sequence[str], log: Path, folder: str) -> float:
    """The seconds of a command that runs in a folder."""
    began = time.perf_counter()
    with log.open("w") as file:
        code = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, env=variables(), cwd=folder).returncode
    if code:
        raise ContestantError(f"{' '.join(command)} ended with {code}: see {log}")
    return time.perf_counter() - began


def _lines(command: Sequence[str], log: Path) -> list[dict[str, Any]]:
    """The JSON lines that a command prints, each with the `seconds` since the start of the command."""
    began, lines = time.perf_counter(), []
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file, text=True, env=variables())
        for line in process.stdout or ():
            if line.startswith("{"):
                lines.append({**json.loads(line), "seconds": round(time.perf_counter() - began, 3)})
    if process.wait() or not lines:
        raise ContestantError(f"{' '.join(command)} ended with {process.returncode}: see {log}")
    return lines
