"""An empty folder for each test, and runs that are trained once for all files and worker processes."""

import dataclasses
import fcntl
import json
import os
from pathlib import Path

import pytest

import seq2seq_zoo.decoding.program  # noqa: F401  imported here, so that `eager_searches` finds it
from cli.commands import call, set_options


@dataclasses.dataclass(frozen=True)
class Trained:
    """A run, and what `train` printed."""

    directory: Path
    stdout: str
    stderr: str


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


@pytest.fixture(scope="session")
def train_once(tmp_path_factory):
    """Trains a run, unless another file or worker process of this test session has done so."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent  # each worker has a folder below that of the session

    def train(name, *arguments):
        directory, output = shared / name, shared / f"{name}.json"
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not output.exists():
                done = call("train", *arguments, "--out", directory)
                assert done.exit_code == 0, done.output
                output.write_text(json.dumps({"stdout": done.stdout, "stderr": done.stderr}))
        return Trained(directory, **json.loads(output.read_text()))

    return train


@pytest.fixture(scope="session")
def first_25(train_once):
    """A run of the preset `first_25`, which has memorised its five pairs."""
    return train_once("first_25", "first_25")


@pytest.fixture(scope="session")
def exported_25(first_25):
    """Its greedy search for ONNX Runtime."""
    directory = first_25.directory.with_name("exported_25")
    with directory.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            done = call("export", first_25.directory, "--format", "onnx", "--out", directory)
            assert done.exit_code == 0, done.output
    return directory


@pytest.fixture(scope="session")
def names(train_once):
    """A language model: a run of the preset `names`, hardly trained."""
    return train_once("names", "names", *set_options("training.epochs=1", "decoder.units=4"))
