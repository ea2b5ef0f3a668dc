"""The base class of forecasting tasks: windows of a series, the history as source and the future as target."""

import abc
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from seq2seq_zoo.config.options import Fraction, OptionError, Positive, checked
from seq2seq_zoo.data.columns import COMMA_SEPARATED, Format, read_columns
from seq2seq_zoo.data.lines import DataFileError
from seq2seq_zoo.data.mapped import Mapped
from seq2seq_zoo.data.scaling import Scale, identity_scale, standardise
from seq2seq_zoo.data.times import Step, constant_step, following
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

    time: str | None = None
    """The column of a file that has the time of each step; `None` if there is none."""
    file_format: Format = COMMA_SEPARATED
    """How files are written."""

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

    def times(self) -> tuple[Sequence[str], Step | None]:
        """The time of each step of the series, and their constant step; none by default."""
        return (), None

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
        times, time_step = self.times()
        parts = self.parts(len(values))
        train = values[: len(parts["train"])]
        scale = identity_scale(len(self.columns)) if self.scaling is None else standardise(train, self.columns, "train")
        step = np.abs(np.diff(train, axis=0)).mean(axis=0)

        def window_from(start: int) -> Row:
            end = start + self.length
            return self.window(values[start:end], scale, step)._replace(times=times[start + self.history : end])

        splits = {
            split: Mapped(window_from, range(part.start, part.stop - self.length + 1)) for split, part in parts.items()
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
            kept={
                "mean": scale.mean.tolist(),
                "scale": scale.scale.tolist(),
                "step": step.tolist(),
                "time_step": time_step,
            },
        )

    def read_rows(self, path: str | os.PathLike[str], kept: Mapping[str, Any]) -> list[Row]:
        """The last window of a file, as the only row."""
        mean, scale, step = (np.array(kept[name]) for name in ("mean", "scale", "step"))
        values, times = self._last(path, kept)
        return [self.window(values, Scale(mean, scale), step)._replace(times=times)]

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

    def _last(self, path: str | os.PathLike[str], kept: Mapping[str, Any]) -> tuple[np.ndarray, Sequence[str]]:
        """The values of a file's last window, of the future only the known ones, and the times of its future."""
        seen = len(self.columns) - len(self.known)
        texts = [] if self.time is None else [self.time]
        optional = self.columns[:seen] if self.known else ()
        columns = read_columns(path, self.columns, texts, optional=optional, file_format=self.file_format)
        rows = len(columns.values)
        if self.known:
            self._check_future(path, columns.values[:, : len(self.targets)])
        history_end = rows - self.horizon if self.known else rows
        if history_end < self.history:
            also = f" and horizon ({self.horizon}), whose known columns are read," if self.known else ""
            raise DataFileError(
                f"{path} has {rows} rows: expected at least history ({self.history}){also} to forecast from its end."
            )
        values = np.full((self.length, len(self.columns)), np.nan)
        history = read_columns(path, self.columns, limit=history_end, file_format=self.file_format)
        values[: self.history] = history.values[-self.history :]
        if self.known:
            values[self.history :, seen:] = columns.values[-self.horizon :, seen:]
        if self.time is None:
            return values, ()
        times = columns.texts[self.time]
        time_step = constant_step(path, self.time, columns, Step(*kept["time_step"]))
        return values, times[-self.horizon :] if self.known else following(times, time_step, self.horizon)

    def _check_future(self, path: str | os.PathLike[str], targets: np.ndarray) -> None:
        """Check the number of rows without targets at the end of a file, if there are any: they are the future."""
        observed = np.flatnonzero(np.isfinite(targets).any(axis=1))
        future = len(targets) - 1 - int(observed[-1]) if len(observed) else len(targets)
        if future not in (0, self.horizon):
            change = f"Add {self.horizon - future}" if future < self.horizon else f"Remove {future - self.horizon}"
            raise DataFileError(
                f"{path} ends with {future} rows without targets: expected {self.horizon}, the horizon, since these "
                f"are the rows of the future, whose known columns are read. {change}."
            )

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
