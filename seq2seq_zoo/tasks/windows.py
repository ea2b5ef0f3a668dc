"""What the tasks share that forecast: windows of a stream of numbers, its past and what comes after."""

import abc
import os
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from seq2seq_zoo.config.options import Fraction, OptionError, Positive, checked
from seq2seq_zoo.data.columns import read_columns
from seq2seq_zoo.data.mapped import Mapped
from seq2seq_zoo.data.pairs import DataFileError
from seq2seq_zoo.data.scaling import Scale, as_they_are, standardise
from seq2seq_zoo.tasks.task import Row, Series, Task

FUTURE = "future"
"""The source's feature that tells steps of the future, 1, from those of the past, 0."""


class Windows(Task):
    """Windows of `history` steps and the `horizon` steps after them; where the stream comes from is the subclass's.

    A source is the history of all columns. Where some are known in advance, `horizon` more steps come before it: there
    those columns have their values of the future, all others are 0 after scaling, and one feature more says that this
    is the future. A target is the values that the target columns then have.

    The splits are parts of the stream, train the oldest and test the newest. Every window lies in one of them, and each
    has a window for every place where one begins.

    Args:
        targets: the columns to forecast.
        past: further columns whose history is read.
        known: columns that are known in advance, such as a calendar or a price, whose future is read as well.
        history: steps that are read.
        horizon: steps that are forecast.
        period: steps of a season, with which the naive forecast repeats what was; 1 to repeat the last step.
        scaling: `window` to standardise the history of targets and `past` columns by itself, so that it does not matter
            how high a series has climbed (by no deviation below train's mean change in a step); `train` to do it by the
            whole of train, as is always done with `known` ones; null for values as they are.
        dev_fraction: share of the stream's steps that is dev, after train.
        test_fraction: share of the stream's steps that is test, after dev.

    Raises:
        ValueError: no target; a column named twice; a period longer than the history; fractions of one or more
            together; on loading, a stream too short for a window in each split, a column that never changes where it
            is standardised, or a target that the naive forecast gets right throughout train.
    """

    @checked
    def __init__(
        self,
        targets: tuple[str, ...],
        past: tuple[str, ...] = (),
        known: tuple[str, ...] = (),
        history: Positive = 48,
        horizon: Positive = 24,
        period: Positive = 1,
        scaling: Literal["window", "train"] | None = "window",
        dev_fraction: Fraction = 0.1,
        test_fraction: Fraction = 0.1,
    ):
        self.targets = targets
        self.known = known
        self.columns = [*targets, *past, *known]
        self.history = history
        self.horizon = horizon
        self.period = period
        self.scaling = scaling
        self.fractions = {"dev": dev_fraction, "test": test_fraction}
        if not targets:
            raise ValueError("targets must name at least one column to forecast, got none.")
        if twice := [name for name in self.columns if self.columns.count(name) > 1]:
            raise ValueError(f"targets, past and known are different columns, but '{twice[0]}' is named twice.")
        if period > history:
            raise ValueError(
                f"The naive forecast repeats the last season of the history: period ({period}) must not be above "
                f"history ({history})."
            )
        if sum(self.fractions.values()) >= 1:
            raise ValueError(f"dev_fraction and test_fraction must leave some to train on, got {self.fractions}.")

    @abc.abstractmethod
    def stream(self) -> np.ndarray:
        """The values of `columns`, oldest first: `(time, columns)` in double precision."""

    @property
    def length(self) -> int:
        """Steps of a window."""
        return self.history + self.horizon

    def parts(self, steps: int) -> dict[str, range]:
        """The steps of each split, for a stream of so many."""
        dev, test = (round(fraction * steps) for fraction in self.fractions.values())
        parts = {"train": range(steps - dev - test), "dev": range(steps - dev - test, steps - test)}
        parts["test"] = range(steps - test, steps)
        for split, part in parts.items():
            if len(part) < self.length:
                raise OptionError(
                    (),
                    f"{split} has {len(part)} of the stream's {steps} steps, too few for one window: expected at least "
                    f"history + horizon, {self.history} + {self.horizon}. Give a longer stream, a shorter window, or "
                    "other fractions.",
                )
        return parts

    def load(self) -> Series:
        """The windows, and the naive forecast beside them."""
        values = self.stream()
        parts = self.parts(len(values))
        train = values[: len(parts["train"])]
        scale = as_they_are(len(self.columns)) if self.scaling is None else standardise(train, self.columns, "train")
        step = np.abs(np.diff(train, axis=0)).mean(axis=0)
        splits = {
            split: Mapped(
                lambda start: self.window(values[start : start + self.length], scale, step),
                range(part.start, part.stop - self.length + 1),
            )
            for split, part in parts.items()
        }

        def naive(split: str) -> list[np.ndarray]:
            again = np.arange(self.horizon) % self.period - self.period
            return [row.past[again] for row in splits[split] if row.past is not None]

        return Series(
            splits,
            [*self.columns, *([FUTURE] if self.known else [])],
            self.targets,
            baselines={"seasonal naive": naive},
            naive_error=self._naive_error(train),
            kept={"mean": scale.mean.tolist(), "scale": scale.scale.tolist(), "step": step.tolist()},
        )

    def read_rows(self, path: str | os.PathLike[str], kept: Mapping[str, Any]) -> list[Row]:
        """The window that a file ends with."""
        mean, scale, step = (np.array(kept[name]) for name in ("mean", "scale", "step"))
        return [self.window(self._last(path), Scale(mean, scale), step)]

    def window(self, values: np.ndarray, scale: Scale, step: np.ndarray) -> Row:
        """The row of `(history + horizon, columns)` values, given train's scale and its mean change in a step."""
        past, targets, seen = values[: self.history], len(self.targets), len(self.columns) - len(self.known)
        if self.scaling == "window":
            mean, deviation = scale.mean.copy(), scale.scale.copy()
            mean[:seen] = past[:, :seen].mean(axis=0)
            # Where nothing happens for a whole window, what comes next must not be divided by nothing.
            deviation[:seen] = np.maximum(past.std(axis=0), step)[:seen]
            scale = Scale(mean, deviation)
        scaled = scale.apply(values)
        source, target = scaled[: self.history], scaled[self.history :, :targets]
        if self.known:
            ahead = scaled[self.history :].copy()
            ahead[:, :seen] = 0
            future = np.arange(self.length) < self.horizon
            # The history comes last, so that it is fresh in the encoder's last states.
            source = np.column_stack([np.concatenate([ahead, source]), future]).astype("float32")
        return Row(source, target, scale.mean[:targets], scale.scale[:targets], past[:, :targets])

    def _last(self, path: str | os.PathLike[str]) -> np.ndarray:
        """The window that a file ends with: its future has only what is known of it, and no target."""
        values = np.full((self.length, len(self.columns)), np.nan)
        rows = len(ahead := read_columns(path, self.known or self.columns)[0])
        begun = rows - self.horizon if self.known else rows
        if begun < self.history:
            also = f" and horizon ({self.horizon}), whose known columns are read," if self.known else ""
            raise DataFileError(
                f"{path} has {rows} rows: expected at least history ({self.history}){also} to forecast from its end."
            )
        values[: self.history] = read_columns(path, self.columns, limit=begun)[0][-self.history :]
        if self.known:
            values[self.history :, -len(self.known) :] = ahead[-self.horizon :]
        return values

    def _naive_error(self, train: np.ndarray) -> np.ndarray:
        """The mean absolute error of repeating, step by step through train, what was a season ago."""
        values = train[:, : len(self.targets)]
        errors = np.abs(values[self.period :] - values[: -self.period]).mean(axis=0)
        for name, error in zip(self.targets, errors, strict=True):
            # Not nothing: what repeats itself but for rounding is no less foreseen.
            if error <= 1e-9 * np.abs(values).max():
                raise OptionError(
                    ("period",),
                    f"'{name}' is the same every {self.period} steps throughout train: the naive forecast is never "
                    "wrong, and nothing can be measured against it.",
                )
        return errors
