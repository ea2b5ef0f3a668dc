"""What every task has in common."""

import abc
import dataclasses

from seq2seq_zoo.data.padding import Side
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.registry import Registry

Pair = tuple[str, str]


@dataclasses.dataclass(frozen=True)
class Data:
    """What a task gives.

    Args:
        splits: pairs of source and target text under the keys train, dev and test.
        source: the vocabulary of the sources.
        target: the vocabulary of the targets.
        source_padding: on which side of a source padding goes.
        skipped: how many bad lines of a file were left out.
    """

    splits: dict[str, list[Pair]]
    source: Vocabulary
    target: Vocabulary
    source_padding: Side = "right"
    skipped: int = 0

    def encode(self, split: str) -> tuple[list[list[int]], list[list[int]]]:
        """The ids of a split's sources and of its targets, row by row, as `Batches` takes them."""
        pairs = self.splits[split]
        return [self.source.encode(source) for source, _ in pairs], [self.target.encode(target) for _, target in pairs]


class Task(abc.ABC):
    """Something to learn. A task's arguments say everything about its data: the same arguments give the same data."""

    @abc.abstractmethod
    def load(self) -> Data:
        """The pairs and the vocabularies."""


tasks: Registry[Task] = Registry("task", base=Task, group="seq2seq_zoo.tasks")
