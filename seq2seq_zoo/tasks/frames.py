"""Your own sequences with a real-valued target for each frame."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seq2seq_zoo.config.options import Fraction, NonNegative, checked
from seq2seq_zoo.data.columns import DecimalMark, Delimiter, Format, read_header
from seq2seq_zoo.data.lines import DataFileError
from seq2seq_zoo.tasks.framewise import FrameTask, Recording
from seq2seq_zoo.tasks.splits import check_fractions, draw_splits, shared_with_train
from seq2seq_zoo.tasks.task import Series, tasks


@tasks.register("frames", "your own sequences, a CSV file with one line for each frame: real values for each frame")
class Frames(FrameTask):
    """Sequences from CSV files: a line with the names of the columns, then one line for each frame. One column names
    the sequence that a frame belongs to. The frames of a sequence are consecutive lines, in temporal order.

    Dev and test are read from files of their own. Without a file, they are drawn from the train sequences.

    Arguments are `FrameTask`'s, and:

    Args:
        train: path of the file to train on.
        targets: the columns to predict.
        sources: the columns to predict them from; all others if not given.
        sequence: the column that names the sequence.
        dev: path of the dev file; a share of train by default.
        test: path of the test file; a share of train by default.
        dev_fraction: share of the train sequences that become dev if dev has no file.
        test_fraction: share of the train sequences that become test if test has no file.
        delimiter: what separates the cells of a line.
        decimal: what precedes the fraction of a number.
        seed: seed of drawing dev and test.

    Raises:
        ValueError: a column is named twice; delimiter and decimal are both a comma; the fractions add up to 1 or more;
            on loading, a file cannot be read, has no column to predict the targets from, or has too few sequences.
    """

    @checked
    def __init__(
        self,
        train: str,
        targets: tuple[str, ...],
        sources: tuple[str, ...] | None = None,
        sequence: str = "sequence",
        dev: str | None = None,
        test: str | None = None,
        dev_fraction: Fraction = 0.1,
        test_fraction: Fraction = 0.1,
        delimiter: Delimiter = "comma",
        decimal: DecimalMark = "point",
        seed: NonNegative = 0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.paths = {"train": train, "dev": dev, "test": test}
        self.targets = targets
        self.key = sequence
        self.file_format = Format(delimiter, decimal)
        self.fractions = {"dev": dev_fraction, "test": test_fraction}
        self.seed = seed
        self._sources = sources
        if not targets or sources == ():
            raise ValueError("targets and sources, if given, must name at least one column each, got none.")
        named = [*(sources or ()), *targets, sequence]
        if twice := [name for name in named if named.count(name) > 1]:
            raise ValueError(f"sources, targets and sequence are different columns, but '{twice[0]}' is named twice.")
        check_fractions(self.fractions)

    def load(self) -> Series:
        """The scaled rows of each split, with a note for each given split that has sequences of train."""
        data = super().load()
        given = [split for split, path in self.paths.items() if path is not None]
        sources = {split: (row.source.tobytes() for row in data.splits[split]) for split in given}
        return dataclasses.replace(data, notes=shared_with_train(sources, "sequences"))

    def files(self) -> Sequence[str]:
        """The paths of all splits."""
        return [path for path in self.paths.values() if path is not None]

    def recordings(self) -> Mapping[str, list[Recording]]:
        """The sequences of each split."""
        header = read_header(self.paths["train"], self.file_format)
        others = [name for name in header if name not in (self.key, *self.targets)]
        self.sources = self._sources or others
        if not self.sources:
            raise DataFileError(
                f"{self.paths['train']} has no column but '{self.key}' and the targets: expected at least one more "
                "to predict them from."
            )
        found = {split: self._recordings(path) for split, path in self.paths.items() if path is not None}
        fractions = {split: fraction for split, fraction in self.fractions.items() if split not in found}
        train = found["train"]
        drawn = draw_splits(len(train), fractions, self.seed, f"{self.paths['train']} has too few sequences")
        found |= {split: [train[position] for position in np.sort(positions)] for split, positions in drawn.items()}
        return {split: found[split] for split in ("train", "dev", "test")}

    def _recordings(self, path: str) -> list[Recording]:
        first_target = [len(self.sources)]
        return [
            Recording(name, *np.split(values, first_target, axis=1)) for name, values in self.read(path, targets=True)
        ]
