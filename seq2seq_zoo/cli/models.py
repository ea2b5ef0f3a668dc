"""What the commands that use a trained model share."""

import contextlib
import functools
import itertools
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seq2seq_zoo.cli.shared import UsageError, note, start_backend
from seq2seq_zoo.data.vocabulary import FORMS, in_form, name_of
from seq2seq_zoo.system.model_file import ModelFileError, find_model

if TYPE_CHECKING:
    from seq2seq_zoo.cli.answers import Wanted
    from seq2seq_zoo.data.delimited import Layout
    from seq2seq_zoo.data.vocabulary import Vocabulary
    from seq2seq_zoo.decoding import Search
    from seq2seq_zoo.models.text_model import TextModel

AT_ONCE = 1024
"""How many lines are read into memory and computed together at most."""

SAMPLES = 100
"""How many samples are drawn to cover a probability, unless another number is given."""

SHOWN = 10
"""How many unknown tokens are printed."""

SearchName = Annotated[
    str, typer.Option("--search", metavar="NAME", help="The search; see 'seq2seq-zoo list searches'.")
]
ReadOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--read",
        metavar="KEY=VALUE",
        help="Where sources and targets are in the file: source, target, features, header or delimiter, such as "
        "target=3, as in the task 'file'; may be repeated. As in the run's own task if not given.",
    ),
]
SearchOptions = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="An option of the search, such as size=10; may be repeated."),
]


def load_model(path: Path) -> Any:
    """A saved model of a kind that the commands know. A wrong path is refused before the backend is imported."""
    find_model(path)
    start_backend()
    from seq2seq_zoo.models.loading import ModelFileError, load

    model = load(path, compile=False)
    if not hasattr(model, "readout"):
        raise ModelFileError(
            f"{path}: the commands use a Seq2Seq, an Ensemble or an EncoderOnly, found a {type(model).__name__}: use "
            f"it in Python, with seq2seq_zoo.load."
        )
    return model


def open_model(path: Path) -> Any:
    """A saved model, or the one in an exported directory."""
    from seq2seq_zoo.runtime.directory import ExportedModel, is_exported

    return ExportedModel(path) if is_exported(path) else load_model(path)


def outputs_values(model: Any) -> bool:
    """Whether the outputs of a model are real values."""
    from seq2seq_zoo.runtime.directory import ExportedModel

    return not isinstance(model, ExportedModel) and model.readout.vocabulary_size is None


@contextlib.contextmanager
def exported_from(path: Path, wanted: "Wanted") -> Iterator[Path]:
    """An exported directory: that of a path, or one with the model of this path and the search that is wanted.

    Raises:
        UsageError: the model or an option does not go with an exported search.
    """
    from seq2seq_zoo.runtime.directory import is_exported

    if is_exported(path):
        yield path
        return
    for option, given in (("--prefix", wanted.prefix), ("--stop", wanted.stop), ("--forbid", wanted.forbid)):
        if given:
            raise UsageError(f"{option} goes with --executor local: a graph on Ray has no such input.")
    model = load_text_model(path)
    if not hasattr(model, "search") or not model.has_source:
        what = "is a language model" if hasattr(model, "search") else "has no decoder"
        raise UsageError(f"--executor ray: expected a model with sources and a decoder, but {path} {what}.")
    from seq2seq_zoo.export import export

    search = make_search(model, wanted.search, wanted.overrides, wanted.n_best, wanted.mass)
    with tempfile.TemporaryDirectory(prefix="seq2seq-zoo-") as folder:
        export(model, Path(folder, "onnx"), "onnx", search)
        yield Path(folder, "onnx")


def load_text_model(path: Path) -> "TextModel":
    """A saved model that reads and writes texts."""
    return require_vocabularies(load_model(path), path)


def require_vocabularies(model: Any, path: Path) -> "TextModel":
    """The model from a path, if it has the vocabularies to read and write texts."""
    if model.source_vocabulary is None or model.target_vocabulary is None:
        raise ModelFileError(f"{path}: the model has no vocabularies, so it neither reads nor writes texts.")
    return model


