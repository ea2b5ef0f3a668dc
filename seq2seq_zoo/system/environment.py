"""What a measurement was made with: versions, machine, and the memory this process needed."""

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
    """Versions and machine, as plain JSON; imports nothing that is slow to import.

    Returns:
        `versions`: of Python and of those of `PACKAGES` that are installed; with `backend`, once Keras is imported, for
        only Keras knows. `machine`: `system`, `cpu`, `cores` (that this process may use), `memory` (bytes) and `gpus`.

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
    """Have the C library keep large buffers that were freed for those that are wanted next; where it is glibc.

    tf.data's generators, by which Keras feeds `fit`, tell glibc to fetch each buffer of 128 KiB or more from the system
    and to give it back at once: a training step then spends up to half of its time on fresh pages.
    """
    most = 32 << 20  # the largest that glibc takes for a threshold
    with contextlib.suppress(OSError, TypeError, AttributeError):  # another system, another library
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_THRESHOLD, most)
        libc.mallopt(_TRIM_THRESHOLD, 2 * most)


def reset_peak_memory() -> None:
    """Start counting `peak_memory` anew from what is in use now; only Linux can, elsewhere nothing happens."""
    # Another system, or a sandbox, may forbid it: the peak is then that of the whole process.
    with contextlib.suppress(OSError):
        # 5 resets the high-water mark; see proc_pid_clear_refs(5) in the Linux manual.
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int | None:
    """The most memory this process has held at once, in bytes, since `reset_peak_memory` or its start.

    Returns:
        Bytes of resident memory; None where the system does not tell.
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
    """Names of NVIDIA cards, as the Linux driver lists them."""
    cards = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    lines = [line for card in cards for line in card.read_text().splitlines()]
    return [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]
