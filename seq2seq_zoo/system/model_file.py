"""Where a saved model is. Imports no backend, so a wrong path is reported at once."""

import os
import zipfile
from pathlib import Path


class ModelFileError(ValueError):
    """A file that holds no model of this package."""


def find_model(path: str | os.PathLike[str]) -> Path:
    """The file of a saved model.

    Args:
        path: a `.keras` file, or a run directory, for its best model.

    Raises:
        ModelFileError: there is no such file, or it is not in the format of models.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "best.keras"
    if not path.exists():
        raise ModelFileError(f"{path}: no such file: expected a model (.keras) or a run directory with one.")
    if not zipfile.is_zipfile(path):
        raise ModelFileError(f"{path}: not a model: expected a .keras file.")
    return path
