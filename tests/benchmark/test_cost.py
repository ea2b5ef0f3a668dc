"""What a suite will take: its cells, the times of finished ones, and a calibration."""

import pytest
from test_runner import make_suite

from seq2seq_zoo.benchmark import cost
from seq2seq_zoo.benchmark.cost import CostError, Kind, dry_run, estimate_kinds, wall_time
from seq2seq_zoo.benchmark.records import write_record


class Measures:
    """An executor that measures 10 seconds for each pair of train, and 2 of compilation."""

    def __init__(self):
        self.asked = []

    def run(self, cells, directory):
        self.asked += cells
        for cell in cells:
            yield {"event": "started", "id": cell["id"]}
            each = [10.0 * task["train_size"] for task in cell["tasks"]]
            yield {"event": "finished", "id": cell["id"], "result": {"each": each, "once": 2.0}}


def suite_of(xs, **arguments):
    suite = make_suite(xs, **arguments)
    for cell in suite.cells:
        cell["config"] |= {"task": {"name": "copy", "train_size": cell["x"]}, "mode": cell["mode"]}
    return suite


def record(cell, seconds, **changes):
    keys = ("id", "question", "x", "mode", "seed")
    return {**{key: cell[key] for key in keys}, "status": "ok", "metrics": {}, "seconds": {"cell": seconds}, **changes}


def test_cells_that_differ_in_their_task_are_measured_once_and_finished_ones_not_at_all(tmp_path):
    suite, executor = suite_of([1, 2], seeds=(1, 2, 3), modes=("basic", "peek")), Measures()
    kinds, _ = estimate_kinds(suite, [record(suite.cells[0], 7.0)], executor)
    asked = [(cell["id"], [task["train_size"] for task in cell["tasks"]]) for cell in executor.asked]
    assert asked == [("q-1-peek-1-", [1, 2]), ("q-2-basic-1-", [2])]
    assert [(len(kind.cells), kind.finished, kind.each, kind.recorded) for kind in kinds] == [
        (3, 1, 7.0, True),
        (3, 0, 10.0, False),
        (3, 0, 20.0, False),
        (3, 0, 20.0, False),
    ]
    assert [kind.waiting for kind in kinds[:2]] == [[7.0, 7.0], [12.0, 10.0, 10.0]]


def test_a_study_takes_its_trials_and_comes_before_the_other_cells():
    tune = {"sampler": "tpe", "trials": 4}
    study, cells = Kind([{"tune": tune}], 0, 5.0, once=1.0), Kind([{}, {}], 0, 5.0)
    assert study.waiting == [24.0]
    assert wall_time([study, cells], 2) == 24 + 5
    assert wall_time([study, cells], 1) == 24 + 10


def test_a_dry_run_shows_the_cells_and_writes_nothing(tmp_path):
    suite = suite_of([1, 2], seeds=(1, 2))
    for cell in suite.cells[:2]:
        write_record(tmp_path / "run", record(cell, 60.0))
    before = sorted(tmp_path.rglob("*"))
    table = dry_run(suite, tmp_path / "run", Measures(), 2)
    assert table[:3] == [
        "question  x  mode   cells       finished  each       left",
        "q         1  basic  seeds 1, 2  2         1 min 0 s  nothing",
        "q         2  basic  seeds 1, 2  0         20 s       42 s",
    ]
    assert table[4] == "4 cells, 2 finished. Left: 42 s of training, about 22 s with 2 workers."
    assert table[5].startswith("Basis: a calibration, which took 0 s: some training steps")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_cell_that_cannot_be_measured_is_named(tmp_path):
    class Fails:
        def run(self, cells, directory):
            yield {"event": "failed", "id": cells[0]["id"], "reason": "ConfigError: no such task"}

    with pytest.raises(CostError, match=r"^q-1-basic-1- cannot be measured: ConfigError: no such task$"):
        dry_run(suite_of([1]), tmp_path, Fails(), 1)


def test_steps_that_compile_do_not_count():
    clock = cost._Clock(shapes=3)
    clock.steps = [5.0, 5.0, 0.1, 5.0, 0.1, 0.1, 0.1, 0.1, 0.1]
    assert clock.step == pytest.approx(0.1)
