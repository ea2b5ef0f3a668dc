"""Real-valued outputs of a model, in the unit of their targets, and their evaluation."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seq2seq_zoo.data.mapped import Mapped
from seq2seq_zoo.data.padding import Batches
from seq2seq_zoo.metrics.real_values import real_value_metrics
from seq2seq_zoo.runtime.prediction import Output
from seq2seq_zoo.tasks.task import Row, Series


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


def largest_difference(outputs: Sequence[Output], others: Sequence[Output]) -> tuple[float, float]:
    """The largest difference between the values of two models for the same rows, and the largest standard deviation of
    a feature in those of the first."""
    difference = max(np.abs(one.values - other.values).max() for one, other in zip(outputs, others, strict=True))
    return float(difference), float(np.concatenate([each.values for each in outputs]).std(axis=0).max())
