"""Your own labels, from tab-separated files."""

import dataclasses
import functools
import itertools
from collections.abc import Sequence
from typing import Any, Literal

from seq2seq_zoo.config.options import checked
from seq2seq_zoo.data.delimited import read_pairs
from seq2seq_zoo.data.pairs import Pairs
from seq2seq_zoo.data.texts import read_texts
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.tasks.files import SEPARATORS, FileTask, TokenKind
from seq2seq_zoo.tasks.task import Data, tasks


@tasks.register(
    "labels", "your own tab-separated file of texts and their labels, or a label for each of a text's tokens"
)
class Labels(FileTask):
    """Labels from files with a text, a tab and its label on each line; or the labels of its tokens.

    A label has no white space in it; those of tokens have it between them. Arguments are `FileTask`'s, and:

    Args:
        train: path of the file to train on.
        dev: path of the dev file; a share of train by default.
        test: path of the test file; a share of train by default.
        of: whether a label is of a text or of each of its tokens.
        tokens: whether a text is a row of characters or of words with white space between them.
        vocabulary: path of further texts, one on each line, whose tokens the vocabulary of the texts holds as well:
            those on which the model was pretrained. `max_tokens` counts both.

    Raises:
        ValueError: as `FileTask`; on loading, a label with white space in it, or not as many labels as tokens.
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
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.paths = {"train": train, "dev": dev, "test": test}
        self.targets = "label" if of == "texts" else "steps"
        self.separators = SEPARATORS[tokens], " "
        self.vocabulary = vocabulary
        self._skipped = 0

    def load(self) -> Data:
        """The texts, their labels and the vocabularies, and how many bad lines were left out, further texts' too."""
        data = super().load()
        return dataclasses.replace(data, skipped=data.skipped + self._skipped)

    def read(self, split: str) -> tuple[Pairs, int] | None:
        """The pairs of a split's file."""
        path = self.paths[split]
        lacks = functools.partial(lacks_labels, whole=self.targets == "label", separator=self.separators[0])
        return None if path is None else read_pairs(path, self.skip_bad_lines, self.separators, lacks)

    def vocabularies(self, pairs: Pairs) -> Sequence[Vocabulary]:
        """Those of texts and of labels, given the train pairs."""
        texts = (text for text, _ in pairs)
        if self.vocabulary is not None:
            further, self._skipped = read_texts(self.vocabulary, self.skip_bad_lines, self.separators[0])
            texts = itertools.chain(texts, (text for text, _ in further))
        return [
            Vocabulary.build(texts, self.separators[0], self.max_tokens),
            Vocabulary.build((label for _, label in pairs), " "),
        ]


def lacks_labels(text: str, label: str, whole: bool, separator: str) -> tuple[str, str] | None:
    """What is expected of a text's labels and what was found, where that is not one for the whole text, or one for each
    of its tokens."""
    tokens, labels = len(text.split() if separator else text), len(label.split())
    found = f"{labels} label{'s' * (labels != 1)}"
    if whole:
        return None if labels == 1 else ("one label without white space after the tab", found)
    known = f"{tokens} token{'s' * (tokens != 1)}"
    return None if labels == tokens else ("a label for each token", f"{known} and {found}")
