"""A cell, with the real layers: what it measures, and that compiled code which serves again changes nothing."""

import copy
import hashlib
import itertools

import numpy as np
import pytest

from seq2seq_zoo.benchmark import cost
from seq2seq_zoo.benchmark.cell import match_parameters, run_cell
from seq2seq_zoo.benchmark.records import unpack_bits
from seq2seq_zoo.data.published import DataSet, data_sets
from seq2seq_zoo.experiment import factory
from seq2seq_zoo.experiment.run import load_data


def config(mode="attention", seed=1, **training):
    return factory.schema.resolve(
        {
            "task": {"name": "copy", "max_length": 3, "train_size": 40, "dev_size": 8, "test_size": 8},
            "encoder": {"units": 8},
            "decoder": {"mode": mode, "units": 8, "max_length": 5},
            "training": {"epochs": 2, "steps_per_epoch": 4, "batch_size": 8, "learning_rate": 0.01, **training},
            "seed": seed,
        }
    )


def run(**changes):
    progress = []
    return run_cell({"config": config(**changes)}, progress.append), progress


def without_clocks(result):
    epochs = [{key: value for key, value in epoch.items() if key != "seconds"} for epoch in result["epochs"]]
    measured = ("metrics", "dev", "by_length", "parameters", "examples", "attention")
    return epochs, {key: result[key] for key in measured}


@pytest.fixture(scope="module")
def first():
    return run()


def test_a_cell_returns_the_measured_fields_of_a_record(first):
    result, progress = first
    assert [event["epoch"] for event in progress] == [1, 2]
    assert set(result["metrics"]) == {"exact_match", "token_accuracy", "token_error_rate", "perplexity"}
    assert sum(length["count"] for length in result["by_length"]) == 8
    ends = {row["position"]: row["count"] for row in result["by_position"]}
    assert ends[1] == 8
    metrics, edits = result["metrics"], result["edits"]
    edited = edits["inserted"] + edits["dropped"] + edits["substituted"]
    assert edited / edits["tokens"] == pytest.approx(metrics["token_error_rate"])
    assert not {"by_length", "by_position", "edits"} & (metrics.keys() | result["dev"].keys())
    assert len(result["examples"]) == 8
    assert result["to_99"] is None
    assert unpack_bits(result["right"]).mean() == result["metrics"]["exact_match"]
    rows = result["attention"]["weights"]
    assert all(abs(sum(row) - 1) < 1e-3 and len(row) == len(result["attention"]["source"]) for row in rows)


def test_a_calibration_takes_some_steps_of_the_cell(first, monkeypatch):
    monkeypatch.setattr(cost, "SECONDS", 0.0)
    shorter = {**config()["task"], "max_length": 2}
    found = cost.measure({"config": config(), "tasks": [shorter, config()["task"]]}, pytest.fail)
    assert 0 < found["each"][0] < found["each"][1]
    assert found["once"] > 0


def test_a_record_depends_on_the_seed_and_not_on_earlier_cells(first):
    other, _ = run(seed=2)
    again, _ = run(seed=1)
    assert without_clocks(again) == without_clocks(first[0])
    assert without_clocks(other) != without_clocks(first[0])


