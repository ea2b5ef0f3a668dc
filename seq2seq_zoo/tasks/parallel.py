"""Your own pairs, from files of sources and files of targets."""

from typing import Any

from seq2seq_zoo.config.options import checked
from seq2seq_zoo.data.pairs import Pairs
from seq2seq_zoo.data.parallel import read_parallel
from seq2seq_zoo.tasks.files import PairTask
from seq2seq_zoo.tasks.task import tasks


@tasks.register(
    "parallel", "your own two files, of sources and of their targets line by line, as characters or as words"
)
class Parallel(PairTask):
    """Pairs from two files: a line's target is the same line of the other file.

    Arguments are `PairTask`'s, and:

    Args:
        train_source: path of the sources to train on.
        train_target: path of their targets.
        dev_source: path of the dev sources; a share of train by default.
        dev_target: path of their targets.
        test_source: path of the test sources; a share of train by default.
        test_target: path of their targets.

    Raises:
        ValueError: a path of sources without one of targets, or the other way round.
    """

    @checked
    def __init__(
        self,
        train_source: str,
        train_target: str,
        dev_source: str | None = None,
        dev_target: str | None = None,
        test_source: str | None = None,
        test_target: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.paths = {
            "train": (train_source, train_target),
            "dev": (dev_source, dev_target),
            "test": (test_source, test_target),
        }
        for split, (source, target) in self.paths.items():
            if (source is None) != (target is None):
                raise ValueError(f"{split}_source and {split}_target belong together: give both or neither.")

    def read(self, split: str) -> tuple[Pairs, int] | None:
        """The pairs of a split's two files."""
        source, target = self.paths[split]
        if source is None or target is None:
            return None
        return read_parallel(source, target, self.skip_bad_lines, self.separators)
