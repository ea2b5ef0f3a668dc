"""Configurations: strict YAML, the exact error messages, overrides, round trips and the JSON Schema."""

import json
import subprocess
import sys
from typing import Annotated, Any, Literal

import pytest

from seq2seq_zoo.config.options import (
    Fraction,
    Named,
    NonNegative,
    Option,
    OptionError,
    Positive,
    PositiveFloat,
    options_of,
)
from seq2seq_zoo.config.reader import dump, read
from seq2seq_zoo.config.registry import Registry
from seq2seq_zoo.config.schema import Choice, ConfigError, Options, Schema, json_schema


class Mode: ...


class Cell: ...


modes = Registry("decoder mode", base=Mode)
cells = Registry("cell", base=Cell)


@cells.register("lstm", "two states")
class Lstm(Cell):
    def __init__(self, units: Positive, bias: bool = True): ...


@modes.register("attention", "attends")
class Attention(Mode):
    """Attends.

    Args:
        units: width of the state.
    """

    def __init__(
        self,
        units: Positive,
        readout: Any,
        score: Literal["additive", "dot"] = "additive",
        cell: Annotated[Any, Named(cells, exclude={"units"})] = "lstm",
    ): ...


@modes.register("peek", "peeks")
class Peek(Mode):
    def __init__(self, units: Positive, readout: Any): ...


class Tokens:
    def __init__(self, vocabulary_size: int, tied: bool = False): ...


class Training:
    def __init__(
        self,
        learning_rate: PositiveFloat = 0.001,
        dropout: Fraction = 0.0,
        lengths: tuple[Positive, Positive] = (1, 2),
        language: str = "en",
        clip: PositiveFloat | None = None,
    ): ...


SCHEMA = Schema(
    {
        "decoder": Choice(
            modes, key="mode", exclude={"readout"}, extra=options_of(Tokens, exclude={"vocabulary_size"})
        ),
        "training": Options(Training),
        "seed": Option("seed", NonNegative, 1, "where chance starts."),
    }
)
MINIMAL = "decoder: {mode: attention, units: 8}\n"
TRAINING = {"learning_rate": 0.001, "dropout": 0.0, "lengths": [1, 2], "language": "en", "clip": None}
RESOLVED = {
    "decoder": {"mode": "attention", "units": 8, "score": "additive", "cell": "lstm", "tied": False},
    "training": TRAINING,
    "seed": 1,
}


