import json
import re
import sys
import typing

import pytest

from seq2seq_zoo.benchmark.suite import Question, read_suite
from seq2seq_zoo.config.options import NonNegative, Option, Positive
from seq2seq_zoo.config.registry import Registry
from seq2seq_zoo.config.schema import Choice, ConfigError, Options, Schema
from seq2seq_zoo.metrics.metric import METRICS


class Thing:
    pass


modes = Registry("decoder mode", base=Thing)
tasks = Registry("task", base=Thing)


@tasks.register("words", "a task")
class Words(Thing):
    def __init__(self, train: Positive = 100, length: Positive = 5): ...


@modes.register("basic", "one mode")
class Basic(Thing):
    def __init__(self, units: Positive = 8): ...


@modes.register("peek", "another mode")
class Peek(Thing):
    def __init__(self, units: Positive = 8): ...


class Training:
    def __init__(self, epochs: Positive = 10, rate: float = 0.1): ...


SCHEMA = Schema(
    {
        "task": Choice(tasks, "name"),
        "decoder": Choice(modes, "mode"),
        "training": Options(Training),
        "seed": Option("seed", NonNegative, 1),
    }
)

FULL = """\
name: small
title: A small one
seeds: [1, 2]
base:
  decoder: {units: 16}
  training: {epochs: 4}
questions:
  few:
    title: How many pairs?
    why: To see.
    task: {name: words}
    x: {key: task.train, label: training pairs, values: [10, 20], scale: log, along: {training.epochs: [8, 4]}}
  long:
    title: How long?
    task: {name: words, length: 30}
    overrides: {training: {rate: 0.5}}
"""
QUICK = """\
quick:
  seeds: [1]
  base: {training: {rate: 0.2}}
  questions:
    few: {x: {values: [5], along: {training.epochs: [1]}}}
    long: null
"""
SUITE = FULL + QUICK


def suite(tmp_path, text=SUITE, match=list, **arguments):
    path = tmp_path / "suite.yaml"
    path.write_text(text)
    return read_suite(path, SCHEMA, modes, match=match, **arguments)


def identities(cells):
    return [(cell["question"], cell["x"], cell["mode"], cell["seed"]) for cell in cells]


def test_cells_are_questions_by_x_by_modes_by_seeds_in_order(tmp_path):
    assert identities(suite(tmp_path).cells) == [
        (question, x, mode, seed)
        for question, x in (("few", 10), ("few", 20), ("long", None))
        for mode in ("basic", "peek")
        for seed in (1, 2)
    ]


def test_a_cell_holds_its_whole_resolved_configuration(tmp_path):
    def config(train, length, mode, epochs, rate, seed):
        return {
            "task": {"name": "words", "train": train, "length": length},
            "decoder": {"mode": mode, "units": 16},
            "training": {"epochs": epochs, "rate": rate},
            "seed": seed,
        }

    first, *_, last = suite(tmp_path).cells
    assert first["config"] == config(train=10, length=5, mode="basic", epochs=8, rate=0.1, seed=1)
    assert last["config"] == config(train=100, length=30, mode="peek", epochs=4, rate=0.5, seed=2)
    assert json.loads(json.dumps(first)) == first


def test_the_document_lists_cells_by_id_and_resolves_questions(tmp_path):
    found = suite(tmp_path)
    document = json.loads(json.dumps(found.document()))
    assert document["name"] == "small"
    assert document["modes"] == ["basic", "peek"]
    assert document["cells"] == [cell["id"] for cell in found.cells]
    few, long = document["questions"]
    assert few["x"]["values"] == [10, 20]
    assert (few["name"], few["curve"], few["metric"]) == ("few", "x", "exact_match")
    assert (long["name"], long["curve"], long["x"]) == ("long", "length", None)


