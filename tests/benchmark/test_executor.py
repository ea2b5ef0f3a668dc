import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seq2seq_zoo.benchmark import executor as executor_module
from seq2seq_zoo.benchmark.executor import LocalProcesses
from seq2seq_zoo.system.environment import environment

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def workers_find_the_fake_cells(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]))


def cell(x, seed=1, mode="basic"):
    return {"id": f"{x}-{mode}-{seed}", "question": "q", "x": x, "mode": mode, "seed": seed, "config": {}}


def run(cells, directory, workers=1):
    return list(LocalProcesses(workers, "fake_cells:run_cell").run(cells, directory))


def kinds(events):
    return [(event["event"], event["id"]) for event in events]


def is_running(pid):
    try:
        # A process that has ended and that nobody has waited for is still listed, as a zombie.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_the_events_of_a_cell_in_order(tmp_path):
    started, first, second, finished = run([cell("progress", seed=7)], tmp_path)
    assert started == {"event": "started", "id": "progress-basic-7", "worker": 1}
    assert [first["progress"]["epoch"], second["progress"]["epoch"]] == [1, 2]
    assert finished["event"] == "finished"
    assert finished["result"]["metrics"] == {"exact_match": 0.7}
    assert finished["worker"] == 1
    assert finished["environment"]["machine"] == environment()["machine"]


def test_a_worker_takes_one_cell_after_another(tmp_path):
    events = run([cell("ok", seed) for seed in range(5)], tmp_path)
    pids = {event["result"]["pid"] for event in events if event["event"] == "finished"}
    assert len(pids) == 1
    assert os.getpid() not in pids
    assert not is_running(pids.pop())


def test_no_more_workers_than_cells_and_every_cell_once(tmp_path):
    events = run([cell("slow", seed) for seed in range(3)], tmp_path, workers=8)
    assert {event["worker"] for event in events} == {1, 2, 3}
    assert sorted(event["id"] for event in events if event["event"] == "finished") == [
        "slow-basic-0",
        "slow-basic-1",
        "slow-basic-2",
    ]
    assert run([], tmp_path) == []


@pytest.mark.parametrize(
    ("x", "reason"),
    [
        ("raise", "ValueError: no such weather"),
        ("exit", "worker exited with code 3; see logs/worker-1.log"),
        ("sys.exit", "worker exited with code 4; see logs/worker-1.log"),
        ("kill", "worker was killed by signal 9 (SIGKILL), perhaps out of memory; see logs/worker-1.log"),
        ("segfault", "worker was killed by signal 11 (SIGSEGV); see logs/worker-1.log"),
        ("nan", "ValueError: by_length.0.exact_match is nan"),
        ("nan progress", "ValueError: loss is nan"),
        ("object", "TypeError: Object of type set is not JSON serializable"),
    ],
)
def test_a_failure_affects_only_its_own_cell(x, reason, tmp_path):
    events = run([cell("ok", 1), cell(x), cell("ok", 2)], tmp_path)
    assert [event["reason"] for event in events if event["event"] == "failed"] == [reason]
    finished = [event["id"] for event in events if event["event"] == "finished"]
    assert finished == ["ok-basic-1", "ok-basic-2"]


def test_a_new_worker_continues_after_a_failure(tmp_path):
    events = run([cell("raise"), cell("ok", 1), cell("ok", 2)], tmp_path)
    assert kinds(events) == [
        ("started", "raise-basic-1"),
        ("failed", "raise-basic-1"),
        ("started", "ok-basic-1"),
        ("finished", "ok-basic-1"),
        ("started", "ok-basic-2"),
        ("finished", "ok-basic-2"),
    ]
    log = (tmp_path / "logs" / "worker-1.log").read_text()
    assert log.index("--- raise-basic-1") < log.index("ValueError: no such\nweather") < log.index("--- ok-basic-1")


