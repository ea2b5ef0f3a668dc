"""The schema of configurations, derived from constructor signatures."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from seq2seq_zoo.config.messages import shown
from seq2seq_zoo.config.options import (
    Option,
    OptionError,
    choices_schema,
    errors_at,
    missing,
    object_schema,
    options_of,
    pick,
    resolve,
    unknown,
)
from seq2seq_zoo.config.registry import Registry

Keys = tuple[str, ...]


class ConfigError(ValueError):
    """A mistake in a configuration, in one line: `file:line: dotted.key: what was expected and found`."""

    def __init__(self, message: str):
        super().__init__(" ".join(message.split()))

    @classmethod
    def at(cls, error: OptionError, origins: Mapping[Keys, str]) -> "ConfigError":
        """An option's error with the place that set the option.

        Args:
            error: its path starts at the top of the configuration.
            origins: the `Config.origins`; empty where they are not known.
        """
        # A missing value, or one inside a list, has no origin of its own: take that of its nearest parent.
        parents = (error.path[:length] for length in range(len(error.path), -1, -1))
        origin = next((origins[path] for path in parents if path in origins), "")
        return cls(": ".join(part for part in (origin, ".".join(error.path), error.message) if part))


class Config(dict[str, Any]):
    """A resolved configuration: plain nested values, with every default filled in.

    Attributes:
        origins: where each given value comes from, by its keys: "run.yaml:3" or "--set decoder.units=256". A default
            has none.
    """

    def __init__(self, values: Mapping[str, Any], origins: Mapping[Keys, str]):
        super().__init__(values)
        self.origins = dict(origins)


class Options:
    """A section with the arguments of one class or function.

    Args:
        target: the class or function.
        exclude: arguments that are supplied elsewhere.
        nullable: whether the section may be null, to leave out what it describes.
    """

    def __init__(self, target: Callable[..., Any], exclude: Collection[str] = (), nullable: bool = False):
        self.options = options_of(target, exclude)
        self.nullable = nullable

    def resolve(self, given: Any) -> dict[str, Any]:
        """Every value of the section: the given one, checked, or else the default."""
        return resolve(self.options, _mapping(given, "its options"))

    @property
    def json_schema(self) -> dict[str, Any]:
        """The section's JSON Schema."""
        return _or_null(self.nullable, object_schema(self.options))

    @property
    def required(self) -> bool:
        """Whether the section must be given."""
        return any(option.required for option in self.options.values())


