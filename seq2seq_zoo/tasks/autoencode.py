"""Reconstruction of your own texts: each text is its own target."""

from collections.abc import Sequence
from typing import Any

from seq2seq_zoo.config.options import checked
from seq2seq_zoo.data.pairs import Pairs
from seq2seq_zoo.data.texts import read_texts
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.tasks.files import SEPARATORS, FileTask, TokenKind
from seq2seq_zoo.tasks.task import tasks


@tasks.register(
    "autoencode", "your own file of texts, one on each line, as sources and targets: pretraining without labels"
)
class Autoencode(FileTask):
    """Texts that are both source and target, so that the encoder learns to keep a text in its summary.

    Arguments are `FileTask`'s, and:

    Args:
        train: path of the texts to train on, one on each line.
        dev: path of the dev texts; a share of train by default.
        test: path of the test texts; a share of train by default.
        tokens: whether the tokens of a text are characters, or words separated by white space.

    Reference:
        Dai and Le 2015, arXiv:1511.01432, section 2.
    """

    @checked
    def __init__(
        self, train: str, dev: str | None = None, test: str | None = None, tokens: TokenKind = "words", **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.paths = {"train": train, "dev": dev, "test": test}
        self.separators = SEPARATORS[tokens], SEPARATORS[tokens]
        self._require_one_form("which are the same texts")

    def read(self, path: str) -> tuple[Pairs, int]:
        """The texts of a file, each paired with itself, and the number of bad lines left out."""
        return read_texts(path, self.skip_bad_lines, self.separators[0])

    def vocabularies(self, pairs: Pairs) -> Sequence[Vocabulary]:
        """One vocabulary for both sides, built from the train pairs."""
        texts = (text for text, _ in pairs)
        return [Vocabulary.build(texts, self.separators[0], self.max_tokens, normalize=self.forms[0])] * 2
