"""Suites: a YAML file with questions is expanded to a list of cells, each one configuration to train."""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from seq2seq_zoo.benchmark import studies
from seq2seq_zoo.config.options import NonNegative, OptionError, errors_at, options_of, unknown
from seq2seq_zoo.config.reader import read
from seq2seq_zoo.config.registry import UnknownNameError
from seq2seq_zoo.config.schema import ConfigError, Keys, Schema, plain
from seq2seq_zoo.config.space import resolve_space
from seq2seq_zoo.data.published import data_set, paths_in

Cell = dict[str, Any]
Match = Callable[[Sequence[dict[str, Any]]], Sequence[dict[str, Any]]]
"""Takes one configuration for each mode. Returns them with units chosen so that parameter counts are about equal."""

Section = dict[str, Any]


@dataclass(frozen=True)
class X:
    """The option that a question varies.

    Args:
        key: the option to vary, such as `task.train_size`, or several that take the same value; `[]` if the values only
            name what `along` changes.
        label: the label of the axis.
        values: the values of the option, in the order of the axis.
        scale: the scale of the axis.
        along: further options that change together with it, each with as many values as `values`.
    """

    key: str | list[str]
    label: str
    values: Annotated[list[int | float | str], Field(min_length=1)]
    scale: Literal["linear", "log"] = "linear"
    along: dict[str, list[Any]] | None = None


@dataclass(frozen=True)
class Published:
    """A published figure that is shown beside the scores of a question.

    Args:
        label: the system, as the legend names it.
        value: the figure in the unit of the report, such as percent; or one for each value of `x`, with null where none
            is published.
        source: the publication.
        caveat: how its conditions differ from those of the question.
    """

    label: str
    value: float | list[float | None]
    source: str
    caveat: str = ""


@dataclass(frozen=True)
class Question:
    """One question of a suite.

    Args:
        title: the question, as the heading of its section in the report.
        task: the task, merged over the task of the suite's `base`.
        why: the reason for the question and for its settings, as the report's text.
        overrides: further changes to the suite's `base`.
        x: the option that varies; none by default.
        metric: the metric that is compared; `bleu` needs `metrics: [bleu]` in the configuration.
        curve: the x-axis of the main figure: the values of `x`, or the length of the source; `x` by default, if there
            is one.
        published: published figures, each a line in the main figure over `x`, and an entry below it.
    """

    title: str
    task: Section
    why: str = ""
    overrides: Section | None = None
    x: Section | None = None
    metric: Literal["exact_match", "token_accuracy", "token_error_rate", "perplexity", "bleu"] = "exact_match"
    curve: Literal["x", "length"] | None = None
    published: list[Section] | None = None


@dataclass(frozen=True)
class Plan:
    """The content of a suite file.

    Args:
        name: the name of the suite; a results directory belongs to one suite name.
        questions: the questions by name, in the order of the report.
        title: the title of the report.
        description: the purpose of the suite, as the report's introduction.
        modes: the decoder modes to compare; all registered ones by default.
        seeds: the seeds; each gives one training of every configuration.
        match_parameters: whether to choose the decoders' units so that all modes have about as many parameters as the
            first.
        tune: a search for the best setting of each mode and condition on dev, before its cells are trained with it:
            `space` and the other options of a search.
        data: the published data set that the suite needs. Relative paths of its tasks refer to the folder of this data
            set, wherever it is; without one, to the current folder.
        base: the configuration that all cells share.
        quick: changes to all of the above for `--quick`; a question set to null is left out.
    """

    name: str
    questions: Annotated[dict[str, Any], Field(min_length=1)]
    title: str = ""
    description: str = ""
    modes: Annotated[list[str], Field(min_length=1)] | None = None
    seeds: Annotated[tuple[NonNegative, ...], Field(min_length=1)] = (1, 2, 3)
    match_parameters: bool = False
    tune: Section | None = None
    data: str | None = None
    base: Section | None = None
    quick: Section | None = None


