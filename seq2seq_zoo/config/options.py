"""Options derived from constructor signatures: checks, error messages, defaults and the JSON Schema."""

import contextlib
import functools
import inspect
import random
import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, TypeVar, cast

from pydantic import ConfigDict, Field, GetJsonSchemaHandler, Strict, TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from seq2seq_zoo.config.messages import nearest, shown
from seq2seq_zoo.config.registry import Registry, UnknownNameError

Positive = Annotated[int, Field(ge=1)]
NonNegative = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]

KERAS_ARGUMENTS = ("activity_regularizer", "autocast", "dtype", "name", "trainable")
"""What a Keras layer's `**kwargs` may hold."""

_CONFIG = ConfigDict(strict=True, allow_inf_nan=False, arbitrary_types_allowed=True)

Init = TypeVar("Init", bound=Callable[..., None])


class OptionError(ValueError):
    """An option with a wrong value.

    Args:
        path: the keys that lead to the option, such as `("cell", "units")`.
        message: a sentence about the option, without its subject, such as "must be an integer of at least 1, got 0."
    """

    def __init__(self, path: tuple[str, ...], message: str):
        space = " " if message.startswith(("must ", "is ")) else ": "
        super().__init__(f"`{'.'.join(path)}`{space}{message}" if path else message)
        self.path = path
        self.message = message


@contextlib.contextmanager
def errors_at(*path: str, refusals: type[ValueError] | tuple[type[ValueError], ...] = ()) -> Iterator[None]:
    """Attribute the errors of a block to the option at `path`. All other errors pass unchanged.

    Args:
        *path: the keys that lead to the option. An `OptionError` from the block gets them before its own.
        refusals: further errors that are the option's fault: each becomes an `OptionError` at `path`.

    Example:

    >>> with errors_at("decoder", refusals=ValueError):
    ...     raise ValueError("The bridge does not fit.")
    Traceback (most recent call last):
        ...
    seq2seq_zoo.config.options.OptionError: `decoder`: The bridge does not fit.
    """
    try:
        yield
    except OptionError as error:
        raise OptionError((*path, *error.path), error.message) from error
    except refusals as error:
        raise OptionError(path, str(error)) from error


class Named:
    """Marks an argument that selects an entry of a registry: a name, a mapping of `name` and arguments, or an instance.

    The arguments in a mapping are checked against the named class, and its defaults are filled in.

    Args:
        registry: of the entries.
        exclude: the constructor's arguments that the owner supplies. A mapping may not contain them, and an instance is
            not accepted, since it would already have them.

    Example:

    >>> shapes = Registry("shape", base=object)
    >>> @shapes.register("square", "four equal sides")
    ... class Square:
    ...     def __init__(self, side: Positive = 1): ...
    >>> Option("shape", Annotated[Any, Named(shapes)]).check({"name": "square", "side": 0})
    Traceback (most recent call last):
        ...
    seq2seq_zoo.config.options.OptionError: `shape.side` must be an integer of at least 1, got 0.
    """

    def __init__(self, registry: Registry[Any], exclude: Collection[str] = ()):
        self.registry = registry
        self.exclude = frozenset(exclude)

    def check(self, value: Any) -> Any:
        """The checked value, or an error that suggests the nearest entry or argument."""
        # Strings and mappings first: the base of a registry may be `object`.
        if isinstance(value, str):
            self._resolve(value, (), {})
            return value
        if isinstance(value, Mapping):
            if "name" not in value:
                raise OptionError(("name",), f"is missing. Known: {', '.join(self.registry)}.")
            own = {key: argument for key, argument in value.items() if key != "name"}
            return {"name": value["name"], **self._resolve(value["name"], ("name",), own)}
        if isinstance(value, self.registry.base) and not self.exclude:
            return value
        known = ", ".join(self.registry)
        raise OptionError((), f"must name a {self.registry.kind} ({known}), got {shown(value)}.")

    def _resolve(self, name: Any, path: tuple[str, ...], given: Mapping[str, Any]) -> dict[str, Any]:
        entry = pick(self.registry, name, path)
        return resolve(options_of(entry, self.exclude), given, f"{self.registry.kind} '{name}'")

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        # A name alone is enough for an entry whose arguments all have defaults.
        alone = [
            name
            for name, entry in self.registry.items()
            if not any(option.required for option in options_of(entry, self.exclude).values())
        ]
        return {"anyOf": [*([{"enum": alone}] if alone else []), *choices_schema(self.registry, "name", self.exclude)]}


