"""Your own text, to be modelled as it is."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seq2seq_zoo.config.options import Positive, checked
from seq2seq_zoo.data.mapped import Mapped
from seq2seq_zoo.data.pairs import Pairs
from seq2seq_zoo.data.stream import read_stream
from seq2seq_zoo.data.texts import read_texts
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.tasks.files import SEPARATORS, FileTask, TokenKind
from seq2seq_zoo.tasks.task import Data, tasks

_OURS = Path(__file__).with_name("names.txt")


@tasks.register("language", "your own text for a language model: one text a line, or a whole file as a stream")
class Language(FileTask):
    """Texts with nothing to read before them: a decoder without an encoder learns what follows what.

    Each line is a text with an end (a name, a sentence, the events of a melody). With a `window`, the whole file is one
    text without end, a stream. Its dev and test are then not drawn by chance: they are what is last in the file, test
    after dev. In a stream of characters, the newline is a character like another; in one of words, white space.

    Lines stay in their file, however many they are. A stream is in memory, with some 12 bytes for each token.

    Arguments are `FileTask`'s, and:

    Args:
        train: path of the text to train on; some hundred first names of our own if not given.
        dev: path of the dev text; a share of train by default.
        test: path of the test text; a share of train by default.
        tokens: whether a text is a row of characters or of words with white space between them.
        window: how many tokens of a stream are read at once, and how far back a gradient reaches; the state is carried
            on from window to window. A text a line if not given.

    Example:

    >>> data = Language().load()
    >>> sum(map(len, data.splits.values())), data.has_sources
    (423, False)
    """

    @checked
    def __init__(
        self,
        train: str | None = None,
        dev: str | None = None,
        test: str | None = None,
        tokens: TokenKind = "characters",
        window: Positive | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.paths = {"train": train or str(_OURS), "dev": dev, "test": test}
        self.separators = SEPARATORS[tokens], SEPARATORS[tokens]
        self.window = window

    def read(self, split: str) -> tuple[Pairs, int] | None:
        """The lines of a split's file, each as a pair with itself."""
        path = self.paths[split]
        return None if path is None else read_texts(path, self.skip_bad_lines, self.separators[0])

    def vocabularies(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Vocabulary]:
        """One of nothing, and one of the texts."""
        texts = (text for _, text in pairs)
        return [
            Vocabulary.build([], self.separators[0]),
            Vocabulary.build(texts, self.separators[1], self.max_tokens, endless=self.window is not None),
        ]

    def load(self) -> Data:
        """The texts and their vocabulary, and how many bad lines were left out."""
        if self.window is not None:
            return self._stream(self.window)
        data = super().load()
        unread = {split: Mapped(lambda pair: ("", pair[1]), pairs) for split, pairs in data.splits.items()}
        return dataclasses.replace(data, splits=unread)

    def _stream(self, window: int) -> Data:
        found = {split: read_stream(path, self.skip_bad_lines) for split, path in self.paths.items() if path}
        texts = {split: text for split, (text, _) in found.items()}
        separator = self.separators[1]
        rest: Any = texts["train"].split() if separator else texts["train"]
        count = len(rest)
        for split in ("test", "dev"):
            if split not in texts:
                size = max(1, round(self.fractions[split] * count))
                texts[split], rest = separator.join(rest[-size:]), rest[:-size]
        texts["train"] = separator.join(rest)
        splits = {split: [("", texts[split])] for split in ("train", "dev", "test")}
        skipped = sum(skipped for _, skipped in found.values())
        source, target = self.vocabularies(splits["train"])
        return Data(splits, source, target, skipped=skipped, window=window)
