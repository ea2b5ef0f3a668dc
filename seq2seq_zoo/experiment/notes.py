"""What to know about the data before a training or an evaluation, in one line each."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from seq2seq_zoo.tasks.task import Data, Series

FEW = 50
"""With fewer dev pairs than this, it is largely chance which epoch is the best."""
FAR = 4
"""From how many times the 99th percentile the longest source or target is far beyond it."""
SHORT = 32
"""Below this length, padding to the longest costs little, whatever the percentile."""


def before_training(config: Mapping[str, Any], data: Data | Series, model: Any) -> list[str]:
    """The notes for a training.

    Args:
        config: the resolved configuration.
        data: the task's data.
        model: the model.
    """
    too_long = [] if config["decoder"] is None else too_long_targets(data, model.max_length)
    return [*too_long, *_outliers(config, data), *_tiny_dev(data)]


def too_long_targets(data: Data | Series, max_length: int, splits: Iterable[str] | None = None) -> list[str]:
    """A note if targets are longer than outputs can be.

    Args:
        data: the task's data.
        max_length: the largest number of output tokens, the end included.
        splits: the splits to look at; all by default.
    """
    if isinstance(data, Series) or data.targets != "sequence" or data.window is not None:
        return []
    needed = {split: data.lengths(split)[:, 1] + (data.end is not None) for split in splits or data.splits}
    longest = max(int(lengths.max(initial=0)) for lengths in needed.values())
    if longest <= max_length:
        return []
    counts = [f"{(lengths > max_length).sum():,} of {len(lengths):,} in {split}" for split, lengths in needed.items()]
    return [
        f"Targets longer than decoder.max_length, {max_length}, so that no output can equal them: {', '.join(counts)}. "
        f"The shortest max_length that would do is {longest}{' with the end token' if data.end is not None else ''}."
    ]


def _outliers(config: Mapping[str, Any], data: Data | Series) -> list[str]:
    """A note if a few pairs of train are far longer than all others, which are padded to their length."""
    if isinstance(data, Series) or data.window is not None:
        return []
    found, remedies = [], []
    for side, lengths in zip(("source", "target"), data.lengths("train").T, strict=True):
        longest, usual = int(lengths.max()), int(np.percentile(lengths, 99, method="lower"))
        if longest >= max(FAR * usual, SHORT):
            found.append(f"the longest {side} has {longest:,} tokens and 99 % have at most {usual:,}")
            remedies += [f"task.max_{side}_tokens"] if f"max_{side}_tokens" in config["task"] else []
    if not found:
        return []
    leave_out = [f"leave longer pairs out with {' and '.join(remedies)}"] if remedies else []
    buckets = ["pad fewer batches to it with training.buckets"] if config["training"]["buckets"] == 1 else []
    advice = ", or ".join([*leave_out, *buckets])
    return [
        f"In train, {', '.join(found)}: every batch is padded to the longest, which takes time and memory."
        + (f" To save them, {advice}." if advice else "")
    ]


def _tiny_dev(data: Data | Series) -> list[str]:
    """A note if dev is too small to choose an epoch by."""
    size = data.size("dev")
    if size >= FEW or (isinstance(data, Data) and data.splits["dev"] == data.splits["train"]):
        return []  # pairs that are trained on are memorised, which is not chance
    return [
        f"dev has only {size} {data.counted}, so it is largely chance which epoch is the best by them. Add some, or "
        "use the model of the last epoch, last.keras."
    ]
