"""Your own pairs, from tab-separated files."""

from typing import Any

from seq2seq_zoo.config.options import checked
from seq2seq_zoo.data.delimited import read_pairs
from seq2seq_zoo.data.pairs import Pairs
from seq2seq_zoo.tasks.files import PairTask
from seq2seq_zoo.tasks.task import tasks


@tasks.register("file", "your own tab-separated file of sources and targets, as characters or as words")
class Delimited(PairTask):
    """Pairs from files with a source, a tab and a target on each line. With `references`, further columns are further
    targets of the source.

    Arguments are `PairTask`'s, and:

    Args:
        train: path of the file to train on.
        dev: path of the dev file; a share of train by default.
        test: path of the test file; a share of train by default.
    """

    @checked
    def __init__(self, train: str, dev: str | None = None, test: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.paths = {"train": train, "dev": dev, "test": test}

    def read(self, path: str) -> tuple[Pairs, int]:
        """The pairs of a file, and the number of bad lines left out."""
        return read_pairs(path, self.skip_bad_lines, self.separators, references=self.references)