@pytest.fixture
def load(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def load(content, *overrides):
        (tmp_path / "run.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
        return read("run.yaml", SCHEMA, overrides)

    return load


@pytest.fixture
def error(load):
    def error(content, *overrides):
        with pytest.raises(ConfigError) as caught:
            load(content, *overrides)
        return str(caught.value)

    return error


# === Options of one mode ===

PER_MODE = Schema({"decoder": Choice(modes, key="mode", exclude={"readout"}, by_name="per_mode")})


@pytest.mark.parametrize(
    ("mode", "beside", "score"),
    [("attention", {}, "dot"), ("attention", {"score": "additive"}, "additive"), ("peek", {}, None)],
)
def test_the_options_of_one_mode_apply_when_it_is_named(mode, beside, score):
    given = {"mode": mode, "units": 8, **beside, "per_mode": {"attention": {"score": "dot"}}}
    resolved = PER_MODE.resolve({"decoder": given})
    assert resolved["decoder"].get("score") == score
    assert "per_mode" not in resolved["decoder"]
    assert PER_MODE.resolve(resolved) == resolved


@pytest.mark.parametrize(
    ("per_mode", "message"),
    [
        ({"atention": {}}, "`decoder.per_mode.atention`: unknown decoder mode 'atention'. Did you mean 'attention'?"),
        ({"attention": {"scor": 1}}, "`decoder.per_mode.attention.scor` is not an option of decoder mode 'attention'."),
        ({"attention": {"units": 0}}, "`decoder.per_mode.attention.units` must be an integer of at least 1, got 0."),
        ({"attention": 3}, "`decoder.per_mode.attention` must be a mapping of its options, got 3."),
        (3, "`decoder.per_mode` must be a mapping of a decoder mode and its options, got 3."),
    ],
)
def test_the_options_of_one_mode_are_checked_whichever_is_named(per_mode, message):
    with pytest.raises(OptionError) as caught:
        PER_MODE.resolve({"decoder": {"mode": "peek", "units": 8, "per_mode": per_mode}})
    assert str(caught.value).startswith(message)


def test_the_json_schema_has_the_options_of_each_mode():
    for choice in json_schema(PER_MODE)["properties"]["decoder"]["oneOf"]:
        per_mode = choice["properties"]["per_mode"]["properties"]
        assert {name: list(each["properties"]) for name, each in per_mode.items()} == {
            "attention": ["units", "score", "cell"],
            "peek": ["units"],
        }


# === Reading ===


def test_defaults_are_filled_in_and_in_order(load):
    config = load(MINIMAL)
    assert config == RESOLVED
    assert list(config) == ["decoder", "training", "seed"]
    assert list(config["decoder"]) == ["mode", "units", "score", "cell", "tied"]


def test_origins(load):
    config = load("seed: 2\ndecoder:\n  units: 8\n  mode: peek\n", "decoder.units=9", "training.dropout=0.1")
    assert config.origins == {
        (): "run.yaml:1",
        ("seed",): "run.yaml:1",
        ("decoder",): "run.yaml:2",
        ("decoder", "units"): "--set decoder.units=9",
        ("decoder", "mode"): "run.yaml:4",
        ("training",): "--set training.dropout=0.1",
        ("training", "dropout"): "--set training.dropout=0.1",
    }


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("1e-3", "learning_rate", 0.001),
        ("1E-3", "learning_rate", 0.001),
        ("2", "learning_rate", 2.0),
        (".5", "learning_rate", 0.5),
        ("no", "language", "no"),
        ("off", "language", "off"),
        ("2020-01-01", "language", "2020-01-01"),
        ("1:30", "language", "1:30"),
        ("'1e-3'", "language", "1e-3"),
        ("é", "language", "é"),
        ("null", "clip", None),
        ("~", "clip", None),
        ("", "clip", None),
        ("[3, 4]", "lengths", [3, 4]),
    ],
)
def test_plain_values_have_the_types_of_yaml_1_2(load, text, key, value):
    config = load(f"{MINIMAL}training:\n  {key}: {text}\n")
    assert config["training"][key] == value
    assert type(config["training"][key]) is type(value)


def test_a_nested_choice_gets_its_defaults(load):
    assert load("decoder: {mode: attention, units: 8, cell: {name: lstm}}")["decoder"]["cell"] == {
        "name": "lstm",
        "bias": True,
    }


# === Errors ===

