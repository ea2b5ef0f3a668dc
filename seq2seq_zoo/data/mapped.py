"""Sequences whose items are made when they are asked for."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

Old = TypeVar("Old")
New = TypeVar("New")


class Mapped(Sequence[New], Generic[Old, New]):
    """A sequence each of whose items is made of another sequence's, anew each time that it is asked for.

    Args:
        make: the new item of an old one.
        of: the old items.

    Example:

    >>> squares = Mapped(lambda number: number**2, range(10**12))
    >>> squares[-1], list(squares[2:4])
    (999999999998000000000001, [4, 9])
    """

    def __init__(self, make: Callable[[Old], New], of: Sequence[Old]):
        self._make = make
        self._of = of

    def __len__(self) -> int:
        return len(self._of)

    @overload
    def __getitem__(self, at: int) -> New: ...
    @overload
    def __getitem__(self, at: slice) -> "Mapped[Old, New]": ...
    def __getitem__(self, at: Any) -> Any:
        return Mapped(self._make, self._of[at]) if isinstance(at, slice) else self._make(self._of[at])

    def __iter__(self) -> Iterator[New]:
        return map(self._make, self._of)