class FromKeras:
    """Marks an argument that takes what Keras's own layers take: a name, a configuration or an object.

    The argument's value is the name or the configuration. So it can be saved, and each weight gets an object of its
    own: one random initializer would give the same numbers to all weights of the same shape.

    Args:
        kind: `initializer`, `regularizer` or `constraint`.
        module: that of Keras for this kind.
    """

    def __init__(self, kind: str, module: Any):
        self.kind = kind
        self.module = module

    def check(self, value: Any) -> Any:
        """The name or configuration, or an error that suggests the nearest name."""
        state = random.getstate()
        try:
            found = None if value is None else self.module.get(value)
        except (ValueError, TypeError):
            found = None
        finally:
            random.setstate(state)  # a new initializer draws a seed: the check must not change those drawn later
        if found is None:
            offer = nearest(value, [name for name in dir(self.module) if name[:1].islower()])
            raise OptionError(
                (), f"must be one of Keras's {self.kind}s, by name or as an object, got {shown(value)}.{offer}"
            )
        return value if isinstance(value, str) else self.module.serialize(found)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, {"type": "object"}]}


class Option:
    """One argument: its type, default and description, and what is derived from them.

    Args:
        name: of the argument.
        annotation: its type.
        default: its default value; `inspect.Parameter.empty` if it is required.
        description: its text in the docstring.

    Example:

    >>> Option("units", Positive).expected
    'an integer of at least 1'
    >>> Option("units", Positive).check("3")
    Traceback (most recent call last):
        ...
    seq2seq_zoo.config.options.OptionError: `units` must be an integer of at least 1, got '3'.
    """

    def __init__(self, name: str, annotation: Any, default: Any = inspect.Parameter.empty, description: str = ""):
        self.name = name
        self.default = default
        self.description = description
        self._adapter = TypeAdapter(_lists_for_tuples(annotation), config=_CONFIG)

    def check(self, value: Any) -> Any:
        """The value converted to its type (a NumPy number becomes a Python number), or an `OptionError`."""
        if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
            value = value.item()
        try:
            return self._adapter.validate_python(value)
        except ValidationError as error:
            causes = [each.get("ctx", {}).get("error") for each in error.errors(include_url=False)]
        # Our own check (a name that is not in its registry) has a better message than the other types of a union.
        for cause in causes:
            if isinstance(cause, OptionError):
                raise OptionError((self.name, *cause.path), cause.message) from None
        offer = nearest(value, _names(self._type_schema)) if isinstance(value, str) else ""
        detail = f" {causes[0]}" if isinstance(causes[0], ValueError) else ""
        raise OptionError((self.name,), f"must be {self.expected}, got {shown(value)}.{offer}{detail}") from None

    @property
    def required(self) -> bool:
        """Whether the argument has no default."""
        return self.default is inspect.Parameter.empty

    @property
    def expected(self) -> str:
        """The type in words, such as "an integer of at least 1"."""
        return _words(self._type_schema)

    @property
    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema of the argument, with its description and default."""
        # A default may be an instance, which JSON cannot hold.
        plain = isinstance(self.default, bool | int | float | str | list | tuple | dict | None)
        return {
            **self._type_schema,
            **({"description": self.description} if self.description else {}),
            **({"default": self.default} if plain else {}),
        }

    @property
    def _type_schema(self) -> dict[str, Any]:
        # Not cached: entries may be registered later.
        return self._adapter.json_schema(schema_generator=_Schema)


@functools.cache
def _options_of(target: Callable[..., Any], exclude: frozenset[str]) -> dict[str, Option]:
    options: dict[str, Option] = {}
    for function, documented in _constructors(target) if inspect.isclass(target) else [(target, target)]:
        hints = typing.get_type_hints(function, include_extras=True)
        descriptions = _descriptions(documented)
        parameters = inspect.signature(function).parameters.values()
        for parameter in list(parameters)[inspect.isclass(target) :]:
            name = parameter.name
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or name in {*options, *exclude}:
                continue
            options[name] = Option(name, hints.get(name, Any), parameter.default, descriptions.get(name, ""))
        if not _has_kwargs(function):
            break
    return options


def options_of(target: Callable[..., Any], exclude: Collection[str] = ()) -> Mapping[str, Option]:
    """The options of a class or function, by name: its arguments, and those of its parents if it passes `**kwargs` on.

    Args:
        target: a class or function with annotated arguments and a docstring with an `Args` section.
        exclude: arguments to leave out.

    Example:

    >>> def train(epochs: Positive = 10, shuffle: bool = True):
    ...     '''Train.
    ...
    ...     Args:
    ...         epochs: passes over the data.
    ...     '''
    >>> options_of(train)["epochs"].json_schema
    {'minimum': 1, 'type': 'integer', 'description': 'passes over the data.', 'default': 10}
    """
    return _options_of(target, frozenset(exclude))


def resolve(options: Mapping[str, Option], given: Mapping[str, Any], owner: str = "") -> dict[str, Any]:
    """The value of every option: the given one, checked, or else the default.

    Args:
        options: all options, by name.
        given: some values, by name.
        owner: whose options these are, for the message about an unknown name.

    Raises:
        OptionError: a value is wrong, its name is unknown, or a required one is missing.

    Example:

    >>> resolve({"units": Option("units", Positive, 8), "depth": Option("depth", Positive, 1)}, {"depth": 2})
    {'units': 8, 'depth': 2}
    """
    for key in given:
        if key not in options:
            raise unknown(key, options, owner)
    result = {}
    for name, option in options.items():
        if name not in given and option.required:
            raise missing(option)
        result[name] = option.check(given[name]) if name in given else option.default
    return result


def pick(registry: Registry[Any], name: Any, path: tuple[str, ...] = ()) -> type:
    """The registry's entry of a name, or an `OptionError` at `path` that suggests the nearest name."""
    try:
        return registry[name]
    except UnknownNameError as error:
        message = str(error)
        raise OptionError(path, message[0].lower() + message[1:]) from None