DECODER = "is not an option of decoder mode 'attention'."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        # Keys and names.
        ("decoder:\n  mode: atention\n  units: 8",
            "2: decoder.mode: unknown decoder mode 'atention'. Did you mean 'attention'? Known: attention, peek."),
        ("decoder:\n  mode: 3", "2: decoder.mode: unknown decoder mode '3'. Known: attention, peek."),
        ("decoder:\n  mode: attention\n\n  unts: 8",
            f"4: decoder.unts: {DECODER} Did you mean 'units'? Known: cell, score, tied, units."),
        (f"{MINIMAL}sed: 3", "2: sed: is not an option. Did you mean 'seed'? Known: decoder, seed, training."),
        (f"{MINIMAL}training:\n  drop: 0.1", "3: training.drop: is not an option. Did you mean 'dropout'? "
            "Known: clip, dropout, language, learning_rate, lengths."),
        ("decoder:\n  mode: attention\n  units: 8\n  readout: x",
            f"4: decoder.readout: {DECODER} Known: cell, score, tied, units."),
        ("1: 2", "1: 1: is not an option. Known: decoder, seed, training."),
        ("? [a]\n: 1", "1: a key must be one word, got a list or mapping."),
        (f"{MINIMAL}seed: 1\nseed: 2", "3: seed: the key occurs twice, first on line 2."),
        ("decoder:\n  units: 1\n  mode: peek\n  units: 1",
            "4: decoder.units: the key occurs twice, first on line 2."),
        # Values.
        ("decoder:\n  mode: attention\n  units: 0", "3: decoder.units: must be an integer of at least 1, got 0."),
        ("decoder:\n  mode: attention\n  units: '8'",
            "3: decoder.units: must be an integer of at least 1, got '8'."),
        ("decoder:\n  mode: attention\n  units: true",
            "3: decoder.units: must be an integer of at least 1, got True."),
        (f"{MINIMAL}seed: 0x10", "2: seed: must be an integer of at least 0, got '0x10'."),
        (f"{MINIMAL}training: {{learning_rate: .inf}}",
            "2: training.learning_rate: must be a number above 0, got inf."),
        (f"{MINIMAL}training: {{dropout: 1}}",
            "2: training.dropout: must be a number of at least 0 and below 1, got 1."),
        (f"{MINIMAL}training: {{language: 3}}", "2: training.language: must be text, got 3."),
        (f"{MINIMAL}training: {{language: true}}", "2: training.language: must be text, got True."),
        (f"{MINIMAL}training:\n  lengths:\n    - 1\n    - 0", "3: training.lengths: must be a list of 2 "
            "(an integer of at least 1, an integer of at least 1), got [1, 0]."),
        ("decoder:\n  mode: attention\n  units: 8\n  score: dott",
            "4: decoder.score: must be 'additive' or 'dot', got 'dott'. Did you mean 'dot'?"),
        ("decoder:\n  mode: peek\n  units: 8\n  tied: no", "4: decoder.tied: must be true or false, got 'no'."),
        # Missing values.
        ("seed: 1\ndecoder:\n  mode: attention", "2: decoder.units: is missing: give an integer of at least 1."),
        ("seed: 1\ndecoder: {units: 3}", "2: decoder.mode: is missing: name a decoder mode (attention, peek)."),
        ("\nseed: 1", "1: decoder.mode: is missing: name a decoder mode (attention, peek)."),
        (f"{MINIMAL}training:\n", "2: training: is empty: leave the key out to take every default."),
        # Nested choices.
        ("decoder:\n  mode: attention\n  units: 8\n  cell: lstn",
            "4: decoder.cell: unknown cell 'lstn'. Did you mean 'lstm'? Known: lstm."),
        ("decoder:\n  mode: attention\n  units: 8\n  cell:\n    name: lstm\n    bia: true",
            "6: decoder.cell.bia: is not an option of cell 'lstm'. Did you mean 'bias'? Known: bias."),
        # Shapes.
        ("decoder: attention", "1: decoder: must be a mapping of 'mode' and its options, got 'attention'."),
        (f"{MINIMAL}training: [1]", "2: training: must be a mapping of its options, got [1]."),
        ("[1, 2]", "1: must be a mapping of the sections decoder, training, seed, got [1, 2]."),
        ("words", "1: must be a mapping of the sections decoder, training, seed, got 'words'."),
        ("", "1: the file is empty: give the sections decoder, training, seed."),
        ("# nothing\n", "1: the file is empty: give the sections decoder, training, seed."),
        # YAML itself.
        ("decoder:\n\tmode: peek", "2: a tab cannot indent: use spaces."),
        ("decoder:\n  mode: peek\n\n\tunits: 3", "4: a tab cannot indent: use spaces."),
        (f"{MINIMAL}seed: !!python/object/apply:os.system ['echo']",
            "2: tags (!!python/object/apply:os.system) are not read: write the plain value."),
        (f"{MINIMAL}seed: !own 3", "2: tags (!own) are not read: write the plain value."),
        (f"{MINIMAL}a: &a [1, 1]\nb: &b [*a, *a]\n", "3: aliases (*) are not read: write the value out."),
        ("[" * 5000, "1: brackets are nested too deeply."),
        (f"{MINIMAL}seed: [1", "2: a bracket is not closed."),
        (f"{MINIMAL}seed: 'x", "2: a quotation mark is not closed."),
        (f"{MINIMAL}training:\n  clip: 1\n seed: 2", "4: the indentation does not fit the lines above."),
        (f"{MINIMAL}training:\n clip: 1\n  seed: 2",
            "4: a second colon on one line, or an indentation that does not fit."),
        (f"{MINIMAL}training\nseed: 2", "3: a key without a colon."),
        (f"{MINIMAL}---\nseed: 2", "2: a second document begins (---): a configuration is one."),
        (b"\xff\xfe\xfa", "1: not plain UTF-8 text."),
        (b"seed: \xff", "1: not plain UTF-8 text."),
        (b"seed: \x00", "1: not plain UTF-8 text."),
    ],
)  # fmt: skip
def test_each_error_is_one_line(error, content, message):
    assert error(content) == f"run.yaml:{message}"


