"""A trained model of real values: `predict` gives its outputs, and the command those for a file."""

import contextlib
import csv
import functools
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq_zoo.data.inputs import Given, Inputs, from_json
from seq2seq_zoo.runtime.command import Parser, errors_in_one_line
from seq2seq_zoo.runtime.graph import Graph, open_graph, run_in_batches
from seq2seq_zoo.runtime.prediction import Output, table

FOLDER = Path(__file__).parent


def predict(sources: Sequence[Any], batch_size: int = 64) -> list[Output]:
    """The output for each source, in the unit of its target.

    Args:
        sources: arrays `(time, columns)` in their own units, with the columns of `columns`. If some columns are known
            in advance, their future follows the history; there, the other columns may hold anything.
        batch_size: number of sources that are run at once.

    Raises:
        ValueError: a source has another shape, or values that are not finite.
    """
    return predict_values(*_opened(), sources, batch_size)


def columns() -> list[str]:
    """The names of the columns of a source."""
    return [*_opened()[1].columns]


@functools.cache
def _opened() -> tuple[Graph, Inputs, list[float]]:
    """The graph and the inputs of this package, and the levels of its quantiles."""
    return open_graph(FOLDER), *read_inputs(FOLDER)


def read_inputs(folder: Path) -> tuple[Inputs, list[float]]:
    """The inputs of an exported model in their own units, and the levels of the quantiles that it predicts."""
    content = json.loads((folder / "inputs.json").read_text(encoding="utf-8"))
    levels = content.pop("levels")
    return from_json(content), levels


def predict_values(
    graph: Graph,
    inputs: Inputs,
    levels: Sequence[float],
    sources: Sequence[Any],
    batch_size: int = 64,
) -> list[Output]:
    """`predict` by any exported model."""
    rows = [np.asarray(source, "float32") for source in sources]
    for number, row in enumerate(rows):
        length, width = inputs.length, len(inputs.columns)
        if row.ndim != 2 or row.shape[1] != width or len(row) != (length or len(row)) or not len(row):
            raise ValueError(
                f"sources[{number}] has the shape {row.shape}: expected ({length or 'time'}, {width}), with the "
                f"columns {', '.join(inputs.columns)}."
            )
    found: dict[int, Output] = {}
    for places, outputs in run_in_batches(graph, rows, batch_size):
        for row, place in enumerate(places):
            time = slice(None if inputs.length else len(rows[place]))
            values = outputs["values"][row, time]
            if not np.isfinite(values).all():
                raise ValueError(f"sources[{place}] has values that are not finite, or too large: expected numbers.")
            quantiles = outputs["quantiles"][row, :, time] if levels else ()
            found[place] = Output(values, dict(zip(levels, quantiles, strict=True)))
    return [found[place] for place in range(len(rows))]


def main() -> None:
    """The console command."""
    with errors_in_one_line():
        parser = Parser(description="Write the model's outputs for a CSV file, as a CSV table.")
        parser.add_argument(
            "file",
            nargs="?",
            help="a line with the names of the columns, then one line for each step; standard input if not given",
        )
        file = parser.parse_args().file
        _, inputs, _ = _opened()
        given = _read_stdin(inputs) if file is None else inputs.read(file)
        outputs = predict([each.values for each in given])
        lines = table(inputs.targets, outputs, [each.times for each in given])
        csv.writer(sys.stdout, lineterminator="\n").writerows(lines)


def _read_stdin(inputs: Inputs) -> list[Given]:
    """The sources of standard input, which is read several times, as a file of that name."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        file = Path("standard input")
        with file.open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
        return inputs.read(file)