def unknown(key: object, known: Collection[str], owner: str = "") -> OptionError:
    """The error for a key that is not an option of `owner`."""
    of = f" of {owner}" if owner else ""
    names = ", ".join(sorted(known)) or "none"
    return OptionError((str(key),), f"is not an option{of}.{nearest(key, known)} Known: {names}.")


def missing(option: Option) -> OptionError:
    """The error for a required option that was not given."""
    return OptionError((option.name,), f"is missing: give {option.expected}.")


def checked(init: Init) -> Init:
    """Decorator for `__init__`: checks the arguments against their annotations and refuses unknown names.

    The checks are strict: "3" and True are not integers. An integer is accepted as a float, and NumPy numbers become
    Python numbers. If `__init__` passes `**kwargs` on, the arguments of its parents are known as well, and in a Keras
    class those of Keras.

    Raises:
        ValueError: on construction, with what was expected and what was given.

    Example:

    >>> class Layer:
    ...     @checked
    ...     def __init__(self, units: Positive): ...
    >>> Layer(units=0)
    Traceback (most recent call last):
        ...
    ValueError: Layer: `units` must be an integer of at least 1, got 0.
    """
    signature = inspect.signature(init)

    @functools.wraps(init)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> None:
        owner = next(cls for cls in type(self).__mro__ if vars(cls).get("__init__") is wrapper)
        options = options_of(owner)
        known = {*options, *(KERAS_ARGUMENTS if _has_kwargs(init) and _is_keras(owner) else ())}
        try:
            for key in kwargs:
                if key not in known and _all_known(owner):
                    raise unknown(key, known)
            bound = signature.bind_partial(self, *args, **kwargs)
            for name in list(signature.parameters)[1:]:
                if name in bound.arguments and name in options:
                    bound.arguments[name] = options[name].check(bound.arguments[name])
                elif name in options and options[name].required:
                    raise missing(options[name])
        except OptionError as error:
            raise ValueError(f"{type(self).__name__}: {error}") from None
        init(*bound.args, **bound.kwargs)

    # Keras captures arguments with `getfullargspec`, which reads this attribute but does not follow `__wrapped__`.
    setattr(wrapper, "__signature__", signature)  # noqa: B010  a function has no such attribute to a type checker
    return cast(Init, wrapper)


