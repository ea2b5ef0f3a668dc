"""Real-valued outputs of a model, in the unit of their targets, and their evaluation."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from seq2seq_zoo.data.mapped import Mapped
from seq2seq_zoo.data.padding import Batches
from seq2seq_zoo.metrics.real_values import real_value_metrics
from seq2seq_zoo.tasks.task import Row, Series


class Output(NamedTuple):
    """The output for one row, in the unit of its target."""

    values: np.ndarray
    """`(time, features)`."""
    quantiles: dict[float, np.ndarray]
    """Quantiles of the values, by level: each `(time, features)`. Empty if the readout predicts no distribution."""


def predict(model: Any, rows: Sequence[Row], batch_size: int = 256) -> list[Output]:
    """The output of a model for each row, with the length of the row's target.

    Args:
        model: as `factory.make_model` returns it for a `Series`.
        rows: of their targets, only the length and the scale are used.
        batch_size: how many rows are computed at once. It changes no result.
    """
    readout, outputs = model.readout, list[Any]([None] * len(rows))
    pairs = Mapped(lambda row: (row.source, row.target), rows)
    for places, source, _ in Batches(pairs, None, min(batch_size, len(rows))).in_order():
        numbers = model.predict_on_batch(source)
        batches = [readout.predict(numbers), *readout.quantiles_of(numbers).values()]
        for place, *each in zip(places.tolist(), *map(np.asarray, batches), strict=False):
            row = rows[place]
            values, *quantiles = (row.restore(one[: len(row.target)]) for one in each)
            outputs[place] = Output(values, dict(zip(readout.quantiles_of(numbers), quantiles, strict=True)))
    return outputs


def evaluate_outputs(data: Series, split: str, outputs: Sequence[Output]) -> dict[str, Any]:
    """The metrics of the outputs for the rows of a split, by name; under `by_feature`, those of each target feature."""
    targets = [row.restore(row.target) for row in data.splits[split]]
    quantiles = {level: [each.quantiles[level] for each in outputs] for level in outputs[0].quantiles}
    metrics = real_value_metrics(targets, [each.values for each in outputs], data.naive_error, quantiles)
    named = {name: dict(zip(data.target, each, strict=True)) for name, each in metrics["by_feature"].items()}
    return {**metrics, "by_feature": named}


def evaluate_baselines(data: Series, split: str) -> dict[str, dict[str, Any]]:
    """The metrics of each of the task's baselines on a split, by name."""
    return {
        name: evaluate_outputs(data, split, [Output(each, {}) for each in values(split)])
        for name, values in data.baselines.items()
    }


def table(
    names: Sequence[str], outputs: Sequence[Output], rows: Sequence[Row], targets: bool = False
) -> Iterator[list[str]]:
    """The lines of a table of outputs: the names of the columns, then a line for each step of each row.

    Args:
        names: of the target features.
        outputs: one for each row.
        rows: the rows. The table has the times of their steps, if they have any.
        targets: whether the table also has the targets.
    """
    quantiles = [f"{name} ({level:g})" for level in outputs[0].quantiles for name in names]
    time = ["time"] if len(rows[0].times) else []
    yield ["row", "step", *time, *names, *([f"{name} (output)" for name in names] if targets else ()), *quantiles]
    for number, (row, (values, quantiles)) in enumerate(zip(rows, outputs, strict=True)):
        target = [row.restore(row.target)] if targets else []
        for step, line in enumerate(np.concatenate([*target, values, *quantiles.values()], axis=1).tolist()):
            yield [str(number), str(step), *row.times[step : step + 1], *(f"{value:.6g}" for value in line)]