class Choice:
    """A section with the name of a registry's entry and the arguments of that entry.

    Args:
        registry: of the entries.
        key: the key of the name.
        exclude: arguments that are supplied elsewhere.
        extra: further options of the section, for every entry.
        nullable: whether the section may be null, to leave out what it describes.
        by_name: a key under which options of single entries may stand, a mapping for each name. They apply when the
            section names that entry, so that the name is all that changes. A resolved section does not have this key.
    """

    required = True

    def __init__(
        self,
        registry: Registry[Any],
        key: str,
        exclude: Collection[str] = (),
        extra: Mapping[str, Option] | None = None,
        nullable: bool = False,
        by_name: str | None = None,
    ):
        self.nullable = nullable
        self._by_name = by_name
        self._registry = registry
        self._key = key
        self._exclude = exclude
        self._extra = dict(extra or {})

    def resolve(self, given: Any) -> dict[str, Any]:
        """The name, and every argument of the entry."""
        given = dict(_mapping(given, f"'{self._key}' and its options"))
        if self._key not in given:
            raise OptionError((self._key,), f"is missing: name a {self._registry.kind} ({', '.join(self._registry)}).")
        name = given.pop(self._key)
        options = self.options(name)
        if self._by_name in given:
            given = {**self._options_by_name(given.pop(self._by_name)).get(name, {}), **given}
        return {self._key: name, **resolve(options, given, self._owner(name))}

    def options(self, name: Any, path: Keys | None = None) -> dict[str, Option]:
        """The options that belong to the name of an entry; `path` is where the name stands, if not under `key`."""
        entry = pick(self._registry, name, (self._key,) if path is None else path)
        return {**options_of(entry, self._exclude), **self._extra}

    def _owner(self, name: Any) -> str:
        return f"{self._registry.kind} '{name}'"

    def _options_by_name(self, given: Any) -> dict[str, dict[str, Any]]:
        """The checked options under the key `by_name`, without defaults."""
        checked: dict[str, dict[str, Any]] = {}
        with errors_at(str(self._by_name)):
            for name, own in _mapping(given, f"a {self._registry.kind} and its options").items():
                options = self.options(name, (str(name),))
                with errors_at(name):
                    for key in _mapping(own, "its options"):
                        if key not in options:
                            raise unknown(key, options, self._owner(name))
                    checked[name] = {key: options[key].check(value) for key, value in own.items()}
        return checked

    @property
    def json_schema(self) -> dict[str, Any]:
        """The section's JSON Schema: one alternative for each name."""
        choices = choices_schema(self._registry, self._key, self._exclude, self._extra)
        if self._by_name is not None:
            by_name = {"type": "object", "properties": {}, "additionalProperties": False}
            for choice in choices:
                options = {key: value for key, value in choice["properties"].items() if key != self._key}
                own = {"type": "object", "properties": options, "additionalProperties": False}
                by_name["properties"][choice["properties"][self._key]["const"]] = own
            for choice in choices:
                choice["properties"][self._by_name] = by_name
        return _or_null(self.nullable, {"oneOf": choices})


class Schema:
    """The sections of a configuration.

    Args:
        sections: by key, in order: `Options`, `Choice`, or an `Option` for a single value.

    Example:

    >>> class Training:
    ...     def __init__(self, epochs: int = 10, rate: float = 0.1): ...
    >>> schema = Schema({"training": Options(Training), "seed": Option("seed", int, 1)})
    >>> schema.resolve({"training": {"rate": 1}})
    {'training': {'epochs': 10, 'rate': 1.0}, 'seed': 1}
    """

    def __init__(self, sections: Mapping[str, Options | Choice | Option]):
        self.sections = dict(sections)

    def resolve(self, given: Any) -> dict[str, Any]:
        """The plain configuration, with every default filled in.

        Raises:
            OptionError: the first mistake.
        """
        given = _mapping(given, f"the sections {', '.join(self.sections)}")
        for key in given:
            if key not in self.sections:
                raise unknown(key, self.sections)
        return {key: plain(self._value(key, section, given)) for key, section in self.sections.items()}

    @staticmethod
    def _value(key: str, section: Options | Choice | Option, given: Mapping[str, Any]) -> Any:
        if isinstance(section, Option):
            if key not in given and section.required:
                raise missing(section)
            return section.check(given[key]) if key in given else section.default
        if section.nullable and given.get(key, {}) is None:
            return None
        try:
            return section.resolve(given.get(key, {}))
        except OptionError as error:
            raise OptionError((key, *error.path), error.message) from None


def json_schema(schema: Schema) -> dict[str, Any]:
    """The JSON Schema with which an editor completes and checks a configuration."""
    sections = schema.sections
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {key: section.json_schema for key, section in sections.items()},
        "required": [key for key, section in sections.items() if section.required],
        "additionalProperties": False,
    }


def _or_null(nullable: bool, schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]} if nullable else schema


def _mapping(given: Any, contents: str) -> Mapping[str, Any]:
    if isinstance(given, Mapping):
        return given
    if given is None:
        raise OptionError((), "is empty: leave the key out to take every default.")
    raise OptionError((), f"must be a mapping of {contents}, got {shown(given)}.")


def plain(value: Any) -> Any:
    """A copy in the types of YAML and JSON: plain dictionaries, and lists in place of tuples."""
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value
