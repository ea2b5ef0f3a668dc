"""What to know about the data before a training or an evaluation, in one line each."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from seq2seq_zoo.system.environment import available_memory
from seq2seq_zoo.tasks.task import Data, Series
from seq2seq_zoo.training.memory import step_memory
from seq2seq_zoo.training.training import Training

FEW = 50
"""With fewer dev pairs than this, it is largely chance which epoch is the best."""
FAR = 4
"""From how many times the 99th percentile the longest source or target is far beyond it."""
SHORT = 32
"""Below this length, padding to the longest costs little, whatever the percentile."""


def before_training(task: Mapping[str, Any], training: Training, data: Data | Series, model: Any) -> list[str]:
    """The notes for a training.

    Args:
        task: the task's section of the resolved configuration.
        training: how the model is trained.
        data: the task's data.
        model: the model.
    """
    too_long = too_long_targets(data, getattr(model, "max_length", 0))
    return [*too_long, *_outliers(task, training, data), *_memory(task, training, data, model), *_tiny_dev(data)]


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


def _outliers(task: Mapping[str, Any], training: Training, data: Data | Series) -> list[str]:
    """A note if a few pairs of train are far longer than all others, which are padded to their length."""
    if isinstance(data, Series) or data.window is not None:
        return []
    found, remedies = [], []
    for side, lengths in zip(("source", "target"), data.lengths("train").T, strict=True):
        longest, usual = int(lengths.max()), int(np.percentile(lengths, 99, method="lower"))
        if longest >= max(FAR * usual, SHORT):
            found.append(f"the longest {side} has {longest:,} tokens and 99 % have at most {usual:,}")
            remedies += [f"task.max_{side}_tokens"] if f"max_{side}_tokens" in task else []
    if not found:
        return []
    buckets = training.buckets_for(data)
    padded = (
        "every batch is" if buckets == 1 else f"with training.buckets: {buckets}, the batches of the longest pairs are"
    )
    advice = [f"leave longer pairs out with {' and '.join(remedies)}"] if remedies else []
    advice += ["pad fewer batches with training.buckets"] if buckets == 1 else []
    return [
        f"In train, {', '.join(found)}: {padded} padded to the longest, which takes time and memory."
        + (f" To save them, {', or '.join(advice)}." if advice else "")
    ]


def _memory(task: Mapping[str, Any], training: Training, data: Data | Series, model: Any) -> list[str]:
    """A note if the longest batch may need more than half of the free memory."""
    free = available_memory()
    if free is None or isinstance(data, Series) or data.window is not None:
        return []
    source, target = data.lengths("train").max(axis=0).tolist()
    target += data.end is not None
    needed = step_memory(model, training.batch_size, source, target)
    if needed <= free / 2:
        return []
    limits = [f"task.max_{side}_tokens" for side in ("source", "target") if f"max_{side}_tokens" in task]
    return [
        f"A training step with {training.batch_size} pairs of {source:,} and {target:,} tokens needs about "
        f"{needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free. To save memory, "
        + (f"leave longer pairs out with {' and '.join(limits)}, or " if limits else "")
        + "lower training.batch_size."
    ]


def _tiny_dev(data: Data | Series) -> list[str]:
    """A note if dev is too small to choose an epoch by."""
    size, counted = data.size("dev"), data.counted
    if isinstance(data, Data) and data.references:
        size, counted = len(data.answers("dev")), "sources"
    if size >= FEW or (isinstance(data, Data) and data.splits["dev"] == data.splits["train"]):
        return []  # pairs that are trained on are memorised, which is not chance
    return [
        f"dev has only {size} {counted}, so it is largely chance which epoch is the best by them. Add some, or "
        "use the model of the last epoch, last.keras."
    ]
