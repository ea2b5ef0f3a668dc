"""Search spaces: which values a search may choose, and how a mistake in a space is reported."""

import re

import pytest

from seq2seq_zoo.config.options import NonNegative, Option, OptionError, Positive, Probability
from seq2seq_zoo.config.registry import Registry
from seq2seq_zoo.config.schema import Choice, Options, Schema
from seq2seq_zoo.config.space import resolve_space, with_values


class Mode: ...


modes = Registry("decoder mode", base=Mode)


@modes.register("peek", "one mode")
class Peek(Mode):
    def __init__(self, units: Positive = 8, dropout: Probability = 0.0): ...


@modes.register("attention", "another mode")
class Attention(Mode):
    def __init__(self, units: Positive = 8, heads: Positive = 1): ...


class Training:
    def __init__(self, learning_rate: float = 0.1, schedule: str | None = None): ...


SCHEMA = Schema(
    {
        "decoder": Choice(modes, "mode", by_name="per_mode"),
        "training": Options(Training),
        "seed": Option("seed", NonNegative, 1),
    }
)
CONFIG = {"decoder": {"mode": "peek", "units": 16}}


def space(given, config=CONFIG, fixed=None):
    return resolve_space(given, config, SCHEMA, fixed)


def interval(low, high, log=False, step=None):
    return {"low": low, "high": high, "log": log, "step": step}


@pytest.mark.parametrize(
    ("key", "values", "resolved"),
    [
        ("training.learning_rate", {"low": 1e-4, "high": 1e-2, "log": True}, interval(1e-4, 1e-2, log=True)),
        ("training.schedule", ["cosine", None], ["cosine", None]),
        ("decoder.units", [64, 128], [64, 128]),
        ("decoder.units", {"low": 4, "high": 8, "step": 2}, interval(4, 8, step=2)),
        ("decoder.dropout", {"low": 0, "high": 1}, interval(0.0, 1.0)),
        ("decoder.per_mode.peek.units", [1, 2], [1, 2]),
        (
            "decoder",
            [{"mode": "peek"}, {"mode": "attention", "heads": 2}],
            [{"mode": "peek"}, {"mode": "attention", "heads": 2}],
        ),
    ],
)
def test_every_option_can_be_searched(key, values, resolved):
    found = space({key: values})
    assert found == {key: resolved}
    kinds = [
        [type(each) for each in (entry if isinstance(entry, list) else entry.values())] for entry in found.values()
    ]
    assert kinds == [[type(each) for each in (resolved if isinstance(resolved, list) else resolved.values())]]


def test_values_are_set_before_defaults_are_filled_in():
    found = with_values(CONFIG, {"decoder.mode": "attention", "training.learning_rate": 0.5}, SCHEMA)
    assert found["decoder"] == {"mode": "attention", "units": 16, "heads": 1}
    assert found["training"]["learning_rate"] == 0.5
    assert CONFIG == {"decoder": {"mode": "peek", "units": 16}}


@pytest.mark.parametrize(
    ("given", "place", "words"),
    [
        (None, "search", r"is missing: give options and their values"),
        ({}, "search", r"must be a mapping of options and their values, got \{\}"),
        (
            {"training.learning_rat": [1]},
            "search training.learning_rat",
            r"is not an option\. Did you mean 'learning_rate'\?",
        ),
        (
            {"trainin.learning_rate": [1]},
            "search trainin.learning_rate",
            r"is not an option\. Did you mean 'training'\?",
        ),
        ({"decoder.units": [64, 0]}, "search decoder.units", r"must be an integer of at least 1, got 0"),
        (
            {"decoder.units": {"low": 4, "high": 8.5}},
            "search decoder.units",
            r"must be an integer of at least 1, got 8\.5",
        ),
        ({"decoder.units": []}, "search decoder.units", r"must be a list of values, or a range such as"),
        ({"decoder.units": [4, 4]}, "search decoder.units", r"must have every value once, got \[4, 4\]"),
        ({"decoder.units": {"low": 4}}, "search decoder.units high", r"is missing"),
        ({"decoder.units": {"low": 4, "hihg": 5}}, "search decoder.units hihg", r"Did you mean 'high'\?"),
        ({"decoder.units": {"low": 4, "high": 4}}, "search decoder.units high", r"must be above low, 4, got 4"),
        ({"decoder.units": {"low": 4, "high": 8, "step": 1.5}}, "search decoder.units step", r"must be an integer for"),
        (
            {"decoder.dropout": {"low": 0, "high": 1, "log": True}},
            "search decoder.dropout low",
            r"must be above 0 on a log",
        ),
        ({"seed": [1, 2]}, "search seed", r"cannot change `seed`: trials have their own"),
        ({"decoder.mode": ["attention"]}, "search decoder.mode", r"cannot change `decoder\.mode`: the suite sets it"),
    ],
)
def test_a_mistake_names_its_place(given, place, words):
    fixed = {"seed": "trials have their own", "decoder.mode": "the suite sets it"}
    with pytest.raises(OptionError) as error:
        space(given, fixed=fixed)
    assert " ".join(error.value.path) == place
    assert re.search(words, error.value.message)
