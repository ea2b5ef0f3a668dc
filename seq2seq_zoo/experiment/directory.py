"""What must hold for the directory of a run. Imports no backend, so the command line can check it at once."""

import os
from collections.abc import Iterable
from pathlib import Path

CONFIG = "config.yaml"
DATA = "data.json"
METRICS = "metrics.json"
EPOCHS_OPTION = "training.epochs"
PATIENCE_OPTION = "training.patience"
"""With the number of epochs, all that a resumed run may change."""


class RunError(ValueError):
    """A run directory that cannot be used as asked."""


def require_run(directory: str | os.PathLike[str]) -> Path:
    """The configuration file of a run.

    Raises:
        RunError: there is no run in the directory.
    """
    path = Path(directory, CONFIG)
    if not path.exists():
        raise RunError(f"{Path(directory)} is not a run: expected {CONFIG} in it. Give a directory made by `train`.")
    return path


def require_new(directory: str | os.PathLike[str]) -> None:
    """Refuse a directory that a new run would overwrite.

    Raises:
        RunError: the directory exists and is not empty.
    """
    directory = Path(directory)
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise RunError(
            f"{directory} already exists and is not overwritten: give another name with --out, or continue it with "
            f"--resume {directory}."
        )


def require_resumable(changes: Iterable[str]) -> None:
    """Refuse changes that would make a resumed run another one.

    Args:
        changes: such as "training.epochs=30".

    Raises:
        RunError: a change is of something else than the number of epochs and the patience.
    """
    for change in changes:
        if change.partition("=")[0].strip() not in (EPOCHS_OPTION, PATIENCE_OPTION):
            raise RunError(
                f"--set {change}: a resumed run keeps its configuration, of which only {EPOCHS_OPTION} and "
                f"{PATIENCE_OPTION} may change. Leave it out, or start a new run."
            )
