"""Your own texts and labels."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, Literal

from seq2seq_zoo.config.options import checked
from seq2seq_zoo.data.delimited import Column, Layout, Records, read_pairs
from seq2seq_zoo.data.lines import split_lines
from seq2seq_zoo.data.pairs import Pairs
from seq2seq_zoo.data.records import Delimiter
from seq2seq_zoo.data.texts import read_texts
from seq2seq_zoo.data.vocabulary import Vocabulary, split_text
from seq2seq_zoo.tasks.files import SEPARATORS, FileTask, TokenKind
from seq2seq_zoo.tasks.task import Data, tasks


@tasks.register("labels", "your own file of texts and their labels, or a label for each of a text's tokens")
class Labels(FileTask):
    """Labels from files with a text, a tab, and the label of the text or the labels of its tokens on each line, or in
    any other format of the task `file`.

    A label has no white space in it. Labels of tokens are separated by white space. Arguments are `FileTask`'s, and:

    Args:
        train: path of the file to train on.
        dev: path of the dev file; a share of train by default.
        test: path of the test file; a share of train by default.
        of: whether each text has one label (`texts`) or each of its tokens has one (`tokens`).
        tokens: whether the tokens of a text are characters, or words separated by white space.
        vocabulary: path of further texts, one on each line, whose tokens are added to the vocabulary of the texts, such
            as the texts for pretraining. `max_tokens` limits all of them together.
        source: the column of the texts, by its number, counted from 1, or its name; by default the first one, or
            `source` in JSON Lines and Parquet.
        target: the column of the labels; by default the second one, or `target` in JSON Lines and Parquet.
        header: whether the first line has the names of the columns; by default if a column is given by its name.
        delimiter: what separates the cells of a line; by default a comma in a `.csv` file and a tab in others.

    Raises:
        ValueError: as `FileTask`; on loading, a label has white space in it, or a text has not as many labels as
            tokens.
    """

    @checked
    def __init__(
        self,
        train: str,
        dev: str | None = None,
        test: str | None = None,
        of: Literal["texts", "tokens"] = "texts",
        tokens: TokenKind = "words",
        vocabulary: str | None = None,
        source: Column | None = None,
        target: Column | None = None,
        header: bool | None = None,
        delimiter: Delimiter | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.paths = {"train": train, "dev": dev, "test": test}
        self.targets = "label" if of == "texts" else "steps"
        self.separators = SEPARATORS[tokens], " "
        self.vocabulary = vocabulary
        self.layout = Layout(source, target, None, header, delimiter)
        self._skipped = 0

    def files(self) -> Sequence[str]:
        """The paths of all splits, and of the further texts."""
        return [*super().files(), *([] if self.vocabulary is None else [self.vocabulary])]

    def load(self) -> Data:
        """The texts, their labels, the vocabularies, and the number of bad lines left out in all files."""
        data = super().load()
        return dataclasses.replace(data, skipped=data.skipped + self._skipped)

    def peek(self) -> None:
        """Read the first pair of each file, and a line of the further texts."""
        for path in super().files():
            Records(path, self.layout, self.skip_bad_lines).peek()
        if self.vocabulary is not None:
            next(split_lines(self.vocabulary), None)

    def read(self, path: str) -> tuple[Pairs, int]:
        """The texts and labels of a file, and the number of bad lines left out."""
        split = functools.partial(split_text, separator=self.separators[0], form=self.forms[0])
        check = functools.partial(check_labels, whole=self.targets == "label", split=split)
        return read_pairs(path, self.skip_bad_lines, self.separators, check, self.layout)

    def vocabularies(self, pairs: Pairs) -> Sequence[Vocabulary]:
        """The vocabularies of texts and of labels, built from the train pairs."""
        texts = (text for text, _ in pairs)
        if self.vocabulary is not None:
            further, self._skipped = read_texts(self.vocabulary, self.skip_bad_lines, self.separators[0])
            texts = itertools.chain(texts, (text for text, _ in further))
        return [
            Vocabulary.build(texts, self.separators[0], self.max_tokens, normalize=self.forms[0]),
            Vocabulary.build((label for _, label in pairs), " ", normalize=self.forms[1]),
        ]


def check_labels(text: str, label: str, whole: bool, split: Callable[[str], list[str]]) -> tuple[str, str] | None:
    """Check the number of labels of a text.

    Args:
        text: the text.
        label: its label, or its labels.
        whole: whether the text has one label, or one for each of its tokens.
        split: how the text is split into tokens.

    Returns:
        What was expected and what was found where they differ, else `None`.
    """
    tokens, labels = len(split(text)), len(label.split())
    found = f"{labels} label{'s' * (labels != 1)}"
    if whole:
        return None if labels == 1 else ("one label without white space after the tab", found)
    of_tokens = f"{tokens} token{'s' * (tokens != 1)}"
    return None if labels == tokens else ("a label for each token", f"{of_tokens} and {found}")
