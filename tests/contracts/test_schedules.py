"""Schedules of scheduled sampling."""

import keras
import numpy as np
import pytest
from cases import close

from seq2seq_zoo.layers.schedules import schedules

STEPS = np.array([0, 1, 10, 500, 1000, 5000], "float32")
CURVES = [
    ("constant", {"p": 0.3}, lambda s: 0.3 + 0 * s),
    ("linear", {"steps": 1000, "floor": 0.2}, lambda s: np.maximum(0.2, 1 - 0.8 * s / 1000)),
    ("exponential", {"k": 0.99}, lambda s: 0.99**s),
    ("inverse_sigmoid", {"k": 50}, lambda s: 50 / (50 + np.exp(np.float64(s) / 50))),
]


@pytest.mark.parametrize(("name", "arguments", "curve"), CURVES)
def test_a_schedule_follows_its_formula(name, arguments, curve):
    schedule = schedules.create({"name": name, **arguments})
    close([float(schedule(np.float32(step))) for step in STEPS], curve(STEPS))


def test_each_schedule_of_the_package_has_a_formula_here():
    ours = {name for name in schedules if schedules[name].__module__.startswith("seq2seq_zoo.")}
    assert ours == {name for name, *_ in CURVES}


@pytest.mark.parametrize("name", schedules)
def test_a_schedule_gives_probabilities_and_is_rebuilt_from_its_config(name):
    schedule = schedules.create(name)
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert type(twin) is type(schedule)
    assert twin.get_config() == schedule.get_config()
    for step in (*STEPS, 1e9):
        probability = float(schedule(np.float32(step)))
        assert 0 <= probability <= 1
        assert probability == float(twin(np.float32(step)))


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("constant", {"p": 1.5}, "`p` must be a number of at least 0 and at most 1, got 1.5"),
        ("linear", {"steps": 0}, "`steps` must be a number above 0, got 0"),
        ("inverse_sigmoid", {"k": 0.5}, "`k` must be at least 1, got 0.5"),
    ],
)
def test_arguments_out_of_range_are_refused(name, arguments, words):
    with pytest.raises(ValueError, match=words):
        schedules.create(name, **arguments)
