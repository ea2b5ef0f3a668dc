"""The time of the steps of Keras's `fit`."""

import time
from typing import Any

import keras


class Clock(keras.callbacks.Callback):
    """Seconds of an epoch to the end of its last step, before the dev split is looked at.

    Args:
        begun: how many steps are over when it starts: `fit` opens its data in the first, once however many there are.
    """

    def __init__(self, begun: int):
        super().__init__()
        self.begun = begun

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start."""
        self.began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Look."""
        if batch < self.begun:
            self.began = time.perf_counter()
        self.ended = time.perf_counter()

    @property
    def seconds(self) -> float:
        """From the start to the end of the last step."""
        return self.ended - self.began