def test_ids_are_readable_distinct_and_reproducible(tmp_path):
    ids = [cell["id"] for cell in suite(tmp_path).cells]
    assert ids == [cell["id"] for cell in suite(tmp_path).cells]
    assert len(set(ids)) == len(ids) == 12
    assert re.fullmatch(r"few-10-basic-1-[0-9a-f]{6}", ids[0])
    assert re.fullmatch(r"long-peek-2-[0-9a-f]{6}", ids[-1])


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("title: How long?", "title: How long, really?", 0),
        ("name: small", "name: tiny", 0),
        ("rate: 0.5", "rate: 0.6", 4),
        ("values: [10, 20]", "values: [10, 30]", 4),
        ("units: 16", "units: 17", 12),
        ("seeds: [1, 2]", "seeds: [1, 2, 3]", 0),
    ],
)
def test_an_id_depends_on_the_training_only(old, new, changed, tmp_path):
    before = {cell["id"] for cell in suite(tmp_path).cells}
    after = {cell["id"] for cell in suite(tmp_path, SUITE.replace(old, new)).cells}
    assert len(before - after) == changed


def test_ids_can_name_files(tmp_path):
    text = FULL.replace("  few:\n", "  few / pairs?:\n")
    assert suite(tmp_path, text).cells[0]["id"].startswith("few_pairs_-10-basic-1-")


def test_quick_changes_the_suite(tmp_path):
    found = suite(tmp_path, quick=True)
    assert found.name == "small-quick"
    assert identities(found.cells) == [("few", 5, "basic", 1), ("few", 5, "peek", 1)]
    assert found.cells[0]["config"]["training"] == {"epochs": 1, "rate": 0.2}
    assert found.questions[0]["title"] == "How many pairs?"


def test_overrides_change_values(tmp_path):
    found = suite(tmp_path, overrides=["seeds=[7]", "base.decoder.units=3"])
    assert {(cell["seed"], cell["config"]["decoder"]["units"]) for cell in found.cells} == {(7, 3)}


def test_modes_keep_the_order_of_the_file(tmp_path):
    assert suite(tmp_path, "modes: [peek, basic]\n" + SUITE).modes == ["peek", "basic"]


def test_x_may_set_several_options(tmp_path):
    text = SUITE.replace("key: task.train,", "key: [task.train, decoder.units],")
    config = suite(tmp_path, text).cells[0]["config"]
    assert (config["task"]["train"], config["decoder"]["units"]) == (10, 10)


def test_parameters_are_matched_once_for_each_condition(tmp_path):
    asked = []

    def match(configs):
        asked.append([config["decoder"]["mode"] for config in configs])
        return [{**config, "decoder": {**config["decoder"], "units": 99}} for config in configs]

    cells = suite(tmp_path, "match_parameters: true\n" + FULL, match).cells
    assert asked == [["basic", "peek"]] * 3
    assert {cell["config"]["decoder"]["units"] for cell in cells} == {99}
    assert [cell["config"]["seed"] for cell in cells] == [1, 2] * 6
    suite(tmp_path, match=lambda configs: pytest.fail("nobody asked"))


