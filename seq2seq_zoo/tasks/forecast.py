"""Forecasts of your own series."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seq2seq_zoo.config.options import checked
from seq2seq_zoo.data.columns import DecimalMark, Delimiter, Format, read_columns
from seq2seq_zoo.data.times import Step, constant_step
from seq2seq_zoo.tasks.task import tasks
from seq2seq_zoo.tasks.windows import Windows


@tasks.register(
    "forecast", "your own series, a CSV file with one line for each step: forecast the steps after a window"
)
class Forecast(Windows):
    """Windows of a CSV file: a line with the names of the columns, then one line for each step, oldest first.

    The lines are taken to be equally spaced in time; `time` checks it. Columns that are not named may hold anything.

    Arguments are `Windows`', and:

    Args:
        file: path of the series.
        time: the column with the time of each step, in ISO 8601 or as a number. Times must increase by one constant
            step, which may be a number of months. Forecasts then have their times. Not checked if not given.
        delimiter: what separates the cells of a line.
        decimal: what precedes the fraction of a number.

    Raises:
        ValueError: as `Windows`; delimiter and decimal are both a comma; on loading, the file cannot be read, or times
            do not increase by one constant step.
    """

    @checked
    def __init__(
        self,
        file: str,
        time: str | None = None,
        delimiter: Delimiter = "comma",
        decimal: DecimalMark = "point",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.file = file
        self.time = time
        self.file_format = Format(delimiter, decimal)

    def files(self) -> Sequence[str]:
        """The path of the series."""
        return [self.file]

    def stream(self) -> np.ndarray:
        """The values of the columns in the file."""
        return read_columns(self.file, self.columns, file_format=self.file_format).values

    def times(self) -> tuple[Sequence[str], Step | None]:
        """The times in the file, and their constant step."""
        if self.time is None:
            return super().times()
        columns = read_columns(self.file, [], [self.time], file_format=self.file_format)
        return columns.texts[self.time], constant_step(self.file, self.time, columns)
