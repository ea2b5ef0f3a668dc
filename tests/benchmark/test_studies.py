"""Studies on Optuna, with a training that is a formula."""

import json

import pytest

pytest.importorskip("optuna")

from seq2seq_zoo.benchmark import studies
from seq2seq_zoo.config.options import OptionError

SPACE = {
    "training.learning_rate": {"low": 1e-4, "high": 1.0, "log": True, "step": None},
    "decoder.units": {"low": 4, "high": 8, "log": False, "step": 2},
    "decoder.attention": ["dot", {"name": "general"}, None],
}
METRIC = "exact_match"


def settings(**changes):
    return {"space": SPACE, "trials": 6, "sampler": "tpe", "pruner": "none", "seed": 1000, **changes}


def train(setting, seed, on_epoch):
    """The better, the nearer the learning rate is to 0.01; better in every epoch."""
    score = max(0.0, 1 - abs(setting["training.learning_rate"] - 0.01))
    records = [{"epoch": epoch, METRIC: score * epoch / 4, "token_error_rate": 1 - score} for epoch in (1, 2, 3, 4)]
    for record in records:
        on_epoch(record)
    return records[-1]


def study_of(tune, logs=None, trials=None, train=train):
    """A study of which some trials have run: the study, and its log."""
    logs = [] if logs is None else logs
    study = studies.open_study(studies.journal_storage(logs), "study", METRIC, tune)
    while studies.trials_left(study, tune) and trials != 0:
        studies.run_trial(study, tune, train, METRIC)
        trials = None if trials is None else trials - 1
    return study, logs


def without_clocks(study, space=SPACE):
    return [{key: value for key, value in trial.items() if key != "seconds"} for trial in studies.trials(study, space)]


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_a_study_that_is_continued_has_the_same_trials(sampler):
    space = SPACE if sampler != "grid" else {key: SPACE[key] for key in list(SPACE)[1:]}
    space["decoder.units"] = SPACE["decoder.units"]
    tune = settings(sampler=sampler, pruner="asha", space=space, trials=14)

    def flat(setting, seed, on_epoch):
        return train({"training.learning_rate": seed / 9999, **setting}, seed, on_epoch)

    whole, _ = study_of(tune, train=flat)
    _, logs = study_of(tune, trials=5, train=flat)
    continued, _ = study_of(tune, json.loads(json.dumps(logs)), train=flat)
    assert without_clocks(continued, space) == without_clocks(whole, space)
    assert len(studies.trials(whole, space)) == studies.number_of_trials(tune) == (9 if sampler == "grid" else 14)


def test_trials_are_plain_and_the_best_one_is_chosen():
    study, _ = study_of(settings(trials=20))
    found = studies.trials(study, SPACE)
    assert json.loads(json.dumps(found)) == found
    assert [trial["number"] for trial in found] == list(range(20))
    assert {trial["params"]["decoder.units"] for trial in found} <= {4, 6, 8}
    assert any(trial["params"]["decoder.attention"] == {"name": "general"} for trial in found)
    best = studies.best_trial(study, SPACE)
    assert best["score"] == max(trial["score"] for trial in found)
    importances = studies.importances(study)
    assert set(importances) == set(SPACE)
    assert sum(importances.values()) == pytest.approx(1, abs=0.01)


def test_equal_scores_are_decided_by_the_token_error_rate():
    errors = iter([0.5, 0.2, 0.2])

    def tied(setting, seed, on_epoch):
        record = {"epoch": 1, METRIC: 0.0, "token_error_rate": next(errors)}
        on_epoch(record)
        return record

    study, _ = study_of(settings(trials=3), train=tied)
    assert studies.best_trial(study, SPACE)["number"] == 1
    assert studies.importances(study) == {}


def test_seeds_follow_from_the_number_of_the_trial():
    seeds = []
    study_of(
        settings(trials=3), train=lambda setting, seed, on_epoch: seeds.append(seed) or train(setting, seed, on_epoch)
    )
    assert seeds == [1000, 1001, 1002]


@pytest.mark.parametrize("pruner", ["median", "asha"])
def test_bad_trials_are_pruned_by_their_dev_scores(pruner):
    def worse_and_worse(setting, seed, on_epoch):
        return train({"training.learning_rate": (seed - 1000) / 20}, seed, on_epoch)

    study, _ = study_of(settings(pruner=pruner, trials=12), train=worse_and_worse)
    pruned = [trial for trial in studies.trials(study, SPACE) if trial["state"] == "pruned"]
    assert pruned
    assert all(0 < trial["epochs"] < 4 and trial["score"] is not None for trial in pruned)


def test_a_failed_trial_says_why_and_the_others_run():
    def sometimes(setting, seed, on_epoch):
        if seed == 1000:
            raise studies.Diverged("The loss became nan")
        if seed == 1001:
            raise ValueError("no such\nsetting")
        return train(setting, seed, on_epoch)

    study, _ = study_of(settings(trials=4), train=sometimes)
    found = studies.trials(study, SPACE)
    assert [trial["state"] for trial in found] == ["pruned", "failed", "complete", "complete"]
    assert [trial.get("reason") for trial in found] == ["The loss became nan", "no such setting", None, None]


def test_without_a_trained_trial_there_is_no_best_one():
    def never(setting, seed, on_epoch):
        raise ValueError("too large")

    study, _ = study_of(settings(trials=2), train=never)
    with pytest.raises(studies.TuningError, match=r"no best setting\. too large"):
        studies.best_trial(study, SPACE)


def test_a_trial_whose_process_ended_runs_again(tmp_path):
    tune, path = settings(trials=3), str(tmp_path / "trials.jsonl")
    study = studies.open_study(studies.open_storage(path), "study", METRIC, tune)
    study.ask({"training.learning_rate": _distribution()})  # what a killed process leaves behind
    assert studies.trials_left(study, tune) == 2
    again = studies.open_study(studies.open_storage(path), "study", METRIC, tune)
    studies.retry_running(again)
    assert studies.trials_left(again, tune) == 3
    while studies.trials_left(again, tune):
        studies.run_trial(again, tune, train, METRIC)
    found = studies.trials(again, SPACE)
    assert [trial["state"] for trial in found] == ["complete"] * 3
    assert found[0]["params"]["training.learning_rate"] == study.trials[0].params["training.learning_rate"]


def _distribution():
    from optuna.distributions import FloatDistribution

    return FloatDistribution(1e-4, 1.0, log=True)


def test_a_database_is_a_storage(tmp_path):
    tune, url = settings(trials=2), f"sqlite:///{tmp_path}/trials.db"
    for _ in range(2):
        study = studies.open_study(studies.open_storage(url), "study", METRIC, tune)
        studies.run_trial(study, tune, train, METRIC)
    assert [trial["state"] for trial in studies.trials(study, SPACE)] == ["complete"] * 2


def test_a_grid_needs_steps():
    with pytest.raises(
        OptionError, match=r"`training\.learning_rate` must be a list of values, or a range with a step"
    ):
        studies.number_of_trials(settings(sampler="grid"))


def test_less_may_be_better():
    tune = settings(trials=3)
    study = studies.open_study(studies.journal_storage([]), "study", "perplexity", tune)
    for _ in range(3):
        studies.run_trial(
            study, tune, lambda s, seed, on_epoch: _reported({"epoch": 1, "perplexity": seed}, on_epoch), "perplexity"
        )
    assert studies.best_trial(study, SPACE)["number"] == 0


def _reported(record, on_epoch):
    on_epoch(record)
    return record