def make_search(
    model: "TextModel",
    name: str,
    overrides: Sequence[str] | None,
    n_best: int | None = None,
    mass: float | None = None,
) -> "Search":
    """The search of the given name and options, if the model can run it.

    Args:
        model: that is to run it.
        name: of the search.
        overrides: its options, such as "size=10".
        n_best: how many outputs are wanted.
        mass: the probability that the outputs are to cover, for which a search returns all that it finds.
    """
    from seq2seq_zoo.config.reader import choose
    from seq2seq_zoo.config.schema import Choice
    from seq2seq_zoo.decoding import searches

    options = choose(Choice(searches, "name"), {"name": name}, f"--search {name}", overrides or ())
    if n_best is not None or mass is not None:
        if "n_best" not in options:
            option = f"--mass {mass:g}" if n_best is None else f"--n-best {n_best}"
            raise UsageError(f"{option}: {name} returns one output: add --search beam or --search sample.")
        if n_best is None:
            n_best = options.get("size", SAMPLES) if options["n_best"] == 1 else options["n_best"]
        options["n_best"] = n_best
        if name == "beam":
            options["size"] = max(options["size"], n_best)
    try:
        search = searches.create(options)
        model.searcher(search)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return search


def returning_all(search: "Search") -> "Search":
    """A search that returns all its hypotheses, if it would return one."""
    if search.hypotheses > search.n_best == 1:
        return type(search)(**{**search.options, "n_best": search.hypotheses})
    return search


def counts_references(path: Path) -> bool:
    """Whether a path is that of a run whose task counts all targets of a source as right."""
    return run_task(path).get("references", False)


def run_task(path: Path) -> dict[str, Any]:
    """The task of the configuration of a run; without options if the path is that of a model file."""
    from seq2seq_zoo.experiment.directory import CONFIG
    from seq2seq_zoo.experiment.run import read_config

    return read_config(path)["task"] if (path / CONFIG).exists() else {"name": ""}


def layout_for(separator: str, path: Path, overrides: Sequence[str] | None) -> "Layout":
    """Where sources and targets are in a file: as in the run's own task, with changes such as "target=3".

    Args:
        separator: of the source vocabulary of the model that is given the pairs.
        path: of the model, or its run directory.
        overrides: the changes, which are options of the task `file`.
    """
    from seq2seq_zoo.config.reader import choose
    from seq2seq_zoo.config.schema import Options
    from seq2seq_zoo.data.delimited import Layout

    section, task = Options(Layout), run_task(path)
    given = {name: task[name] for name in section.options if name in task and task["name"] in ("file", "labels")}
    layout = Layout(**choose(section, given, str(path), overrides or (), "--read"))
    if layout.features is not None and not separator:
        raise UsageError("--read features: the sources of this model are characters without features: leave it out.")
    return layout


def read_pairs_for(
    model: "TextModel",
    path: Path,
    file: Path,
    skip_bad_lines: bool,
    overrides: Sequence[str] | None,
    references: bool,
) -> tuple[Sequence[tuple[str, str]], int]:
    """The pairs of a file in the form that the model needs, and the number of bad lines skipped.

    Args:
        model: that is given the pairs.
        path: of the model, or its run directory.
        file: the file.
        skip_bad_lines: whether to leave out and count bad lines instead of raising an error.
        overrides: how the file is read, if not as in the run's own task: see `layout_for`.
        references: whether further columns are further targets.
    """
    from seq2seq_zoo.data.delimited import read_pairs
    from seq2seq_zoo.data.mapped import Mapped
    from seq2seq_zoo.data.stream import read_stream
    from seq2seq_zoo.data.texts import read_texts
    from seq2seq_zoo.models.encoder_only import EncoderOnly
    from seq2seq_zoo.tasks.labels import check_labels

    source, target = (vocabulary.separator for vocabulary in model.vocabularies)
    if isinstance(model, EncoderOnly):
        check = functools.partial(check_labels, whole=model.whole, split=model.vocabularies[0].split)
        return read_pairs(file, skip_bad_lines, check=check, layout=layout_for(source, path, overrides))
    if model.has_source:
        layout = layout_for(source, path, overrides)
        return read_pairs(file, skip_bad_lines, (source, target), layout=layout, references=references)
    if overrides:
        raise UsageError("--read is for pairs, and a language model reads texts: leave it out.")
    if model.vocabularies[1].end is None:
        text, skipped = read_stream(file, skip_bad_lines)
        return [("", text)], skipped
    texts, skipped = read_texts(file, skip_bad_lines)
    return Mapped(lambda pair: ("", pair[1]), texts), skipped


