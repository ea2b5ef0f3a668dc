"""What a model of real values is given: values in their own units, as files hold them, and how they are scaled."""

import dataclasses
import functools
import itertools
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from seq2seq_zoo.data.columns import Format, read_columns
from seq2seq_zoo.data.lines import DataFileError
from seq2seq_zoo.data.padding import FILLING
from seq2seq_zoo.data.times import Step, constant_step, following


class Scaled(NamedTuple):
    """Scaled sources, and the way from scaled outputs back to the unit of the targets: `outputs * scale + mean`."""

    source: Any
    """`(..., time, features)`."""
    mean: Any
    """`(..., 1, features)`, or `(features,)` if it is the same for all sources."""
    scale: Any
    """Of the same shape."""


class Given(NamedTuple):
    """One source of a file, in its own unit."""

    values: np.ndarray
    """`(time, columns)`."""
    times: Sequence[str] = ()
    """The times of the steps of its target, if the file has times."""


@dataclasses.dataclass(frozen=True)
class WindowInputs:
    """Windows of a series: `history` steps of all columns and, if some columns are known in advance, `horizon` steps of
    their future. In the future, only these columns are read.

    Args:
        columns: those to forecast, then others of which the history is read, then those known in advance.
        targets: the columns to forecast.
        known: the columns known in advance.
        history: the number of steps of the history.
        horizon: the number of steps of the future.
        by_window: whether columns other than `known` are standardised by the history of their own window.
        mean: the mean of each column in train.
        scale: the scale of each column in train.
        step: the least scale of each column in a window.
        file_format: how files are written.
        time: the column of a file that has the time of each step.
        time_step: the constant step of the times.
    """

    columns: Sequence[str]
    targets: Sequence[str]
    known: Sequence[str]
    history: int
    horizon: int
    by_window: bool
    mean: Sequence[float]
    scale: Sequence[float]
    step: Sequence[float]
    file_format: Format
    time: str | None = None
    time_step: Step | None = None

    @property
    def length(self) -> int:
        """The number of steps of a source in its own unit."""
        return self.history + (self.horizon if self.known else 0)

    def scaled(self, values: Any, ops: Any = np) -> Scaled:
        """The scaled sources of windows.

        Args:
            values: `(..., steps, columns)`: the history, then the future if some columns are known in advance.
            ops: what computes: numpy, or `keras.ops` for tensors.
        """
        mean, scale, step = (ops.array(each, values.dtype) for each in self._scales)
        seen = len(self.columns) - len(self.known)
        past = values[..., : self.history, :]
        seen_mean, seen_scale = mean[:seen], scale[:seen]
        if self.by_window:
            seen_mean = ops.mean(past[..., :seen], axis=-2, keepdims=True)
            # The standard deviation of a constant history is 0, by which its future cannot be divided.
            seen_scale = ops.maximum(ops.std(past, axis=-2, keepdims=True), step)[..., :seen]
        source = (past[..., :seen] - seen_mean) / seen_scale
        if self.known:
            known = (values[..., : self.history + self.horizon, seen:] - mean[seen:]) / scale[seen:]
            before, ahead = known[..., : self.history, :], known[..., self.history :, :]
            unknown = ops.zeros_like(source[..., :1, :]) + ops.zeros_like(ahead[..., :1])
            ahead = ops.concatenate([unknown, ahead, ops.ones_like(ahead[..., :1])], axis=-1)
            source = ops.concatenate([source, before, ops.zeros_like(before[..., :1])], axis=-1)
            # The history comes last, close to the encoder's last states.
            source = ops.concatenate([ahead, source], axis=-2)
        targets = len(self.targets)
        return Scaled(source, seen_mean[..., :targets], seen_scale[..., :targets])

    @functools.cached_property
    def _scales(self) -> tuple[np.ndarray, ...]:
        return np.array(self.mean), np.array(self.scale), np.array(self.step)

    def read(self, path: str | os.PathLike[str]) -> list[Given]:
        """The last window of a file, of the future only the known columns, as the only source.

        Raises:
            DataFileError: the file cannot be read, is too short, or its times or its rows without targets are not as
                expected.
        """
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
        if self.time is None or self.time_step is None:
            return [Given(values)]
        times = columns.texts[self.time]
        time_step = constant_step(path, self.time, columns, self.time_step)
        ahead = times[-self.horizon :] if self.known else following(times, time_step, self.horizon)
        return [Given(values, ahead)]

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