def test_every_cell_fails_if_the_cell_function_cannot_be_imported(tmp_path):
    events = list(LocalProcesses(1, "no_such_module:run").run([cell("ok", 1), cell("ok", 2)], tmp_path))
    reasons = [event["reason"] for event in events if event["event"] == "failed"]
    assert reasons == ["ModuleNotFoundError: No module named 'no_such_module'"] * 2


def test_a_killed_worker_fails_its_cell_and_is_replaced(tmp_path):
    events = []
    for event in LocalProcesses(1, "fake_cells:run_cell").run([cell("sleep"), cell("ok")], tmp_path):
        events.append(event)
        if event["event"] == "progress":
            os.kill(event["progress"]["pid"], signal.SIGKILL)
    assert kinds(events)[2:] == [("failed", "sleep-basic-1"), ("started", "ok-basic-1"), ("finished", "ok-basic-1")]


def test_what_a_cell_prints_goes_to_the_log(tmp_path):
    events = run([cell("noise")], tmp_path)
    assert kinds(events) == [("started", "noise-basic-1"), ("finished", "noise-basic-1")]
    log = (tmp_path / "logs" / "worker-1.log").read_text()
    for words in ("somebody else", "half a line", "a child speaks", "a complaint"):
        assert words in log


@pytest.mark.parametrize(("workers", "threads"), [(1, "8"), (3, "2"), (20, "1")])
def test_workers_share_the_cores(workers, threads, tmp_path, monkeypatch):
    monkeypatch.setattr(executor_module, "cores", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    result = run([cell("environment")], tmp_path, workers)[-1]["result"]
    assert result == {
        "OMP_NUM_THREADS": threads,
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": threads,
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


def test_closing_the_iterator_stops_the_workers(tmp_path):
    events = LocalProcesses(2, "fake_cells:run_cell").run([cell("sleep", seed) for seed in range(4)], tmp_path)
    first = [event for _, event in zip(range(4), events, strict=False)]
    pids = [event["progress"]["pid"] for event in first if event["event"] == "progress"]
    assert len(pids) == 2
    assert all(is_running(pid) for pid in pids)
    assert all(os.getpgid(pid) != os.getpgid(0) for pid in pids)  # a terminal's Ctrl-C is for the parent alone
    events.close()  # type: ignore[attr-defined]
    assert not any(is_running(pid) for pid in pids)


def test_workers_exit_when_their_parent_is_killed(tmp_path):
    parent = f"""
import json
from pathlib import Path
from seq2seq_zoo.benchmark.executor import LocalProcesses
from seq2seq_zoo.system.environment import environment
cells = {[cell("sleep")]!r}
for event in LocalProcesses(1, "fake_cells:run_cell").run(cells, Path({str(tmp_path)!r})):
    print(json.dumps(event), flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = next(
            event["progress"]["pid"] for event in map(json.loads, process.stdout) if event["event"] == "progress"
        )
        assert is_running(pid)
        process.kill()
    wait_until(lambda: not is_running(pid))


def test_similar_cells_go_to_the_same_worker_and_none_is_idle():
    waiting = [cell(x, seed, mode) for x in ("few", "many") for mode in ("a", "b", "c") for seed in (1, 2)]
    take = executor_module._take_next
    first = take(waiting, None, [])
    second = take(waiting, None, [first])
    assert [first["id"], second["id"]] == ["few-a-1", "few-b-1"]
    assert take(waiting, first, [second])["id"] == "few-a-2"  # the other seed of its own kind
    third = take(waiting, first, [second])
    assert third["id"] == "many-a-1"  # none left of it: another x of the same mode
    assert take(waiting, third, [second])["id"] == "many-a-2"
    assert take(waiting, third, [second])["id"] == "few-c-1"  # none left of the mode: a kind that nobody is at
    waiting = [cell("few", 2, "b")]
    assert take(waiting, third, [second])["id"] == "few-b-2"  # nothing else left: it helps
    assert waiting == []


def test_zero_workers_are_an_error():
    with pytest.raises(ValueError, match="at least 1 worker, got 0"):
        LocalProcesses(0)