def test_the_metrics_of_questions_are_known_to_the_report():
    assert set(typing.get_args(typing.get_type_hints(Question)["metric"])) <= set(METRICS)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("seeds: [1, 2]", "seed: [1, 2]", 3, r"seed: is not an option\. Did you mean 'seeds'\?"),
        ("seeds: [1, 2]", "seeds: [1, 1]", 3, r"seeds: must all be different, got 1 twice"),
        ("seeds: [1, 2]", "seeds: []", 3, r"seeds: must be a list"),
        ("name: small", "name: 3", 1, r"name: must be text, got 3"),
        ("    why: To see.", "    wy: To see.", 10, r"questions\.few\.wy: is not an option.*Did you mean 'why'\?"),
        ("    title: How long?\n", "", 13, r"questions\.long\.title: is missing"),
        ("few:\n    title", "few: 3\n  other:\n    title", 8, r"questions\.few: must be a mapping"),
        ("units: 16", "unitz: 16", 5, r"base\.decoder\.unitz: is not an option of.*Did you mean 'units'\?"),
        ("units: 16", "units: 0", 5, r"base\.decoder\.units: must be an integer of at least 1, got 0"),
        ("  decoder: {units: 16}", "  decodr: {units: 16}", 5, r"base\.decodr: is not .*Did you mean 'decoder'\?"),
        ("length: 30", "length: 0", 15, r"questions\.long\.task\.length: must be an integer of at least 1"),
        (
            "{name: words, length",
            "{name: wrds, length",
            15,
            r"questions\.long\.task\.name: unknown task 'wrds'.*'words'",
        ),
        ("{name: words, length", "{length", 15, r"questions\.long\.task\.name: is missing"),
        ("{training: {rate: 0.5}}", "{trainin: 3}", 16, r"questions\.long\.overrides\.trainin: is not .*'training'"),
        ("task.train,", "task.trains,", 12, r"questions\.few\.x\.values: `task\.trains` is not .*'train'"),
        (
            "values: [10, 20]",
            "values: [10, 0]",
            12,
            r"questions\.few\.x\.values: `task\.train` must be .* at least 1, got 0",
        ),
        ("values: [10, 20]", "values: [10, 10]", 12, r"questions\.few\.x\.values: must all be different, got 10 twice"),
        ("scale: log", "scale: logg", 12, r"questions\.few\.x\.scale: must be 'linear' or 'log', got 'logg'"),
        ("epochs: [8, 4]", "epochs: [8]", 12, r"x\.along\.training\.epochs: must have as many values as x, 2, got 1"),
        ("epochs: [8, 4]", "epochs: [8, 0]", 12, r"x\.along\.training\.epochs: `training\.epochs` must be"),
        (
            "    title: How long?",
            "    title: a\n    curve: x",
            15,
            r"questions\.long\.curve: must be 'length' if noth",
        ),
        (
            "    title: How long?",
            "    title: a\n    published: [{label: a, value: [1], source: b}]",
            15,
            r"questions\.long\.published\.value: must be one number if nothing is varied, got 1",
        ),
        (
            "    why: To see.",
            "    published: [{label: a, value: [1], source: b}]",
            10,
            r"questions\.few\.published\.value: must be one number or as many as x has, 2, got 1",
        ),
        ("    why: To see.", "    published: [{value: 1}]", 10, r"published\.label: is missing"),
        (
            "    why: To see.",
            "    metric: bleu",
            10,
            r"questions\.few\.metric: is computed only on request: add `metrics",
        ),
        ("  decoder: {", "  decoder: {mode: basic, ", 5, r"base\.decoder\.mode: is set by `modes`"),
        ("  training: {epochs: 4}", "  seed: 3", 6, r"base\.seed: is set by `seeds`"),
        ("title: A small one", "data: gp2", 2, r"data: Unknown data set 'gp2'\. Did you mean 'g2p'\?"),
        ("title: A small one", "modes: [basic, peak]", 2, r"modes: `decoder\.mode`: unknown .*'peak'.*'peek'"),
        ("  seeds: [1]", "  sedes: [1]", 18, r"quick\.sedes: is not an option\. Did you mean 'seeds'\?"),
        ("rate: 0.2", "rate: fast", 19, r"quick\.base\.training\.rate: must be a number, got 'fast'"),
        ("    long: null", "    lang: null", 22, r"quick\.questions\.lang: is not .*Did you mean 'long'\?"),
        (
            "{values: [5], along",
            "{values: [0], along",
            21,
            r"quick\.questions\.few\.x\.values: `task\.train` must be .* got 0",
        ),
    ],
)
def test_an_error_is_one_line_with_its_place(old, new, line, words, tmp_path):
    assert SUITE.count(old) == 1
    with pytest.raises(ConfigError) as error:
        suite(tmp_path, SUITE.replace(old, new))
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(f"{tmp_path}/suite.yaml:{line}: ")
    assert re.search(words, message)


