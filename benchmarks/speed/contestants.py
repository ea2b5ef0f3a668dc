"""Who is measured: their environments, and the worker processes that are asked in turn."""

import dataclasses
import json
import os
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
THREADS = 2

# What pip installs into each environment. Python 3.11 is the newest that TensorFlow 2.15 knows.
ENVIRONMENTS: dict[str, tuple[str, ...]] = {
    "torch": ("torch==2.13.0", "numpy", "setuptools"),
    "addons": ("tensorflow==2.15.1", "tensorflow-addons==0.23.0", "numpy<2"),
    "yoyodyne": ("yoyodyne==0.5.27", "torch==2.13.0"),
    # Ours on other backends, from this folder: its dependencies without TensorFlow.
    "backends": ("keras>=3.15", "jax", "torch==2.13.0", "numpy", "pydantic", "pyyaml", "num2words", "rapidfuzz"),
}


class ContestantError(RuntimeError):
    """A contestant that failed, or that does not compute what the others do."""


@dataclasses.dataclass(frozen=True, eq=False)
class Contestant:
    """A script of `peers/` in an environment; `None` is the one that runs this."""

    script: str
    environment: str | None = None
    arguments: tuple[str, ...] = ()
    variables: Mapping[str, str] = dataclasses.field(default_factory=dict)


OURS = Contestant("ours.py")
STOCK = Contestant("stock.py")
TORCH = Contestant("torch_worker.py", "torch")
TORCH_STEP = Contestant("torch_worker.py", "torch", ("compiled step",))
ADDONS = Contestant("addons_worker.py", "addons")


def python_of(environment: str | None, work: Path) -> str:
    """The environment's Python; the environment is made if it is not there."""
    if environment is None:
        return sys.executable
    folder = work / environment
    done = folder / "installed.json"
    packages = ENVIRONMENTS[environment]
    if not done.exists() or json.loads(done.read_text()) != list(packages):
        note(f"Making the environment {folder}: {', '.join(packages)}")
        venv.create(folder, clear=True, with_pip=True)
        pip = [folder / "bin/python", "-m", "pip"]
        subprocess.run([*pip, "install", "-qq", *packages], check=True)
        if environment == "yoyodyne":
            # It wants it only by its metadata, and the one that pip finds may be of another build than torch.
            subprocess.run([*pip, "uninstall", "--quiet", "--yes", "torchvision"], check=True)
        done.write_text(json.dumps(packages))
    return str(folder / "bin/python")


def variables() -> dict[str, str]:
    """The environment variables of every contestant: the same number of threads, this repository, no chatter."""
    libraries = ("OMP_NUM", "MKL_NUM", "OPENBLAS_NUM", "TF_NUM_INTRAOP", "TF_NUM_INTEROP")
    threads = {f"{library}_THREADS": str(THREADS) for library in libraries}
    return {**os.environ, **threads, "PYTHONPATH": str(REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "3"}


class Worker:
    """A contestant's process, which waits while it is not asked.

    Args:
        contestant: who.
        work: where the environments are, and what the processes print.

    Raises:
        ContestantError: it does not start.
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
        self.versions = self._answer()["versions"]

    def ask(self, **question: Any) -> Any:
        """The answer to a question; `peers/serve.py` says which there are.

        Raises:
            ContestantError: it answers by an error, or not at all.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        if "error" in answer:
            raise ContestantError(f"{self._log.stem} at {question}:\n{answer['error']}")
        (value,) = answer.values()
        return value

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            end = "".join(self._log.read_text(errors="replace").splitlines(keepends=True)[-20:])
            raise ContestantError(f"{self._log.stem} ended. The last of {self._log}:\n{end}")
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def use_two_cores() -> Sequence[int]:
    """Bind this process, and those that it starts, to as many cores as each has threads."""
    cores = sorted(os.sched_getaffinity(0))[:THREADS]
    os.sched_setaffinity(0, cores)
    return cores


def note(text: str) -> None:
    """Say what goes on."""
    print(text, file=sys.stderr, flush=True)
