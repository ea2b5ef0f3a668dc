"""The circumstances of a measurement: versions, machine, and the memory of this process."""

import contextlib
import ctypes
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

PACKAGES = ("seq2seq-zoo", "keras", "tensorflow", "jax", "torch", "numpy", "sacrebleu")

_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1  # of glibc's malloc.h


def environment() -> dict[str, dict[str, Any]]:
    """Versions and machine, as plain JSON. Imports no slow package.

    Returns:
        `versions`: of Python and the installed packages of `PACKAGES`, and the name of the `backend` if Keras is
        imported. `machine`: `system`, `cpu`, `cores` (that this process may use), `memory` (bytes) and `gpus`.

    Example:

    >>> sorted(environment()["machine"])
    ['cores', 'cpu', 'gpus', 'memory', 'system']
    """
    backend = {"backend": sys.modules["keras"].config.backend()} if "keras" in sys.modules else {}
    versions = {name: version for name in PACKAGES if (version := _version(name)) is not None}
    return {
        "versions": {"python": platform.python_version(), **versions, **backend},
        "machine": {
            "system": f"{platform.system()} {platform.release()}",
            "cpu": _cpu(),
            "cores": cores(),
            "memory": _memory(),
            "gpus": _gpus(),
        },
    }


def cores() -> int:
    """How many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def reuse_memory() -> None:
    """Make glibc keep large freed buffers for later ones; other C libraries are left as they are.

    The generators of tf.data, with which Keras feeds `fit`, set glibc to request each buffer of 128 KiB or more from
    the system and to return it at once. A training step then spends up to half of its time on fresh pages.
    """
    most = 32 << 20  # the largest threshold that glibc accepts
    with contextlib.suppress(OSError, TypeError, AttributeError):  # another system or C library
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_THRESHOLD, most)
        libc.mallopt(_TRIM_THRESHOLD, 2 * most)


def reset_peak_memory() -> None:
    """Reset `peak_memory` to the memory in use now. Only Linux can; elsewhere nothing happens."""
    # Another system or a sandbox may forbid it: then the peak is that of the whole process.
    with contextlib.suppress(OSError):
        # 5 resets the high-water mark; see proc_pid_clear_refs(5) in the Linux manual.
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int | None:
    """The peak memory of this process since `reset_peak_memory` or its start.

    Returns:
        Bytes of resident memory; None if the system does not report it.
    """
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, the others kibibytes


def available_memory() -> int | None:
    """The bytes of memory that a CPU may still use; None if there is a GPU, or if the system does not report it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:") and not _gpus():
                return int(line.split()[1]) * 1024
    return None


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cpu() -> str:
    try:
        if sys.platform == "darwin":
            command = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except (OSError, subprocess.SubprocessError):
        pass
    return platform.processor() or platform.machine()


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        return None


def _gpus() -> list[str]:
    """The names of NVIDIA cards, as the Linux driver lists them."""
    cards = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    lines = [line for card in cards for line in card.read_text().splitlines()]
    return [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]
