"""How right outputs are: pure functions over lists of symbols, or over arrays of real values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

Rows = Sequence[Sequence[str]]

_END = object()  # equal to no symbol


@dataclass(frozen=True)
class Metric:
    """How a metric is shown.

    Args:
        label: what readers call it.
        percent: whether it is a fraction, shown in percent.
        higher_is_better: which way is up.
    """

    label: str
    percent: bool = True
    higher_is_better: bool = True

    @property
    def scale(self) -> int:
        """What to multiply a recorded value by."""
        return 100 if self.percent else 1

    @property
    def title(self) -> str:
        """The label with its unit."""
        return f"{self.label}, %" if self.percent else self.label

    def shown(self, value: float) -> str:
        """A value in print."""
        return f"{value:.1%}" if self.percent else f"{value:.4f}"


METRICS = {
    "exact_match": Metric("exact match"),
    "token_accuracy": Metric("token accuracy"),
    "symbol_error_rate": Metric("symbol error rate", higher_is_better=False),
    "perplexity": Metric("perplexity (teacher-forced)", percent=False, higher_is_better=False),
    "next_symbol_accuracy": Metric("next-symbol accuracy (teacher-forced)"),
    "accuracy": Metric("accuracy"),
    "mase": Metric("mean absolute scaled error", percent=False, higher_is_better=False),
    "rmse": Metric("root mean squared error", percent=False, higher_is_better=False),
    "correlation": Metric("correlation", percent=False),
    "quantile_loss": Metric("quantile loss", percent=False, higher_is_better=False),
    "coverage": Metric("coverage between outer quantiles"),
    "bleu": Metric("BLEU"),
    "chrf": Metric("chrF"),
    "rouge_1": Metric("ROUGE-1"),
    "rouge_2": Metric("ROUGE-2"),
    "rouge_l": Metric("ROUGE-L"),
}
"""Every metric by its name."""


def exact_match(references: Rows, outputs: Rows) -> float:
    """The share of rows whose output is the reference, symbol for symbol.

    Args:
        references: the right symbols of each row, without padding and end.
        outputs: the symbols that came out, the same way.

    Returns:
        From 0 to 1, higher is better.

    Raises:
        ValueError: no rows, or not as many outputs as references.

    Example:

    >>> exact_match([["one", "two"], []], [["one", "one"], []])
    0.5
    """
    require_pairs(references, outputs)
    return sum(list(r) == list(o) for r, o in zip(references, outputs, strict=True)) / len(references)


def token_accuracy(references: Rows, outputs: Rows) -> float:
    """The share of the references' positions at which the output has the same symbol.

    A reference of n symbols has n + 1 positions: its symbols and the end after them. So an output that goes on too long
    is wrong at one position, and one that stops early is wrong from there on. Padding is no position. Every position of
    all rows counts alike.

    Args:
        references: the right symbols of each row, without padding and end.
        outputs: the symbols that came out, the same way.

    Returns:
        From 0 to 1, higher is better.

    Raises:
        ValueError: no rows, or not as many outputs as references.

    Example:

    >>> token_accuracy([["one", "two", "three"]], [["one", "one", "three", "four"]])
    0.5
    """
    require_pairs(references, outputs)
    right = sum(
        expected == got
        for reference, output in zip(references, outputs, strict=True)
        # The shorter of the two ends the comparison: what is left of the reference is then wrong.
        for expected, got in zip([*reference, _END], [*output, _END], strict=False)
    )
    return right / sum(len(reference) + 1 for reference in references)


def symbol_error_rate(references: Rows, outputs: Rows) -> float:
    """Insertions, deletions and replacements that mend all outputs, over the number of symbols of all references.

    Where every reference is empty, that number is taken as one.

    Args:
        references: the right symbols of each row, without padding and end.
        outputs: the symbols that came out, the same way.

    Returns:
        From 0, lower is better; above 1 where outputs are longer than references.

    Raises:
        ValueError: no rows, or not as many outputs as references.

    Example:

    >>> symbol_error_rate([["one", "two"], ["three", "four"]], [["two"], ["three", "four"]])
    0.25
    """
    require_pairs(references, outputs)
    edits = sum(Levenshtein.distance(r, o) for r, o in zip(references, outputs, strict=True))
    return edits / max(1, sum(map(len, references)))


def by_length(sources: Rows, references: Rows, outputs: Rows) -> list[dict[str, Any]]:
    """Exact match and error rate apart for each length of source, shortest first.

    Args:
        sources: the symbols of each source.
        references: the right symbols of each row, without padding and end.
        outputs: the symbols that came out, the same way.

    Returns:
        For each length its `length`, `count` of rows, `exact_match` and `symbol_error_rate`.

    Raises:
        ValueError: no rows, or not as many of one as of another.

    Example:

    >>> by_length([["4"], ["4", "0"]], [["four"], ["forty"]], [["four"], ["four"]])[1]
    {'length': 2, 'count': 1, 'exact_match': 0.0, 'symbol_error_rate': 1.0}
    """
    require_pairs(references, outputs)
    if len(sources) != len(references):
        raise ValueError(f"Expected as many sources as references, got {len(sources)} and {len(references)}.")
    groups: dict[int, tuple[list[Sequence[str]], list[Sequence[str]]]] = {}
    for source, reference, output in zip(sources, references, outputs, strict=True):
        chosen = groups.setdefault(len(source), ([], []))
        chosen[0].append(reference)
        chosen[1].append(output)
    return [
        {
            "length": length,
            "count": len(group[0]),
            "exact_match": exact_match(*group),
            "symbol_error_rate": symbol_error_rate(*group),
        }
        for length, group in sorted(groups.items())
    ]


def evaluate(references: Rows, outputs: Rows, sources: Rows | None = None) -> dict[str, Any]:
    """Every metric by its name, as plain JSON; `by_length` only where the sources are given.

    Args:
        references: the right symbols of each row, without padding and end.
        outputs: the symbols that came out, the same way.
        sources: the symbols of each source.

    Raises:
        ValueError: no rows, or not as many of one as of another.

    Example:

    >>> evaluate([["four"]], [["four"]])
    {'exact_match': 1.0, 'token_accuracy': 1.0, 'symbol_error_rate': 0.0}
    """
    rates = {
        metric.__name__: metric(references, outputs) for metric in (exact_match, token_accuracy, symbol_error_rate)
    }
    return rates if sources is None else {**rates, "by_length": by_length(sources, references, outputs)}


def accuracy(references: Rows, outputs: Rows) -> float:
    """The share of labels that are right, where each row has as many as its reference.

    Args:
        references: the right labels of each row.
        outputs: the labels that came out.

    Returns:
        From 0 to 1, higher is better.

    Raises:
        ValueError: no rows, not as many outputs as references, or not as many labels in a row.

    Example:

    >>> accuracy([["noun", "verb"], ["noun"]], [["noun", "noun"], ["noun"]]) == 2 / 3
    True
    """
    require_pairs(references, outputs)
    right = [r == o for rows in zip(references, outputs, strict=True) for r, o in zip(*rows, strict=True)]
    return sum(right) / len(right)


def rmse(targets: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> np.ndarray:
    """The root mean squared error of each feature, over all steps of all rows.

    Args:
        targets: the right values of each row, `(time, features)`.
        outputs: the values that came out, the same way.

    Returns:
        `(features,)`, in the unit of the values, lower is better.

    Raises:
        ValueError: no rows, or not as many outputs as targets.

    Example:

    >>> rmse([np.array([[1.0, 2.0], [3.0, 2.0]])], [np.array([[1.0, 5.0], [3.0, 2.0]])]).round(2)
    array([0.  , 2.12])
    """
    right, given = _together(targets, outputs)
    return np.sqrt(np.mean((right - given) ** 2, axis=0))


def correlation(targets: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> np.ndarray:
    """Pearson's correlation between target and output, for each feature, over all steps of all rows.

    Arguments and errors are those of `rmse`.

    Returns:
        `(features,)`, from -1 to 1, higher is better; 0 where one of the two never changes.

    Example:

    >>> correlation([np.array([[1.0], [2.0], [3.0]])], [np.array([[3.0], [5.0], [7.0]])])
    array([1.])
    """
    right, given = (each - each.mean(axis=0) for each in _together(targets, outputs))
    scale = np.sqrt((right**2).sum(axis=0) * (given**2).sum(axis=0))
    return np.divide((right * given).sum(axis=0), scale, out=np.zeros_like(scale), where=scale > 0)


def mase(targets: Sequence[np.ndarray], outputs: Sequence[np.ndarray], naive_error: np.ndarray) -> np.ndarray:
    """The mean absolute error of each feature, in units of the naive forecast's on the data that was trained on.

    Arguments and errors are those of `rmse`, and:

    Args:
        naive_error: `(features,)`, the mean of `|y[t] - y[t - m]|` over train, for a season of `m` steps.

    Returns:
        `(features,)`, lower is better; about 1 for a forecast no better than to repeat what was a season ago.

    Example:

    >>> mase([np.array([[1.0], [2.0]])], [np.array([[2.0], [2.0]])], np.array([0.25]))
    array([2.])

    Reference:
        Hyndman and Koehler 2006, "Another look at measures of forecast accuracy", section 3.
    """
    right, given = _together(targets, outputs)
    return np.abs(right - given).mean(axis=0) / naive_error


def quantile_loss(targets: Sequence[np.ndarray], quantiles: Mapping[float, Sequence[np.ndarray]]) -> np.ndarray:
    """The mean over quantiles and steps of what a quantile minimises: `max(q (y - p), (q - 1) (y - p))`.

    Args:
        targets: the right values of each row, `(time, features)`.
        quantiles: what came out for each level `q`, the same way.

    Returns:
        `(features,)`, in the unit of the values, lower is better.

    Raises:
        ValueError: no rows, or not as many outputs as targets.

    Example:

    >>> quantile_loss([np.array([[2.0]])], {0.1: [np.array([[0.0]])], 0.9: [np.array([[3.0]])]}).round(3)
    array([0.15])
    """
    losses = []
    for level, outputs in quantiles.items():
        right, given = _together(targets, outputs)
        losses.append(np.maximum(level * (right - given), (level - 1) * (right - given)).mean(axis=0))
    return np.mean(losses, axis=0)


def coverage(targets: Sequence[np.ndarray], quantiles: Mapping[float, Sequence[np.ndarray]]) -> np.ndarray:
    """The share of targets from the lowest of some quantiles to the highest: of 0.1 and 0.9, it should be 0.8.

    Arguments and errors are those of `quantile_loss`.

    Returns:
        `(features,)`, from 0 to 1.

    Example:

    >>> coverage([np.array([[2.0], [4.0]])], {0.1: [np.zeros((2, 1))], 0.9: [np.full((2, 1), 3.0)]})
    array([0.5])
    """
    right, low = _together(targets, quantiles[min(quantiles)])
    _, high = _together(targets, quantiles[max(quantiles)])
    return ((low <= right) & (right <= high)).mean(axis=0)


def evaluate_vectors(
    targets: Sequence[np.ndarray],
    outputs: Sequence[np.ndarray],
    naive_error: np.ndarray | None = None,
    quantiles: Mapping[float, Sequence[np.ndarray]] | None = None,
) -> dict[str, Any]:
    """The metrics of real values by their names, as plain JSON: means over the features, and `by_feature`.

    Args:
        targets: the right values of each row, `(time, features)`.
        outputs: the values that came out, the same way.
        naive_error: where they are forecasts, that of `mase`.
        quantiles: where they are distributions, those of `quantile_loss`.

    Raises:
        ValueError: no rows, or not as many outputs as targets.

    Example:

    >>> evaluate_vectors([np.array([[1.0], [2.0]])], [np.array([[1.0], [2.0]])])
    {'rmse': 0.0, 'correlation': 1.0, 'by_feature': {'rmse': [0.0], 'correlation': [1.0]}}
    """
    each = {} if naive_error is None else {"mase": mase(targets, outputs, naive_error)}
    each |= {metric.__name__: metric(targets, outputs) for metric in (rmse, correlation)}
    if quantiles:
        each |= {metric.__name__: metric(targets, quantiles) for metric in (quantile_loss, coverage)}
    means = {name: float(values.mean()) for name, values in each.items()}
    return {**means, "by_feature": {name: values.tolist() for name, values in each.items()}}


def _together(targets: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """All steps of all rows, `(steps, features)`, in double precision."""
    require_pairs(targets, outputs)
    right, given = (np.concatenate([np.asarray(row, "float64") for row in rows]) for rows in (targets, outputs))
    return right, given


def require_pairs(references: Sequence[Any], outputs: Sequence[Any]) -> None:
    """Refuse to measure nothing, or rows that are not as many as their references.

    Raises:
        ValueError: no rows, or not as many outputs as references.
    """
    if len(references) != len(outputs):
        raise ValueError(f"Expected as many outputs as references, got {len(outputs)} and {len(references)}.")
    if not len(references):
        raise ValueError("Expected at least one row to measure, got none.")
