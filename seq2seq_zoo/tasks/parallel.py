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
    """Pairs from two files: line n of one is paired with line n of the other.

    Arguments are `PairTask`'s, and:

    Args:
        train_source: path of the sources to train on.
        train_target: path of their targets.
        dev_source: path of the dev sources; a share of train by default.
        dev_target: path of their targets.
        test_source: path of the test sources; a share of train by default.
        test_target: path of their targets.

    Raises:
        ValueError: a split has a path of sources but none of targets, or the reverse.
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
        paths = {
            "train": (train_source, train_target),
            "dev": (dev_source, dev_target),
            "test": (test_source, test_target),
        }
        for split, (source, target) in paths.items():
            if (source is None) != (target is None):
                raise ValueError(f"{split}_source and {split}_target belong together: give both or neither.")
        self.paths = {split: None if None in both else both for split, both in paths.items()}

    def read(self, path: tuple[str, str]) -> tuple[Pairs, int]:
        """The pairs of a file of sources and a file of targets, and the number of bad lines left out."""
        return read_parallel(*path, self.skip_bad_lines, self.separators)
