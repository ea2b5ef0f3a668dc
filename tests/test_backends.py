"""The same numbers from every backend, for the same weights."""

import contextlib
import json
import os
import socket
import subprocess
import sys
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


def train(*arguments, **environment):
    """Start `train` on JAX in a process of its own, without TensorFlow."""
    code = "import sys; sys.modules['tensorflow'] = None; from seq2seq_zoo.cli import app; app()"
    environment = {**os.environ, **outputs.HASTY, "KERAS_BACKEND": "jax", **environment}
    return subprocess.Popen([sys.executable, "-c", code, "train", *arguments], env=environment)


@pytest.mark.skipif(not find_spec("jax"), reason="JAX is not installed: pip install 'seq2seq-zoo[jax]'")
def test_two_processes_with_two_devices_train_like_one(tmp_path):
    one, several = tmp_path / "one", tmp_path / "several"
    sizes = ["task.train_size=20", "task.dev_size=4", "task.test_size=4", "training.batch_size=8"]
    small = ["encoder.units=4", "decoder.units=4", "decoder.dropout=0.2", "training.schedule=constant"]
    options = [word for change in [*sizes, *small] for word in ("--set", change)]
    alone = train("copy", *options, "--set", "training.epochs=2", "--out", one)

    def together(*arguments):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            coordinator = f"127.0.0.1:{free.getsockname()[1]}"
        common = [*arguments, "--processes", "2", "--coordinator", coordinator, "--process"]
        processes = [train(*common, str(i), XLA_FLAGS="--xla_force_host_platform_device_count=2") for i in range(2)]
        return [process.wait() for process in processes]

    parallel = ["--set", "training.distribute=data_parallel", "--set", "training.epochs=1"]
    assert together("copy", *options, *parallel, "--out", several) == [0, 0]
    assert together("--resume", several, "--set", "training.epochs=2") == [0, 0]
    assert alone.wait() == 0
    for a, b in zip(*((folder / "epochs.jsonl").read_text().splitlines() for folder in (one, several)), strict=True):
        assert json.loads(b)["loss"] == pytest.approx(json.loads(a)["loss"], rel=1e-5)
    assert sorted(os.listdir(one)) == sorted(os.listdir(several))
