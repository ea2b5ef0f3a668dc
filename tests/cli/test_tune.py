"""`seq2seq-zoo tune`: a whole search in worker processes, and what it refuses."""

import sys

import pytest

from cli.commands import call, refused
from seq2seq_zoo.system.files import shared_lock

pytest.importorskip("optuna")

CONFIG = """\
task: {name: copy, max_length: 3, train_size: 20, dev_size: 8, test_size: 8}
encoder: {units: 4}
decoder: {mode: peek, units: 4}
training: {epochs: 1, steps_per_epoch: 2, batch_size: 4}
"""
SPACE = """\
search:
  training.learning_rate: {low: 1e-4, high: 1e-2, log: true}
  decoder.units: [4, 8]
"""


@pytest.fixture
def files(folder):
    (folder / "mine.yaml").write_text(CONFIG)
    (folder / "space.yaml").write_text(SPACE)
    return folder


def test_tune_runs_trials_and_writes_the_best_configuration(files):
    done = call("tune", "mine.yaml", "space.yaml", "--trials", "2", "--workers", "1")
    assert done.exit_code == 0, done.output
    header, best, other, _, last = done.stdout.splitlines()
    assert header.split() == ["trial", "exact", "match", "(dev)", "epochs", "training.learning_rate", "decoder.units"]
    assert {best.split()[0], other.split()[0]} == {"0", "1"}
    assert best.split()[1] == "best"
    assert last == "best setting  runs/tune-mine/best.yaml"
    shown = call("show", "runs/tune-mine/best.yaml").stdout
    assert f"units: {best.split()[-1]}\n" in shown
    assert "seed: 1\n" in shown
    assert [line.partition(":")[0] for line in done.stderr.splitlines()[-2:]] == ["trial 0", "trial 1"]
    # Started again, it has nothing left to run.
    again = call("tune", "mine.yaml", "space.yaml", "--trials", "2")
    assert again.stdout == done.stdout
    assert "trial 0:" not in again.stderr


def test_the_space_may_be_in_the_configuration(files):
    from seq2seq_zoo.benchmark.tuning import read_search

    (files / "both.yaml").write_text(CONFIG + SPACE)
    arguments = {"trials": 3, "sampler": "tpe", "pruner": "none", "seed": 5}
    apart = read_search("mine.yaml", "space.yaml", arguments)
    both = read_search("both.yaml", None, {**arguments, "trials": 9})
    assert (both.given, both.tune["space"], both.metric) == (apart.given, apart.tune["space"], "exact_match")
    # More trials continue the study; another configuration is another one.
    assert apart.name.removeprefix("mine-") == both.name.removeprefix("both-")
    assert apart.name != read_search("mine.yaml", "space.yaml", arguments, ["decoder.mode=basic"]).name


def test_tune_refuses(files):
    assert refused("tune", "mine.yaml") == (
        "mine.yaml:1: search: is missing: give options and their values, such as {decoder.units: [64, 128]}."
    )
    (files / "space.yaml").write_text(SPACE.replace("units", "unit"))
    assert refused("tune", "mine.yaml", "space.yaml").startswith(
        "space.yaml:3: search.decoder.unit: `decoder.unit` is not an option of decoder mode 'peek'. Did you mean 'unit"
    )
    (files / "space.yaml").write_text(SPACE)
    assert refused("tune", "mine.yaml", "space.yaml", "--sampler", "grid").startswith(
        "space.yaml:2: search.training.learning_rate: must be a list of values, or a range with a step"
    )
    message = refused("tune", "mine.yaml", "space.yaml", "--storage", "nonsense://me:secret@here")
    assert message.startswith("The storage cannot be opened: Can't load plugin: sqlalchemy.dialects:nonsense.")
    (files / "both.yaml").write_text(CONFIG + SPACE)
    assert refused("tune", "both.yaml", "space.yaml") == (
        "both.yaml: search: the section is in space.yaml as well: leave out one of them."
    )
    assert refused("tune", "mine.yaml", "space.yaml", "--sampler", "bayes").startswith("Invalid value for '--sampler'")
    assert refused("tune", "mine.yaml", "none.yaml") == "none.yaml: No such file or directory."
    several = ("--set", "training.distribute=data_parallel")
    assert refused("tune", "mine.yaml", "space.yaml", *several).startswith(
        "--set training.distribute=data_parallel: training.distribute: each training of a suite or a search runs on one"
    )


def test_tune_without_optuna_says_what_to_install(files, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert refused("tune", "mine.yaml", "space.yaml") == (
        "tune needs Optuna, which is not installed. Run: pip install 'seq2seq-zoo[tune]'"
    )


def test_only_a_process_that_is_alone_runs_lost_trials_again(folder):
    calls = []
    with (
        shared_lock(folder / "lock", lambda: calls.append("first")),
        shared_lock(folder / "lock", lambda: calls.append("second")),
    ):
        pass
    with shared_lock(folder / "lock", lambda: calls.append("third")):
        pass
    assert calls == ["first", "third"]
