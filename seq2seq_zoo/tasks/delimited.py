"""Your own pairs, from one file for each split."""

from typing import Any

from seq2seq_zoo.config.options import OptionError, checked
from seq2seq_zoo.data.delimited import Column, Layout, Records, read_pairs
from seq2seq_zoo.data.pairs import Pairs
from seq2seq_zoo.data.records import Delimiter
from seq2seq_zoo.data.vocabulary import FEATURES
from seq2seq_zoo.tasks.files import PairTask
from seq2seq_zoo.tasks.task import tasks


@tasks.register("file", "your own file of sources and targets (tab-separated, CSV, JSON Lines, Parquet)")
class Delimited(PairTask):
    """Pairs from files with a source and a target on each line, or in each record.

    The ending of a file's name tells how it is written: `.csv`, `.jsonl` (also `.ndjson` and `.json`), `.parquet`, or
    any other with a tab between the columns. All but Parquet may be compressed with gzip. With `references`, columns
    after the second are further targets of the source, unless columns are chosen.

    Arguments are `PairTask`'s, and:

    Args:
        train: path of the file to train on.
        dev: path of the dev file; a share of train by default.
        test: path of the test file; a share of train by default.
        source: the column of the sources, by its number, counted from 1, or its name; by default the first one, or
            `source` in JSON Lines and Parquet. A value in a JSON object in an object is named with a dot, such as
            `translation.en`.
        target: the column of the targets; by default the second one, or `target` in JSON Lines and Parquet.
        features: the column of features, which are split at `;` and white space, and precede the source as tokens of
            their own; none if not given.
        header: whether the first line has the names of the columns; by default if a column is given by its name. JSON
            Lines and Parquet have names without such a line.
        delimiter: what separates the cells of a line; by default a comma in a `.csv` file and a tab in others. With a
            comma, semicolon or bar, cells may be in quotation marks.

    Raises:
        ValueError: as `PairTask`; a shared vocabulary of features and characters; on loading, there is no such column.
    """

    @checked
    def __init__(
        self,
        train: str,
        dev: str | None = None,
        test: str | None = None,
        source: Column | None = None,
        target: Column | None = None,
        features: Column | None = None,
        header: bool | None = None,
        delimiter: Delimiter | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.paths = {"train": train, "dev": dev, "test": test}
        self.layout = Layout(source, target, features, header, delimiter)
        if features is not None and self.separators[0] == "":
            self.separators = FEATURES, self.separators[1]
            if self.shared_vocabulary:
                raise OptionError(
                    ("shared_vocabulary",), "needs the same tokens on both sides, and targets have no features."
                )

    def peek(self) -> None:
        """Read the first pair of each file."""
        for path in self.files():
            Records(path, self.layout, self.skip_bad_lines).peek()

    def read(self, path: str) -> tuple[Pairs, int]:
        """The pairs of a file, and the number of bad lines left out."""
        return read_pairs(path, self.skip_bad_lines, self.separators, layout=self.layout, references=self.references)
