"""Checks the batches of datasets and generators as they are read."""

import contextlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import keras
from wrapt import ObjectProxy

from seq2seq_zoo.layers.backend import is_dataset, with_check


class CheckedBatches:
    """Calls a function with each batch that Keras reads, which raises a `ValueError` if it refuses the batch.

    Args:
        check: takes the sources (with the targets, for a decoder) and the targets of the loss, both as numpy arrays.
    """

    def __init__(self, check: Callable[[Any, Any], None]):
        self._check = check
        self._refusal: ValueError | None = None

    def of(self, data: Any) -> Any:
        """The same data with checked batches; data of a kind that is not known here is returned unchanged."""
        if isinstance(data, keras.utils.PyDataset):
            return _CheckedPyDataset(data, self._checked)
        if inspect.isgenerator(data):
            return (self._checked(batch) for batch in data)
        return with_check(data, self._checked) if is_dataset(data) else data

    @contextlib.contextmanager
    def refusals(self) -> Iterator[None]:
        """Raise the refusal itself, whatever error the reading of the data has made of it."""
        try:
            yield
        except Exception:
            if self._refusal is None:
                raise
            raise self._refusal from None

    def _checked(self, batch: Any) -> Any:
        x, y, _ = keras.utils.unpack_x_y_sample_weight(batch)
        try:
            self._check(x, y)
        except ValueError as refusal:
            self._refusal = refusal
            raise
        return batch


class _CheckedPyDataset(ObjectProxy):
    """A `PyDataset` that differs only in that its batches are checked."""

    def __init__(self, data: keras.utils.PyDataset, checked: Callable[[Any], Any]):
        super().__init__(data)
        self._self_checked = checked  # wrapt keeps attributes with this prefix on the proxy

    def __getitem__(self, index: int) -> Any:
        return self._self_checked(self.__wrapped__[index])
