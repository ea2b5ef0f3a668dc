"""Metrics of real values: pure functions over arrays."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seq2seq_zoo.metrics.tokens import require_pairs


def rmse(targets: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> np.ndarray:
    """The root mean squared error of each feature, over all steps of all rows.

    Args:
        targets: the target values of each row, `(time, features)`.
        outputs: the predicted values of each row, `(time, features)`.

    Returns:
        `(features,)`, in the unit of the values, lower is better.

    Raises:
        ValueError: there are no rows, or not as many outputs as targets.

    Example:

    >>> rmse([np.array([[1.0, 2.0], [3.0, 2.0]])], [np.array([[1.0, 5.0], [3.0, 2.0]])]).round(2)
    array([0.  , 2.12])
    """
    y, p = _concatenated(targets, outputs)
    return np.sqrt(np.mean((y - p) ** 2, axis=0))


def correlation(targets: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> np.ndarray:
    """Pearson's correlation between targets and outputs for each feature, over all steps of all rows.

    Arguments and errors are those of `rmse`.

    Returns:
        `(features,)`, from -1 to 1, higher is better; 0 if targets or outputs are constant.

    Example:

    >>> correlation([np.array([[1.0], [2.0], [3.0]])], [np.array([[3.0], [5.0], [7.0]])])
    array([1.])
    """
    y, p = (each - each.mean(axis=0) for each in _concatenated(targets, outputs))
    scale = np.sqrt((y**2).sum(axis=0) * (p**2).sum(axis=0))
    return np.divide((y * p).sum(axis=0), scale, out=np.zeros_like(scale), where=scale > 0)


def mase(targets: Sequence[np.ndarray], outputs: Sequence[np.ndarray], naive_error: np.ndarray) -> np.ndarray:
    """The mean absolute scaled error of each feature: the mean absolute error divided by that of the naive forecast.

    Arguments and errors are those of `rmse`, and:

    Args:
        naive_error: the mean of `|y[t] - y[t - m]|` over train, for a season of `m` steps: `(features,)`.

    Returns:
        `(features,)`, lower is better; about 1 for a forecast as good as repeating the last season.

    Example:

    >>> mase([np.array([[1.0], [2.0]])], [np.array([[2.0], [2.0]])], np.array([0.25]))
    array([2.])

    Reference:
        Hyndman and Koehler 2006, "Another look at measures of forecast accuracy", section 3.
    """
    y, p = _concatenated(targets, outputs)
    return np.abs(y - p).mean(axis=0) / naive_error


def quantile_loss(targets: Sequence[np.ndarray], quantiles: Mapping[float, Sequence[np.ndarray]]) -> np.ndarray:
    """The quantile (pinball) loss `max(q (y - p), (q - 1) (y - p))`, averaged over quantiles and steps.

    Args:
        targets: the target values `y` of each row, `(time, features)`.
        quantiles: for each level `q` the predicted quantiles `p` of each row, `(time, features)`.

    Returns:
        `(features,)`, in the unit of the values, lower is better.

    Raises:
        ValueError: there are no rows, or not as many outputs as targets.

    Example:

    >>> quantile_loss([np.array([[2.0]])], {0.1: [np.array([[0.0]])], 0.9: [np.array([[3.0]])]}).round(3)
    array([0.15])
    """
    losses = []
    for q, outputs in quantiles.items():
        y, p = _concatenated(targets, outputs)
        losses.append(np.maximum(q * (y - p), (q - 1) * (y - p)).mean(axis=0))
    return np.mean(losses, axis=0)


def coverage(targets: Sequence[np.ndarray], quantiles: Mapping[float, Sequence[np.ndarray]]) -> np.ndarray:
    """The share of targets between the lowest and the highest quantile. Between 0.1 and 0.9, it should be 0.8.

    Arguments and errors are those of `quantile_loss`.

    Returns:
        `(features,)`, from 0 to 1.

    Example:

    >>> coverage([np.array([[2.0], [4.0]])], {0.1: [np.zeros((2, 1))], 0.9: [np.full((2, 1), 3.0)]})
    array([0.5])
    """
    y, low = _concatenated(targets, quantiles[min(quantiles)])
    _, high = _concatenated(targets, quantiles[max(quantiles)])
    return ((low <= y) & (y <= high)).mean(axis=0)


def real_value_metrics(
    targets: Sequence[np.ndarray],
    outputs: Sequence[np.ndarray],
    naive_error: np.ndarray | None = None,
    quantiles: Mapping[float, Sequence[np.ndarray]] | None = None,
) -> dict[str, Any]:
    """The metrics of real values by their names, as plain JSON: means over the features, and `by_feature`.

    Arguments and errors are those of `rmse`, and:

    Args:
        naive_error: for forecasts, as of `mase`.
        quantiles: for predicted distributions, as of `quantile_loss`.

    Example:

    >>> real_value_metrics([np.array([[1.0], [2.0]])], [np.array([[1.0], [2.0]])])
    {'rmse': 0.0, 'correlation': 1.0, 'by_feature': {'rmse': [0.0], 'correlation': [1.0]}}
    """
    each = {} if naive_error is None else {"mase": mase(targets, outputs, naive_error)}
    each |= {metric.__name__: metric(targets, outputs) for metric in (rmse, correlation)}
    if quantiles:
        each |= {metric.__name__: metric(targets, quantiles) for metric in (quantile_loss, coverage)}
    means = {name: float(values.mean()) for name, values in each.items()}
    return {**means, "by_feature": {name: values.tolist() for name, values in each.items()}}


def _concatenated(targets: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """All steps of all rows, float64 `(steps, features)`."""
    require_pairs(targets, outputs)
    y, p = (np.concatenate([np.asarray(row, "float64") for row in rows]) for rows in (targets, outputs))
    return y, p
