"""Registries of classes by name: decoder modes, cells, attentions, bridges, schedules, tasks and others."""

import importlib.metadata
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar, cast

from seq2seq_zoo.config.messages import nearest

T = TypeVar("T")
Entry = TypeVar("Entry", bound=type)


class Registry(Mapping[str, type[T]], Generic[T]):
    """Classes of one kind, by name.

    Args:
        kind: what messages call an entry, such as "decoder mode".
        base: the class from which every entry must derive.
        group: the entry-point group with which other packages add entries. Their modules are imported when the registry
            is first read.
        serializable: a decorator factory that takes a package name and is applied to each entry: Keras's
            `register_keras_serializable`, for entries that are saved in models.

    Example:

    >>> class Shape: ...
    >>> shapes = Registry("shape", base=Shape)
    >>> @shapes.register("square", "four equal sides")
    ... class Square(Shape): ...
    >>> shapes.list()
    {'square': 'four equal sides'}
    >>> type(shapes.create("square")).__name__
    'Square'
    >>> shapes["sqare"]
    Traceback (most recent call last):
        ...
    seq2seq_zoo.config.registry.UnknownNameError: Unknown shape 'sqare'. Did you mean 'square'? Known: square.
    """

    def __init__(
        self,
        kind: str,
        base: type[T],
        group: str | None = None,
        serializable: Callable[[str], Callable[[type[T]], type[T]]] | None = None,
    ):
        self.kind = kind
        self.base = base
        self.group = group
        self._serializable = serializable
        self._entries: dict[str, type[T]] = {}
        self._descriptions: dict[str, str] = {}
        self._entry_points_loaded = group is None

    def register(self, name: str, description: str) -> Callable[[Entry], Entry]:
        """Class decorator: register the class under `name`, for the configuration and for saving.

        Raises:
            TypeError: the class does not derive from the registry's base.
            ValueError: another class has the name.
        """

        def decorate(cls: Entry) -> Entry:
            entry: Any = cls
            if not (inspect.isclass(entry) and issubclass(entry, self.base)):
                raise TypeError(f"A {self.kind} must derive from {self.base.__name__}, got {cls!r}.")
            taken = self._entries.get(name)
            # A class that is defined again (a notebook cell run twice) replaces itself.
            if taken is not None and (taken.__module__, taken.__qualname__) != (cls.__module__, cls.__qualname__):
                raise ValueError(
                    f"The {self.kind} '{name}' is already registered by {taken.__module__}.{taken.__qualname__}. "
                    f"Choose another name for {cls.__module__}.{cls.__qualname__}."
                )
            if self._serializable is not None:
                self._serializable(cls.__module__.split(".")[0])(entry)
            self._entries[name] = entry
            self._descriptions[name] = description
            return cls

        return decorate

    def list(self) -> dict[str, str]:
        """All names with their one-line descriptions, sorted by name."""
        return {name: self._descriptions[name] for name in self}

    def name_of(self, cls: type) -> str:
        """The name under which a class is registered."""
        for name, entry in self.items():
            if entry is cls:
                return name
        raise UnknownNameError(f"{cls.__name__} is not a registered {self.kind}.")

    def create(self, identifier: Any, **arguments: Any) -> T:
        """Create an entry from its name, or from a mapping of `name` and arguments. An instance is returned unchanged.

        Args:
            identifier: `"copy"`, `{"name": "copy", ...}` or an instance.
            **arguments: passed to the constructor, unless the mapping has them.
        """
        if isinstance(identifier, self.base):
            return identifier
        if isinstance(identifier, Mapping):
            if "name" not in identifier:
                raise ValueError(f"A {self.kind} given as a mapping needs the key 'name', got {dict(identifier)}.")
            own = {key: value for key, value in identifier.items() if key != "name"}
            return self[identifier["name"]](**{**arguments, **own})
        return self[identifier](**arguments)

    def load_entry_points(self) -> None:
        """Import the entry points of other installed packages in this registry's group, once."""
        if not self._entry_points_loaded:
            self._entry_points_loaded = True
            for entry_point in importlib.metadata.entry_points(group=self.group or ""):
                entry_point.load()

    def __getitem__(self, name: object) -> type[T]:
        if not isinstance(name, str) or name not in self._entries:
            self.load_entry_points()
        try:
            return self._entries[cast(str, name)]
        except (KeyError, TypeError):
            known = ", ".join(self)
            raise UnknownNameError(f"Unknown {self.kind} '{name}'.{nearest(name, self)} Known: {known}.") from None

    def __contains__(self, name: object) -> bool:
        self.load_entry_points()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        self.load_entry_points()
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        self.load_entry_points()
        return len(self._entries)


class UnknownNameError(KeyError, ValueError):
    """A name that is not in a registry. The message suggests the nearest one."""

    def __str__(self) -> str:  # KeyError would put the message in quotes
        return str(self.args[0])
