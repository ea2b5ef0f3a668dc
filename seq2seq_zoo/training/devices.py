"""One training on several devices: each computes its part of every batch (data parallel)."""

import contextlib
from collections.abc import Iterator
from typing import Any, Literal

import keras
import numpy as np

from seq2seq_zoo.config.options import OptionError
from seq2seq_zoo.layers.backend import from_first_process, this_process

Distribute = Literal["data_parallel"]


def is_first_process() -> bool:
    """Whether this process writes the files of a run: the first of those that train together, or the only one."""
    return this_process()[0] == 0


class Devices:
    """The devices that train one model: all devices of all processes that `keras.distribution.initialize` connected.

    All processes run the same program on the same configuration. Each reads its rows of a batch. The losses and
    gradients are those of the whole batch.

    Args:
        distribute: `data_parallel`, or `None` for one device.

    Raises:
        OptionError: the backend cannot do this, or several processes train together without it.
    """

    def __init__(self, distribute: Distribute | None):
        self._parallel: Any = None
        self._process, self._processes = this_process()
        backend = keras.backend.backend()
        if distribute is None and self._processes > 1:
            raise OptionError(
                ("distribute",),
                f"must be data_parallel, since {self._processes} processes train together, got null. Add --set "
                "training.distribute=data_parallel.",
            )
        if distribute is not None and backend != "jax":
            raise OptionError(
                ("distribute",),
                f"{distribute} needs JAX, but Keras runs on {backend} here: set KERAS_BACKEND=jax, or leave the option "
                "out.",
            )
        if distribute is not None:
            self._parallel = keras.distribution.DataParallel(auto_shard_dataset=False)  # a process reads its own rows

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Context in which a model must be made or loaded, trained and evaluated."""
        return contextlib.nullcontext() if self._parallel is None else self._parallel.scope()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Context inside `scope` in which this process does something that the others do not."""
        if self._parallel is not None:
            keras.distribution.set_distribution(None)
        try:
            yield
        finally:
            if self._parallel is not None:
                keras.distribution.set_distribution(self._parallel)

    def rows(self, batch_size: int) -> slice:
        """The rows of a batch that this process reads.

        Raises:
            OptionError: the devices cannot have equal parts.
        """
        if self._parallel is None:
            return slice(None)
        if batch_size % self._parallel.num_model_replicas:
            raise OptionError(
                ("batch_size",),
                f"must be a multiple of the number of devices, {self._parallel.num_model_replicas}, got {batch_size}.",
            )
        size = batch_size // self._processes
        return slice(self._process * size, (self._process + 1) * size)

    def agree(self, record: dict[str, Any]) -> dict[str, Any]:
        """A record of numbers as the first process has it, so that all processes decide alike when to stop.

        The numbers of different processors may differ by rounding.
        """
        if self._processes == 1:
            return record
        numbers = from_first_process(np.array([*record.values()], np.float64))
        return {name: type(value)(number) for (name, value), number in zip(record.items(), numbers, strict=True)}

    def wait(self) -> None:
        """Wait until all processes are here."""
        self.agree({"here": 1})