def test_published_data_are_part_of_a_cell_and_their_folder_is_not(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQ2SEQ_ZOO_DATA", "here")
    found = suite(tmp_path, "data: g2p\n" + SUITE)
    monkeypatch.setenv("SEQ2SEQ_ZOO_DATA", "there")
    assert suite(tmp_path, "data: g2p\n" + SUITE).document() == found.document()
    assert (found.data, {cell["data"] for cell in found.cells}) == ("g2p", {"g2p"})
    own = suite(tmp_path)
    assert not {cell["id"] for cell in own.cells} & {cell["id"] for cell in found.cells}
    assert not [cell for cell in own.cells if "data" in cell]


def test_quick_needs_a_quick_section(tmp_path):
    with pytest.raises(ConfigError, match=r"suite\.yaml: quick is missing"):
        suite(tmp_path, FULL, quick=True)


# === Tuning ===

TUNE = """\
tune:
  trials: 4
  space: {training.rate: {low: 0.01, high: 1, log: true}, decoder.units: [4, 8]}
"""


def test_a_suite_that_tunes_has_a_study_for_each_mode_and_condition(tmp_path):
    found = suite(tmp_path, FULL + TUNE)
    studies, cells = found.cells[:6], found.cells[6:]
    conditions = [(question, x) for question, x in (("few", 10), ("few", 20), ("long", None))]
    assert identities(studies) == [(*condition, mode, 1000) for condition in conditions for mode in ("basic", "peek")]
    assert [cell["study"] for cell in cells] == [study["id"] for study in studies for _ in found.seeds]
    assert identities(cells) == identities(suite(tmp_path).cells)
    study = studies[0]
    assert study["tune"]["space"]["decoder.units"] == [4, 8]
    assert study["given"]["decoder"] == {"units": 16, "mode": "basic"}  # without defaults
    assert {"trials": 4, "sampler": "tpe", "pruner": "median", "seed": 1000}.items() <= found.tune.items()
    assert json.loads(json.dumps(found.cells)) == found.cells


@pytest.mark.parametrize(("old", "new"), [("trials: 4", "trials: 5"), ("[4, 8]", "[4, 9]"), ("rate: 0.5", "rate: 0.6")])
def test_another_search_gives_other_cells(old, new, tmp_path):
    before = {cell["id"] for cell in suite(tmp_path, FULL + TUNE).cells}
    after = [cell["id"] for cell in suite(tmp_path, (FULL + TUNE).replace(old, new)).cells]
    assert not before & {identity for identity in after if "long" in identity}


def test_quick_changes_the_search(tmp_path):
    quick = QUICK + "  tune: {trials: 2}\n"
    assert suite(tmp_path, FULL + TUNE + quick, quick=True).tune["trials"] == 2
    quick = QUICK + "  tune: null\n"
    assert suite(tmp_path, FULL + TUNE + quick, quick=True).tune is None


def test_matched_units_are_those_of_the_study(tmp_path):
    def match(configs):
        return [{**config, "decoder": {**config["decoder"], "units": 99}} for config in configs]

    text = FULL + "match_parameters: true\ntune: {space: {training.rate: [0.1, 0.2]}}\n"
    found = suite(tmp_path, text, match)
    assert {study["given"]["decoder"]["units"] for study in found.cells if "tune" in study} == {99}


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("training.rate", "training.rat", 19, r"tune\.space\.training\.rat: .* Did you mean 'rate'\?"),
        ("trials: 4", "trails: 4", 18, r"tune\.trails: is not an option\. Did you mean 'trials'\?"),
        ("trials: 4", "sampler: grid", 19, r"tune\.space\.training\.rate: .*for the sampler grid"),
        ("trials: 4", "sampler: bayes", 18, r"tune\.sampler: must be 'tpe' or 'random' or 'grid', got 'bayes'"),
        ("trials: 4", "seed: 2", 18, r"tune\.seed: gives trials the seeds 2 to 21, and the suite has 2"),
        ("decoder.units", "decoder.mode", 19, r"tune\.space\.decoder\.mode: "),
        ("decoder.units", "task.train", 19, r"cannot change `task\.train`: the question `few` varies it"),
        ("decoder.units", "seed", 19, r"cannot change `seed`: each trial has a seed of its own"),
    ],
)
def test_a_mistake_in_the_search_is_one_line_with_its_place(old, new, line, words, tmp_path):
    assert TUNE.count(old) == 1
    with pytest.raises(ConfigError) as error:
        suite(tmp_path, FULL + TUNE.replace(old, new))
    assert str(error.value).startswith(f"{tmp_path}/suite.yaml:{line}: ")
    assert re.search(words, str(error.value))


def test_tuning_without_optuna_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"suite\.yaml:17: tune: needs Optuna.*pip install 'seq2seq-zoo\[tune\]'"):
        suite(tmp_path, FULL + TUNE)