class UnknownTokens:
    """Counts the tokens of texts that a vocabulary does not have, and finds what would help."""

    def __init__(self, vocabulary: "Vocabulary"):
        self._vocabulary = vocabulary
        self._reset()

    def _reset(self) -> None:
        self._shown: dict[str, None] = {}
        self._tokens = self._texts = self._all_texts = 0
        self._forms: Counter[str] = Counter()

    def count(self, text: str, times: int = 1) -> None:
        """Count those of one more text, or of one that occurs several times."""
        self._all_texts += times
        if unknown := set(self._vocabulary.unknown_in(text)):
            tokens = [token for token in self._vocabulary.split(text) if token in unknown]
            self._tokens += times * len(tokens)
            self._texts += times
            # Keep only as many as are printed: there may be any number.
            self._shown.update(dict.fromkeys(itertools.islice(tokens, SHOWN - len(self._shown))))
            self._forms.update({form: times for form in FORMS if not self._vocabulary.unknown_in(in_form(text, form))})

    def to_json(self) -> dict[str, Any]:
        """The counts as plain JSON."""
        return {
            "shown": [*self._shown],
            "tokens": self._tokens,
            "texts": self._texts,
            "all_texts": self._all_texts,
            "forms": dict(self._forms),
        }

    def add_json(self, counts: dict[str, Any]) -> None:
        """Add the counts of a `to_json`."""
        shown = dict.fromkeys([*self._shown, *counts["shown"]])
        self._shown = dict.fromkeys(itertools.islice(shown, SHOWN))
        self._tokens += counts["tokens"]
        self._texts += counts["texts"]
        self._all_texts += counts["all_texts"]
        self._forms.update(counts["forms"])

    def report(self, side: str = "texts") -> None:
        """Print the counts in one line, if there were any, and start again from zero."""
        if self._tokens:
            shown = ", ".join(map(name_of, self._shown))
            note(
                f"Tokens that the model does not know: {self._tokens:,}, in {self._texts:,} of {self._all_texts:,} "
                f"{side}: {shown}{', …' if len(self._shown) == SHOWN else ''}{self._advice(side)}"
            )
        self._reset()

    def _advice(self, side: str) -> str:
        """What would make unknown tokens known, if a normal form would."""
        if self._forms:
            form, count = self._forms.most_common(1)[0]
            return (
                f". In the normal form {FORMS[form]}, {count:,} of these {side} have none: convert them, or train with "
                f"task.normalize: {form}"
            )
        spaced = [token for token in self._shown if set(token) <= set(self._vocabulary.ordinary)]
        if spaced and self._vocabulary.separator:
            return f". The model knows its characters as tokens: write '{self._vocabulary.separator.join(spaced[0])}'"
        parts = {part for token in self._vocabulary.ordinary for part in in_form(token, "nfd")}
        marks = [token for token in self._shown if name_of(token) != repr(token) and token in parts]
        if not marks:
            return ""
        return (
            f". The model knows {name_of(marks[0])} only as a part of letters: with task.normalize: nfd in training, "
            "marks are tokens of their own"
        )
