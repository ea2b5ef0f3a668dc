"""Options: checks, messages and schemas derived from signatures."""

import inspect
import math
import subprocess
import sys
from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from pydantic import AfterValidator, Field

from seq2seq_zoo.config.options import (
    Fraction,
    Named,
    NonNegative,
    NonNegativeFloat,
    Option,
    OptionError,
    Positive,
    PositiveFloat,
    Probability,
    checked,
    config_of,
    object_schema,
    options_of,
    resolve,
)
from seq2seq_zoo.config.registry import Registry


class Cell: ...


cells = Registry("cell", base=Cell)


@cells.register("lstm", "two states")
class Lstm(Cell):
    """Two states.

    Args:
        units: supplied by the owner.
        bias: whether to add one.
    """

    def __init__(self, units: Positive, bias: bool = True):
        self.units, self.bias = units, bias


@cells.register("tuned", "needs an argument")
class Tuned(Cell):
    def __init__(self, units: Positive, gain: PositiveFloat): ...


class KerasLayer:
    """A substitute for Keras's layer, which accepts any argument."""

    __module__ = "keras.src.layers.layer"

    def __new__(cls, *args, **kwargs):
        layer = super().__new__(cls)
        # As Keras captures a constructor's arguments.
        layer.captured = kwargs | dict(zip(inspect.getfullargspec(cls.__init__).args[1:], args, strict=False))
        return layer

    def __init__(self, **kwargs):
        self.keras = kwargs


class Decoder(KerasLayer):
    """A decoder.

    Args:
        units: width of the state,
            in numbers.
        cell: the recurrent cell.

    Returns:
        nothing: at all.
    """

    @checked
    def __init__(
        self,
        units: Positive,
        cell: Annotated[Any, Named(cells, exclude={"units"})] = "lstm",
        dropout: Fraction = 0.0,
        lengths: tuple[Positive, Positive] | None = None,
        **kwargs,
    ):
        """Make one."""
        super().__init__(**kwargs)
        self.units, self.cell, self.dropout, self.lengths = units, cell, dropout, lengths


class AttentionDecoder(Decoder):
    """Attends.

    Args:
        score: how keys and queries meet.
    """

    @checked
    def __init__(self, units: Positive, score: Literal["additive", "dot"] = "additive", **kwargs):
        super().__init__(units, **kwargs)
        self.score = score


class Closed:
    @checked
    def __init__(self, width: Positive, *, deep: bool = False):
        self.width, self.deep = width, deep


def error(function, *args, **kwargs) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the caller compares the whole text
        function(*args, **kwargs)
    return str(caught.value)


# === Types ===


