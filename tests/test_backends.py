"""The same numbers from every backend, for the same weights."""

import contextlib
import importlib.util

import cases
import numpy as np
import outputs
import pytest

from seq2seq_zoo import Tokens, decoders

BACKENDS = [name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)]
SAMPLED = {"mode": "feedback", "cell": "gru", "depth": 2, "sampling": {"name": "constant", "p": 0}}
MODELS = {**{mode: {"mode": mode} for mode in decoders.list()}, "sampled": SAMPLED}
OLD = {"mode": "attention", "attention": "linear", "readout_context": False, "depth": 2, "shared_state": True}


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """A folder of saved models, a process for each backend that runs them, and what each model gives here."""
    folder = tmp_path_factory.mktemp("models")
    models = {name: cases.small(**options) for name, options in MODELS.items()}
    models["old"] = cases.small(readout=Tokens(cases.TOKENS, feedback="features"), **OLD)
    for name, model in models.items():
        model.save(folder / f"{name}.keras")
    with contextlib.ExitStack() as stack:
        ask = {backend: outputs.ask(folder, KERAS_BACKEND=backend) for backend in BACKENDS}
        processes = {backend: stack.enter_context(process) for backend, process in ask.items()}
        yield folder, processes, {name: outputs.outputs(model) for name, model in models.items()}


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_every_mode_gives_the_same_numbers(backend, asked):
    if backend not in BACKENDS:
        pytest.skip(f"{backend} is not installed")
    folder, processes, expected = asked
    assert processes[backend].wait() == 0
    for name, here in expected.items():
        there = np.load(folder / f"{name}.{backend}.npz")
        assert set(there) == set(here)
        for what in here:
            np.testing.assert_allclose(there[what], here[what], rtol=1e-4, atol=1e-4, err_msg=f"{name}: {what}")
