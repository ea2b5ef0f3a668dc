"""`seq2seq-zoo benchmark`."""

import os
import sys
from pathlib import Path

import pytest

from cli.commands import call, refused
from seq2seq_zoo.cli.shared import suites


@pytest.fixture
def benchmarked(monkeypatch):
    """What the runner was asked to do; it does nothing."""
    from seq2seq_zoo.benchmark import runner

    asked = []
    monkeypatch.setattr(runner, "run", lambda *arguments: asked.append(arguments) or 0)
    return asked


def test_benchmark_runs_the_default_suite(benchmarked):
    assert call("benchmark").exit_code == 0
    ((suite, directory, executor, _, command),) = benchmarked
    assert suite.name == "default"
    assert command == "seq2seq-zoo benchmark default"
    assert suite.modes == ["basic", "feedback", "peek", "attention"]
    assert directory == Path("runs", "benchmark-default")
    assert executor.workers >= 1


def test_benchmark_takes_its_options(benchmarked, folder):
    call("benchmark", "--quick", "--out", "here", "--workers", "3", "--set", "base.training.batch_size=7")
    ((suite, directory, executor, _, command),) = benchmarked
    assert suite.name == "default-quick"
    assert command == "seq2seq-zoo benchmark default --quick --set base.training.batch_size=7"
    assert {cell["config"]["training"]["batch_size"] for cell in suite.cells} == {7}
    assert (directory, executor.workers) == (Path("here"), 3)


@pytest.mark.parametrize("name", list(suites()))
def test_every_suite_is_valid_and_records_do_not_name_the_folder_of_its_data(name, benchmarked, monkeypatch):
    monkeypatch.setenv("SEQ2SEQ_ZOO_DATA", "elsewhere")
    assert call("benchmark", name, "--data-dir", "here").exit_code == 0
    ((suite, *_, command),) = benchmarked
    assert (suite.name, command) == (name, f"seq2seq-zoo benchmark {name}")
    assert "here" not in str(suite.cells)
    assert os.environ["SEQ2SEQ_ZOO_DATA"] == "here"  # for the workers


@pytest.mark.parametrize("code", [1, 130])
def test_benchmark_ends_with_the_runner_s_code(code, monkeypatch):
    from seq2seq_zoo.benchmark import runner

    monkeypatch.setattr(runner, "run", lambda *arguments: code)
    assert call("benchmark", "--quick").exit_code == code


def test_a_dry_run_trains_and_writes_nothing(benchmarked, folder, monkeypatch):
    from seq2seq_zoo.benchmark import cost

    monkeypatch.setattr(cost, "_calibrate", lambda cells, executor: {cell["id"]: (30.0, 5.0) for cell in cells})
    done = call("benchmark", "--quick", "--dry-run", "--workers", "2")
    header, *rows, _, total, _ = done.stdout.splitlines()
    assert header.split() == ["question", "x", "mode", "cells", "finished", "each", "left"]
    assert rows[0].split() == ["few_pairs", "1,000", "basic", "seeds", "1", "0", "30", "s", "35", "s"]
    assert total == "4 cells, 0 finished. Left: 2 min 20 s of training, about 1 min 10 s with 2 workers."
    assert (benchmarked, list(folder.iterdir())) == ([], [])
    assert refused("benchmark", "--dry-run", "--executor", "ray") == (
        "--dry-run measures cells on this machine: leave out --executor ray."
    )


def test_benchmark_refuses(folder):
    known = call("list", "suites").stdout.split("\n")
    known = ", ".join(line.split()[0] for line in known if line)
    assert refused("benchmark", "defalt") == (
        f"There is no file and no suite 'defalt'. Did you mean 'default'? Suites: {known}."
    )
    assert refused("benchmark", "no.yaml") == "no.yaml: there is no such file."
    (folder / "runs").mkdir()
    (folder / "runs" / "mine.txt").write_text("")
    assert refused("benchmark", "--quick", "--out", "runs") == (
        "runs: expected a new or empty directory, or one with suite.json in it. Name another."
    )
    assert refused("benchmark", "--workers", "0").startswith("Invalid value for '--workers': ")


COMMANDS = pytest.mark.parametrize("command", [["benchmark", "--quick"], ["tune", "space.yaml"]])
"""The commands that have executors."""


@COMMANDS
def test_options_of_the_other_executor_are_refused(command, space):
    ray = "--executor ray, got --executor local."
    assert refused(*command, "--address", "auto") == f"--address goes with {ray}"
    assert refused(*command, "--cpus", "2") == f"--cpus goes with {ray}"
    assert refused(*command, "--executor", "ray", "--workers", "2") == (
        "--workers goes with --executor local, got --executor ray. Ray runs as many trainings at once as have --cpus "
        "cores."
    )
    assert "'rya' is not one of 'local', 'ray'" in refused(*command, "--executor", "rya")


@COMMANDS
def test_without_the_extra_ray_is_one_line(command, space, monkeypatch):
    pytest.importorskip("optuna")
    monkeypatch.setitem(sys.modules, "ray", None)
    assert refused(*command, "--executor", "ray") == (
        "--executor ray needs the package ray, which is not installed. Run: pip install 'seq2seq-zoo[ray]'."
    )
    assert list(space.parent.iterdir()) == [space]


@pytest.fixture
def space(folder):
    path = folder / "space.yaml"
    path.write_text(
        """\
task: {name: copy, max_length: 3, train_size: 20, dev_size: 8, test_size: 8}
encoder: {units: 4}
decoder: {mode: peek, units: 4}
training: {epochs: 1}
search: {decoder.units: [4, 8]}
"""
    )
    return path
