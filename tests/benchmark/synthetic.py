"""Made-up records in the shape that cells write: for tests of what reads them, never for results."""

import json
import math
from pathlib import Path

import numpy as np

from seq2seq_zoo.benchmark.records import pack_bits, write_record

MODES = ["basic", "feedback", "peek", "attention"]
FEW = {
    "name": "few_pairs",
    "title": "How many training pairs does a mode need?",
    "why": "With plenty of pairs every mode gets everything right; with few they differ in what they learn from each.",
    "x": {"label": "training pairs", "key": "task.train", "values": [250, 1000, 4000], "scale": "log"},
    "curve": "x",
    "metric": "exact_match",
}
LONG = {
    "name": "long",
    "title": "How long a sequence fits through one summary?",
    "why": "The summary is one vector, however long the source; attention looks at the whole sequence instead.",
    "x": None,
    "curve": "length",
    "metric": "exact_match",
}
TUNE = {
    "trials": 8,
    "sampler": "tpe",
    "pruner": "median",
    "seed": 1000,
    "space": {
        "training.learning_rate": {"low": 0.001, "high": 0.1, "log": True, "step": None},
        "decoder.cell": ["lstm", "gru"],
    },
}


def make_run(directory: Path, questions=(FEW, LONG), modes=tuple(MODES), seeds=(1, 2, 3)) -> Path:
    """Write a suite and all its records."""
    directory.mkdir(parents=True, exist_ok=True)
    suite = {
        "name": "digits",
        "title": "Four decoder modes on digits-to-words",
        "description": "Made-up numbers, to see what a report looks like.",
        "modes": list(modes),
        "seeds": list(seeds),
        "questions": list(questions),
    }
    (directory / "suite.json").write_text(json.dumps(suite))
    for question in questions:
        for x in question["x"]["values"] if question["x"] else [None]:
            for mode in modes:
                for seed in seeds:
                    write_record(directory, make_record(question, x, mode, seed))
    return directory


def make_study(question, x, mode, **changes):
    """The record of a made-up study: scores rise with the number of the trial, one trial is pruned and one fails."""
    ease = 0.1 * (1 + (MODES.index(mode) if mode in MODES else 0))
    trials = [
        {
            "number": number,
            "state": {3: "pruned", 4: "failed"}.get(number, "complete"),
            "params": {"training.learning_rate": 0.001 * (1 + number), "decoder.cell": "gru"},
            "score": None if number == 4 else ease + number / 20,
            "epochs": 2,
            "seconds": 1.5,
        }
        for number in range(8)
    ]
    record = {
        "id": f"{question['name']}-{x}-{mode}-1000",
        "question": question["name"],
        "x": x,
        "mode": mode,
        "seed": 1000,
        "status": "ok",
        "tune": TUNE,
        "metric": "exact_match",
        "trials": trials,
        "chosen": 7,
        "chosen_config": {},
        "importance": {"training.learning_rate": 0.9, "decoder.cell": 0.1},
    }
    return {**record, **changes}


def make_record(question, x, mode, seed, **changes):
    """One record of a made-up cell; `changes` replace entries."""
    strength = (MODES.index(mode) if mode in MODES else 1.5) / 3
    random = np.random.default_rng([seed, len(question["name"]), int(10 * strength), len(str(x))])
    ease = math.log10(x) / 4 if isinstance(x, int) else 0.6
    score = float(np.clip((0.15 + 0.55 * strength) * ease * 1.9 + random.normal(0, 0.02) - 0.1, 0, 1))
    lengths = range(5, 31, 5) if question["curve"] == "length" else range(1, 7)
    epochs = int(12 + 4 * (1 - strength) + random.integers(0, 3))
    speed = 1.5 + strength + random.normal(0, 0.1)
    learned = [score * (1 - math.exp(-epoch / (2 + 3 * (1 - strength)))) for epoch in range(1, epochs + 1)]
    metrics = {
        "exact_match": score,
        "token_accuracy": 1 - (1 - score) / 3,
        "token_error_rate": (1 - score) / 3,
        "perplexity": 1 + (1 - score),
    }
    outputs = {
        "basic": ["seven", "hundred", "and", "six", "thousand"],
        "feedback": ["four", "hundred", "and", "and", "six"],
        "peek": ["four", "hundred", "seven"],
    }
    weights = random.dirichlet([0.15] * 3, size=5) if mode == "attention" else None
    record = {
        "id": f"{question['name']}-{x}-{mode}-{seed}",
        "suite": "digits",
        "question": question["name"],
        "x": x,
        "mode": mode,
        "seed": seed,
        "status": "ok",
        "config": {
            "task": {"name": "digits_to_words", "train": x},
            "decoder": {"mode": mode, "units": 128},
            "seed": seed,
        },
        "metrics": metrics,
        "dev": metrics,
        "by_length": [
            {
                "length": length,
                "count": 50,
                "exact_match": float(
                    np.clip(score + (1 - strength) * 0.5 * (1 - i / 2) + random.normal(0, 0.02), 0, 1)
                ),
                "token_error_rate": 0.1 * i,
            }
            for i, length in enumerate(lengths)
        ],
        "by_position": [
            {"position": position, "count": 100, "token_accuracy": score ** (position / 4)} for position in range(1, 8)
        ],
        "edits": {
            "inserted": round(30 * (1 - score)),
            "dropped": round(60 * (1 - score)),
            "substituted": round(90 * (1 - score)),
            "tokens": 500,
            "confusions": [["seven", "six", 9], ["and", "|", 4]] if score < 0.9 else [],
        },
        "epochs": [
            {
                "epoch": i + 1,
                "seconds": speed * (i + 1) + 2,
                "loss": 2 - s,
                "exact_match": s,
                "token_error_rate": 1 - s,
            }
            for i, s in enumerate(learned)
        ],
        "right": pack_bits(np.arange(200) < 200 * score),
        "parameters": 100_000 + int(60_000 * strength),
        "seconds": {"total": speed * epochs + 5, "compile": 2.0, "training": speed * epochs, "generation": 0.7},
        "to_99": {"epochs": 9 + seed, "seconds": 20.5 + seed} if score > 0.95 else None,
        "generation": {"pairs_per_second": 2100.0, "tokens_per_second": 11234.5},
        "peak_memory_mb": 812.5,
        "examples": [
            {
                "source": ["4", "0", "7"],
                "reference": ["four", "hundred", "and", "seven"],
                "output": outputs.get(mode, ["four", "hundred", "and", "seven"]),
            },
            {"source": ["1", "2"], "reference": ["twelve"], "output": ["twelve"]},
        ],
        "attention": None
        if weights is None
        else {
            "source": ["4", "0", "7"],
            "output": ["four", "hundred", "and", "seven", "<end>"],
            "weights": weights.tolist(),
        },
        "versions": {"keras": "3.15.1", "tensorflow": "2.21.0"},
        "machine": {"cpu": "a made-up processor", "cores": 2, "memory": 2**34, "gpus": []},
        "command": "seq2seq-zoo benchmark",
        "when": f"2026-01-0{seed}T12:00:00",
    }
    return {**record, **changes}
