"""Cell functions that workers run in the tests instead of training: fast, and bad in every way a cell can be."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def run_cell(cell, progress):
    """Do what the cell's `x` says."""
    if "tune" in cell:
        return run_study(cell, progress)
    if "asks" in cell:
        return run_trial(cell, progress)
    what = cell["x"]
    if what == "progress":
        progress({"epoch": 1, "epochs": 2})
        progress({"epoch": 2, "epochs": 2})
    elif what == "raise":
        raise ValueError("no such\nweather")
    elif what == "exit":
        os._exit(3)
    elif what == "sys.exit":
        sys.exit(4)
    elif what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "segfault":
        ctypes.string_at(0)
    elif what == "nan":
        return {"metrics": {"exact_match": 0.5}, "by_length": [{"exact_match": float("nan")}]}
    elif what == "nan progress":
        progress({"loss": float("nan")})
    elif what == "object":
        return {"metrics": {1, 2}}
    elif what == "noise":
        print('{"event": "finished", "id": "somebody else"}')
        os.write(1, b"half a line")
        subprocess.run(["echo", "a child speaks"], check=True)
        print("a complaint", file=sys.stderr)
        assert sys.stdin.read() == ""
    elif what == "environment":
        names = ["OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "TF_CPP_MIN_LOG_LEVEL"]
        return {name: os.environ[name] for name in names}
    elif what == "sleep":
        progress({"pid": os.getpid()})
        time.sleep(60)
    elif what == "wait":
        progress({"pid": os.getpid()})
        while not Path(cell["config"]["marker"]).exists():
            time.sleep(0.02)
    elif what == "train":
        from seq2seq_zoo.benchmark.cell import run_cell as train

        return train({**cell, "config": cell["config"]["train"]}, progress)
    elif what == "slow":
        time.sleep(0.3)
    elif what == "once":
        # Fails the first time: tells whether a cell is run again.
        marker = Path(cell["config"]["marker"])
        if not marker.exists():
            marker.touch()
            raise RuntimeError("the first time always fails")
    return {"metrics": {"exact_match": cell["seed"] / 10}, "pid": os.getpid()}


def run_study(cell, progress):
    """A study whose trials are the entries of its journal."""
    journal = list(cell.get("journal", []))
    if cell["x"] == "stops" and not journal:
        progress({"trial": 1, "trials": 2, "journal": [{"pid": os.getpid()}]})
        raise MemoryError
    while len(journal) < 2:
        journal.append({"pid": os.getpid()})
        progress({"trial": len(journal), "trials": 2, "epoch": 1, "epochs": 2, "journal": journal})
    trials = [{"number": number, "state": "complete", "params": {}, "score": number / 10} for number in (0, 1)]
    chosen = {"chosen": 1, "chosen_config": {"units": 7, "seed": 1000}, "importance": {}}
    return {"metric": "exact_match", "trials": trials, **chosen, "journal": journal}


def run_trial(cell, progress):
    """A trial whose score depends on its setting. The first time, the process that waits for it is lost."""
    trial = progress({})
    marker = Path(cell["given"]["task"]["train"])
    for epoch in (1, 2, 3):
        if trial["seed"] == 1002 and epoch == 2 and not marker.exists():
            marker.touch()
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        record = {"epoch": epoch, cell["metric"]: epoch * trial["setting"]["decoder.units"] / 100}
        if progress({"record": record}):
            return {}
    if trial["seed"] == 1001:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"best": record}