@dataclass(frozen=True)
class Suite:
    """A resolved suite and its cells.

    Args:
        name: as in `Plan`.
        title: as in `Plan`.
        description: as in `Plan`.
        modes: the decoder modes to compare.
        seeds: as in `Plan`.
        match_parameters: as in `Plan`.
        questions: each with its `name` and the arguments of `Question`; `x` is `None` or the arguments of `X`.
        cells: each with `id`, `suite`, `question`, `x`, `mode`, `seed` and `config`, all plain JSON, and with `data` if
            the suite needs a published data set. In a suite that tunes, the studies come first: they have `tune` and
            `given` as well, see `run_study`. The other cells have `study`, the id of the study that chooses their
            setting.
        tune: the arguments of `Tune`; `None` if nothing is tuned.
        data: as in `Plan`.
    """

    name: str
    title: str
    description: str
    modes: list[str]
    seeds: list[int]
    match_parameters: bool
    questions: list[dict[str, Any]]
    cells: list[Cell]
    tune: dict[str, Any] | None = None
    data: str | None = None

    def document(self) -> dict[str, Any]:
        """The suite as stored in a results directory, without the configurations, which are in the records."""
        return {**asdict(self), "cells": [cell["id"] for cell in self.cells]}


def read_suite(
    path: str | os.PathLike[str],
    config: Schema,
    modes: Iterable[str],
    match: Match,
    quick: bool = False,
    overrides: Iterable[str] = (),
) -> Suite:
    """Read a suite from a YAML file and check the configuration of every cell.

    Args:
        path: the file.
        config: the schema of a cell's configuration.
        modes: all registered decoder modes.
        match: chooses units if the suite asks for matched parameters.
        quick: whether to apply the `quick` section of the file.
        overrides: changes such as "base.training.epochs=3"; the value is YAML.

    Raises:
        ConfigError: one line that says where the error is, what was expected and what was found.
    """
    found = read(path, SuiteSchema(config, modes, match), overrides)
    if quick and found["quick"] is None:
        raise ConfigError(
            f"{path}: quick is missing: add a section with the changes for a quick run, such as fewer seeds."
        )
    return Suite(**found["quick" if quick else "full"])


