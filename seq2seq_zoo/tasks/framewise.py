"""What the tasks share that find real values for every frame of a sequence."""

import abc
import itertools
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from seq2seq_zoo.config.options import checked
from seq2seq_zoo.data.columns import read_columns
from seq2seq_zoo.data.pairs import DataFileError
from seq2seq_zoo.data.scaling import Scale, as_they_are, standardise
from seq2seq_zoo.tasks.task import Row, Series, Task


class Recording(NamedTuple):
    """A sequence in its own units."""

    name: str
    source: np.ndarray
    """`(frames, features)`."""
    target: np.ndarray
    """`(frames, features)`."""


class FrameTask(Task):
    """A target for each frame of a source; which they are is the subclass's.

    Args:
        scaling: `train` to standardise each feature by its mean and deviation in train, `sequence` by those of each
            sequence by itself, null for values as they are.

    Raises:
        ValueError: on loading, a feature that never changes where it is standardised.
    """

    key: str = "sequence"
    """The column of a file that names the sequence of each frame."""
    sources: Sequence[str]
    """The names of the source's features."""
    targets: Sequence[str]
    """The names of the target's features."""

    @checked
    def __init__(self, scaling: Literal["train", "sequence"] | None = "train"):
        self.scaling = scaling

    @abc.abstractmethod
    def recordings(self) -> Mapping[str, Sequence[Recording]]:
        """The sequences of each split."""

    def load(self) -> Series:
        """The rows."""
        found = self.recordings()
        whole = self._whole(found["train"])
        splits = {split: [self._row(each, whole) for each in recordings] for split, recordings in found.items()}
        kept = {"sources": [*self.sources], "scales": [[each.tolist() for each in scale] for scale in whole]}
        return Series(splits, self.sources, self.targets, "steps", kept=kept)

    def _whole(self, train: Sequence[Recording]) -> tuple[Scale, Scale]:
        """The scales of sources and of targets, as far as train decides them."""
        if self.scaling != "train":
            return as_they_are(len(self.sources)), as_they_are(len(self.targets))
        _, sources, targets = zip(*train, strict=True)
        return (
            standardise(np.concatenate(sources), self.sources, "train"),
            standardise(np.concatenate(targets), self.targets, "train"),
        )

    def _row(self, recording: Recording, scales: tuple[Scale, Scale]) -> Row:
        name, source, target = recording
        if self.scaling == "sequence":
            where = f"sequence '{name}'"
            scales = standardise(source, self.sources, where), standardise(target, self.targets, where)
        return Row(scales[0].apply(source), scales[1].apply(target), *scales[1])

    def read_rows(self, path: str | os.PathLike[str], kept: Mapping[str, Any]) -> list[Row]:
        """The rows of a file that has sources only."""
        if self.scaling == "sequence":
            raise DataFileError(
                f"{path} cannot be predicted from: with scaling 'sequence', a target's mean and deviation are its own, "
                "and where it is not known, nothing leads back to its unit. Train with scaling 'train'."
            )
        self.sources = kept["sources"]
        source, target = (Scale(*map(np.array, scale)) for scale in kept["scales"])
        found = [(name, values, np.full((len(values), len(self.targets)), np.nan)) for name, values in self.read(path)]
        return [self._row(Recording(*each), (source, target)) for each in found]

    def read(self, path: str | os.PathLike[str], targets: bool = False) -> list[tuple[str, np.ndarray]]:
        """The sequences of a file, by name: the features of the sources, and after them, if asked for, of the targets.

        Raises:
            DataFileError: the file cannot be read; the frames of a sequence are not together.
        """
        values, keys = read_columns(path, [*self.sources, *(self.targets if targets else ())], self.key)
        parts: dict[str, np.ndarray] = {}
        at = 0
        for name, frames in itertools.groupby(keys):
            if name in parts:
                raise DataFileError(
                    f"{path}: the frames of sequence '{name}' are not together: expected the file in the order of the "
                    f"column '{self.key}'."
                )
            length = len(list(frames))
            parts[name] = values[at : at + length]
            at += length
        return list(parts.items())