@pytest.mark.parametrize(
    ("annotation", "good", "bad", "expected"),
    [
        (Positive, [1, 10**12, np.int64(3), np.array(2)], [0, -1, 1.0, "1", True, None], "an integer of at least 1"),
        (NonNegative, [0, 1], [-1, False], "an integer of at least 0"),
        (PositiveFloat, [1e-9, 1, np.float32(0.5)], [0, -1.0, "1", True, math.nan, math.inf], "a number above 0"),
        (NonNegativeFloat, [0, 0.0, 2], [-0.1], "a number of at least 0"),
        (Annotated[int, Field(lt=10**18)], [3], [10**18], "an integer below 1000000000000000000"),
        (Fraction, [0, 0.0, 0.99], [1, 1.0, -0.1], "a number of at least 0 and below 1"),
        (Probability, [0, 1, 0.5], [1.1, -0.1], "a number of at least 0 and at most 1"),
        (bool, [True, False, np.bool_(True)], [0, 1, "true", None], "true or false"),
        (str, ["", "a"], [1, None, b"a"], "text"),
        (Positive | None, [None, 3], [0, "none"], "an integer of at least 1 or null"),
        (Literal["a", "b"], ["a"], ["c", 1], "'a' or 'b'"),
        (Literal["a", "b"] | Positive, ["a", 3], ["c", 0], "'a' or 'b' or an integer of at least 1"),
        (list[Positive], [[1, 2], []], [[0], 1, ["1"]], "a list of an integer of at least 1"),
        (tuple[int, int], [(1, 2), [1, 2]], [[1], [1, "2"], [1, True]], "a list of 2 (an integer, an integer)"),
        (tuple[int, ...], [(1, 2), [1], []], [[1.0], 3], "a list of an integer"),
        (Annotated[tuple[int, int] | int, "x"], [[1, 2]], ["x"], "a list of 2 (an integer, an integer) or an integer"),
        (dict[str, int], [{"a": 1}], [{"a": "1"}, 3], "a mapping"),
        (Callable | None, [None, len], [3], "a callable or null"),
        (Cell, [Lstm(1)], ["lstm"], "a Cell"),
        (Any, [1, "a", None], [], "anything"),
    ],
)  # fmt: skip
def test_types(annotation, good, bad, expected):
    option = Option("size", annotation)
    assert expected in option.expected
    for value in good:
        assert option.check(value) == (
            tuple(value) if isinstance(value, list) and "tuple" in str(annotation) else value
        )
    for value in bad:
        assert error(option.check, value) == f"`size` must be {option.expected}, got {value!r}." or isinstance(
            value, np.generic
        )


def test_numpy_numbers_become_python_numbers():
    assert type(Option("x", Positive).check(np.int32(3))) is int
    assert type(Option("x", Fraction).check(np.float64(0.5))) is float
    assert type(Option("x", Fraction).check(0)) is float
    assert error(Option("x", Positive).check, np.float32(1)) == "`x` must be an integer of at least 1, got 1.0."


def test_the_nearest_alternative_is_suggested():
    option = Option("score", Literal["additive", "dot"] | None)
    assert error(option.check, "aditive") == (
        "`score` must be 'additive' or 'dot' or null, got 'aditive'. Did you mean 'additive'?"
    )


def test_the_message_of_a_custom_check_is_shown():
    def even(value: int) -> int:
        if value % 2:
            raise ValueError("It must be even.")
        return value

    option = Option("size", Annotated[int, AfterValidator(even)])
    assert error(option.check, 3) == "`size` must be an integer, got 3. It must be even."


def test_a_long_value_is_shortened():
    message = error(Option("size", int).check, "line\n" * 50)
    assert message.startswith("`size` must be an integer, got 'line\\nline")
    assert message.endswith("....")
    assert len(message) < 120


# === checked ===


def test_checked_passes_values_on():
    decoder = AttentionDecoder(np.int64(4), cell={"name": "lstm", "bias": False}, lengths=[1, 2], name="x")
    assert (decoder.units, decoder.score, decoder.lengths, decoder.keras) == (4, "additive", (1, 2), {"name": "x"})
    assert decoder.cell == {"name": "lstm", "bias": False}
    assert type(decoder.units) is int
    assert Decoder(4, {"name": "lstm"}).cell == {"name": "lstm", "bias": True}


