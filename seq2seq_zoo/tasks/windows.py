"""The base class of forecasting tasks: windows of a series, the history as source and the future as target."""

import abc
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from seq2seq_zoo.config.options import Fraction, OptionError, Positive, checked
from seq2seq_zoo.data.columns import COMMA_SEPARATED, Format
from seq2seq_zoo.data.inputs import WindowInputs
from seq2seq_zoo.data.mapped import Mapped
from seq2seq_zoo.data.scaling import Scale, identity_scale, standardise
from seq2seq_zoo.data.times import Step
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

        inputs = self._inputs(scale.mean.tolist(), scale.scale.tolist(), step.tolist())

        def window_from(start: int) -> Row:
            middle, end = start + self.history, start + self.length
            target = values[middle:end, : len(self.targets)]
            return self._row(inputs, values[start:end], target)._replace(times=times[middle:end])

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

    def inputs(self, kept: Mapping[str, Any]) -> WindowInputs:
        """The windows, with the scales of train."""
        time_step = kept["time_step"]
        return self._inputs(kept["mean"], kept["scale"], kept["step"], time_step and Step(*time_step))

    def read_rows(self, path: str | os.PathLike[str], kept: Mapping[str, Any]) -> list[Row]:
        """The last window of a file, as the only row."""
        inputs = self.inputs(kept)
        unknown = np.full((self.horizon, len(self.targets)), np.nan)
        return [self._row(inputs, given.values, unknown)._replace(times=given.times) for given in inputs.read(path)]

    def window(self, values: np.ndarray, scale: Scale, step: np.ndarray) -> Row:
        """The row of a window.

        Args:
            values: `(history + horizon, columns)`.
            scale: the scale of train.
            step: train's mean absolute change from one step to the next: `(columns,)`.
        """
        inputs = self._inputs(scale.mean.tolist(), scale.scale.tolist(), step.tolist())
        return self._row(inputs, values, values[self.history :, : len(self.targets)])

    def _inputs(
        self, mean: Sequence[float], scale: Sequence[float], step: Sequence[float], time_step: Step | None = None
    ) -> WindowInputs:
        by_window, file = self.scaling == "window", self.file_format
        layout = self.columns, self.targets, self.known, self.history, self.horizon, by_window
        return WindowInputs(*layout, mean, scale, step, file, self.time, time_step)

    def _row(self, inputs: WindowInputs, values: np.ndarray, target: np.ndarray) -> Row:
        """The row of a window and its target, both in their own units."""
        source, mean, scale = inputs.scaled(values)
        mean, scale = mean.reshape(-1), scale.reshape(-1)
        past = values[: self.history, : len(self.targets)]
        scaled = source.astype("float32"), Scale(mean, scale).apply(target)
        return Row(*scaled, mean, scale, past, given=values[: inputs.length])

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
