"""The figures of a report: one column wide, readable on a phone, with the same style for a mode in all of them."""

import itertools
import math
import re
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from seq2seq_zoo.benchmark.records import Results, trial_scores, values
from seq2seq_zoo.benchmark.statistics import band, estimate, expected_best, profile
from seq2seq_zoo.figures import INK, WIDTH, Style, image, styled, styles
from seq2seq_zoo.metrics.metric import METRICS, Metric


def render(figure: Figure) -> tuple[bytes, str]:
    """A figure as PNG on white, and as transparent SVG in the text colour of its page."""
    png, svg = image(figure), image(figure, "svg", transparent=True).decode()
    body = svg[svg.index("<svg") :].replace(INK, "currentColor")
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    return png, re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", re.sub(r' height="[^"]*pt"', "", body, count=1))


# === Scores against x ===


@styled
def against_x(results: Results, question: dict[str, Any]) -> Figure:
    """The metric of a question against its x: interquartile means, with intervals as bars and bands."""
    metric = METRICS[question["metric"]]
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    axes = figure.add_subplot()
    ticks = _positions(question)
    step = min(np.diff(ticks)) if len(ticks) > 1 else 1.0
    for index, (mode, style) in enumerate(_styled_modes(results)):
        estimates = [estimate(results.scores(question, x, mode)) for x in values(question)]
        # Shifted a little, so that modes with equal scores do not hide one another.
        x = ticks + (index - (len(results.modes) - 1) / 2) * 0.035 * step
        value, low, high = (
            metric.scale * np.array([getattr(e, end) for e in estimates]) for end in ("value", "low", "high")
        )
        axes.plot(x, value, color=style.color, marker=style.marker, label=mode)
        axes.vlines(x, low, high, color=style.color, linewidth=1.2)
        axes.fill_between(x, low, high, color=style.color, alpha=0.2, linewidth=0)
    published = question.get("published") or []
    for each, dashes in zip(published, itertools.cycle(["--", ":", "-."])):
        heights = np.broadcast_to(np.array(each["value"], float), len(ticks))
        axes.plot(ticks, heights, dashes, marker="+", color=INK, linewidth=1, label=each["label"])
    if published:
        figure.legend(handles=axes.lines[-len(published) :], loc="outside lower center", fontsize=9, title="published")
    axes.set_xticks(ticks, [number(x) for x in values(question)])
    axes.set_xlabel(question["x"]["label"])
    _percent_axis(axes, metric)
    axes.set_ylabel(f"{metric.title} (test)")
    _legend(figure, results)
    return figure


def _positions(question: dict[str, Any]) -> np.ndarray:
    """The positions of the values of x: evenly spaced for names, logarithmic if the question says so."""
    shown, scale = values(question), question["x"].get("scale", "linear")
    if not numeric(question):
        return np.arange(len(shown), dtype=float)
    return np.log(shown) if scale == "log" and min(shown) > 0 else np.asarray(shown, float)


# === Shares of runs ===


@styled
def profiles(results: Results, conditions: Iterable[tuple[dict[str, Any], Any]]) -> Figure:
    """The share of the runs of each mode whose exact match is at least as high as each score.

    Args:
        results: the results.
        conditions: the questions and values of x that count, in which every mode has runs.
    """
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    axes = figure.add_subplot()
    thresholds = np.linspace(0, 1, 201)
    conditions = list(conditions)
    for index, (mode, style) in enumerate(_styled_modes(results)):
        strata = [
            np.array(results.scores({**question, "metric": "exact_match"}, x, mode)) for question, x in conditions
        ]
        shares = (100 * share for share in profile(strata, thresholds))
        _curve(axes, 100 * thresholds, *shares, index=index, style=style)
    axes.set_xlim(0, 102)
    axes.set_ylim(-4, 104)
    axes.set_yticks([0, 25, 50, 75, 100])
    axes.set_xlabel("exact match, % (test)")
    axes.set_ylabel("runs with at least this score, %")
    _legend(figure, results)
    return figure


# === Scores against source length and position ===


def against_length(results: Results, question: dict[str, Any]) -> Figure:
    """Exact match, or token error rate if that is the metric, against source length: a panel for each condition."""
    name = question["metric"] if question["metric"] == "token_error_rate" else "exact_match"
    return _along("length", "source length, tokens", results, question, name)


def against_position(results: Results, question: dict[str, Any]) -> Figure:
    """Token accuracy against the position in the reference: a panel for each condition."""
    return _along("position", "position in the reference", results, question, "token_accuracy")


@styled
def _along(
    axis: Literal["length", "position"], label: str, results: Results, question: dict[str, Any], name: str
) -> Figure:
    metric = METRICS[name]
    figure, panels = _panels(question, columns=1 if len(values(question)) == 1 else 2)
    for x, axes in zip(values(question), panels, strict=True):
        for index, (mode, style) in enumerate(_styled_modes(results)):
            scores = results.along(axis, question, x, mode, name)
            points = np.array(list(scores), float)
            estimates = [estimate(found) for found in scores.values()]
            ends = ([metric.scale * getattr(e, end) for e in estimates] for end in ("value", "low", "high"))
            shift = 0.05 * np.min(np.diff(points), initial=1.0) * (index - (len(results.modes) - 1) / 2)
            _curve(axes, points + shift, *ends, index=index, style=style)
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        _percent_axis(axes, metric)
    figure.supxlabel(label, fontsize=10)
    figure.supylabel(f"{metric.title} (test)", fontsize=10)
    _legend(figure, results)
    return figure


# === Scores against time ===


@styled
def learning_curves(results: Results, question: dict[str, Any]) -> Figure:
    """Exact match on dev against epochs and against seconds, a row of panels for each condition."""
    conditions = values(question)
    figure = Figure(figsize=(WIDTH, 0.9 + 1.75 * len(conditions)), layout="constrained")
    grid = figure.subplots(len(conditions), 2, sharey=True, sharex="col", squeeze=False)
    metric = METRICS["exact_match"]
    for x, row in zip(conditions, grid, strict=True):
        for axes, key in zip(row, ("epoch", "seconds"), strict=True):
            for index, (mode, style) in enumerate(_styled_modes(results)):
                found = [record.get("epochs", []) for record in results.runs(question["name"], x, mode)]
                scored = [[epoch for epoch in epochs if epoch["exact_match"] is not None] for epochs in found]
                if not (runs := [epochs for epochs in scored if epochs]):
                    continue
                # From the first point at which all runs have a score to the end of the longest run. A run that stopped
                # early keeps its last score.
                start, end = max(run[0][key] for run in runs), max(run[-1][key] for run in runs)
                points = np.arange(start, end + 1) if key == "epoch" else np.linspace(start, end, 60)
                curves = [np.interp(points, [e[key] for e in run], [e["exact_match"] for e in run]) for run in runs]
                _curve(axes, points, *(metric.scale * np.array(band(np.array(curves)))), index=index, style=style)
            _percent_axis(axes, metric)
        row[0].xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        if x is not None:
            row[0].set_title(condition(question, x), loc="left")
    grid[-1, 0].set_xlabel("epoch")
    grid[-1, 1].set_xlabel("seconds since start")
    figure.supylabel(f"{metric.title} (dev)", fontsize=10)
    _legend(figure, results)
    return figure


def _curve(axes: Axes, x: np.ndarray, value: Any, low: Any, high: Any, index: int, style: Style) -> None:
    """A line with its band. Each mode has markers at other points, so that lines that coincide can be told apart."""
    every = max(1, math.ceil(len(x) / 6))
    axes.plot(x, value, color=style.color, marker=style.marker, markevery=(index % every, every), alpha=0.9)
    axes.fill_between(x, low, high, color=style.color, alpha=0.2, linewidth=0)


# === Scores against trials ===


@styled
def expected_scores(results: Results, question: dict[str, Any]) -> Figure:
    """The expected best dev score after n trials: a panel for each condition."""
    figure, panels = _panels(question, columns=1 if len(values(question)) == 1 else 2)
    metric = METRICS["exact_match"]
    for x, axes in zip(values(question), panels, strict=True):
        for index, (mode, style) in enumerate(_styled_modes(results)):
            study = results.study(question["name"], x, mode)
            if study is None:
                continue
            metric = METRICS[study["metric"]]
            expected = metric.scale * expected_best(trial_scores(study), metric.higher_is_better)
            _curve(axes, np.arange(1, len(expected) + 1), expected, expected, expected, index=index, style=style)
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        _percent_axis(axes, metric)
    figure.supxlabel("trials", fontsize=10)
    figure.supylabel(f"best {metric.title} (dev)", fontsize=10)
    _legend(figure, results)
    return figure


# === Shared ===


def condition(question: dict[str, Any], x: Any) -> str:
    """One value of the x of a question, as text.

    Example:

    >>> condition({"x": {"label": "training pairs"}}, 4000)
    'training pairs: 4,000'
    """
    return f"{question['x']['label']}: {number(x)}"


def numeric(question: dict[str, Any]) -> bool:
    """Whether the x of a question is a number."""
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values(question))


