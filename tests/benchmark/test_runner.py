import dataclasses
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from seq2seq_zoo.benchmark import runner
from seq2seq_zoo.benchmark.board import Board
from seq2seq_zoo.benchmark.executor import LocalProcesses
from seq2seq_zoo.benchmark.records import RecordError, read_records, write_record
from seq2seq_zoo.benchmark.suite import Suite
from seq2seq_zoo.data.lines import DataFileError

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def workers_find_the_fake_cells(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]))


@pytest.fixture
def no_report(monkeypatch):
    """Drawing takes longer than everything else here."""
    monkeypatch.setattr(runner, "report", lambda directory: [directory / "report.html"])


def make_suite(xs, seeds=(1,), modes=("basic",), name="small", **config):
    """Cells do what their x says; see fake_cells.py."""
    question = {"name": "q", "title": "Is it so?", "why": "", "metric": "exact_match", "curve": "x"}
    question["x"] = {"key": "task.x", "label": "what to do", "values": list(xs), "scale": "linear"}
    version = "".join(map(str, config.values())).replace("/", "_")[-6:]
    cells = [
        {
            "id": f"q-{x}-{mode}-{seed}-{version}",
            "suite": name,
            "question": "q",
            "x": x,
            "mode": mode,
            "seed": seed,
            "config": {**config, "seed": seed},
        }
        for x in xs
        for mode in modes
        for seed in seeds
    ]
    return Suite(name, "A small one", "", list(modes), list(seeds), False, [question], cells)


def run(suite, directory, workers=1):
    console = Console(file=io.StringIO(), width=200)
    code = runner.run(suite, directory, LocalProcesses(workers, "fake_cells:run_cell"), console)
    return code, console.file.getvalue()  # type: ignore[attr-defined]


def by_id(directory):
    return {record["id"]: record for record in read_records(directory)}


def test_every_cell_becomes_a_record(tmp_path):
    code, output = run(
        make_suite(["slow"], seeds=(1, 2), modes=("basic", "peek"), units=8), tmp_path / "run", workers=2
    )
    assert code == 0
    records = by_id(tmp_path / "run")
    assert len(records) == 4
    record = records["q-slow-peek-2-8"]
    assert record["status"] == "ok"
    assert record["metrics"] == {"exact_match": 0.2}
    assert record["config"] == {"units": 8, "seed": 2}
    assert record["versions"]["python"]
    assert record["machine"]["cores"] >= 1
    assert record["seconds"]["cell"] > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", record["when"])
    assert "q-slow-peek-2-8: exact match 20.0 %, " in output
    assert "4 of 4 cells finished" in output
    assert str(tmp_path / "run" / "report.html") in output
    assert (tmp_path / "run" / "report.html").is_file()