def test_an_instance_is_accepted_unless_its_owner_supplies_arguments():
    cell = Lstm(3)
    assert Option("cell", Annotated[Any, Named(cells)]).check(cell) is cell
    with pytest.raises(ValueError, match=r"^Decoder: `cell` must name a cell \(.*\), got <.*Lstm"):
        Decoder(4, cell)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": 0}, "`units` must be an integer of at least 1, got 0."),
        ({"units": "3"}, "`units` must be an integer of at least 1, got '3'."),
        ({}, "`units` is missing: give an integer of at least 1."),
        ({"units": 3, "dropout": 1.0}, "`dropout` must be a number of at least 0 and below 1, got 1.0."),
        ({"units": 3, "scor": "dot"}, "`scor` is not an option. Did you mean 'score'? Known: "
            "activity_regularizer, autocast, cell, dropout, dtype, lengths, name, score, trainable, units."),
        ({"units": 3, "nam": "x"}, "`nam` is not an option. Did you mean 'name'? Known: "
            "activity_regularizer, autocast, cell, dropout, dtype, lengths, name, score, trainable, units."),
        ({"units": 3, "cell": "lstn"}, "`cell`: unknown cell 'lstn'. Did you mean 'lstm'? Known: lstm, tuned."),
        ({"units": 3, "cell": 7}, "`cell` must name a cell (lstm, tuned), got 7."),
        ({"units": 3, "cell": {"name": "lstn"}},
            "`cell.name`: unknown cell 'lstn'. Did you mean 'lstm'? Known: lstm, tuned."),
        ({"units": 3, "cell": {"bias": True}}, "`cell.name` is missing. Known: lstm, tuned."),
        ({"units": 3, "cell": {"name": "lstm", "bia": True}},
            "`cell.bia` is not an option of cell 'lstm'. Did you mean 'bias'? Known: bias."),
        ({"units": 3, "cell": {"name": "lstm", "units": 2}},
            "`cell.units` is not an option of cell 'lstm'. Known: bias."),
        ({"units": 3, "cell": {"name": "lstm", "bias": 1}}, "`cell.bias` must be true or false, got 1."),
        ({"units": 3, "cell": "tuned"}, "`cell.gain` is missing: give a number above 0."),
    ],
)  # fmt: skip
def test_checked_refuses_wrong_arguments(arguments, message):
    assert error(AttentionDecoder, **arguments) == f"AttentionDecoder: {message}"


def test_checked_without_kwargs_refuses_every_unknown_argument():
    assert Closed(1, deep=True).deep
    assert error(Closed, 1, name="x") == "Closed: `name` is not an option. Known: deep, width."
    assert error(Closed, 1, dep=True) == "Closed: `dep` is not an option. Did you mean 'deep'? Known: deep, width."
    with pytest.raises(TypeError, match="too many positional arguments"):
        Closed(1, 2, 3)


def test_kwargs_of_a_class_outside_keras_are_not_checked():
    class Open:
        @checked
        def __init__(self, width: Positive, **rest):
            self.rest = rest

    assert Open(1, anything=2).rest == {"anything": 2}
    assert error(Open, width=0) == "Open: `width` must be an integer of at least 1, got 0."


def test_positional_arguments_may_be_passed_on():
    class Mine(Decoder):
        @checked
        def __init__(self, *args, gain: Positive = 2, **kwargs):
            super().__init__(*args, **kwargs)

    assert Mine(3, "lstm", gain=4).units == 3
    assert error(Mine, 3, gain=0) == "Mine: `gain` must be an integer of at least 1, got 0."
    assert error(Mine, gain=1) == "Mine: `units` is missing: give an integer of at least 1."


def test_an_undecorated_subclass_is_checked_by_its_parent():
    class Mine(Decoder):
        def __init__(self, units, gain=2, **kwargs):
            super().__init__(units, **kwargs)
            self.gain = gain

    assert Mine(3, gain=4).gain == 4
    assert error(Mine, 0) == "Mine: `units` must be an integer of at least 1, got 0."
    assert "`drop` is not an option. Did you mean 'dropout'?" in error(Mine, 3, drop=0.1)


def test_checked_keeps_signature_and_docstring_and_keras_capture():
    parameters = inspect.signature(Decoder).parameters
    assert list(parameters) == ["units", "cell", "dropout", "lengths", "kwargs"]
    assert parameters["dropout"].default == 0.0
    assert Decoder.__init__.__doc__ == "Make one."
    assert Decoder(3, "lstm", dropout=0.5).captured == {"units": 3, "cell": "lstm", "dropout": 0.5}


# === Derived from the signature ===


