"""Ratios and their spread, and Markdown tables of them: numbers in, text out."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

Times = Mapping[str, Sequence[float]]
"""The measurements of each contestant, in the order of the rounds."""


class Ratio(NamedTuple):
    """How many times faster, and the least and greatest of it."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} <sub>{self.low:.2f}\N{EN DASH}{self.high:.2f}</sub>"


def best(times: Times, names: Iterable[str]) -> str:
    """Whose median is least."""
    return min((name for name in names if name in times), key=lambda name: statistics.median(times[name]))


def ratio(times: Times, peer: str, own: str = "ours") -> Ratio:
    """How many times as long the peer takes: the ratio of the medians, and the extremes of the rounds' own ratios."""
    rounds = [theirs / ours for theirs, ours in zip(times[peer], times[own], strict=True)]
    return Ratio(statistics.median(times[peer]) / statistics.median(times[own]), min(rounds), max(rounds))


def mean_ratio(ratios: Sequence[Ratio]) -> Ratio:
    """The geometric mean of the values; the extremes of the values, not of the rounds."""
    values = [each.value for each in ratios]
    return Ratio(math.exp(statistics.fmean(map(math.log, values))), min(values), max(values))


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a Markdown table, the first column to the left and all others to the right."""
    return [
        line(heads),
        line(["---", *["--:"] * (len(heads) - 1)]),
        *map(line, rows),
    ]


def line(cells: Iterable[object]) -> str:
    """A row of a table; what is not there is empty."""
    return f"| {' | '.join('' if cell is None else str(cell) for cell in cells)} |"


def milliseconds(seconds: Sequence[float]) -> str:
    """Their median."""
    value = 1000 * statistics.median(seconds)
    return f"{value:.{2 if value < 10 else 1}f}"
