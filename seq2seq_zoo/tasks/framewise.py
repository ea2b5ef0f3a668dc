"""The base class of tasks with a real-valued target for each frame of a source."""

import abc
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from seq2seq_zoo.config.options import checked
from seq2seq_zoo.data.columns import COMMA_SEPARATED, Format
from seq2seq_zoo.data.inputs import FrameInputs, read_sequences
from seq2seq_zoo.data.lines import DataFileError
from seq2seq_zoo.data.scaling import Scale, identity_scale, standardise
from seq2seq_zoo.tasks.task import Row, Series, Task


class Recording(NamedTuple):
    """A sequence in its own units, before scaling."""

    name: str
    source: np.ndarray
    """`(frames, features)`."""
    target: np.ndarray
    """`(frames, features)`."""


class FrameTask(Task):
    """A target vector for each frame of a source. Subclasses define the sequences.

    Args:
        scaling: `train` to standardise each feature by its mean and standard deviation in train, `sequence` by those
            of its own sequence, null to leave values unchanged.

    Raises:
        ValueError: on loading, a feature to standardise is constant.
    """

    key: str = "sequence"
    """The column of a file that names the sequence of each frame."""
    file_format: Format = COMMA_SEPARATED
    """How files are written."""
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
        """The scaled rows of each split."""
        found = self.recordings()
        scales = self._scales(found["train"])
        splits = {split: [self._row(each, scales) for each in recordings] for split, recordings in found.items()}
        kept = {"sources": [*self.sources], "scales": [[each.tolist() for each in scale] for scale in scales]}
        return Series(splits, self.sources, self.targets, "steps", kept=kept)

    def _scales(self, train: Sequence[Recording]) -> tuple[Scale, Scale]:
        """The scales of sources and of targets; identity scales unless they are computed on train."""
        if self.scaling != "train":
            return identity_scale(len(self.sources)), identity_scale(len(self.targets))
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

    def inputs(self, kept: Mapping[str, Any]) -> FrameInputs | None:
        """The sequences, with the scales of train; `None` if each sequence is scaled by its own."""
        if self.scaling == "sequence":
            return None
        (mean, scale), (target_mean, target_scale) = kept["scales"]
        scales = mean, scale, target_mean, target_scale
        return FrameInputs(kept["sources"], self.targets, *scales, key=self.key, file_format=self.file_format)

    def read_rows(self, path: str | os.PathLike[str], kept: Mapping[str, Any]) -> list[Row]:
        """The rows of a file that has sources but no targets."""
        inputs = self.inputs(kept)
        if inputs is None:
            raise DataFileError(
                f"{path} cannot be predicted from: scaling 'sequence' needs the mean and standard deviation of each "
                "target to convert outputs back to its unit, and here the targets are not known. Train with scaling "
                "'train'."
            )
        rows = []
        for values, _ in inputs.read(path):
            source, mean, scale = inputs.scaled(values)
            target = np.full((len(values), len(self.targets)), np.nan, "float32")
            rows.append(Row(source.astype("float32"), target, mean, scale))
        return rows

    def read(self, path: str | os.PathLike[str], targets: bool = False) -> list[tuple[str, np.ndarray]]:
        """The sequences of a file, each with its name and its values `(frames, features)`.

        Args:
            path: the file.
            targets: whether to read the features of the targets as well, after those of the sources.

        Raises:
            DataFileError: the file cannot be read, or the frames of a sequence are not consecutive.
        """
        names = [*self.sources, *(self.targets if targets else ())]
        return read_sequences(path, names, self.key, self.file_format)
