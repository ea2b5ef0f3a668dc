import ctypes
import json
import platform
import subprocess
import sys
import types

import pytest

from seq2seq_zoo.system import environment as module
from seq2seq_zoo.system.environment import cores, environment, peak_memory, reset_peak_memory, reuse_memory


def test_versions_and_machine_are_plain_json():
    found = environment()
    assert json.loads(json.dumps(found)) == found
    assert found["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["versions"]["numpy"][0].isdigit()
    assert found["machine"]["cores"] == cores() >= 1
    assert found["machine"]["memory"] > 2**28
    assert found["machine"]["cpu"]


def test_a_package_that_is_not_installed_is_left_out(monkeypatch):
    monkeypatch.setattr(module, "PACKAGES", ("numpy", "no-such-package"))
    assert set(environment()["versions"]) - {"backend"} == {"python", "numpy"}


def test_the_backend_is_recorded_once_keras_is_imported(monkeypatch):
    keras = types.SimpleNamespace(config=types.SimpleNamespace(backend=lambda: "abacus"))
    monkeypatch.setitem(sys.modules, "keras", keras)  # type: ignore[arg-type]
    assert environment()["versions"]["backend"] == "abacus"
    monkeypatch.delitem(sys.modules, "keras")
    assert "backend" not in environment()["versions"]


def test_nothing_slow_is_imported():
    code = "import sys; from seq2seq_zoo.system.environment import environment; environment(); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"keras", "tensorflow", "numpy"} & set(run.stdout.split())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can reset the mark")
def test_peak_memory_since_the_reset():
    megabytes = 64
    reset_peak_memory()
    before = peak_memory()
    held = b"x" * (megabytes * 2**20)
    del held
    after = peak_memory()
    assert before is not None
    assert after is not None
    assert after - before > 0.9 * megabytes * 2**20
    reset_peak_memory()
    again = peak_memory()
    assert again is not None
    assert again < after - 0.5 * megabytes * 2**20


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these settings")
def test_large_buffers_are_reused():
    # In a new process, whose heap is empty.
    script = """
import ctypes, resource
import numpy as np
from seq2seq_zoo.system.environment import reuse_memory

def fresh_pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(100):
        np.ones(2**17)  # 1 MiB, 256 pages
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

ctypes.CDLL(None).mallopt(-3, 2**17)  # as tf.data sets it
print(fresh_pages())
reuse_memory()
print(fresh_pages())
"""
    before, after = map(int, subprocess.check_output([sys.executable, "-c", script]).split())
    assert before > 20_000
    assert after < 1_000


def test_another_c_library_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    reuse_memory()
