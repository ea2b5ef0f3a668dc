"""Ratios and their spread, and Markdown tables."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

Times = Mapping[str, Sequence[float]]
"""The measurements of each contestant, in the order of the rounds."""


class Ratio(NamedTuple):
    """A speed-up with its minimum and maximum."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} <sub>{self.low:.2f}\N{EN DASH}{self.high:.2f}</sub>"


def best(times: Times, names: Iterable[str]) -> str:
    """The contestant with the smallest median."""
    return min((name for name in names if name in times), key=lambda name: statistics.median(times[name]))


def ratio(times: Times, peer: str, own: str = "ours") -> Ratio:
    """The peer's time over ours: the ratio of the medians, with minimum and maximum over the rounds."""
    rounds = [theirs / ours for theirs, ours in zip(times[peer], times[own], strict=True)]
    return Ratio(statistics.median(times[peer]) / statistics.median(times[own]), min(rounds), max(rounds))


def mean_ratio(ratios: Sequence[Ratio]) -> Ratio:
    """The geometric mean of the values, with minimum and maximum of the values (not of the rounds)."""
    values = [each.value for each in ratios]
    return Ratio(math.exp(statistics.fmean(map(math.log, values))), min(values), max(values))


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """The lines of a Markdown table, with the first column aligned left and all others right."""
    return [
        line(heads),
        line(["---", *["--:"] * (len(heads) - 1)]),
        *map(line, rows),
    ]


def line(cells: Iterable[object]) -> str:
    """A row of a table; `None` gives an empty cell."""
    return f"| {' | '.join('' if cell is None else str(cell) for cell in cells)} |"


def milliseconds(seconds: Sequence[float]) -> str:
    """The median in milliseconds."""
    value = 1000 * statistics.median(seconds)
    return f"{value:.{2 if value < 10 else 1}f}"