def number(value: Any) -> str:
    """A value of x as text, with a thousands separator.

    Example:

    >>> number(16000), number(0.5), number("whole")
    ('16,000', '0.5', 'whole')
    """
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _styled_modes(results: Results) -> list[tuple[str, Style]]:
    chosen = styles(results.modes)
    return [(mode, chosen[mode]) for mode in results.modes]


def _panels(question: dict[str, Any], columns: int) -> tuple[Figure, list[Axes]]:
    conditions = values(question)
    rows = math.ceil(len(conditions) / columns)
    figure = Figure(figsize=(WIDTH, 0.9 + (2.7 if rows * columns == 1 else 1.8) * rows), layout="constrained")
    grid = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    for axes in grid[len(conditions) :]:
        axes.set_visible(False)
    for axes in grid[max(0, len(conditions) - columns) : len(conditions)]:
        axes.tick_params(labelbottom=True)  # the lowest panel of each column
    for x, axes in zip(conditions, grid, strict=False):
        if x is not None:
            axes.set_title(condition(question, x), loc="left")
    return figure, grid[: len(conditions)]


def _percent_axis(axes: Axes, metric: Metric) -> None:
    if metric.percent and metric.higher_is_better:
        axes.set_ylim(-4, 104)
        axes.set_yticks([0, 25, 50, 75, 100])
    elif metric.percent:
        axes.set_ylim(bottom=0)


def _legend(figure: Figure, results: Results) -> None:
    handles = [
        Line2D([], [], color=style.color, marker=style.marker, label=mode) for mode, style in _styled_modes(results)
    ]
    figure.legend(
        handles=handles, loc="outside upper center", ncols=min(4, len(handles)), columnspacing=1.2, handlelength=1.6
    )