def test_a_key_with_a_line_break_stays_on_one_line(error):
    assert error('"a\\nb": 1') == "run.yaml:1: a b: is not an option. Known: decoder, seed, training."


def test_a_file_that_cannot_be_read(load, tmp_path):
    load(MINIMAL)
    for path, message in [
        ("rum.yaml", "rum.yaml: there is no such file. Did you mean 'run.yaml'?"),
        ("elsewhere/run.yaml", "elsewhere/run.yaml: there is no such file."),
        (tmp_path, f"{tmp_path}: cannot be read: Is a directory."),
    ]:
        with pytest.raises(ConfigError) as caught:
            read(path, SCHEMA)
        assert str(caught.value) == message


# === Overrides ===


@pytest.mark.parametrize(
    ("override", "section", "values"),
    [
        ("decoder.units=256", "decoder", RESOLVED["decoder"] | {"units": 256}),
        ("decoder.mode=peek", "decoder", {"mode": "peek", "units": 8, "tied": False}),
        ("decoder={mode: peek, units: 2}", "decoder", {"mode": "peek", "units": 2, "tied": False}),
        ("decoder.cell={name: lstm, bias: false}", "decoder",
            RESOLVED["decoder"] | {"cell": {"name": "lstm", "bias": False}}),
        ("training.learning_rate=1e-4", "training", TRAINING | {"learning_rate": 1e-4}),
        ("training.clip=", "training", TRAINING),
        ("training.language=a=b", "training", TRAINING | {"language": "a=b"}),
        ("seed=7", "seed", 7),
    ],
)  # fmt: skip
def test_overrides(load, override, section, values):
    assert load(MINIMAL, override) == RESOLVED | {section: values}


def test_the_last_override_wins_and_an_empty_section_is_filled(load):
    assert load(f"{MINIMAL}training:\n", "training.dropout=0.1", "training.dropout=0.2")["training"]["dropout"] == 0.2


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("decoder.units=0", "decoder.units: must be an integer of at least 1, got 0."),
        ("decoder.unit=4", f"decoder.unit: {DECODER} Did you mean 'units'? Known: cell, score, tied, units."),
        ("decodr.units=4", "decodr: is not an option. Did you mean 'decoder'? Known: decoder, seed, training."),
        ("decoder.mode=pek",
            "decoder.mode: unknown decoder mode 'pek'. Did you mean 'peek'? Known: attention, peek."),
        ("decoder={mode: peek, units: -4}", "decoder.units: must be an integer of at least 1, got -4."),
        ("decoder={mode: peek}", "decoder.units: is missing: give an integer of at least 1."),
        ("decoder.mode.x=1", "decoder.mode is 'attention', which holds no options: set it whole."),
        ("decoder.mode.x.y=1", "decoder.mode.x is 'attention', which holds no options: set it whole."),
        ("decoder.units", "must look like section.option=value."),
        ("=3", "must look like section.option=value."),
        ("decoder..units=3", "must look like section.option=value."),
        ("seed=[1", "a bracket is not closed."),
        ("seed=!!python/name:os.system x", "tags (!!python/name:os.system) are not read: write the plain value."),
        ("training={clip: 1, clip: 2}", "training.clip: the key occurs twice, first on line 1."),
    ],
)  # fmt: skip
def test_override_errors_name_the_override(error, override, message):
    assert error(MINIMAL, override) == f"--set {override}: {message}"


