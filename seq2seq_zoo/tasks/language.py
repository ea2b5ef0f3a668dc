"""Your own text for a language model."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seq2seq_zoo.config.options import OptionError, Positive, checked
from seq2seq_zoo.data.mapped import Mapped
from seq2seq_zoo.data.pairs import Pairs
from seq2seq_zoo.data.stream import read_stream
from seq2seq_zoo.data.texts import read_texts
from seq2seq_zoo.data.vocabulary import Vocabulary, in_form
from seq2seq_zoo.tasks.files import SEPARATORS, FileTask, TokenKind
from seq2seq_zoo.tasks.task import Data, tasks

_NAMES = Path(__file__).with_name("names.txt")


@tasks.register("language", "your own text for a language model: one text on each line, or a whole file as a stream")
class Language(FileTask):
    """Texts without sources: a decoder without an encoder learns to predict the next token.

    Without a `window`, each line is a text with an end token: a name, a sentence, the events of a melody. With a
    `window`, the whole file is one text without an end token, a stream. Dev and test are then not drawn at random but
    are the last part of the file, test after dev. A newline is an ordinary token in a stream of characters, and white
    space in a stream of words.

    Lines are read from their file when they are needed. A stream is kept in memory, at about 12 bytes for each token.

    Arguments are `FileTask`'s, and:

    Args:
        train: path of the text to train on; a built-in list of first names if not given.
        dev: path of the dev text; a share of train by default.
        test: path of the test text; a share of train by default.
        tokens: whether the tokens of a text are characters, or words separated by white space.
        window: the number of tokens of a stream in one update, through which gradients are propagated back; the
            decoder's state carries over from window to window. If not given, each line is a text.

    Raises:
        ValueError: as `FileTask`; `max_source_tokens` is given, or `max_target_tokens` for a stream.

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
        if self.max_source_tokens is not None:
            raise OptionError(
                ("max_source_tokens",), "is for sources, and a language model has none: set max_target_tokens."
            )
        if window is not None and self.max_target_tokens is not None:
            raise OptionError(("max_target_tokens",), "is for lines, and a stream is one text: leave it out.")
        self._require_one_form("since a language model has no sources")
        self.paths = {"train": train or str(_NAMES), "dev": dev, "test": test}
        self.separators = SEPARATORS[tokens], SEPARATORS[tokens]
        self.window = window

    def read(self, path: str) -> tuple[Pairs, int]:
        """The lines of a file, each paired with itself, and the number of bad lines left out."""
        return read_texts(path, self.skip_bad_lines, self.separators[0])

    def vocabularies(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Vocabulary]:
        """A vocabulary without ordinary tokens, and that of the train texts."""
        texts, form, endless = (text for _, text in pairs), self.forms[1], self.window is not None
        return [
            Vocabulary.build([], self.separators[0]),
            Vocabulary.build(texts, self.separators[1], self.max_tokens, endless=endless, normalize=form),
        ]

    def load(self) -> Data:
        """The texts, their vocabulary, and the number of bad lines left out."""
        if self.window is not None:
            return self._stream(self.window)
        data = super().load()
        without_sources = {split: Mapped(lambda pair: ("", pair[1]), pairs) for split, pairs in data.splits.items()}
        return dataclasses.replace(data, splits=without_sources)

    def _stream(self, window: int) -> Data:
        found = {split: read_stream(path, self.skip_bad_lines) for split, path in self.paths.items() if path}
        texts = {split: in_form(text, self.forms[1]) for split, (text, _) in found.items()}
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
