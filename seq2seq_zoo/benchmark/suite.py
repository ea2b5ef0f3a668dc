"""Suites: a YAML file that asks questions becomes a list of cells, each a configuration to train once."""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from seq2seq_zoo.config.options import NonNegative, OptionError, options_of, unknown
from seq2seq_zoo.config.reader import read
from seq2seq_zoo.config.schema import ConfigError, Keys, Schema

Cell = dict[str, Any]
Match = Callable[[Sequence[dict[str, Any]]], Sequence[dict[str, Any]]]
"""Takes one configuration a mode; gives the same with units chosen so that parameter counts are near the first's."""

Section = dict[str, Any]


@dataclass(frozen=True)
class X:
    """What a question varies.

    Args:
        key: the option that takes the values, such as `task.train_size`; or several that all take the same.
        label: what the axis is called.
        values: what it takes, in the order of the axis.
        scale: of the axis.
        along: further options that change with it, each with a list as long as `values`.
    """

    key: str | list[str]
    label: str
    values: Annotated[list[int | float | str], Field(min_length=1)]
    scale: Literal["linear", "log"] = "linear"
    along: dict[str, list[Any]] | None = None


@dataclass(frozen=True)
class Question:
    """One thing that a suite asks.

    Args:
        title: the question, as the report asks it.
        task: the configuration's task, laid over the suite's base.
        why: why it is asked, and why with these settings.
        overrides: further changes to the suite's base.
        x: what is varied; nothing if left out.
        metric: what answers it.
        curve: what the answer is drawn over: the values of x, or the length of the source; x where there is one.
    """

    title: str
    task: Section
    why: str = ""
    overrides: Section | None = None
    x: Section | None = None
    metric: Literal["exact_match", "token_accuracy", "token_error_rate", "perplexity"] = "exact_match"
    curve: Literal["x", "length"] | None = None


@dataclass(frozen=True)
class Plan:
    """What a suite file holds.

    Args:
        name: of the suite; a directory of results belongs to one name.
        questions: by name and in order.
        title: of the report.
        description: what the suite is for.
        modes: the decoder modes compared; every registered one if left out.
        seeds: one training each.
        match_parameters: whether the decoders' units are chosen so that all modes have about as many parameters as the
            first.
        base: the configuration that all cells share.
        quick: what `--quick` lays over all of the above; a question set to null is left out.
    """

    name: str
    questions: Annotated[dict[str, Any], Field(min_length=1)]
    title: str = ""
    description: str = ""
    modes: Annotated[list[str], Field(min_length=1)] | None = None
    seeds: Annotated[tuple[NonNegative, ...], Field(min_length=1)] = (1, 2, 3)
    match_parameters: bool = False
    base: Section | None = None
    quick: Section | None = None


@dataclass(frozen=True)
class Suite:
    """A suite and its cells.

    Args:
        name: of the suite.
        title: of the report.
        description: what the suite is for.
        modes: the decoder modes compared.
        seeds: one training each.
        match_parameters: whether units were chosen so that parameter counts match.
        questions: each with its `name` and the arguments of `Question`, `x` being None or the arguments of `X`.
        cells: each with `id`, `suite`, `question`, `x`, `mode`, `seed` and `config`, all plain JSON.
    """

    name: str
    title: str
    description: str
    modes: list[str]
    seeds: list[int]
    match_parameters: bool
    questions: list[dict[str, Any]]
    cells: list[Cell]

    def document(self) -> dict[str, Any]:
        """The suite as a directory of results keeps it: all but the configurations, which are in the records."""
        return {**asdict(self), "cells": [cell["id"] for cell in self.cells]}


