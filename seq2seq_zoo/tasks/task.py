"""What every task has in common."""

import abc
import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from seq2seq_zoo.config.registry import Registry
from seq2seq_zoo.data.mapped import Mapped
from seq2seq_zoo.data.padding import Side
from seq2seq_zoo.data.pairs import DataFileError
from seq2seq_zoo.data.vocabulary import Vocabulary

Pair = tuple[str, str]

Targets = Literal["sequence", "steps", "label"]
"""What a target is: a sequence of its own, something for each step of its source, or one label for the whole source."""


@dataclasses.dataclass(frozen=True)
class Data:
    """What a task of texts gives.

    Args:
        splits: pairs of source and target text under the keys train, dev and test.
        source: the vocabulary of the sources.
        target: the vocabulary of the targets.
        source_padding: on which side of a source padding goes.
        targets: what a target is.
        skipped: how many bad lines of a file were left out.
        window: how many tokens are read at once where a split is one text without end, a stream, whose vocabulary
            then has none; `None` where it is many texts.
    """

    splits: Mapping[str, Sequence[Pair]]
    source: Vocabulary
    target: Vocabulary
    source_padding: Side = "right"
    targets: Targets = "sequence"
    skipped: int = 0
    window: int | None = None

    @property
    def has_sources(self) -> bool:
        """Whether there is anything to read; else the targets are texts to be modelled as they are."""
        return bool(self.source.ordinary)

    @property
    def end(self) -> int | None:
        """The id that ends a target, where targets are sequences of their own, if they have an end."""
        return self.target.end if self.targets == "sequence" else None

    @property
    def counted(self) -> str:
        """What `size` counts."""
        return "pairs" if self.has_sources else "texts" if self.window is None else "tokens"

    def size(self, split: str) -> int:
        """How many pairs a split has, or texts with nothing to read before them; of a stream, how many tokens."""
        pairs = self.splits[split]
        return len(pairs) if self.window is None else sum(len(self.target.split(text)) for _, text in pairs)

    def encode(self, split: str) -> Sequence[tuple[list[int], list[int]]]:
        """The ids of a split's pairs, as `Batches` takes them.

        A list is encoded once, as it is in memory anyway; of any other sequence each pair when it is asked for.
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
    """What `scale * target` lacks of the target's own values: `(features,)`."""
    scale: np.ndarray
    """The target's unit in that of its own values: `(features,)`."""
    past: np.ndarray | None = None
    """What came before the target, in its own unit, where the two are one stream: `(time, features)`."""

    def restore(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs `(time, features)` in the unit of the target's own values."""
        return outputs * self.scale + self.mean


@dataclasses.dataclass(frozen=True)
class Series:
    """What a task of real values gives.

    Args:
        splits: rows under the keys train, dev and test.
        source: the names of the source's features.
        target: the names of the target's features.
        targets: what a target is.
        skipped: how many bad lines of a file were left out.
        baselines: by name, what is measured beside a model: from a split, the values for each of its rows,
            `(time, features)` in their own unit.
        naive_error: of each target feature, the mean absolute error of the naive forecast on train, in which errors of
            forecasts are measured: `(features,)`; `None` where nothing is forecast.
        kept: what the task needs to know of train to read further files by `read_rows`, as plain JSON; `None` where it
            reads none.
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

    def size(self, split: str) -> int:
        """How many pairs a split has."""
        return len(self.splits[split])

    def encode(self, split: str) -> Sequence[tuple[np.ndarray, np.ndarray]]:
        """The arrays of a split's rows, as `Batches` takes them; each made when it is asked for."""
        return Mapped(lambda row: (row.source, row.target), self.splits[split])


class Task(abc.ABC):
    """Something to learn. A task's arguments say everything about its data: the same arguments give the same data."""

    @abc.abstractmethod
    def load(self) -> Any:
        """The splits and what they are made of: a `Data` or a `Series`."""

    def read_rows(self, path: str | os.PathLike[str], kept: Mapping[str, Any]) -> Sequence[Row]:
        """The rows of a file whose targets are not known, to predict them; a task that reads such files says how.

        Args:
            path: the file.
            kept: what `Series.kept` was when the model was trained.

        Raises:
            DataFileError: the file cannot be read; the task reads none.
        """
        raise DataFileError(
            f"{path} cannot be read: this task reads no files. In Python: "
            "seq2seq_zoo.training.real_values.predict(model, rows)."
        )


tasks: Registry[Task] = Registry("task", base=Task, group="seq2seq_zoo.tasks")
