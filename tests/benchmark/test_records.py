import json
import re
from pathlib import Path

import pytest
from synthetic import FEW, LONG, make_record, make_run, make_study

from seq2seq_zoo.benchmark.records import (
    RecordError,
    export_records,
    read_records,
    read_results,
    touched_before_choice,
    write_record,
)

PUBLISHED = sorted(path.parent for path in (Path(__file__).parents[2] / "benchmarks" / "results").glob("*/suite.json"))


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "run", questions=(FEW, LONG), modes=("peek", "basic"), seeds=(1, 2))


def test_a_written_record_is_read_back(tmp_path):
    record = make_record(FEW, 250, "peek", 1)
    path = write_record(tmp_path, record)
    assert path.read_text().count("\n") == 1
    assert read_records(tmp_path) == [record]


def test_numbers_unknown_to_json_become_null(tmp_path):
    write_record(tmp_path, make_record(FEW, 250, "peek", 1, metrics={"exact_match": 0.5, "perplexity": float("inf")}))
    assert read_records(tmp_path)[0]["metrics"] == {"exact_match": 0.5, "perplexity": None}


def test_a_directory_without_records(tmp_path):
    assert read_records(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"id": "few', "invalid JSON"),
        ("", "invalid JSON"),
        (b"\xff\xfe", "invalid JSON"),
        ("[1]", "found list"),
        ('{"id": "a", "question": "few_pairs"}', "without x, mode, seed, status"),
    ],
)
def test_an_error_names_the_bad_file_and_the_next_step(run, content, words):
    bad = run / "records" / "bad.json"
    bad.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RecordError, match=words) as error:
        read_results(run)
    assert str(bad) in str(error.value)
    assert "Delete it and run the benchmark again" in str(error.value)
    assert "\n" not in str(error.value)


def test_records_are_in_the_order_of_the_suite(run):
    cells = [(r["question"], r["x"], r["mode"], r["seed"]) for r in read_results(run).records]
    conditions = [("few_pairs", 250), ("few_pairs", 1000), ("few_pairs", 4000), ("long", None)]
    assert cells == [
        (*condition, mode, seed) for condition in conditions for mode in ("peek", "basic") for seed in (1, 2)
    ]


def test_the_export_gives_the_same_results_as_the_folder(run, tmp_path):
    results = read_results(run)
    export_records(run, results)
    published = tmp_path / "published"
    published.mkdir()
    for name in ("suite.json", "records.jsonl"):
        (published / name).write_bytes((run / name).read_bytes())
    assert read_results(published) == results


def test_an_error_names_the_bad_line_of_the_export(run):
    results = read_results(run)
    path = export_records(run, results)
    lines = path.read_text().splitlines()
    for file in (run / "records").iterdir():
        file.unlink()
    (run / "records").rmdir()
    path.write_text("\n".join([lines[0], lines[1][:40]]))
    with pytest.raises(RecordError, match=r"records\.jsonl line 2: expected one JSON object"):
        read_results(run)
    path.write_text("\n".join([lines[0], lines[0]]))
    with pytest.raises(RecordError, match="line 2: expected each cell once"):
        read_results(run)


def test_a_directory_without_a_suite(tmp_path):
    with pytest.raises(RecordError, match=r"found no suite\.json.*Name a directory"):
        read_results(tmp_path)


@pytest.mark.parametrize("change", [{"question": "other"}, {"x": 300}, {"mode": "attention"}])
def test_a_record_of_another_suite(run, change):
    write_record(run, {**make_record(FEW, 250, "peek", 1), "id": "stray", **change})
    with pytest.raises(RecordError, match="found none with cell 'stray'"):
        read_results(run)


def test_failed_runs_have_no_scores(run):
    failed = make_record(FEW, 250, "peek", 1, status="failed", reason="killed")
    del failed["metrics"]
    write_record(run, failed)
    results = read_results(run)
    assert len(results.cells("few_pairs", 250, "peek")) == 2
    assert [r["seed"] for r in results.runs("few_pairs", 250, "peek")] == [2]
    assert len(results.scores(FEW, 250, "peek")) == 1


def test_scores_by_length_start_with_the_shortest(run):
    found = read_results(run).along("length", LONG, None, "peek", "exact_match")
    assert list(found) == [5, 10, 15, 20, 25, 30]
    assert all(len(scores) == 2 for scores in found.values())
    assert json.loads((run / "suite.json").read_text())["modes"] == ["peek", "basic"]


# === The order of choices and tests ===


@pytest.mark.parametrize("directory", PUBLISHED, ids=lambda path: path.name)
def test_no_published_test_was_touched_before_its_choices(directory):
    results = read_results(directory)
    assert results.records
    assert touched_before_choice(results) == []


@pytest.mark.parametrize(
    ("study", "record", "words"),
    [
        ({}, {}, None),
        ({"when": "2026-01-01T12:00:01"}, {}, r"tested at 2026-01-01T12:00:00, and its study ended at .*:01$"),
        ({}, {"config": {"units": 9, "seed": 1}}, "its setting is not the one that its study has chosen"),
        ({"status": "failed"}, {}, "its study 'chosen' has no record"),
    ],
)
def test_a_test_that_was_touched_before_its_choices_is_found(study, record, words, tmp_path):
    run = make_run(tmp_path, questions=(LONG,), modes=("peek",), seeds=(1,))
    chosen = {"id": "chosen", "when": "2026-01-01T12:00:00", "chosen_config": {"units": 8, "seed": 1000}}
    write_record(run, {**make_study(LONG, None, "peek"), **chosen, **study})
    trained = {"study": "chosen", "when": "2026-01-01T12:00:00", "config": {"units": 8, "seed": 1}}
    write_record(run, make_record(LONG, None, "peek", 1, **{**trained, **record}))
    found = touched_before_choice(read_results(run))
    assert len(found) == (words is not None)
    if words:
        assert re.search(words, found[0])