def read_suite(
    path: str | os.PathLike[str],
    config: Schema,
    modes: Iterable[str],
    match: Match,
    quick: bool = False,
    overrides: Iterable[str] = (),
) -> Suite:
    """A suite from a YAML file, every cell's configuration checked.

    Args:
        path: the file.
        config: what a cell's configuration may hold.
        modes: every registered decoder mode.
        match: chooses units where the suite asks for matched parameters.
        quick: whether to apply the file's `quick` section.
        overrides: changes such as "base.training.epochs=3"; the value is YAML.

    Raises:
        ConfigError: one line that says where, what was expected and what was found.
    """
    found = read(path, SuiteSchema(config, modes, match), overrides)
    if quick and found["quick"] is None:
        raise ConfigError(f"{path}: quick is missing: say there what the quick form replaces, such as the seeds.")
    return Suite(**found["quick" if quick else "full"])


class SuiteSchema(Schema):
    """What a suite file holds. It resolves to the arguments of `Suite`, under `full` and with quick's changes `quick`.

    Args:
        config: what a cell's configuration may hold.
        modes: every registered decoder mode.
        match: chooses units where the suite asks for matched parameters.
    """

    def __init__(self, config: Schema, modes: Iterable[str], match: Match):
        super().__init__(options_of(Plan))
        self._config = config
        self._modes = list(modes)
        self._match = match

    def resolve(self, given: Any) -> dict[str, Any]:
        """Both forms of the suite; `quick` is None where the file has no such section.

        Raises:
            OptionError: the first thing that is wrong, in either form.
        """
        plan = super().resolve(given)
        quick = plan.pop("quick")
        return {"full": self._expand(plan), "quick": None if quick is None else self._quick(plan, quick)}

    def _quick(self, plan: dict[str, Any], quick: Section) -> dict[str, Any]:
        layers = _Layers()
        layers.lay(plan, ())
        layers.lay(quick, ("quick",))
        with layers.traced():
            layers.values["questions"] = _without_nulls(layers.values["questions"], known=plan["questions"])
            plan = Schema(options_of(Plan, exclude={"quick"})).resolve(layers.values)
            return self._expand({**plan, "name": f"{plan['name']}-quick"})

    def _expand(self, plan: dict[str, Any]) -> dict[str, Any]:
        modes = plan["modes"] or self._modes
        _all_different(("modes",), modes)
        _all_different(("seeds",), plan["seeds"])
        questions, cells = [], []
        for name, given in plan["questions"].items():
            with _under("questions", name):
                question = _question(name, given)
            questions.append(question)
            x = question["x"]
            for index, value in enumerate(x["values"] if x else [None]):
                configs = [self._config_of(plan, question, index, mode) for mode in modes]
                if plan["match_parameters"]:
                    configs = self._match(configs)
                cells += [
                    _cell(plan["name"], name, value, mode, {**config, "seed": seed})
                    for mode, config in zip(modes, configs, strict=True)
                    for seed in plan["seeds"]
                ]
        kept = ("name", "title", "description", "seeds", "match_parameters")
        return {**{key: plan[key] for key in kept}, "modes": modes, "questions": questions, "cells": cells}

    def _config_of(self, plan: dict[str, Any], question: dict[str, Any], index: int, mode: str) -> dict[str, Any]:
        at, x = ("questions", question["name"]), question["x"]
        layers = _Layers(at)
        layers.lay(plan["base"] or {}, ("base",))
        layers.lay({"task": question["task"]}, at)
        layers.lay(question["overrides"] or {}, (*at, "overrides"))
        if x:
            for key in [x["key"]] if isinstance(x["key"], str) else x["key"]:
                layers.put(key, x["values"][index], (*at, "x", "values"))
            for key, values in (x["along"] or {}).items():
                layers.put(key, values[index], (*at, "x", "along", key))
        for key, value, source in (("decoder.mode", mode, "modes"), ("seed", plan["seeds"][0], "seeds")):
            found = layers.find(key)
            if found is not None:
                raise OptionError(found, f"is what `{source}` says for the whole suite: leave it out here.")
            layers.put(key, value, (source,))
        with layers.traced():
            return self._config.resolve(layers.values)