def config_of(instance: Any, serialize: Callable[[Any], Any]) -> dict[str, Any]:
    """The named arguments of an object's constructor, as its `get_config` returns them.

    Each argument is read from the attribute of the same name. Those of Keras (`KERAS_ARGUMENTS`) are left to Keras.

    Args:
        instance: an object that has kept its constructor's arguments as attributes.
        serialize: turns a value into plain data, where it is not a number, string, mapping, list or tuple.

    Raises:
        AttributeError: an argument has no attribute.

    Example:

    >>> class Layer:
    ...     def __init__(self, units: Positive, rates: tuple[float, ...] = (0.1, 0.2)):
    ...         self.units, self.rates = units, rates
    >>> config_of(Layer(3), serialize=repr)
    {'units': 3, 'rates': [0.1, 0.2]}
    """

    def plain(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [plain(each) for each in value]
        return value if isinstance(value, bool | int | float | str | Mapping | None) else serialize(value)

    names = [name for name in options_of(type(instance)) if name not in KERAS_ARGUMENTS]
    for name in names:
        if not hasattr(instance, name):
            owner = type(instance).__name__
            raise AttributeError(
                f"{owner} cannot be saved: its constructor has the argument `{name}`, but no attribute of that name. "
                f"Set `self.{name} = {name}` in {owner}.__init__."
            )
    return {name: plain(getattr(instance, name)) for name in names}


def object_schema(options: Mapping[str, Option], **first: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of a mapping with these options and no others; `first` are required keys that precede them."""
    required = [name for name, option in options.items() if option.required]
    properties = {**first, **{name: option.json_schema for name, option in options.items()}}
    return {
        "type": "object",
        "properties": properties,
        "required": [*first, *required],
        "additionalProperties": False,
    }


def choices_schema(
    registry: Registry[Any], key: str, exclude: Collection[str], extra: Mapping[str, Option] | None = None
) -> list[dict[str, Any]]:
    """A JSON Schema for each entry of a registry: a mapping of its name, under `key`, and its arguments."""
    return [
        {
            "description": description,
            **object_schema({**options_of(registry[name], exclude), **(extra or {})}, **{key: {"const": name}}),
        }
        for name, description in registry.list().items()
    ]


class _Schema(GenerateJsonSchema):
    """Represents a type that JSON cannot hold (an instance, a function) by a schema that no value matches."""

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> dict[str, Any]:
        name = schema["cls"].__name__ if "cls" in schema else schema["type"]
        return {"not": {}, "title": f"a {name}"}


_KINDS = {
    "integer": "an integer",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
    "object": "a mapping",
}


def _words(schema: Mapping[str, Any]) -> str:
    if alternatives := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(map(_words, alternatives)))
    if "const" in schema:
        return repr(schema["const"])
    if "enum" in schema:
        return " or ".join(map(repr, schema["enum"]))
    if "not" in schema:
        return schema["title"]
    kind = _KINDS.get(schema.get("type", ""), "anything")
    if "propertyNames" in schema:
        return f"{kind} of {_words(schema['propertyNames'])}"
    if schema.get("type") == "array":
        items = [_words(item) for item in schema.get("prefixItems", [])]
        return f"a list of {len(items)} ({', '.join(items)})" if items else f"a list of {_words(schema['items'])}"
    bounds = {"minimum": "of at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    limits = [f"{word} {schema[bound]}" for bound, word in bounds.items() if bound in schema]
    return f"{kind} {' and '.join(limits)}".rstrip()


def _names(schema: Mapping[str, Any]) -> list[str]:
    own = [name for name in [*schema.get("enum", []), schema.get("const")] if isinstance(name, str)]
    return [*own, *(name for each in schema.get("anyOf", []) for name in _names(each))]


def _lists_for_tuples(annotation: Any) -> Any:
    """The type, with lists accepted as tuples, since YAML and JSON have no tuples."""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return Annotated[(_lists_for_tuples(parts[0]), *parts[1:])]
    if origin in (typing.Union, UnionType):
        return typing.Union[tuple(map(_lists_for_tuples, parts))]  # noqa: UP007  the types are known only when this runs
    return Annotated[annotation, Strict(False)] if origin is tuple else annotation


def _constructors(cls: type) -> list[tuple[Callable[..., Any], type]]:
    """The constructors of a class and its parents, nearest first, each with the class whose docstring documents it."""
    own = [base for base in cls.__mro__[:-1] if "__init__" in vars(base) and not base.__module__.startswith("keras.")]
    return [(vars(base)["__init__"], base) for base in own]


def _descriptions(documented: Any) -> dict[str, str]:
    """The descriptions in the `Args` section of a docstring, by argument, each in one line."""
    texts: dict[str, str] = {}
    lines = iter((inspect.getdoc(documented) or "").splitlines())
    indent = name = None
    for line in lines:
        if line.rstrip() == "Args:":
            break
    for line in lines:
        depth = len(line) - len(line.lstrip())
        if line.strip() and not depth:
            break
        indent = indent or depth
        if line.strip() and depth == indent:
            name, _, text = line.strip().partition(":")
            texts[name] = text.strip()
        elif line.strip() and name:
            texts[name] += f" {line.strip()}"
    return texts


def _has_kwargs(function: Callable[..., Any]) -> bool:
    return any(each.kind is each.VAR_KEYWORD for each in inspect.signature(function).parameters.values())


def _all_known(cls: type) -> bool:
    """Whether no other arguments are possible: the last constructor passes none on, or passes them to Keras."""
    return _is_keras(cls) or not all(_has_kwargs(init) for init, _ in _constructors(cls))


def _is_keras(cls: type) -> bool:
    return any(base.__module__.startswith("keras.") for base in cls.__mro__)
