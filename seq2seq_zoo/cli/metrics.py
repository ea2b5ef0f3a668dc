"""Prints metrics as tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from seq2seq_zoo.metrics.metric import METRICS


def print_metrics(metrics: Mapping[str, Any], pairs: int) -> None:
    """Print the metrics of a split, as `evaluate_fully` returns them.

    The first table has the metrics of all rows, next to those of the task's baselines. A second one has them by target
    feature or by source length, where those are known.

    Args:
        metrics: by name.
        pairs: how many rows the split has.
    """
    baselines = metrics.get("baselines", {})
    rows = [["", "model", *baselines]] if baselines else []
    size = ("tokens", metrics["tokens"]) if "tokens" in metrics else ("pairs", pairs)
    sources = [("sources", metrics["sources"])] if "sources" in metrics else []
    rows += [[name, f"{count:,}", *[""] * len(baselines)] for name, count in (size, *sources)]
    for name, metric in METRICS.items():
        if name in metrics:
            columns = (metrics, *baselines.values())
            rows.append([metric.label, *(metric.shown(each[name]) if name in each else "" for each in columns)])
    print_columns(rows)
    if "by_feature" in metrics:
        by_feature = {METRICS[name]: values for name, values in metrics["by_feature"].items()}
        rows = [["feature", *(metric.label for metric in by_feature)]]
        for feature in metrics["by_feature"]["rmse"]:
            rows.append([feature, *(metric.shown(values[feature]) for metric, values in by_feature.items())])
        print()
        print_columns(rows)
    if "by_length" in metrics:
        rows = [["length", "pairs", "exact match", "token error rate"]]
        for entry in metrics["by_length"]:
            rates = [f"{entry[name]:.1%}" for name in ("exact_match", "token_error_rate")]
            rows.append([str(entry["length"]), f"{entry['count']:,}", *rates])
        print()
        print_columns(rows)


def print_columns(rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        print("  ".join(cells).rstrip())
