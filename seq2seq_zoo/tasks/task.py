"""The base class of tasks, and the data that they provide."""

import abc
import dataclasses
import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from seq2seq_zoo.config.registry import Registry
from seq2seq_zoo.data.inputs import Inputs
from seq2seq_zoo.data.lines import DataFileError, split_lines
from seq2seq_zoo.data.mapped import Mapped
from seq2seq_zoo.data.padding import Side
from seq2seq_zoo.data.vocabulary import Vocabulary

Pair = tuple[str, str]

Targets = Literal["sequence", "steps", "label"]
"""What a target is: a sequence of its own length, one item for each step of the source, or one label for the source."""


@dataclasses.dataclass(frozen=True)
class Data:
    """The data of a task of texts.

    Args:
        splits: pairs of source and target text, under the keys train, dev and test.
        source: the vocabulary of the sources.
        target: the vocabulary of the targets.
        source_padding: the side on which sources are padded.
        targets: what a target is.
        skipped: the number of bad lines left out.
        window: the number of tokens in one update if each split is a stream, that is one text without an end token;
            `None` if splits consist of many texts.
        notes: lines about the data that users should read before training.
        too_long: the number of pairs left out because they are longer than the task's limits.
        references: whether all targets of a source in a split are right, so that evaluation compares its output with
            each of them.
    """

    splits: Mapping[str, Sequence[Pair]]
    source: Vocabulary
    target: Vocabulary
    source_padding: Side = "right"
    targets: Targets = "sequence"
    skipped: int = 0
    window: int | None = None
    notes: Sequence[str] = ()
    too_long: int = 0
    references: bool = False
    _lengths: dict[str, np.ndarray] = dataclasses.field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def has_sources(self) -> bool:
        """Whether there are sources. Without them, the task is language modelling of the targets."""
        return bool(self.source.ordinary)

    @property
    def end(self) -> int | None:
        """The end id of targets, or `None` if they have none."""
        return self.target.end if self.targets == "sequence" else None

    @property
    def counted(self) -> str:
        """What `size` counts: pairs, texts or tokens."""
        return "pairs" if self.has_sources else "texts" if self.window is None else "tokens"

    def size(self, split: str) -> int:
        """The number of pairs in a split, of texts if there are no sources, or of tokens in a stream."""
        pairs = self.splits[split]
        return len(pairs) if self.window is None else sum(len(self.target.split(text)) for _, text in pairs)

    def answers(self, split: str) -> list[tuple[str, list[str]]]:
        """What evaluation generates from, and compares with: each source of a split with the targets that are right.

        With `references`, each source occurs once, with all of its targets. Otherwise, each pair stands alone.
        """
        if not self.references:
            return [(source, [target]) for source, target in self.splits[split]]
        targets: dict[str, list[str]] = {}
        for source, target in self.splits[split]:
            targets.setdefault(self.source.normalized(source), []).append(target)
        return list(targets.items())

    def lengths(self, split: str) -> np.ndarray:
        """The number of tokens of each source and of each target in a split, without the end: `(pairs, 2)`."""
        if split not in self._lengths:
            pairs = self.splits[split]
            both = ((len(self.source.split(source)), len(self.target.split(target))) for source, target in pairs)
            self._lengths[split] = np.fromiter(itertools.chain.from_iterable(both), np.int32).reshape(-1, 2)
        return self._lengths[split]

    def encode(self, split: str) -> Sequence[tuple[list[int], list[int]]]:
        """The ids of the pairs of a split, as `Batches` takes them.

        A list is encoded at once, as it is in memory anyway. The pairs of any other sequence are encoded on access.
        """
        pairs, source, target = self.splits[split], self.source.encode, self.target.encode
        encoded = Mapped(lambda pair: (source(pair[0]), target(pair[1])), pairs)
        return list(encoded) if isinstance(pairs, list) else encoded


