"""The base class of forecasting tasks: windows of a series, the history as source and the future as target."""

import abc
import os
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from seq2seq_zoo.config.options import Fraction, OptionError, Positive, checked
from seq2seq_zoo.data.columns import read_columns
from seq2seq_zoo.data.lines import DataFileError
from seq2seq_zoo.data.mapped import Mapped
from seq2seq_zoo.data.scaling import Scale, identity_scale, standardise
from seq2seq_zoo.tasks.splits import check_fractions
from seq2seq_zoo.tasks.task import Row, Series, Task

FUTURE = "future"
"""The name of the source feature that is 1 at steps of the future and 0 at steps of the history."""


class Windows(Task):
    """Windows of `history` steps and the `horizon` steps after them. Subclasses provide the series.

    A source is the history of all columns. If some columns are known in advance, `horizon` steps of the future are put
    before the history: there the known columns have their future values, all others are 0 after scaling, and an
    additional feature marks these steps. A target is the future of the target columns.

    The splits are consecutive parts of the series: train is the oldest, test the newest. Every window lies within one
    split. Within a split, a window starts at every possible step.

    Args:
        targets: the columns to forecast.
        past: further columns of which only the history is read.
        known: columns that are known in advance, such as a calendar or a price; their future is read as well.
        history: the number of steps that are read.
        horizon: the number of steps that are forecast.
        period: the length of a season in steps: the seasonal naive forecast repeats the last season of the history; 1
            repeats the last step.
        scaling: `window` to standardise the history of the target and `past` columns window by window, so that the
            level of a series does not matter (the standard deviation is at least train's mean absolute change from
            step to step); `train` to standardise them by the whole of train, as `known` columns always are; null to
            leave values unchanged.
        dev_fraction: share of the steps of the series that become dev, after train.
        test_fraction: share of the steps of the series that become test, after dev.

    Raises:
        ValueError: there is no target; a column is named twice; the period is longer than the history; the fractions
            add up to 1 or more; on loading, the series is too short for a window in each split, a column to standardise
            is constant, or the naive forecast of a target is exact throughout train.
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
        check_fractions(self.fractions)

    @abc.abstractmethod
    def stream(self) -> np.ndarray:
        """The values of `columns`, oldest first: float64 `(time, columns)`."""

    @property
    def length(self) -> int:
        """The number of steps in a window."""
        return self.history + self.horizon

    def parts(self, steps: int) -> dict[str, range]:
        """The steps of each split in a series of `steps` steps."""
        dev, test = (round(fraction * steps) for fraction in self.fractions.values())
        parts = {"train": range(steps - dev - test), "dev": range(steps - dev - test, steps - test)}
        parts["test"] = range(steps - test, steps)
        for split, part in parts.items():
            if len(part) < self.length:
                raise OptionError(
                    (),
                    f"{split} has {len(part)} of the {steps} steps of the series, too few for one window: expected at "
                    f"least history + horizon, {self.history} + {self.horizon}. Give a longer series, a shorter "
                    "window, or other fractions.",
                )
        return parts

    def load(self) -> Series:
        """The windows of each split, and the seasonal naive forecast as a baseline."""
        values = self.stream()
        parts = self.parts(len(values))
        train = values[: len(parts["train"])]
        scale = identity_scale(len(self.columns)) if self.scaling is None else standardise(train, self.columns, "train")
        step = np.abs(np.diff(train, axis=0)).mean(axis=0)
        splits = {
            split: Mapped(
                lambda start: self.window(values[start : start + self.length], scale, step),
                range(part.start, part.stop - self.length + 1),
            )
            for split, part in parts.items()
        }

        def naive(split: str) -> list[np.ndarray]:
            last_season = np.arange(self.horizon) % self.period - self.period
            return [row.past[last_season] for row in splits[split] if row.past is not None]

        return Series(
            splits,
            [*self.columns, *([FUTURE] if self.known else [])],
            self.targets,
            baselines={"seasonal naive": naive},
            naive_error=self._naive_error(train),
            kept={"mean": scale.mean.tolist(), "scale": scale.scale.tolist(), "step": step.tolist()},
        )

    def read_rows(self, path: str | os.PathLike[str], kept: Mapping[str, Any]) -> list[Row]:
        """The last window of a file, as the only row."""
        mean, scale, step = (np.array(kept[name]) for name in ("mean", "scale", "step"))
        return [self.window(self._last(path), Scale(mean, scale), step)]

    def window(self, values: np.ndarray, scale: Scale, step: np.ndarray) -> Row:
        """The row of a window.

        Args:
            values: `(history + horizon, columns)`.
            scale: the scale of train.
            step: train's mean absolute change from one step to the next: `(columns,)`.
        """
        past, targets, seen = values[: self.history], len(self.targets), len(self.columns) - len(self.known)
        if self.scaling == "window":
            mean, deviation = scale.mean.copy(), scale.scale.copy()
            mean[:seen] = past[:, :seen].mean(axis=0)
            # The standard deviation of a constant history is 0, by which its future cannot be divided.
            deviation[:seen] = np.maximum(past.std(axis=0), step)[:seen]
            scale = Scale(mean, deviation)
        scaled = scale.apply(values)
        source, target = scaled[: self.history], scaled[self.history :, :targets]
        if self.known:
            ahead = scaled[self.history :].copy()
            ahead[:, :seen] = 0
            future = np.arange(self.length) < self.horizon
            # The history comes last, close to the encoder's last states.
            source = np.column_stack([np.concatenate([ahead, source]), future]).astype("float32")
        return Row(source, target, scale.mean[:targets], scale.scale[:targets], past[:, :targets])

    def _last(self, path: str | os.PathLike[str]) -> np.ndarray:
        """The values of the last window of a file. Of its future, only the known columns have values."""
        values = np.full((self.length, len(self.columns)), np.nan)
        ahead = read_columns(path, self.known or self.columns)[0]
        rows = len(ahead)
        history_end = rows - self.horizon if self.known else rows
        if history_end < self.history:
            also = f" and horizon ({self.horizon}), whose known columns are read," if self.known else ""
            raise DataFileError(
                f"{path} has {rows} rows: expected at least history ({self.history}){also} to forecast from its end."
            )
        values[: self.history] = read_columns(path, self.columns, limit=history_end)[0][-self.history :]
        if self.known:
            values[self.history :, -len(self.known) :] = ahead[-self.horizon :]
        return values

    def _naive_error(self, train: np.ndarray) -> np.ndarray:
        """The mean absolute error on train of predicting each step by the one a season before."""
        values = train[:, : len(self.targets)]
        errors = np.abs(values[self.period :] - values[: -self.period]).mean(axis=0)
        for name, error in zip(self.targets, errors, strict=True):
            # Not `error == 0`: a series may repeat itself but for rounding.
            if error <= 1e-9 * np.abs(values).max():
                raise OptionError(
                    ("period",),
                    f"'{name}' is the same every {self.period} steps throughout train: the naive forecast is exact, so "
                    "its error is no unit to measure others in. Change the period, or leave the column out.",
                )
        return errors
