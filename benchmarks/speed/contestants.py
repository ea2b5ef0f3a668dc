"""The contestants: their environments and their worker processes."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
THREADS = 2

# The packages of each environment. Python 3.11 is the newest version for TensorFlow 2.15.
ENVIRONMENTS: dict[str, tuple[str, ...]] = {
    "torch": ("torch==2.13.0", "numpy", "setuptools"),
    "addons": ("tensorflow==2.15.1", "tensorflow-addons==0.23.0", "numpy<2"),
    "yoyodyne": ("yoyodyne==0.5.27", "torch==2.13.0"),
    # Our package on other backends, from this repository: its dependencies without TensorFlow.
    "backends": ("keras>=3.15", "jax", "torch==2.13.0", "numpy", "pydantic", "pyyaml", "num2words", "rapidfuzz"),
}


class ContestantError(RuntimeError):
    """A contestant failed, or does not compute the same as the others."""


@dataclasses.dataclass(frozen=True, eq=False)
class Contestant:
    """A script of `peers/` in an environment; `None` is the environment of this process.

    Args:
        stopped: whether the process is stopped between requests, so that none of its threads can run.
    """

    script: str
    environment: str | None = None
    arguments: tuple[str, ...] = ()
    variables: Mapping[str, str] = dataclasses.field(default_factory=dict)
    stopped: bool = False


OURS = Contestant("ours.py")
STOCK = Contestant("stock.py")
TORCH = Contestant("torch_worker.py", "torch")
TORCH_STEP = Contestant("torch_worker.py", "torch", ("compiled step",))
ADDONS = Contestant("addons_worker.py", "addons")


def python_of(environment: str | None, work: Path) -> str:
    """The Python of an environment, which is created if it does not exist."""
    if environment is None:
        return sys.executable
    folder = work / environment
    done = folder / "installed.json"
    packages = ENVIRONMENTS[environment]
    if not done.exists() or json.loads(done.read_text()) != list(packages):
        note(f"Creating the environment {folder}: {', '.join(packages)}")
        venv.create(folder, clear=True, with_pip=True)
        pip = [folder / "bin/python", "-m", "pip"]
        subprocess.run([*pip, "install", "-qq", *packages], check=True)
        if environment == "yoyodyne":
            # Only its metadata requires torchvision, and pip may install a build that does not fit torch.
            subprocess.run([*pip, "uninstall", "--quiet", "--yes", "torchvision"], check=True)
        done.write_text(json.dumps(packages))
    return str(folder / "bin/python")


def variables() -> dict[str, str]:
    """The environment variables of every contestant: the number of threads, this repository, few log messages."""
    libraries = ("OMP_NUM", "MKL_NUM", "OPENBLAS_NUM", "TF_NUM_INTRAOP", "TF_NUM_INTEROP")
    threads = {f"{library}_THREADS": str(THREADS) for library in libraries}
    return {**os.environ, **threads, "PYTHONPATH": str(REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "3"}


class Worker:
    """The process of a contestant. It waits between requests.

    Args:
        contestant: the contestant.
        work: the folder of the environments and of the processes' logs.

    Raises:
        ContestantError: the process does not start.
    """

    def __init__(self, contestant: Contestant, work: Path):
        self.contestant = contestant
        name = "-".join([contestant.script.removesuffix(".py"), *contestant.arguments]).replace(" ", "-")
        self._log = work / "logs" / f"{name}.log"
        self._log.parent.mkdir(parents=True, exist_ok=True)
        command = [python_of(contestant.environment, work), str(HERE / "peers" / contestant.script)]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [*command, *contestant.arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**variables(), **contestant.variables},
            )
        self.versions = self._response()["versions"]

    def request(self, **request: Any) -> Any:
        """The response to a request; `peers/serve.py` documents the requests.

        Raises:
            ContestantError: the response is an error, or there is none.
        """
        assert self._process.stdin is not None
        self._process.send_signal(signal.SIGCONT)
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        response = self._response()
        if self.contestant.stopped:
            self._process.send_signal(signal.SIGSTOP)
        if "error" in response:
            raise ContestantError(f"{self._log.stem} at {request}:\n{response['error']}")
        (value,) = response.values()
        return value

    def _response(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            end = "".join(self._log.read_text(errors="replace").splitlines(keepends=True)[-20:])
            raise ContestantError(f"{self._log.stem} ended. The last lines of {self._log}:\n{end}")
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.send_signal(signal.SIGCONT)
        self._process.stdin.close()
        self._process.wait()


def use_two_cores() -> Sequence[int]:
    """Bind this process and its children to as many cores as each has threads."""
    cores = sorted(os.sched_getaffinity(0))[:THREADS]
    os.sched_setaffinity(0, cores)
    return cores


def note(text: str) -> None:
    """Print a message about the progress."""
    print(text, file=sys.stderr, flush=True)
