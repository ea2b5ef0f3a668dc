"""Search spaces: the values among which a search chooses, for options by their dotted keys."""

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from seq2seq_zoo.config.messages import shown
from seq2seq_zoo.config.options import OptionError, PositiveFloat, errors_at, options_of
from seq2seq_zoo.config.schema import Keys, Schema, plain

Space = dict[str, Any]
"""For each dotted key a list of values, or the arguments of a `Range`. Plain JSON."""


@dataclass(frozen=True)
class Range:
    """The numbers from `low` to `high`: integers if the option takes only integers.

    Args:
        low: the lowest value.
        high: the highest value.
        log: whether to search on a logarithmic scale.
        step: the distance between two values; none by default. Not together with `log`.
    """

    low: int | float
    high: int | float
    log: bool = False
    step: PositiveFloat | None = None


def resolve_space(
    given: Any,
    config: Mapping[str, Any],
    schema: Schema,
    fixed: Mapping[str, str] | None = None,
    at: Keys = ("search",),
) -> Space:
    """Check a search space: every option that it names exists and takes every value of the space.

    Args:
        given: the space, by dotted keys.
        config: the configuration in which the values are set, as it was given, without defaults.
        schema: of the configuration.
        fixed: options that a search must not change, each with the reason.
        at: where the space stands, for error messages.

    Raises:
        OptionError: the first mistake in the space or in the configuration.
    """
    base = schema.resolve(config)
    if given is None:
        raise OptionError(at, "is missing: give options and their values, such as {decoder.units: [64, 128]}.")
    if not isinstance(given, Mapping) or not given:
        raise OptionError(at, f"must be a mapping of options and their values, got {shown(given)}.")
    space: Space = {}
    for key, values in given.items():
        with errors_at(*at, key):
            space[key] = _values(values)
            if isinstance(values, Mapping):
                if _accepts(config, key, (space[key]["low"] + space[key]["high"]) / 2, schema):
                    space[key] |= {end: float(space[key][end]) for end in ("low", "high")}
                _check_range(space[key])
        for value in space[key] if isinstance(space[key], list) else [space[key]["low"], space[key]["high"]]:
            try:
                resolved = with_values(config, {key: value}, schema)
            except OptionError as error:
                raise OptionError((*at, key), str(error)) from None
            for option, reason in (fixed or {}).items():
                if _value_at(resolved, option) != _value_at(base, option):
                    raise OptionError((*at, key), f"cannot change `{option}`: {reason}.")
    return space


def with_values(config: Mapping[str, Any], values: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """The resolved configuration with other values for some options.

    Args:
        config: the configuration as it was given, without defaults.
        values: the values by dotted keys.
        schema: of the configuration.

    Raises:
        OptionError: an option does not exist or does not take its value.

    Example:

    >>> from seq2seq_zoo.config.options import Option
    >>> with_values({"seed": 1}, {"seed": 2}, Schema({"seed": Option("seed", int, 0)}))
    {'seed': 2}
    """
    changed = copy.deepcopy(dict(config))
    for key, value in values.items():
        *parents, last = key.split(".")
        section = changed
        for parent in parents:
            if not isinstance(section.get(parent), dict):
                section[parent] = {}
            section = section[parent]
        section[last] = value
    return schema.resolve(changed)


def _values(given: Any) -> Any:
    if isinstance(given, Mapping):
        return asdict(Range(**Schema(options_of(Range)).resolve(given)))
    if not isinstance(given, list) or not given:
        raise OptionError((), f"must be a list of values, or a range such as {{low: 1, high: 9}}, got {shown(given)}.")
    if any(value in given[:index] for index, value in enumerate(given)):
        raise OptionError((), f"must have every value once, got {shown(given)}.")
    return plain(given)


def _check_range(found: dict[str, Any]) -> None:
    low, high, log, step = found["low"], found["high"], found["log"], found["step"]
    if not low < high:
        raise OptionError(("high",), f"must be above low, {low}, got {high}.")
    if log and low <= 0:
        raise OptionError(("low",), f"must be above 0 on a logarithmic scale, got {low}.")
    if log and step is not None:
        raise OptionError(("step",), "is not for a logarithmic scale: leave `step` or `log` out.")
    if isinstance(low, int) and isinstance(high, int) and step is not None:
        if step != int(step):
            raise OptionError(("step",), f"must be an integer for a range of integers, got {step}.")
        found["step"] = int(step)


def _accepts(config: Mapping[str, Any], key: str, value: float, schema: Schema) -> bool:
    try:
        with_values(config, {key: value}, schema)
    except OptionError:
        return False
    return True


def _value_at(config: Mapping[str, Any], key: str) -> Any:
    found: Any = config
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
