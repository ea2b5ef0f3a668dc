"""Real values for every frame, from your own files."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from seq2seq_zoo.config.options import Fraction, NonNegative, checked
from seq2seq_zoo.data.columns import read_header
from seq2seq_zoo.data.pairs import DataFileError
from seq2seq_zoo.tasks.framewise import FrameTask, Recording
from seq2seq_zoo.tasks.task import tasks


@tasks.register("frames", "your own sequences, a CSV file with a line a frame: real values for each frame")
class Frames(FrameTask):
    """Sequences from files of comma-separated values: the names of the columns, then a line for each frame. One column
    names the sequence to which the frame belongs; the frames of a sequence stand together, in their order.

    Dev and test are read from files of their own, or drawn from train's sequences where they have none.

    Arguments are `FrameTask`'s, and:

    Args:
        train: path of the file to train on.
        targets: the columns to find.
        sources: the columns to find them from; all others if not given.
        sequence: the column that names the sequence.
        dev: path of the dev file; a share of train by default.
        test: path of the test file; a share of train by default.
        dev_fraction: share of train's sequences that becomes dev, where dev has no file.
        test_fraction: share of train's sequences that becomes test, where test has no file.
        seed: of drawing dev and test.

    Raises:
        ValueError: a column named twice; fractions of one or more together; on loading, a file that cannot be read, no
            column to find the targets from, or too few sequences.
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
        seed: NonNegative = 0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.paths = {"train": train, "dev": dev, "test": test}
        self.targets = targets
        self.key = sequence
        self.fractions = {"dev": dev_fraction, "test": test_fraction}
        self.seed = seed
        self._sources = sources
        if not targets or sources == ():
            raise ValueError("targets and sources, if given, must name at least one column each, got none.")
        named = [*(sources or ()), *targets, sequence]
        if twice := [name for name in named if named.count(name) > 1]:
            raise ValueError(f"sources, targets and sequence are different columns, but '{twice[0]}' is named twice.")
        if sum(self.fractions.values()) >= 1:
            raise ValueError(f"dev_fraction and test_fraction must leave some to train on, got {self.fractions}.")

    def recordings(self) -> Mapping[str, list[Recording]]:
        """The sequences of each split."""
        others = [name for name in read_header(self.paths["train"]) if name not in (self.key, *self.targets)]
        self.sources = self._sources or others
        if not self.sources:
            raise DataFileError(
                f"{self.paths['train']} has no column but '{self.key}' and the targets: expected some more, "
                "from which to find them."
            )
        found = {split: self._recordings(path) for split, path in self.paths.items() if path is not None}
        fractions = {split: fraction for split, fraction in self.fractions.items() if split not in found}
        # At least one each: a split without sequences measures nothing.
        sizes = [max(1, round(fraction * len(found["train"]))) for fraction in fractions.values()]
        if sum(sizes) >= len(found["train"]):
            raise DataFileError(
                f"{self.paths['train']} has too few sequences ({len(found['train'])}) to draw {' and '.join(fractions)}"
                " and have some left to train on. Add some, or give the paths of dev and test."
            )
        order = np.random.Generator(np.random.PCG64(self.seed)).permutation(len(found["train"]))
        drawn = np.split(order, np.cumsum(sizes))
        found |= {
            split: [found["train"][place] for place in sorted(places.tolist())]
            for split, places in zip([*fractions, "train"], drawn, strict=True)
        }
        return {split: found[split] for split in ("train", "dev", "test")}

    def _recordings(self, path: str) -> list[Recording]:
        cut = [len(self.sources)]
        return [Recording(name, *np.split(values, cut, axis=1)) for name, values in self.read(path, targets=True)]
