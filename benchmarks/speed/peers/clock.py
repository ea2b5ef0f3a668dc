"""The time of the steps of Keras's `fit`."""

import time
from typing import Any

import keras


class Clock(keras.callbacks.Callback):
    """The seconds of an epoch until the end of its last step, without the evaluation on dev.

    Args:
        skipped: the number of steps that are not counted: in the first one, `fit` opens its data.
    """

    def __init__(self, skipped: int):
        super().__init__()
        self.skipped = skipped

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start the clock."""
        self.began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Restart the clock if the step does not count, and read it."""
        if batch < self.skipped:
            self.began = time.perf_counter()
        self.ended = time.perf_counter()

    @property
    def seconds(self) -> float:
        """From the start to the end of the last step."""
        return self.ended - self.began