def test_all_targets_of_a_source_are_right(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{n}\t{n}\t{n % 3}\n" for n in range(40)))
    changed = config(epochs=1)
    task = {"name": "file", "train": str(path), "references": True}
    result = run_cell({"config": factory.schema.resolve({**changed, "task": task})}, lambda event: None)
    assert result["metrics"]["sources"] == result["dev"]["sources"] == 4
    assert sum(length["count"] for length in result["by_length"]) == len(result["examples"]) == 4
    assert result["metrics"]["exact_match"] >= result["metrics"]["exact_match_first"]
    assert unpack_bits(result["right"]).mean() == result["metrics"]["exact_match"]
    assert "token_error_rate_first" in result["epochs"][0]


def test_with_shuffled_targets_a_model_scores_at_chance(tmp_path):
    random = np.random.default_rng(1)
    letters = random.permutation(list(itertools.product("abcdefgh", repeat=4)))[:1200]
    sources = ["".join(row) for row in letters]
    targets = [str("abcdefgh".index(source[-1]) // 2) for source in sources]  # four answers, each as frequent

    def score(targets):
        files = {split: tmp_path / split for split in ("train", "dev", "test")}
        for path, rows in zip(files.values(), (range(700), range(700, 800), range(800, 1200)), strict=True):
            path.write_text("".join(f"{sources[row]}\t{targets[row]}\n" for row in rows))
        changed = config("basic", epochs=6, steps_per_epoch=40, batch_size=16, learning_rate=0.02)
        task = {"name": "file", **{split: str(path) for split, path in files.items()}}
        return run_cell({"config": factory.schema.resolve({**changed, "task": task})}, lambda event: None)["metrics"]

    assert score(targets)["exact_match"] > 0.9
    assert 0.15 < score(random.permutation(targets))["exact_match"] < 0.35


def test_a_mode_without_attention_has_no_attention_map():
    assert run(mode="basic")[0]["attention"] is None


@pytest.fixture(scope="module")
def study():
    pytest.importorskip("optuna")
    return run_study_cell()


def run_study_cell(**changes):
    """The result of a study of two trials, and the progress that it reported."""
    space = {"training.learning_rate": {"low": 1e-3, "high": 1e-1, "log": True, "step": None}}
    tune = {"space": space, "trials": 2, "sampler": "tpe", "pruner": "median", "seed": 1000}
    given = {section: config()[section] for section in ("task", "encoder", "decoder", "training")}
    progress = []
    cell = {"id": "study", "config": config(seed=1000), "given": given, "tune": tune, **changes}
    return run_cell(cell, lambda event: progress.append(copy.deepcopy(event))), progress


def test_a_study_tries_settings_and_chooses_one(study):
    result, progress = study
    assert [trial["state"] for trial in result["trials"]] == ["complete", "complete"]
    chosen = result["trials"][result["chosen"]]
    assert chosen["score"] == max(trial["score"] for trial in result["trials"])
    assert result["chosen_config"]["training"]["learning_rate"] == chosen["params"]["training.learning_rate"]
    assert result["metric"] == "exact_match"
    shown = [(event["trial"], event.get("epoch"), "journal" in event) for event in progress]
    assert shown == [(1, 1, False), (1, 2, False), (1, None, True), (2, 1, False), (2, 2, False), (2, None, True)]


def test_a_study_that_is_continued_ends_like_one_that_was_not_stopped(study):
    result, progress = study
    continued, _ = run_study_cell(journal=progress[2]["journal"])

    def without_clocks(result):
        return [{key: value for key, value in trial.items() if key != "seconds"} for trial in result["trials"]]

    assert without_clocks(continued) == without_clocks(result)


def test_a_training_that_diverges_is_a_pruned_trial(study):
    space = {"training.learning_rate": [1e30]}
    tune = {"space": space, "trials": 1, "sampler": "random", "pruner": "none", "seed": 1000}
    with pytest.raises(RuntimeError, match=r"no best setting\. The \w+ became"):
        run_study_cell(tune=tune)


def test_a_cell_finds_its_files_in_the_folder_of_the_published_data(tmp_path, monkeypatch):
    content = "".join(f"{text}\t{text}\n" for text in ("a", "b", "ab", "ba", "aab", "bba", "abb", "baa")).encode()
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "train.tsv").write_bytes(content)
    files = {"train.tsv": {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}}
    monkeypatch.setenv("SEQ2SEQ_ZOO_DATA", str(tmp_path))
    monkeypatch.setitem(data_sets(), "tiny", DataSet("", "", "", files))
    cell = {"config": {**config("basic"), "task": {"name": "file", "train": "train.tsv"}}, "data": "tiny"}
    assert len(run_cell(cell, lambda progress: None)["examples"]) == 1


def test_a_task_without_generated_texts_is_an_error():
    with pytest.raises(ValueError, match="got 'seasons', whose outputs a suite cannot compare"):
        match_parameters([{"task": {"name": "seasons"}}])


def test_matched_parameters_differ_by_less_than_one_unit():
    configs = [config("feedback"), config("attention")]
    matched = match_parameters(configs)
    data = load_data(configs[0])

    def parameters(config, more=0):
        decoder = {**config["decoder"], "units": config["decoder"]["units"] + more}
        return factory.make_model({**config, "decoder": decoder}, data).count_params()

    assert matched[0] == configs[0]
    assert matched[1]["decoder"]["units"] < 8
    gap = parameters(configs[0]) - parameters(matched[1])
    assert abs(gap) <= abs(parameters(configs[0]) - parameters(matched[1], more=1))
    assert abs(gap) <= abs(parameters(configs[0]) - parameters(matched[1], more=-1))
