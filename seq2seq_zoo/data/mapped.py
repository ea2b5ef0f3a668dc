"""Lazy sequences: each item is computed when it is accessed."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

Old = TypeVar("Old")
New = TypeVar("New")


class Mapped(Sequence[New], Generic[Old, New]):
    """A function applied lazily to each item of a sequence. Every access calls the function again.

    Args:
        function: takes an item and returns the new item.
        items: the original items.

    Example:

    >>> squares = Mapped(lambda number: number**2, range(10**12))
    >>> squares[-1], list(squares[2:4])
    (999999999998000000000001, [4, 9])
    """

    def __init__(self, function: Callable[[Old], New], items: Sequence[Old]):
        self._function = function
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, at: int) -> New: ...
    @overload
    def __getitem__(self, at: slice) -> "Mapped[Old, New]": ...
    def __getitem__(self, at: Any) -> Any:
        return Mapped(self._function, self._items[at]) if isinstance(at, slice) else self._function(self._items[at])

    def __iter__(self) -> Iterator[New]:
        return map(self._function, self._items)