def test_a_suite_whose_published_data_are_missing_does_not_start(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQ2SEQ_ZOO_DATA", str(tmp_path))
    (tmp_path / "cmudict").mkdir()
    (tmp_path / "cmudict" / "eng_cmudict_train.tsv").write_text("CHANGED\tCH EY N JH D\n")
    with pytest.raises(DataFileError) as error:
        run(dataclasses.replace(make_suite(["ok"]), data="cmudict"), tmp_path / "run")
    assert str(error.value) == (
        f"{tmp_path}/cmudict: expected the data set 'cmudict', found 3 of its 3 files missing or changed, such as "
        "eng_cmudict_train.tsv. Run 'seq2seq-zoo data fetch cmudict', or name the folder that contains 'cmudict' with "
        "--data-dir."
    )
    assert not (tmp_path / "run").exists()


def test_finished_cells_are_never_run_again(tmp_path, no_report):
    run(make_suite(["ok"], seeds=(1, 2)), tmp_path)
    before = by_id(tmp_path)
    code, output = run(make_suite(["ok"], seeds=(1, 2, 3)), tmp_path)
    after = by_id(tmp_path)
    assert code == 0
    assert len(after) == 3
    assert {identity: after[identity] for identity in before} == before
    assert "q-ok-basic-1-:" not in output
    assert "q-ok-basic-3-:" in output


def test_a_failed_cell_has_a_reason_and_the_others_finish(tmp_path, no_report):
    code, output = run(make_suite(["ok", "kill", "raise", "slow"]), tmp_path)
    assert code == 1
    records = by_id(tmp_path)
    reason = "worker was killed by signal 9 (SIGKILL), perhaps out of memory; see logs/worker-1.log"
    assert (records["q-kill-basic-1-"]["status"], records["q-kill-basic-1-"]["reason"]) == ("failed", reason)
    assert records["q-raise-basic-1-"]["reason"] == "ValueError: no such weather"
    assert records["q-slow-basic-1-"]["status"] == "ok"
    end = output[output.index("2 of 4 cells finished, 2 failed, ") :]
    assert f"q-kill-basic-1-: failed: {reason}" in output
    assert "The same command runs the failed cells again." in end


def test_failed_cells_are_run_again_at_the_next_start(tmp_path, no_report):
    suite = make_suite(["once", "ok"], marker=str(tmp_path / "marker"))
    assert run(suite, tmp_path / "run")[0] == 1
    assert run(suite, tmp_path / "run")[0] == 0
    assert {record["status"] for record in read_records(tmp_path / "run")} == {"ok"}


def test_a_changed_configuration_is_a_new_cell_and_the_old_record_is_kept(tmp_path, no_report):
    run(make_suite(["ok"], units=1), tmp_path)
    old = by_id(tmp_path)["q-ok-basic-1-1"]
    run(make_suite(["ok"], units=2), tmp_path)
    assert list(by_id(tmp_path)) == ["q-ok-basic-1-2"]
    assert json.loads((tmp_path / "replaced" / "q-ok-basic-1-1.json").read_text()) == old
    run(make_suite(["ok"], units=1), tmp_path)
    assert by_id(tmp_path) == {"q-ok-basic-1-1": old}


def test_a_directory_with_another_suite_or_other_files_is_an_error(tmp_path, no_report):
    run(make_suite(["ok"]), tmp_path / "run")
    with pytest.raises(RecordError, match=r"run/suite\.json: expected the suite 'large', found 'small'\. Each suite"):
        run(make_suite(["ok"], name="large"), tmp_path / "run")
    (tmp_path / "run" / "suite.json").write_text("[]")
    with pytest.raises(RecordError, match=r"suite\.json: expected a suite, found something else\."):
        run(make_suite(["ok"]), tmp_path / "run")
    with pytest.raises(RecordError, match=r"expected a new or empty directory, or one with suite\.json in it\."):
        run(make_suite(["ok"]), tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(RecordError, match="expected a new or empty directory"):
        run(make_suite(["ok"]), tmp_path / "file")


SCRIPT = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
from test_runner import make_suite
from seq2seq_zoo.benchmark import runner
from seq2seq_zoo.benchmark.executor import LocalProcesses
suite = make_suite(["ok", "sleep"], seeds=(1, 2))
sys.exit(runner.run(suite, sys.argv[1], LocalProcesses(1, "fake_cells:run_cell")))
"""


def wait_for(path, process):
    deadline = time.monotonic() + 300
    while not path.exists():
        assert process.poll() is None, "the benchmark ended"
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_killed_and_started_again_it_continues(tmp_path, no_report):
    directory = tmp_path / "run"
    with subprocess.Popen([sys.executable, "-c", SCRIPT, str(directory)], stdout=subprocess.DEVNULL) as process:
        wait_for(directory / "records" / "q-ok-basic-2-.json", process)
        process.kill()
    before = by_id(directory)
    assert set(before) == {"q-ok-basic-1-", "q-ok-basic-2-"}
    # The same cells, with a fake that would now give other process ids.
    code, _ = run(make_suite(["ok", "slow"], seeds=(1, 2)), directory)
    after = by_id(directory)
    assert code == 0
    assert {identity: after[identity] for identity in before} == before
    assert len(after) == 4


def test_ctrl_c_keeps_finished_cells_and_tells_how_to_resume(tmp_path):
    directory = tmp_path / "run"
    command = [sys.executable, "-c", SCRIPT, str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        wait_for(directory / "records" / "q-ok-basic-2-.json", process)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to everyone in the foreground
        output, _ = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "Stopped: 2 of 4 cells finished, " in output
    assert f"The records are in {directory}. The same command resumes the run." in output
    assert set(by_id(directory)) == {"q-ok-basic-1-", "q-ok-basic-2-"}


def test_ctrl_c_between_a_record_and_its_count_waits_for_the_count(tmp_path, no_report, monkeypatch):
    def write_and_press(*arguments):
        write_record(*arguments)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(runner, "write_record", write_and_press)
    code, output = run(make_suite(["ok"], seeds=(1, 2)), tmp_path)
    assert code == 130
    assert "Stopped: 1 of 2 cells finished, " in output
    assert list(by_id(tmp_path)) == ["q-ok-basic-1-"]


# === Tuning ===


def make_tuned_suite(xs, seeds=(1, 2)):
    """A study before the cells of each x, as `read_suite` makes them."""
    suite = make_suite(xs, seeds)
    tune = {"trials": 2, "sampler": "tpe", "space": {}}
    studies = [{**make_suite([x], (1000,)).cells[0], "tune": tune, "given": {}} for x in xs]
    ids = {study["x"]: study["id"] for study in studies}
    cells = [{**cell, "study": ids[cell["x"]]} for cell in suite.cells]
    return Suite(suite.name, "", "", suite.modes, list(seeds), False, suite.questions, studies + cells, tune)


def test_cells_are_trained_with_the_setting_that_their_study_has_chosen(tmp_path, no_report):
    code, output = run(make_tuned_suite(["ok"]), tmp_path)
    records = by_id(tmp_path)
    assert code == 0
    assert [records[f"q-ok-basic-{seed}-"]["config"] for seed in (1, 2)] == [
        {"units": 7, "seed": seed} for seed in (1, 2)
    ]
    assert len(records["q-ok-basic-1000-"]["trials"]) == 2
    assert "q-ok-basic-1000-: 2 trials, the best has exact match 10.0% on dev, " in output
    assert run(make_tuned_suite(["ok"]), tmp_path)[1].startswith("3 of 3 cells finished")  # nothing runs again


def test_a_study_that_stopped_continues_and_its_cells_wait(tmp_path, no_report):
    suite = make_tuned_suite(["stops", "ok"], seeds=(1,))
    code, output = run(suite, tmp_path)
    assert code == 1
    assert "2 of 4 cells finished, 1 failed" in output
    (before,) = (tmp_path / "studies" / "q-stops-basic-1000-.jsonl").read_text().splitlines()
    assert run(suite, tmp_path)[0] == 0
    study = by_id(tmp_path)["q-stops-basic-1000-"]
    assert study["journal"][0] == json.loads(before)
    assert len(study["journal"]) == 2


def test_cells_run_again_if_another_setting_is_chosen(tmp_path, no_report):
    suite = make_tuned_suite(["ok"], seeds=(1,))
    run(suite, tmp_path)
    path = tmp_path / "records" / "q-ok-basic-1000-.json"
    path.write_text(path.read_text().replace('"units": 7', '"units": 8'))
    run(suite, tmp_path)
    assert by_id(tmp_path)["q-ok-basic-1-"]["config"] == {"units": 8, "seed": 1}


def test_the_table_shows_studies():
    suite = make_tuned_suite(["ok", "slow"], seeds=(1,))
    board = Board(suite, [])
    board.start(suite.cells[0], 1)
    board.progress(suite.cells[0]["id"], {"trial": 2, "trials": 20, "epoch": 3, "epochs": 10})
    shown = show(board)
    assert re.search(r"ok +▸ tuning *\n +slow +tuning", shown)
    assert "worker 1: q-ok-basic-1000-, trial 2 of 20, epoch 3 of 10, 0 s" in shown


def test_the_time_left_counts_the_trials_of_a_study():
    suite = make_tuned_suite(["ok", "slow"], seeds=(1,))
    study = {**suite.cells[0], "status": "ok", "seconds": {"cell": 20.0}}
    assert Board(suite, [study]).remaining() == pytest.approx(10 + 20 + 10)


# === What is shown ===


def show(board, width=100, height=25):
    console = Console(file=io.StringIO(), width=width, height=height)
    console.print(board)
    return console.file.getvalue()  # type: ignore[attr-defined]


def record(cell, seconds=10.0, **changes):
    found = {**cell, "status": "ok", "metrics": {"exact_match": cell["seed"] / 10}, "seconds": {"cell": seconds}}
    return {**found, **changes}


def test_the_table_shows_scores_progress_and_failures():
    suite = make_suite([250, 1000], seeds=(1, 2, 3), modes=("basic", "peek"))
    board = Board(suite, [record(suite.cells[0])])
    board.start(suite.cells[1], 1)
    board.start(suite.cells[4], 2)
    board.progress(suite.cells[4]["id"], {"epoch": 3, "epochs": 10})
    board.end(record(suite.cells[1], status="failed", reason="out of luck"))
    board.start(suite.cells[2], 1)
    title, header, first, second, *rest = [re.split(r"\s{2,}", line.strip()) for line in show(board).splitlines()]
    assert title == ["A small one"]
    assert header == ["question", "x", "basic", "peek"]
    assert first == ["q", "250", "▸ 10.0 % 1 failed 1/3", "▸ 0/3"]
    assert second == ["1000", "0/3", "0/3"]
    one, two, status = (" ".join(line) for line in rest)
    assert one == "worker 1: q-250-basic-3-, starting, 0 s"
    assert two == "worker 2: q-250-peek-2-, epoch 3 of 10, 0 s"
    assert status.startswith("1 of 12 cells finished, 1 failed, 0 s elapsed, about ")


def test_time_left_is_estimated_from_similar_cells():
    suite = make_suite([250, 1000], seeds=(1, 2), modes=("basic", "peek"))
    board = Board(suite, [])
    assert board.remaining() is None
    assert "time left not known yet" in board.status()
    cells = {(cell["x"], cell["mode"], cell["seed"]): cell for cell in suite.cells}
    board = Board(suite, [record(cells[250, "basic", 1], 10.0), record(cells[1000, "peek", 1], 40.0)])
    # The same but for the seed: 10 and 40; the same x: 10 and 40, with both seeds of each.
    assert board.remaining() == pytest.approx(10 + 40 + 2 * 10 + 2 * 40)
    board.start(cells[250, "basic", 2], 1)
    board.start(cells[1000, "peek", 2], 2)
    assert board.remaining() == pytest.approx(150 / 2, abs=1)


def test_a_table_too_tall_for_the_terminal_drops_finished_rows_from_its_top():
    suite = make_suite(list(range(30)), seeds=(1,))
    board = Board(suite, [record(cell) for cell in suite.cells[:20]])
    lines = show(board, height=20).splitlines()
    assert len(lines) <= 20
    assert lines[2].split()[0] == "15"
    assert lines[-2].strip() == "15 finished rows above"
    assert [line.split()[0] for line in show(board, height=10).splitlines()[2:12]] == [str(x) for x in range(20, 30)]


def test_a_terminal_shows_the_table(tmp_path, no_report):
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    code = runner.run(make_suite(["slow"]), tmp_path, LocalProcesses(1, "fake_cells:run_cell"), console)
    output = console.file.getvalue()  # type: ignore[attr-defined]
    assert code == 0
    assert "worker 1: q-slow-basic-1-" in output
    assert output.rindex("10.0 %") > output.rindex("worker 1")
