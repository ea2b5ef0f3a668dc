"""What is measured: one function a row. Each gives a record of raw measurements; `report.py` makes sense of them."""

from collections.abc import Callable

from bench import Bench, Record
from contestants import ADDONS, OURS, STOCK, TORCH, TORCH_STEP

SIZES = [(units, length) for units in (128, 256, 512) for length in (12, 40)]

Row = Callable[[Bench], Record]
rows: dict[str, Row] = {}


def row(function: Row) -> Row:
    """Register a row by its function's name."""
    rows[function.__name__] = function
    return function


@row
def step(bench: Bench) -> Record:
    """The training step of the modes that do not look, against fused kernels."""
    problems = [
        {"mode": mode, "cell": cell, "units": units, "length": length}
        for cell in ("lstm", "gru")
        for mode in ("basic", "feedback", "peek")
        for units, length in SIZES
    ]
    return {"cells": [bench.compare({"ours": OURS, "torch": TORCH, "stock": STOCK}, each) for each in problems]}


@row
def attention(bench: Bench) -> Record:
    """The training step of the mode that looks."""
    contestants = {"ours": OURS, "addons": ADDONS, "torch": TORCH, "torch.compile": TORCH_STEP}
    problems = [{"mode": "attention", "units": units, "length": length} for units, length in SIZES]
    return {"cells": [bench.compare(contestants, problem) for problem in problems]}
