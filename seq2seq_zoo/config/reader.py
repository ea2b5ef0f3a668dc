"""Reads configurations from strict YAML. Every error is one line with the file, the line and the dotted key."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from seq2seq_zoo.config.messages import nearest, shown
from seq2seq_zoo.config.options import OptionError
from seq2seq_zoo.config.schema import Choice, Config, ConfigError, Keys, Options, Schema, plain


def read(path: str | os.PathLike[str], schema: Schema, overrides: Iterable[str] = (), partial: bool = False) -> Config:
    """Read a configuration from a YAML file.

    Args:
        path: of the file.
        schema: of the configuration.
        overrides: changes such as "decoder.units=256", whose values are YAML.
        partial: whether to leave out sections that the schema does not have, instead of refusing them.

    Returns:
        The resolved configuration.

    Raises:
        ConfigError: the file cannot be read, or the first mistake in it.
    """
    content = content_of(path)
    origins: dict[Keys, str] = {}
    given = _parse(content, lambda line: f"{path}:{line}", (), origins)
    if given is None:
        raise ConfigError(f"{path}:1: the file is empty: give the sections {', '.join(schema.sections)}.")
    # The schema refuses anything but a mapping.
    for override in overrides if isinstance(given, dict) else ():
        _override(given, override, origins)
    if partial and isinstance(given, dict):
        given = {key: value for key, value in given.items() if key in schema.sections}
    try:
        return Config(schema.resolve(given), origins)
    except OptionError as error:
        raise ConfigError.at(error, origins) from None


def content_of(path: str | os.PathLike[str]) -> bytes:
    """The content of a YAML file.

    Raises:
        ConfigError: the file cannot be read.
    """
    path = Path(path)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        offer = nearest(path.name, (each.name for each in path.parent.glob("*.yaml")))
        raise ConfigError(f"{path}: there is no such file.{offer}") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}.") from None


def choose(
    choice: Choice | Options,
    given: Mapping[str, Any],
    origin: str,
    overrides: Iterable[str] = (),
    option: str = "--set",
) -> dict[str, Any]:
    """Resolve one choice made on the command line.

    Args:
        choice: the alternatives, or the only one.
        given: the chosen name, and arguments.
        origin: where these come from, for messages, such as "--search beam".
        overrides: further arguments, such as "size=10", whose values are YAML.
        option: the option of the command line that gives them.

    Raises:
        ConfigError: the first mistake.
    """
    values, origins = dict(given), {(): origin}
    for override in overrides:
        _override(values, override, origins, option)
    try:
        return choice.resolve(values)
    except OptionError as error:
        raise ConfigError.at(error, origins) from None


def dump(config: Mapping[str, Any]) -> str:
    """A resolved configuration as YAML, from which `read` returns the same configuration.

    Example:

    >>> print(dump({"training": {"rate": 1e-05, "language": "no"}, "seed": 1}), end="")
    training:
      rate: 1.0e-05
      language: 'no'
    seed: 1
    """
    return yaml.dump(plain(config), Dumper=_Dumper, sort_keys=False, allow_unicode=True)


class _Loader(yaml.SafeLoader):
    """Reads plain values as YAML 1.2 does: `1e-3` is a number, `no` and `2020-01-01` are text."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  as PyYAML defines resolvers

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        problem = None
        if isinstance(event, yaml.AliasEvent):
            problem = "aliases (*) are not read: write the value out"
        elif getattr(event, "tag", None):
            problem = f"tags ({event.tag.replace('tag:yaml.org,2002:', '!!')}) are not read: write the plain value"
        if problem:
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        return super().compose_node(parent, index)


class _Dumper(yaml.SafeDumper):
    """Quotes every text that YAML 1.1 or 1.2 would read as another type."""


_PLAIN: dict[str, tuple[str, str, Callable[[str], Any]]] = {
    "tag:yaml.org,2002:null": (r"~|null|Null|NULL|", "~nN\0", lambda text: None),
    "tag:yaml.org,2002:bool": (r"true|True|TRUE|false|False|FALSE", "tTfF", lambda text: text.lower() == "true"),
    "tag:yaml.org,2002:int": (r"[-+]?[0-9]{1,300}", "-+0123456789", int),
    "tag:yaml.org,2002:float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
        lambda text: float(re.sub(r"\.(?=[iInN])", "", text)),
    ),
}


for _tag, (_pattern, _first, _) in _PLAIN.items():
    for _each in (_Loader, _Dumper):
        # PyYAML looks up the resolvers of an empty text under the empty string.
        _each.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), ["" if c == "\0" else c for c in _first])


# Fragments of PyYAML's messages, and the messages that replace them.
_YAML_PROBLEMS = {
    "'\\t'": "a tab cannot indent: use spaces",
    "another document": "a second document begins (---): a configuration is one",
    "<block": "the indentation does not fit the lines above",
    "could not find expected ':'": "a key without a colon",
    "mapping values are not allowed": "a second colon on one line, or an indentation that does not fit",
    "stream end": "a bracket is not closed",
    "end of stream": "a quotation mark is not closed",
}


def _parse(content: bytes | str, where: Callable[[int], str], path: Keys, origins: dict[Keys, str]) -> Any:
    """The plain value of a YAML text. The place of each of its keys is added to `origins`."""
    try:
        loader = _Loader(content)
        node = loader.get_single_node()
        origins[path] = where(1)
        return None if node is None else _value(node, where, path, origins)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "not YAML"
        words = next((words for fragment, words in _YAML_PROBLEMS.items() if fragment in problem), problem)
        raise ConfigError(f"{where(mark.line + 1 if mark else 1)}: {words}.") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ConfigError(f"{where(1)}: not plain UTF-8 text.") from None
    except RecursionError:
        raise ConfigError(f"{where(1)}: brackets are nested too deeply.") from None


def _value(node: yaml.Node, where: Callable[[int], str], path: Keys, origins: dict[Keys, str]) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return _PLAIN[node.tag][2](node.value) if node.tag in _PLAIN else node.value
    if isinstance(node, yaml.SequenceNode):
        return [_value(each, where, path, {}) for each in node.value]
    values: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise ConfigError(f"{where(line)}: a key must be one word, got a list or mapping.")
        key, keys = key_node.value, (*path, key_node.value)
        if key in values:
            raise ConfigError(f"{where(line)}: {'.'.join(keys)}: the key occurs twice, first on line {lines[key]}.")
        origins[keys], lines[key] = where(line), line
        values[key] = _value(value_node, where, keys, origins)
    return values


def _override(given: Any, override: str, origins: dict[Keys, str], option: str = "--set") -> None:
    place = f"{option} {override}"
    dotted, equals, text = override.partition("=")
    keys = tuple(dotted.strip().split("."))
    if not equals or not all(keys):
        raise ConfigError(f"{place}: must look like section.option=value.")
    for depth, key in enumerate(keys[:-1]):
        if not isinstance(given, dict):
            break
        if given.get(key) is None:
            given[key] = {}
            origins[keys[: depth + 1]] = place
        given = given[key]
    if not isinstance(given, dict):
        raise ConfigError(f"{place}: {'.'.join(keys[:-1])} is {shown(given)}, which holds no options: set it whole.")
    for old in [each for each in origins if each[: len(keys)] == keys]:
        del origins[old]
    given[keys[-1]] = _parse(text, lambda line: place, keys, origins)