class SuiteSchema(Schema):
    """The schema of a suite file. It resolves to the arguments of `Suite`, for the `full` and for the `quick` form.

    Args:
        config: the schema of a cell's configuration.
        modes: all registered decoder modes.
        match: chooses units if the suite asks for matched parameters.
    """

    def __init__(self, config: Schema, modes: Iterable[str], match: Match):
        super().__init__(options_of(Plan))
        self._config = config
        self._modes = list(modes)
        self._match = match

    def resolve(self, given: Any) -> dict[str, Any]:
        """Both forms of the suite; `quick` is `None` if the file has no such section.

        Raises:
            OptionError: the first error in either form.
        """
        plan = super().resolve(given)
        quick = plan.pop("quick")
        return {"full": self._expand(plan), "quick": None if quick is None else self._quick(plan, quick)}

    def _quick(self, plan: dict[str, Any], quick: Section) -> dict[str, Any]:
        layers = _Layers()
        layers.merge(plan, ())
        layers.merge(quick, ("quick",))
        with layers.errors_at_source():
            layers.values["questions"] = _without_nulls(layers.values["questions"], known=plan["questions"])
            plan = Schema(options_of(Plan, exclude={"quick"})).resolve(layers.values)
            return self._expand({**plan, "name": f"{plan['name']}-quick"})

    def _expand(self, plan: dict[str, Any]) -> dict[str, Any]:
        modes = plan["modes"] or self._modes
        _check_distinct(("modes",), modes)
        _check_distinct(("seeds",), plan["seeds"])
        tune = None if plan["tune"] is None else _tune(plan)
        data = {} if plan["data"] is None else {"data": plan["data"]}
        with errors_at("data", refusals=UnknownNameError):
            for name in data.values():
                data_set(name)
        questions, study_cells, cells = [], [], []
        for name, given in plan["questions"].items():
            with errors_at("questions", name):
                question = _question(name, given)
            questions.append(question)
            x = question["x"]
            for index, value in enumerate(x["values"] if x else [None]):
                pairs = [self._config_of(plan, question, index, mode) for mode in modes]
                configs = [config for config, _ in pairs]
                if question["metric"] == "bleu" and "bleu" not in configs[0].get("metrics", ()):
                    message = "is computed only on request: add `metrics: [bleu]` to `overrides`."
                    raise OptionError(("questions", name, "metric"), message)
                if plan["match_parameters"]:
                    with paths_in(plan["data"]):
                        configs = self._match(configs)
                for mode, config, (_, given) in zip(modes, configs, pairs, strict=True):
                    extra: dict[str, Any] = dict(data)
                    if tune is not None:
                        study = self._study(plan, question, value, mode, config, given, tune, data)
                        study_cells.append(study)
                        extra["study"] = study["id"]
                    cells += [
                        _cell(plan["name"], name, value, mode, {**config, "seed": seed}, **extra)
                        for seed in plan["seeds"]
                    ]
        kept = ("name", "title", "description", "seeds", "match_parameters", "data")
        return {
            **{key: plan[key] for key in kept},
            "modes": modes,
            "tune": tune,
            "questions": questions,
            "cells": study_cells + cells,
        }

    def _study(
        self,
        plan: dict[str, Any],
        question: dict[str, Any],
        x: Any,
        mode: str,
        config: dict[str, Any],
        given: dict[str, Any],
        tune: dict[str, Any],
        data: dict[str, str],
    ) -> Cell:
        """The cell that chooses the setting of a mode in a condition."""
        if plan["match_parameters"]:
            given = {**given, "decoder": {**given["decoder"], "units": config["decoder"]["units"]}}
        fixed = {
            "decoder.mode": "`modes` sets it for the whole suite",
            "seed": "each trial has a seed of its own",
            "training.monitor": "it is the score of a trial",
        }
        if plan["match_parameters"]:
            fixed["decoder.units"] = "`match_parameters` chooses it"
        if question["x"]:
            keys = question["x"]["key"]
            varied = [*([keys] if isinstance(keys, str) else keys), *(question["x"]["along"] or {})]
            fixed |= dict.fromkeys(varied, f"the question `{question['name']}` varies it")
        space = resolve_space(tune["space"], given, self._config, fixed, ("tune", "space"))
        tune = {**tune, "space": space}
        with errors_at("tune", "space"):
            studies.number_of_trials(tune)
        config = {**config, "seed": tune["seed"]}
        return _cell(plan["name"], question["name"], x, mode, config, **data, tune=tune, given=given)

    def _config_of(
        self, plan: dict[str, Any], question: dict[str, Any], index: int, mode: str
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The configuration of a mode in a condition, with defaults and without."""
        at, x = ("questions", question["name"]), question["x"]
        layers = _Layers(at)
        layers.merge(plan["base"] or {}, ("base",))
        layers.merge({"task": question["task"]}, at)
        layers.merge(question["overrides"] or {}, (*at, "overrides"))
        if x:
            for key in [x["key"]] if isinstance(x["key"], str) else x["key"]:
                layers.put(key, x["values"][index], (*at, "x", "values"))
            for key, values in (x["along"] or {}).items():
                layers.put(key, values[index], (*at, "x", "along", key))
        for key, value, source in (("decoder.mode", mode, "modes"), ("seed", plan["seeds"][0], "seeds")):
            found = layers.source_of(key)
            if found is not None:
                raise OptionError(found, f"is set by `{source}` for the whole suite: leave it out here.")
            layers.put(key, value, (source,))
        with layers.errors_at_source():
            config = self._config.resolve(layers.values)
            studies.require_one_device(config)
            return config, plain(layers.values)


class _Layers:
    """Nested mappings merged over one another, with the source of each value for error messages.

    Args:
        source: the source of values that are missing in all of them.
    """

    def __init__(self, source: Keys = ()):
        self.values: dict[str, Any] = {}
        self._sources: dict[Keys, Keys] = {(): source}

    def merge(self, change: Mapping[str, Any], source: Keys, at: Keys = ()) -> None:
        """Merge a mapping: nested mappings are merged, other values replaced."""
        for key, value in change.items():
            if isinstance(value, Mapping):
                if not isinstance(self._inner(at).get(key), dict):
                    self._put((*at, key), {}, (*source, key))
                self.merge(value, (*source, key), (*at, key))
            else:
                self._put((*at, key), value, (*source, key))

    def put(self, key: str, value: Any, source: Keys) -> None:
        """Replace one value by its dotted key."""
        self._put(tuple(key.split(".")), value, source)

    def source_of(self, key: str) -> Keys | None:
        """The source of the value of a dotted key; `None` if there is none."""
        return self._sources.get(tuple(key.split(".")))

    @contextlib.contextmanager
    def errors_at_source(self) -> Iterator[None]:
        """Convert errors about merged values to errors about their sources."""
        try:
            yield
        except OptionError as error:
            path = error.path
            depth = next(depth for depth in range(len(path), -1, -1) if path[:depth] in self._sources)
            source, rest = self._sources[path[:depth]], path[depth:]
            # If the path of the source does not end in the name of the option (a list of values), the message names it.
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


def _without_nulls(questions: Any, known: Mapping[str, Any]) -> Any:
    if not isinstance(questions, dict):
        return questions
    for name, question in questions.items():
        if question is None and name not in known:
            with errors_at("questions"):
                raise unknown(name, known)
    return {name: question for name, question in questions.items() if question is not None}


def _question(name: str, given: Any) -> dict[str, Any]:
    question = {"name": name, **Schema(options_of(Question)).resolve(given)}
    if question["x"] is not None:
        with errors_at("x"):
            x = question["x"] = Schema(options_of(X)).resolve(question["x"])
            _check_distinct(("values",), x["values"])
            for key, values in (x["along"] or {}).items():
                if len(values) != len(x["values"]):
                    needed = f"must have as many values as x, {len(x['values'])}, got {len(values)}."
                    raise OptionError(("along", key), needed)
    with errors_at("published"):
        question["published"] = [_published(each, question["x"]) for each in question["published"] or ()]
    question["curve"] = question["curve"] or ("x" if question["x"] else "length")
    if question["curve"] == "x" and not question["x"]:
        raise OptionError(("curve",), "must be 'length' if nothing is varied: add `x`, or leave it out.")
    return question


def _published(given: Section, x: Section | None) -> Section:
    published = Schema(options_of(Published)).resolve(given)
    values = published["value"]
    if isinstance(values, list) and (x is None or len(values) != len(x["values"])):
        allowed = "if nothing is varied" if x is None else f"or as many as x has, {len(x['values'])}"
        raise OptionError(("value",), f"must be one number {allowed}, got {len(values)}.")
    return published


def _check_distinct(path: Keys, values: Sequence[Any]) -> None:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise OptionError(path, f"must all be different, got {value!r} twice.")


def _tune(plan: dict[str, Any]) -> dict[str, Any]:
    """The search of a suite."""
    with errors_at("tune"):
        studies.require_optuna()
        tune = Schema(options_of(studies.Tune)).resolve(plan["tune"])
        used = range(tune["seed"], tune["seed"] + tune["trials"])
        for seed in plan["seeds"]:
            if seed in used:
                message = f"gives trials the seeds {used[0]} to {used[-1]}, and the suite has {seed}: keep them apart."
                raise OptionError(("seed",), message)
    return tune


def _cell(suite: str, question: str, x: Any, mode: str, config: dict[str, Any], **extra: Any) -> Cell:
    seed = config["seed"]
    # Everything that affects the training is part of the identity; names and texts of the suite are not.
    contents = json.dumps([question, x, mode, seed, config, *extra.values()], sort_keys=True)
    readable = "-".join(str(part) for part in (question, x, mode, seed) if part is not None)
    name = re.sub(r"[^\w.-]+", "_", readable)  # the id is a file name
    return {
        "id": f"{name}-{hashlib.sha256(contents.encode()).hexdigest()[:6]}",
        "suite": suite,
        "question": question,
        "x": x,
        "mode": mode,
        "seed": seed,
        "config": config,
        **extra,
    }
