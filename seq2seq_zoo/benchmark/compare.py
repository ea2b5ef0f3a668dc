"""Two runs of a suite side by side: the scores that changed, and how the runs differ otherwise."""

import os
from math import isnan
from typing import Any

from seq2seq_zoo.benchmark import plots
from seq2seq_zoo.benchmark.page import bullets, heading, paragraph, table
from seq2seq_zoo.benchmark.records import Record, Results, read_results, values
from seq2seq_zoo.benchmark.statistics import Estimate, difference, estimate
from seq2seq_zoo.metrics.metric import METRICS, Metric

NOTHING = "\N{EN DASH}"


def compare(before: str | os.PathLike[str], after: str | os.PathLike[str]) -> str:
    """Compare two runs question by question, as Markdown.

    A score has changed if the 95 % bootstrap interval of its difference excludes zero.

    Args:
        before: the directory of the first run, A.
        after: the directory of the second run, B.

    Returns:
        Tables with both scores and their difference, then the differences in configuration, versions and machine.

    Raises:
        RecordError: the records of a run cannot be read.
    """
    a, b = read_results(before), read_results(after)
    pieces = [heading(1, "Two runs compared"), bullets([f"A: {before}", f"B: {after}"])]
    changes: list[str] = []
    questions = {question["name"]: question for question in (*b.questions, *a.questions)}
    for name, question in questions.items():
        xs = dict.fromkeys(x for run in (a, b) for own in run.questions if own["name"] == name for x in values(own))
        rows = []
        for x in xs:
            for mode in dict.fromkeys((*a.modes, *b.modes)):
                where = plots.condition(question, x) if question["x"] else "all test pairs"
                *row, verdict = _row(a, b, question, x, mode)
                rows.append([where, mode, *row, verdict])
                if verdict in ("better", "worse"):
                    changes.append(f"{name}, {where}, {mode}: {verdict}")
        title = METRICS[question["metric"]].title
        pieces += [
            heading(2, question["title"]),
            table([title, "mode", "A", "B", "B - A", "changed"], rows, wordy=True),
        ]
    summary = [
        heading(2, "What changed"),
        bullets(changes) if changes else paragraph("Nothing: the interval of every difference includes zero."),
    ]
    return "\n\n".join(piece.markdown for piece in [*pieces[:2], *summary, *pieces[2:], *_circumstances(a, b)]) + "\n"


def _row(a: Results, b: Results, question: dict[str, Any], x: Any, mode: str) -> list[str]:
    metric = METRICS[question["metric"]]
    scores = [run.scores(question, x, mode) for run in (a, b)]
    missing = ["failed" if run.cells(question["name"], x, mode) else NOTHING for run in (a, b)]
    shown = [_with_interval(metric, estimate(scores[i]), missing[i]) for i in (0, 1)]
    if not all(scores):
        return [*shown, NOTHING, "only in A" if scores[0] else "only in B" if scores[1] else "in neither"]
    change = difference(scores[0], scores[1])
    if isnan(change.low):
        verdict = "unknown (one seed)"
    elif change.low <= 0 <= change.high:
        verdict = "no"
    else:
        verdict = "better" if (change.value > 0) == metric.higher_is_better else "worse"
    return [*shown, _with_interval(metric, change, NOTHING, "+"), verdict]


def _with_interval(metric: Metric, e: Estimate, missing: str, sign: str = "") -> str:
    if not e.runs:
        return missing
    value, low, high = (
        f"{metric.scale * end:{sign}.{1 if metric.percent else 3}f}" for end in (e.value, e.low, e.high)
    )
    return value if isnan(e.low) else f"{value} ({low} to {high})"


def _circumstances(a: Results, b: Results) -> list[Any]:
    def cells(run: Results) -> dict[tuple[Any, ...], Record]:
        return {(r["question"], str(r["x"]), r["mode"], r["seed"]): r for r in run.records}

    first, second = cells(a), cells(b)
    shared = [key for key in first if key in second]
    pieces = []
    for title, keys in (("Configuration", ("config",)), ("Versions and machine", ("versions", "machine"))):
        found: dict[str, int] = {}
        for cell in shared:
            one, other = (
                {k: v for key in keys for k, v in _flat(run[cell].get(key)).items()} for run in (first, second)
            )
            for key in sorted({*one, *other}):
                if one.get(key) != other.get(key):
                    text = f"{key}: {one.get(key, 'absent')} in A, {other.get(key, 'absent')} in B"
                    found[text] = found.get(text, 0) + 1
        lines = [f"{text} ({count} of {len(shared)} shared cells)" for text, count in found.items()]
        if not shared:
            lines = ["No cell is in both runs."]
        pieces += [heading(2, title), bullets(lines or ["The same in all shared cells."])]
    alone: dict[str, list[str]] = {}
    for name, own, other in (("A", first, second), ("B", second, first)):
        for question, x, mode, seed in (key for key in own if key not in other):
            where = f"only in {name}: {question}, {'' if x == 'None' else f'{x}, '}{mode}"
            alone.setdefault(where, []).append(str(seed))
    lines = [f"{where}, seed {', '.join(seeds)}" for where, seeds in alone.items()]
    return [*pieces, *([heading(2, "Cells in one run only"), bullets(lines)] if lines else [])]


def _flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Nested settings by their dotted keys."""
    if not isinstance(tree, dict) or not tree:
        return {prefix: tree} if prefix else {}
    return {
        key: value
        for name, branch in tree.items()
        for key, value in _flat(branch, f"{prefix}.{name}".lstrip(".")).items()
    }
