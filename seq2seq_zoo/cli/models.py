"""What the commands that use a trained model share."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seq2seq_zoo.cli.shared import Usage, note, start_backend

if TYPE_CHECKING:
    from seq2seq_zoo.data.vocabulary import Vocabulary
    from seq2seq_zoo.decoding import Search
    from seq2seq_zoo.models.text_model import TextModel


SHOWN = 10  # unknown tokens that are spelt out


def _any_model(path: Path) -> Any:
    start_backend()
    from seq2seq_zoo.models.loading import load

    return load(path)


def _model(path: Path) -> "TextModel":
    model = _any_model(path)
    from seq2seq_zoo.models.loading import ModelFileError

    if model.source_vocabulary is None or model.target_vocabulary is None:
        raise ModelFileError(f"{path}: the model has no vocabularies, so it neither reads nor writes texts.")
    return model


class _Unknown:
    """Counts the tokens that a model does not know."""

    def __init__(self, vocabulary: "Vocabulary"):
        self._vocabulary = vocabulary
        self._begin()

    def _begin(self) -> None:
        self._tokens: dict[str, None] = {}
        self._count = self._texts = self._all = 0

    def look(self, text: str) -> None:
        """Count those of one more text."""
        self._all += 1
        if unknown := set(self._vocabulary.unknown_in(text)):
            found = [token for token in self._vocabulary.split(text) if token in unknown]
            self._count += len(found)
            self._texts += 1
            # A few to show: there may be any number.
            self._tokens.update(dict.fromkeys(itertools.islice(found, SHOWN - min(SHOWN, len(self._tokens)))))

    def say(self, side: str = "texts") -> None:
        """One line, if there were any; and begin anew."""
        if self._count:
            shown = ", ".join(map(repr, self._tokens))
            note(
                f"Tokens that the model does not know: {self._count:,}, in {self._texts:,} of {self._all:,} {side}: "
                f"{shown}{', …' if len(self._tokens) == SHOWN else ''}"
            )
        self._begin()


SearchName = Annotated[
    str, typer.Option("--search", metavar="NAME", help="How to search: see 'seq2seq-zoo list searches'.")
]


SearchOptions = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="An option of the search, such as size=10; may be repeated."),
]


def _search(model: "TextModel", name: str, overrides: Sequence[str] | None, n_best: int | None = None) -> "Search":
    """The search that was asked for, if the model can do it."""
    from seq2seq_zoo.config.reader import choose
    from seq2seq_zoo.config.schema import Choice
    from seq2seq_zoo.decoding import searches

    options = choose(Choice(searches, "name"), {"name": name}, f"--search {name}", overrides or ())
    if n_best is not None:
        if "n_best" not in options:
            raise Usage(f"--n-best {n_best}: {name} keeps one output; give --search beam or --search sample as well.")
        options["n_best"] = n_best
        if name == "beam":
            options["size"] = max(options["size"], n_best)
    try:
        search = searches.create(options)
        model.searcher(search)
    except ValueError as error:
        raise Usage(str(error)) from None
    return search
