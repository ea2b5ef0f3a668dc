"""Forecasts of your own series."""

from typing import Any

import numpy as np

from seq2seq_zoo.config.options import checked
from seq2seq_zoo.data.columns import read_columns
from seq2seq_zoo.tasks.task import tasks
from seq2seq_zoo.tasks.windows import Windows


@tasks.register("forecast", "your own series, a CSV file with a line a step: what comes after a window of its past")
class Forecast(Windows):
    """Windows of a file of comma-separated values: the names of its columns, then a line for each step, oldest first.

    Steps are taken as they come, at equal distances; columns that are not named may hold anything, such as dates.

    Arguments are `Windows`', and:

    Args:
        file: path of the series.
    """

    @checked
    def __init__(self, file: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.file = file

    def stream(self) -> np.ndarray:
        """The file's values."""
        return read_columns(self.file, self.columns)[0]
