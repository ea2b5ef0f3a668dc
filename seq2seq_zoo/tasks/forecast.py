"""Forecasts of your own series."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seq2seq_zoo.config.options import checked
from seq2seq_zoo.data.columns import read_columns
from seq2seq_zoo.tasks.task import tasks
from seq2seq_zoo.tasks.windows import Windows


@tasks.register(
    "forecast", "your own series, a CSV file with one line for each step: forecast the steps after a window"
)
class Forecast(Windows):
    """Windows of a CSV file: a line with the names of the columns, then one line for each step, oldest first.

    The lines are taken to be equally spaced in time. Columns that are not named may hold anything, such as dates.

    Arguments are `Windows`', and:

    Args:
        file: path of the series.
    """

    @checked
    def __init__(self, file: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.file = file

    def files(self) -> Sequence[str]:
        """The path of the series."""
        return [self.file]

    def stream(self) -> np.ndarray:
        """The values of the columns in the file."""
        return read_columns(self.file, self.columns)[0]