@dataclasses.dataclass(frozen=True)
class FrameInputs:
    """Sequences of frames of any length.

    Args:
        columns: the features of the sources.
        targets: the features of the targets.
        mean: the mean of each source feature.
        scale: the scale of each source feature.
        target_mean: the mean of each target feature.
        target_scale: the scale of each target feature.
        key: the column of a file that names the sequence of each frame.
        file_format: how files are written.
    """

    columns: Sequence[str]
    targets: Sequence[str]
    mean: Sequence[float]
    scale: Sequence[float]
    target_mean: Sequence[float]
    target_scale: Sequence[float]
    key: str
    file_format: Format

    length = None
    """Sequences have any number of frames."""

    def scaled(self, values: Any, ops: Any = np) -> Scaled:
        """The scaled sources of sequences.

        Args:
            values: `(..., frames, features)`. Frames of padding have the value `FILLING`, and keep it.
            ops: what computes: numpy, or `keras.ops` for tensors.
        """
        mean, scale, target_mean, target_scale = (ops.array(each, values.dtype) for each in self._scales)
        is_padding = ops.all(values == FILLING, axis=-1, keepdims=True)
        return Scaled(ops.where(is_padding, values, (values - mean) / scale), target_mean, target_scale)

    def unscaled(self, source: np.ndarray) -> np.ndarray:
        """A scaled source converted back to its own unit."""
        return source * self._scales[1] + self._scales[0]

    @functools.cached_property
    def _scales(self) -> tuple[np.ndarray, ...]:
        return tuple(map(np.array, (self.mean, self.scale, self.target_mean, self.target_scale)))

    def read(self, path: str | os.PathLike[str]) -> list[Given]:
        """The sequences of a file.

        Raises:
            DataFileError: as `read_sequences`.
        """
        return [Given(values) for _, values in read_sequences(path, self.columns, self.key, self.file_format)]


Inputs = WindowInputs | FrameInputs


def to_json(inputs: Inputs) -> dict[str, Any]:
    """Inputs as plain JSON."""
    return dataclasses.asdict(inputs)


def from_json(content: Mapping[str, Any]) -> Inputs:
    """The inputs of a `to_json`."""
    content = {**content, "file_format": Format(**content["file_format"])}
    if "key" in content:
        return FrameInputs(**content)
    time_step = content["time_step"]
    return WindowInputs(**{**content, "time_step": time_step and Step(*time_step)})


def read_sequences(
    path: str | os.PathLike[str], names: Sequence[str], key: str, file_format: Format
) -> list[tuple[str, np.ndarray]]:
    """The sequences of a file, each with its name and its values `(frames, columns)`.

    Args:
        path: the file.
        names: the columns to read.
        key: the column that names the sequence of each frame.
        file_format: how the file is written.

    Raises:
        DataFileError: the file cannot be read, or the frames of a sequence are not consecutive.
    """
    columns = read_columns(path, names, [key], file_format=file_format)
    parts: dict[str, np.ndarray] = {}
    start = 0
    for name, frames in itertools.groupby(columns.texts[key]):
        if name in parts:
            raise DataFileError(
                f"{path}: the frames of sequence '{name}' are not together: expected the frames of each sequence "
                f"on consecutive lines. Sort the file by the column '{key}'."
            )
        length = len(list(frames))
        parts[name] = columns.values[start : start + length]
        start += length
    return list(parts.items())
