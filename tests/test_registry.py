"""Registries: registration, look-up, creation and errors."""

import importlib.metadata

import pytest

from seq2seq_zoo.config.messages import nearest
from seq2seq_zoo.config.registry import Registry, UnknownNameError


class Shape:
    def __init__(self, side=1, colour="red"):
        self.side, self.colour = side, colour


@pytest.fixture
def shapes():
    registry = Registry("shape", base=Shape)

    @registry.register("square", "four equal sides")
    class Square(Shape): ...

    @registry.register("circle", "no sides")
    class Circle(Shape): ...

    return registry


def test_nearest_suggests_only_close_names():
    assert nearest("sqare", ["square", "circle"]) == " Did you mean 'square'?"
    assert nearest("zebra", ["square", "circle"]) == ""
    assert nearest(3, ["square"]) == ""


def test_a_registry_is_a_sorted_mapping_with_descriptions(shapes):
    assert list(shapes) == ["circle", "square"]
    assert shapes.list() == {"circle": "no sides", "square": "four equal sides"}
    assert len(shapes) == 2
    assert "square" in shapes
    assert "triangle" not in shapes
    assert shapes["square"].__name__ == "Square"


def test_register_returns_the_class_itself(shapes):
    class Triangle(Shape): ...

    assert shapes.register("triangle", "three sides")(Triangle) is Triangle
    assert shapes.name_of(Triangle) == "triangle"


@pytest.mark.parametrize("name", ["sqare", "Square"])
def test_an_unknown_name_suggests_the_nearest(shapes, name):
    with pytest.raises(UnknownNameError) as caught:
        shapes[name]
    assert str(caught.value) == f"Unknown shape '{name}'. Did you mean 'square'? Known: circle, square."
    assert isinstance(caught.value, KeyError)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("name", [None, 3, ["x"]])
def test_a_name_that_is_not_text_is_unknown(shapes, name):
    with pytest.raises(UnknownNameError) as caught:
        shapes[name]
    assert str(caught.value) == f"Unknown shape '{name}'. Known: circle, square."


def test_get_and_name_of_an_unregistered_class(shapes):
    assert shapes.get("triangle") is None
    with pytest.raises(UnknownNameError) as caught:
        shapes.name_of(Shape)
    assert str(caught.value) == "Shape is not a registered shape."


def test_a_class_without_the_base_is_refused(shapes):
    with pytest.raises(TypeError) as caught:
        shapes.register("text", "not a shape")(str)
    assert str(caught.value) == "A shape must derive from Shape, got <class 'str'>."
    with pytest.raises(TypeError, match="must derive from Shape"):
        shapes.register("function", "not a class")(lambda: None)
    assert len(shapes) == 2


def test_a_taken_name_is_refused(shapes):
    class Other(Shape): ...

    with pytest.raises(ValueError, match="is already registered") as caught:
        shapes.register("square", "another")(Other)
    assert "The shape 'square' is already registered by test_registry.shapes.<locals>.Square." in str(caught.value)
    assert "Choose another name for test_registry.test_a_taken_name_is_refused.<locals>.Other." in str(caught.value)
    assert shapes["square"].__name__ == "Square"


def test_the_same_class_defined_again_replaces_itself(shapes):
    def cell():
        @shapes.register("hexagon", "six sides")
        class Hexagon(Shape): ...

        return Hexagon

    first, second = cell(), cell()
    assert first is not second
    assert shapes["hexagon"] is second


def test_create_from_a_name_a_mapping_or_an_instance(shapes):
    assert shapes.create("square", side=3).side == 3
    made = shapes.create({"name": "square", "side": 4}, side=3, colour="blue")
    assert (type(made).__name__, made.side, made.colour) == ("Square", 4, "blue")
    assert shapes.create(made, side=9) is made
    assert made.side == 4


def test_create_without_a_known_name(shapes):
    with pytest.raises(ValueError, match="needs the key 'name'") as caught:
        shapes.create({"side": 4})
    assert str(caught.value) == "A shape given as a mapping needs the key 'name', got {'side': 4}."
    with pytest.raises(UnknownNameError, match="Did you mean 'circle'"):
        shapes.create({"name": "circel"})


def test_serializable_is_applied_with_the_package_name():
    seen = []

    def serializable(package):
        def decorate(cls):
            seen.append((package, cls.__name__))
            return cls

        return decorate

    registry = Registry("shape", base=Shape, serializable=serializable)

    @registry.register("square", "four equal sides")
    class Square(Shape): ...

    assert seen == [("test_registry", "Square")]
    assert registry["square"] is Square


def test_entry_points_are_loaded_once_when_they_are_needed(monkeypatch):
    loads = []
    registry = Registry("shape", base=Shape, group="zoo.shapes")

    class EntryPoint:
        def load(self):
            loads.append(1)

            @registry.register("plugged", "from another package")
            class Plugged(Shape): ...

    def entry_points(group):
        assert group == "zoo.shapes"
        return [EntryPoint()]

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    registry.register("own", "ours")(type("Own", (Shape,), {}))
    assert registry["own"].__name__ == "Own"
    assert loads == []
    assert registry["plugged"].__name__ == "Plugged"
    assert list(registry) == ["own", "plugged"]
    assert loads == [1]


@pytest.mark.parametrize("read", [len, list, lambda registry: "x" in registry, lambda registry: registry.list()])
def test_reading_a_registry_loads_its_entry_points(monkeypatch, read):
    asked = []
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: asked.append(group) or [])
    read(Registry("shape", base=Shape, group="zoo.shapes"))
    assert asked == ["zoo.shapes"]