def test_a_key_that_does_not_fit_the_new_choice_is_named(error):
    content = "decoder:\n  mode: attention\n  units: 8\n  score: dot\n"
    assert error(content, "decoder.mode=peek") == (
        "run.yaml:4: decoder.score: is not an option of decoder mode 'peek'. Known: tied, units."
    )


def test_a_file_that_is_no_mapping_is_refused_before_overrides(error):
    assert error("[1]", "seed=2") == "run.yaml:1: must be a mapping of the sections decoder, training, seed, got [1]."


# === Writing ===


@pytest.mark.parametrize(
    "language",
    ["no", "yes", "null", "~", "", "1", "1e-3", "1.5", "0x10", "1:30", "2020-01-01", "true", ".inf", "-", "a: b", "# c",
     "é\n\tb ", " a", "'", '"', "*a", "!!str", "=", "<<", "日本", "a" * 300, "a b " * 80],
)  # fmt: skip
def test_dump_reads_back(load, language):
    config = SCHEMA.resolve({"decoder": {"mode": "attention", "units": 8}, "training": {"language": language}})
    text = dump(config)
    again = load(text)
    assert again == config
    assert dump(again) == text


@pytest.mark.parametrize("rate", [1e-5, 0.1, 1.0, 1e22, 1 / 3, 5e-324])
def test_dump_keeps_numbers_exactly(load, rate):
    config = SCHEMA.resolve({"decoder": {"mode": "peek", "units": 8}, "training": {"learning_rate": rate}})
    assert load(dump(config))["training"]["learning_rate"] == rate


def test_dump_is_plain_and_in_order(load):
    lengths = [3, 4]
    assert dump({"b": lengths, "a": {"x": (1, 2), "y": lengths}}) == (
        "b:\n- 3\n- 4\na:\n  x:\n  - 1\n  - 2\n  y:\n  - 3\n  - 4\n"
    )
    assert dump(load(MINIMAL)).splitlines()[:3] == ["decoder:", "  mode: attention", "  units: 8"]


def test_resolve_leaves_defaults_alone():
    given = {"decoder": {"mode": "peek", "units": 8}}
    SCHEMA.resolve(given)["training"]["lengths"].append(9)
    assert SCHEMA.resolve(given)["training"]["lengths"] == [1, 2]
    assert given == {"decoder": {"mode": "peek", "units": 8}}


# === JSON Schema ===


def test_json_schema():
    schema = json_schema(SCHEMA)
    assert json.loads(json.dumps(schema))["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["type"] == "object"
    assert schema["required"] == ["decoder"]
    assert schema["additionalProperties"] is False
    properties = schema["properties"]
    assert properties["seed"] == {
        "type": "integer",
        "minimum": 0,
        "default": 1,
        "description": "where chance starts.",
    }
    assert properties["training"]["properties"]["clip"]["anyOf"][1] == {"type": "null"}
    attention, peek = properties["decoder"]["oneOf"]
    assert attention["properties"]["units"] == {"type": "integer", "minimum": 1, "description": "width of the state."}
    assert attention["properties"]["cell"]["anyOf"][0] == {"enum": ["lstm"]}
    assert peek == {
        "description": "peeks",
        "type": "object",
        "properties": {
            "mode": {"const": "peek"},
            "units": {"type": "integer", "minimum": 1},
            "tied": {"type": "boolean", "default": False},
        },
        "required": ["mode", "units"],
        "additionalProperties": False,
    }


def test_import_needs_no_backend():
    code = "import seq2seq_zoo.config, sys; print({'keras', 'tensorflow', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
