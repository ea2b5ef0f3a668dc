"""What the commands that use a trained model share."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seq2seq_zoo.cli.shared import UsageError, note, start_backend

if TYPE_CHECKING:
    from seq2seq_zoo.data.vocabulary import Vocabulary
    from seq2seq_zoo.decoding import Search
    from seq2seq_zoo.models.text_model import TextModel

SHOWN = 10
"""How many unknown tokens are printed."""

SearchName = Annotated[
    str, typer.Option("--search", metavar="NAME", help="The search; see 'seq2seq-zoo list searches'.")
]
SearchOptions = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="An option of the search, such as size=10; may be repeated."),
]


def load_model(path: Path) -> Any:
    """A saved model of a kind that the commands know."""
    start_backend()
    from seq2seq_zoo.models.loading import ModelFileError, load

    model = load(path)
    if not hasattr(model, "readout"):
        raise ModelFileError(
            f"{path}: the commands use a Seq2Seq, an Ensemble or an EncoderOnly, found a {type(model).__name__}: use "
            f"it in Python, with seq2seq_zoo.load."
        )
    return model


def load_text_model(path: Path) -> "TextModel":
    """A saved model that reads and writes texts."""
    return require_vocabularies(load_model(path), path)


def require_vocabularies(model: Any, path: Path) -> "TextModel":
    """The model from a path, if it has the vocabularies to read and write texts."""
    from seq2seq_zoo.models.loading import ModelFileError

    if model.source_vocabulary is None or model.target_vocabulary is None:
        raise ModelFileError(f"{path}: the model has no vocabularies, so it neither reads nor writes texts.")
    return model


def make_search(model: "TextModel", name: str, overrides: Sequence[str] | None, n_best: int | None = None) -> "Search":
    """The search of the given name and options, if the model can run it."""
    from seq2seq_zoo.config.reader import choose
    from seq2seq_zoo.config.schema import Choice
    from seq2seq_zoo.decoding import searches

    options = choose(Choice(searches, "name"), {"name": name}, f"--search {name}", overrides or ())
    if n_best is not None:
        if "n_best" not in options:
            raise UsageError(f"--n-best {n_best}: {name} returns one output: add --search beam or --search sample.")
        options["n_best"] = n_best
        if name == "beam":
            options["size"] = max(options["size"], n_best)
    try:
        search = searches.create(options)
        model.searcher(search)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return search


class UnknownTokens:
    """Counts the tokens of texts that a vocabulary does not have."""

    def __init__(self, vocabulary: "Vocabulary"):
        self._vocabulary = vocabulary
        self._reset()

    def _reset(self) -> None:
        self._shown: dict[str, None] = {}
        self._tokens = self._texts = self._all_texts = 0

    def count(self, text: str) -> None:
        """Count those of one more text."""
        self._all_texts += 1
        if unknown := set(self._vocabulary.unknown_in(text)):
            tokens = [token for token in self._vocabulary.split(text) if token in unknown]
            self._tokens += len(tokens)
            self._texts += 1
            # Keep only as many as are printed: there may be any number.
            self._shown.update(dict.fromkeys(itertools.islice(tokens, SHOWN - len(self._shown))))

    def report(self, side: str = "texts") -> None:
        """Print the counts in one line, if there were any, and start again from zero."""
        if self._tokens:
            shown = ", ".join(map(repr, self._shown))
            note(
                f"Tokens that the model does not know: {self._tokens:,}, in {self._texts:,} of {self._all_texts:,} "
                f"{side}: {shown}{', …' if len(self._shown) == SHOWN else ''}"
            )
        self._reset()
