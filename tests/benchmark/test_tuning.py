"""The trials of `tune`, whose trainings an executor runs. Here it is a loop, and a training is a formula."""

import pytest

pytest.importorskip("optuna")

from test_cell import config

from seq2seq_zoo.benchmark import studies
from seq2seq_zoo.benchmark.tuning import Search, StorageError, run_search

SPACE = {"decoder.units": {"low": 1, "high": 99, "log": False, "step": None}}
METRIC = "exact_match"


class Loop:
    """An executor that runs one cell after another in this process.

    Args:
        train: takes the seed of a trial, and a function that reports the score of an epoch and returns whether to stop.
            Returns the last event.
    """

    def __init__(self, train):
        self.train = train

    def run(self, cells, directory, answer):
        for cell in cells:

            def ask(progress, cell=cell):
                return answer({"event": "progress", "id": cell["id"], "progress": progress})

            trial = ask({})
            last = (
                finished()
                if trial is None
                else self.train(trial["seed"], lambda epoch, score: ask(record(epoch, score)))
            )
            yield {**last, "id": cell["id"]}


def record(epoch, score):
    return {"record": {"epoch": epoch, METRIC: score}}


def finished(**result):
    return {"event": "finished", "result": result}


def search(directory, train, **changes):
    tune = {"space": SPACE, "trials": 3, "sampler": "random", "pruner": "none", "seed": 1000, **changes}
    ends = []
    found, _ = run_search(Search("study", config(), tune, METRIC), directory, Loop(train), ends.append)
    return found, ends


def complete(seed, report):
    assert not report(1, 0.5)
    return finished(best={"epoch": 1, METRIC: 0.5, "token_error_rate": 0.1})


def test_a_trial_has_the_end_of_its_training(tmp_path):
    ends = {
        1000: complete,
        1001: lambda seed, report: finished(diverged="The loss became nan"),
        1002: lambda seed, report: {"event": "failed", "reason": "worker was killed"},
    }
    found, ended = search(tmp_path, lambda seed, report: ends[seed](seed, report))
    assert [trial["state"] for trial in found] == ["complete", "pruned", "failed"]
    assert [trial.get("reason") for trial in found] == [None, "The loss became nan", "worker was killed"]
    assert [event["result"] for event in ended] == found
    assert (tmp_path / "best.yaml").is_file()


def test_the_pruner_stops_a_training(tmp_path):
    stopped = []

    def train(seed, report):
        for epoch in (1, 2, 3):
            if report(epoch, 0.5 / (seed - 999)):
                stopped.append(seed - 1000)
                return finished()
        return finished(best={"epoch": 3, METRIC: 0.5 / (seed - 999)})

    found, _ = search(tmp_path, train, trials=8, pruner="asha")
    assert stopped
    assert [trial["number"] for trial in found if trial["state"] == "pruned"] == stopped


def test_a_cell_for_which_no_trial_is_left_has_none(tmp_path):
    def starts_another(seed, report):
        if seed == 1000:
            search(tmp_path, complete, trials=2)  # another process
        return complete(seed, report)

    found, ended = search(tmp_path, starts_another, trials=2)
    assert [trial["state"] for trial in found] == ["complete"] * 2
    assert ended[1] == {**finished(), "id": "study-1"}


def test_a_storage_that_is_lost_is_one_line(tmp_path, monkeypatch):
    from sqlalchemy.exc import OperationalError

    def lose(*_):
        raise OperationalError("SELECT 1", {}, Exception("server closed the connection"))

    monkeypatch.setattr(studies, "run_trial", lose)
    with pytest.raises(StorageError, match=r"^The storage cannot be used: .*server closed the connection"):
        search(tmp_path, complete)