def test_options_follow_kwargs_to_the_parents():
    options = options_of(AttentionDecoder, exclude=("lengths",))
    assert list(options) == ["units", "score", "cell", "dropout"]
    assert options["units"].required
    assert options["dropout"].default == 0.0
    # The nearest docstring that documents a class's own constructor; the section ends where the next begins.
    assert options["score"].description == "how keys and queries meet."
    assert options["cell"].description == "the recurrent cell."
    assert options_of(Decoder)["units"].description == "width of the state, in numbers."
    assert "nothing" not in options_of(Decoder)
    assert options_of(object) == {}


def test_options_end_at_a_constructor_without_kwargs():
    class Small(Decoder):
        def __init__(self, depth: Positive = 1):
            super().__init__(units=depth)

    assert list(options_of(Small)) == ["depth"]


def test_resolve_fills_in_defaults_in_order():
    options = options_of(Decoder)
    assert resolve(options, {"dropout": 0, "units": 2}) == {"units": 2, "cell": "lstm", "dropout": 0.0, "lengths": None}
    assert error(resolve, options, {}) == "`units` is missing: give an integer of at least 1."
    assert error(resolve, options, {"unit": 1}, "mode 'x'") == (
        "`unit` is not an option of mode 'x'. Did you mean 'units'? Known: cell, dropout, lengths, units."
    )
    assert error(resolve, {}, {"unit": 1}) == "`unit` is not an option. Known: none."


def test_an_option_error_has_its_path():
    with pytest.raises(OptionError) as caught:
        resolve(options_of(Decoder), {"units": 1, "cell": {"name": "lstm", "bias": 0}})
    assert caught.value.path == ("cell", "bias")
    assert caught.value.message == "must be true or false, got 0."


def test_json_schema():
    schema = object_schema(options_of(Decoder))
    assert schema["required"] == ["units"]
    assert schema["additionalProperties"] is False
    properties = schema["properties"]
    assert properties["units"] == {"type": "integer", "minimum": 1, "description": "width of the state, in numbers."}
    assert properties["dropout"] == {"type": "number", "minimum": 0, "exclusiveMaximum": 1, "default": 0.0}
    assert properties["cell"] == {
        "anyOf": [
            {"enum": ["lstm"]},
            {
                "description": "two states",
                "type": "object",
                "properties": {
                    "name": {"const": "lstm"},
                    "bias": {"type": "boolean", "default": True, "description": "whether to add one."},
                },
                "required": ["name"],
                "additionalProperties": False,
            },
            {
                "description": "needs an argument",
                "type": "object",
                "properties": {"name": {"const": "tuned"}, "gain": {"type": "number", "exclusiveMinimum": 0}},
                "required": ["name", "gain"],
                "additionalProperties": False,
            },
        ],
        "description": "the recurrent cell.",
        "default": "lstm",
    }
    # A default that JSON cannot write is left out, and a type that it cannot write has no value.
    assert Option("cell", Cell | None, Lstm(1)).json_schema == {
        "anyOf": [{"not": {}, "title": "a Cell"}, {"type": "null"}]
    }


def test_a_later_registration_is_known():
    registry = Registry("shape", base=Cell)
    option = Option("shape", Annotated[Any, Named(registry)] | None)
    assert error(option.check, "round") == "`shape`: unknown shape 'round'. Known: ."
    registry.register("round", "no corners")(type("Round", (Cell,), {}))
    assert option.check("round") == "round"
    assert {"enum": ["round"]} in option.json_schema["anyOf"]


def test_import_is_light():
    code = "import seq2seq_zoo.config.options, sys; print({'keras', 'tensorflow', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_config_needs_each_argument_as_an_attribute():
    class Layer:
        def __init__(self, units: Positive, name: str = "layer"):
            del units, name

    with pytest.raises(AttributeError, match=r"Layer cannot be saved.* Set `self\.units = units` in Layer\.__init__"):
        config_of(Layer(1), serialize=repr)