class _Layers:
    """Mappings laid over one another, which remember where each value came from.

    Args:
        source: what to blame for what is in none of them.
    """

    def __init__(self, source: Keys = ()):
        self.values: dict[str, Any] = {}
        self._sources: dict[Keys, Keys] = {(): source}

    def lay(self, change: Mapping[str, Any], source: Keys, at: Keys = ()) -> None:
        """Mappings merge, all else replaces."""
        for key, value in change.items():
            if isinstance(value, Mapping):
                if not isinstance(self._inner(at).get(key), dict):
                    self._put((*at, key), {}, (*source, key))
                self.lay(value, (*source, key), (*at, key))
            else:
                self._put((*at, key), value, (*source, key))

    def put(self, key: str, value: Any, source: Keys) -> None:
        """Replace one value by its dotted key."""
        self._put(tuple(key.split(".")), value, source)

    def find(self, key: str) -> Keys | None:
        """Where the value of a dotted key came from; None if there is none."""
        return self._sources.get(tuple(key.split(".")))

    @contextlib.contextmanager
    def traced(self) -> Iterator[None]:
        """Errors about what was laid together become errors about where it came from."""
        try:
            yield
        except OptionError as error:
            path = error.path
            depth = next(depth for depth in range(len(path), -1, -1) if path[:depth] in self._sources)
            source, rest = self._sources[path[:depth]], path[depth:]
            # Where the place does not end in the option's own name (a list of values), the message must name it.
            if path and (*source, *rest)[-1:] == path[-1:] and (depth or not source):
                raise OptionError((*source, *rest), error.message) from None
            raise OptionError(source, str(error)) from None

    def _inner(self, at: Keys) -> dict[str, Any]:
        inner = self.values
        for key in at:
            if not isinstance(inner.get(key), dict):
                inner[key] = {}
            inner = inner[key]
        return inner

    def _put(self, keys: Keys, value: Any, source: Keys) -> None:
        self._inner(keys[:-1])[keys[-1]] = value
        self._sources[keys] = source


@contextlib.contextmanager
def _under(*keys: str) -> Iterator[None]:
    try:
        yield
    except OptionError as error:
        raise OptionError((*keys, *error.path), error.message) from None


def _without_nulls(questions: Any, known: Mapping[str, Any]) -> Any:
    if not isinstance(questions, dict):
        return questions
    for name, question in questions.items():
        if question is None and name not in known:
            with _under("questions"):
                raise unknown(name, known)
    return {name: question for name, question in questions.items() if question is not None}


def _question(name: str, given: Any) -> dict[str, Any]:
    question = {"name": name, **Schema(options_of(Question)).resolve(given)}
    if question["x"] is not None:
        with _under("x"):
            x = question["x"] = Schema(options_of(X)).resolve(question["x"])
            _all_different(("values",), x["values"])
            for key, values in (x["along"] or {}).items():
                if len(values) != len(x["values"]):
                    needed = f"must have as many values as x, {len(x['values'])}, got {len(values)}."
                    raise OptionError(("along", key), needed)
    question["curve"] = question["curve"] or ("x" if question["x"] else "length")
    if question["curve"] == "x" and not question["x"]:
        raise OptionError(("curve",), "must be 'length' where nothing is varied: add `x`, or leave it out.")
    return question


def _all_different(path: Keys, values: Sequence[Any]) -> None:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise OptionError(path, f"must all be different, got {value!r} twice.")


def _cell(suite: str, question: str, x: Any, mode: str, config: dict[str, Any]) -> Cell:
    seed = config["seed"]
    # Whatever changes what is trained makes another cell; the suite's name and its words do not.
    contents = json.dumps([question, x, mode, seed, config], sort_keys=True)
    readable = "-".join(str(part) for part in (question, x, mode, seed) if part is not None)
    name = re.sub(r"[^\w.-]+", "_", readable)  # it names a file
    return {
        "id": f"{name}-{hashlib.sha256(contents.encode()).hexdigest()[:6]}",
        "suite": suite,
        "question": question,
        "x": x,
        "mode": mode,
        "seed": seed,
        "config": config,
    }
