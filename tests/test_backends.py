"""The same numbers from every backend, for the same weights."""

import contextlib
from importlib.util import find_spec

import numpy as np
import outputs
import pytest
from cases import small

from seq2seq_zoo import decoders

# A new process with TensorFlow: tests/contracts/test_model.py.
BACKENDS = {
    name: pytest.param(name, marks=pytest.mark.skipif(not find_spec(name), reason=f"{name} is not installed"))
    for name in ("jax", "torch")
}


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """A folder of saved models, a process for each backend that runs them, and what each model gives here."""
    folder = tmp_path_factory.mktemp("models")
    models = {**{mode: small(mode) for mode in decoders.list()}, **outputs.special()}
    for name, model in models.items():
        model.save(folder / f"{name}.keras")
    with contextlib.ExitStack() as stack:
        ask = {backend: outputs.ask(folder, KERAS_BACKEND=backend) for backend in filter(find_spec, BACKENDS)}
        processes = {backend: stack.enter_context(process) for backend, process in ask.items()}
        yield folder, processes, {name: outputs.outputs(model) for name, model in models.items()}


@pytest.mark.parametrize("backend", BACKENDS.values())
def test_every_mode_gives_the_same_numbers(backend, asked):
    folder, processes, expected = asked
    assert processes[backend].wait() == 0
    for name, here in expected.items():
        there = np.load(folder / f"{name}.{backend}.npz")
        assert set(there) == set(here)
        for what in here:
            np.testing.assert_allclose(there[what], here[what], rtol=1e-4, atol=1e-4, err_msg=f"{name}: {what}")
