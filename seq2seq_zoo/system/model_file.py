"""Where a saved model is. Imports no backend, so a wrong path is reported at once."""

import os
import zipfile
from pathlib import Path

from seq2seq_zoo.config.messages import nearest
from seq2seq_zoo.config.registry import UnknownNameError

ZOO = "zoo:"
"""What precedes the name of a model that comes with the package, wherever a model or a run is named."""

BEST = "best.keras"
"""The best model of a run, in its directory."""


class ModelFileError(ValueError):
    """A file that holds no model of this package."""


def zoo() -> dict[str, Path]:
    """The run directories of the models that come with the package, by name."""
    folder = Path(__file__).parents[1] / "zoo"
    return {path.parent.name: path.parent for path in sorted(folder.glob(f"*/{BEST}"))}


def located(path: str | os.PathLike[str]) -> Path:
    """A path, or the run directory of a model that comes with the package, such as "zoo:words_to_digits".

    Raises:
        UnknownNameError: no such model comes with the package.
    """
    text = os.fspath(path)
    if not text.startswith(ZOO):
        return Path(path)
    name, models = text.removeprefix(ZOO), zoo()
    if name not in models:
        raise UnknownNameError(
            f"There is no model '{name}' in the zoo.{nearest(name, models)} Models: {', '.join(models)}."
        )
    return models[name]


def find_model(path: str | os.PathLike[str]) -> Path:
    """The file of a saved model.

    Args:
        path: a `.keras` file, a run directory, for its best model, or a name such as "zoo:words_to_digits".

    Raises:
        ModelFileError: there is no such file, or it is not in the format of models.
        UnknownNameError: no such model comes with the package.
    """
    path = located(path)
    if path.is_dir():
        path = path / BEST
    if not path.exists():
        raise ModelFileError(f"{path}: no such file: expected a model (.keras) or a run directory with one.")
    if not zipfile.is_zipfile(path):
        raise ModelFileError(f"{path}: not a model: expected a .keras file.")
    return path
