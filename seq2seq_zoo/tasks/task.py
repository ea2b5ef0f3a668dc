"""What every task has in common."""

import abc
import dataclasses
from collections.abc import Mapping, Sequence

from seq2seq_zoo.data.mapped import Mapped
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

    splits: Mapping[str, Sequence[Pair]]
    source: Vocabulary
    target: Vocabulary
    source_padding: Side = "right"
    skipped: int = 0

    def encode(self, split: str) -> Sequence[tuple[list[int], list[int]]]:
        """The ids of a split's pairs, as `Batches` takes them.

        A list is encoded once, as it is in memory anyway; of any other sequence each pair when it is asked for.
        """
        pairs, source, target = self.splits[split], self.source.encode, self.target.encode
        encoded = Mapped(lambda pair: (source(pair[0]), target(pair[1])), pairs)
        return list(encoded) if isinstance(pairs, list) else encoded


class Task(abc.ABC):
    """Something to learn. A task's arguments say everything about its data: the same arguments give the same data."""

    @abc.abstractmethod
    def load(self) -> Data:
        """The pairs and the vocabularies."""


tasks: Registry[Task] = Registry("task", base=Task, group="seq2seq_zoo.tasks")