class Row(NamedTuple):
    """A pair of real-valued sequences."""

    source: np.ndarray
    """`(time, features)`, float32."""
    target: np.ndarray
    """`(time, features)`, float32, scaled."""
    mean: np.ndarray
    """The mean in `target = (values - mean) / scale`, where `values` are in their own unit: `(features,)`."""
    scale: np.ndarray
    """The scale in the same equation: `(features,)`."""
    past: np.ndarray | None = None
    """For forecasts, the history of the target in its own unit: `(time, features)`."""
    times: Sequence[str] = ()
    """For forecasts whose series has times, those of the target's steps."""
    given: np.ndarray | None = None
    """The source in its own unit, as `Inputs` take it; `None` if only the scaled source is known."""

    def restore(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs `(time, features)` converted back to the target's own unit."""
        return outputs * self.scale + self.mean


@dataclasses.dataclass(frozen=True)
class Series:
    """The data of a task of real values.

    Args:
        splits: rows, under the keys train, dev and test.
        source: the names of the source features.
        target: the names of the target features.
        targets: what a target is.
        skipped: the number of bad lines left out.
        baselines: by name, functions that take a split and return a baseline's output for each of its rows, `(time,
            features)` in the target's own unit.
        naive_error: for forecasts, the mean absolute error of the naive forecast on train for each target feature, the
            unit of the scaled error: `(features,)`; else `None`.
        kept: what the task must remember of train to read further files by `read_rows`, as plain JSON; `None` if it
            reads none.
        notes: lines about the data that users should read before training.
    """

    splits: Mapping[str, Sequence[Row]]
    source: Sequence[str]
    target: Sequence[str]
    targets: Targets = "sequence"
    skipped: int = 0
    source_padding: Side = "right"
    end: None = None
    window: None = None
    counted: str = "pairs"
    baselines: Mapping[str, Callable[[str], Sequence[np.ndarray]]] = dataclasses.field(default_factory=dict)
    naive_error: np.ndarray | None = None
    kept: Mapping[str, Any] | None = None
    notes: Sequence[str] = ()

    def size(self, split: str) -> int:
        """The number of rows in a split."""
        return len(self.splits[split])

    def encode(self, split: str) -> Sequence[tuple[np.ndarray, np.ndarray]]:
        """The sources and targets of a split, as `Batches` takes them."""
        return Mapped(lambda row: (row.source, row.target), self.splits[split])


class Task(abc.ABC):
    """A task to learn. Its data depends on its arguments alone, and is the same on every machine."""

    @abc.abstractmethod
    def load(self) -> Any:
        """The data of the task: a `Data` or a `Series`."""

    def files(self) -> Sequence[str]:
        """The paths of the files that the task reads. Tasks that read files override this, so that a missing one is
        reported at once."""
        return ()

    def peek(self) -> None:
        """Read the beginning of each file, so that a wrong one is reported before anything slow is done. Tasks whose
        files are not lines of text override this.

        Raises:
            ValueError: a file cannot be read.
        """
        for file in self.files():
            next(split_lines(file), None)

    def inputs(self, kept: Mapping[str, Any]) -> Inputs | None:
        """What a model of real values is given, in its own units, so that an export scales as the task does. `None` if
        that is not known: then an exported model takes and gives scaled values.

        Args:
            kept: `Series.kept` of the data that the model was trained on.
        """
        del kept
        return None

    def read_rows(self, path: str | os.PathLike[str], kept: Mapping[str, Any]) -> Sequence[Row]:
        """The rows of a file without targets, for prediction. Tasks that read files override this.

        Args:
            path: the file.
            kept: `Series.kept` of the data that the model was trained on.

        Raises:
            DataFileError: the file cannot be read, or the task reads no files.
        """
        raise DataFileError(
            f"{path} cannot be read: this task reads no files. In Python: "
            "seq2seq_zoo.training.real_values.predict(model, rows)."
        )


tasks: Registry[Task] = Registry("task", base=Task, group="seq2seq_zoo.tasks")
