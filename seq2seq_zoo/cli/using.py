"""Commands that use what was trained."""

import codecs
import contextlib
import csv
import functools
import itertools
import json
import math
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from seq2seq_zoo.cli.shared import ModelPath, SkipBadLines, Usage, app, examples, note, print_metrics, start_backend

if TYPE_CHECKING:
    from seq2seq_zoo.data.vocabulary import Vocabulary
    from seq2seq_zoo.decoding import Search
    from seq2seq_zoo.generation import Answer, TextModel

AT_ONCE = 1024  # texts that `predict` reads from a pipe before it answers, if so many have come
SHOWN = 10  # unknown symbols that are spelt out
COMPARED = 500  # dev sources that an exported model answers as well


def _any_model(path: Path) -> Any:
    start_backend()
    from seq2seq_zoo.loading import load

    return load(path)


def _model(path: Path) -> "TextModel":
    model = _any_model(path)
    from seq2seq_zoo.loading import ModelFileError

    if model.source_vocabulary is None or model.target_vocabulary is None:
        raise ModelFileError(f"{path}: the model has no vocabularies, so it neither reads nor writes texts.")
    return model


class _Unknown:
    """Counts the symbols that a model does not know."""

    def __init__(self, vocabulary: "Vocabulary"):
        self._vocabulary = vocabulary
        self._begin()

    def _begin(self) -> None:
        self._symbols: dict[str, None] = {}
        self._count = self._texts = self._all = 0

    def look(self, text: str) -> None:
        """Count those of one more text."""
        self._all += 1
        if unknown := set(self._vocabulary.unknown_in(text)):
            found = [symbol for symbol in self._vocabulary.split(text) if symbol in unknown]
            self._count += len(found)
            self._texts += 1
            # A few to show: there may be any number.
            self._symbols.update(dict.fromkeys(itertools.islice(found, SHOWN - min(SHOWN, len(self._symbols)))))

    def say(self, side: str = "texts") -> None:
        """One line, if there were any; and begin anew."""
        if self._count:
            shown = ", ".join(map(repr, self._symbols))
            note(
                f"Symbols that the model does not know: {self._count:,}, in {self._texts:,} of {self._all:,} {side}: "
                f"{shown}{', …' if len(self._symbols) == SHOWN else ''}"
            )
        self._begin()


@app.command(
    epilog=examples(
        "seq2seq-zoo evaluate runs/copy-attention-1",
        "seq2seq-zoo evaluate runs/copy-attention-1/best.keras more.tsv",
        "seq2seq-zoo evaluate runs/copy-attention-1 --metric rouge_l --metric chrf",
        "seq2seq-zoo evaluate runs/copy-attention-1 --json | jq .exact_match",
    )
)
def evaluate(
    model_path: ModelPath,
    file: Annotated[
        Path | None,
        typer.Argument(
            help="Source, tab and target on each line, or the text that a language model is to foresee; the run's own "
            "test split if not given."
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A further one: see 'seq2seq-zoo list metrics'; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    skip_bad_lines: SkipBadLines = False,
) -> None:
    """Measure a model on the test split of its task, or on a file."""
    if file is None and model_path.is_file():
        raise Usage(f"{model_path} is a model without a task: give a FILE of pairs as well, or the run directory.")
    from seq2seq_zoo.text_metrics import text_metrics

    further = [text_metrics.create(name) for name in metric or ()]
    model = _model(model_path) if file else _any_model(model_path)
    if further and not getattr(model, "reads", True):
        raise Usage("--metric compares outputs with targets, and a language model has none: leave it out.")
    if further and not hasattr(model, "search"):
        raise Usage(f"--metric compares texts that are generated, and {model_path} gives labels: leave it out.")
    if further and model.readout.vocabulary_size is None:
        raise Usage(f"--metric compares texts, and {model_path} puts out real values: leave it out.")
    from seq2seq_zoo import evaluation
    from seq2seq_zoo.factory import make_metrics
    from seq2seq_zoo.run import read_config, read_data
    from seq2seq_zoo.tasks.task import Data

    if file is None:
        config = read_config(model_path)
        data = read_data(model_path)
        further = [*make_metrics(config, data), *further]
    else:
        pairs, skipped = _pairs(model, file, skip_bad_lines)
        source, target = model.vocabularies
        data = Data({"test": pairs}, source, target)
        if skipped:
            note(f"Bad lines skipped: {skipped:,}")
    pairs = data.splits["test"]
    for side, vocabulary in enumerate((data.source, data.target) if isinstance(data, Data) else ()):
        unknown = _Unknown(vocabulary)
        for pair in pairs:
            unknown.look(pair[side])
        unknown.say(("sources", "targets")[side])
    metrics, _ = evaluation.measure(model, data, "test", further)
    if as_json:
        print(json.dumps({**({} if "symbols" in metrics else {"pairs": len(pairs)}), **metrics}, indent=2))
    else:
        print_metrics(metrics, len(pairs))


def _pairs(model: "TextModel", file: Path, skip_bad_lines: bool) -> tuple[Sequence[tuple[str, str]], int]:
    """What a file has for a model to be measured by, and how many bad lines were left out."""
    from seq2seq_zoo.data.delimited import read_pairs
    from seq2seq_zoo.data.stream import read_stream
    from seq2seq_zoo.data.texts import read_texts
    from seq2seq_zoo.labeller import Labeller
    from seq2seq_zoo.tasks.labels import lacks_labels

    if isinstance(model, Labeller):
        separator = model.vocabularies[0].separator
        lacks = functools.partial(lacks_labels, whole=model.whole, separator=separator)
        return read_pairs(file, skip_bad_lines, lacks=lacks)
    if model.reads:
        return read_pairs(file, skip_bad_lines)
    if model.vocabularies[1].end is None:
        text, skipped = read_stream(file, skip_bad_lines)
        return [("", text)], skipped
    texts, skipped = read_texts(file, skip_bad_lines)
    return [("", text) for text, _ in texts], skipped


SearchName = Annotated[
    str, typer.Option("--search", metavar="NAME", help="How to search: see 'seq2seq-zoo list searches'.")
]
SearchOptions = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="An option of the search, such as size=10; may be repeated."),
]


def _search(model: "TextModel", name: str, overrides: Sequence[str] | None, n_best: int | None = None) -> "Search":
    """The search that was asked for, if the model can do it."""
    from seq2seq_zoo.config import Choice, choose
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


@app.command(
    epilog=examples(
        "seq2seq-zoo predict runs/copy-attention-1 abc cab",
        "seq2seq-zoo predict runs/copy-attention-1 < sources.txt > outputs.txt",
        "seq2seq-zoo predict runs/copy-attention-1 abc --search beam --set size=8 --n-best 3 --scores",
        "seq2seq-zoo predict runs/copy-attention-1 abc --alignments map.png",
        "seq2seq-zoo predict runs/names-feedback-1 jo --search sample --n-best 5 --set temperature=0.8",
        "seq2seq-zoo predict runs/copy-attention-1    (asks, on a terminal)",
        "seq2seq-zoo predict runs/forecast-attention-1 --file until_tomorrow.csv > next.csv",
    )
)
def predict(
    model_path: ModelPath,
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TEXT]...",
            help="Sources, or what a language model's outputs begin with; the lines of standard input if not given.",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            help="Sources, one a line, in place of standard input; for real values, a CSV file as the task reads it.",
            show_default=False,
        ),
    ] = None,
    search: SearchName = "greedy",
    overrides: SearchOptions = None,
    n_best: Annotated[
        int | None,
        typer.Option(min=1, help="Outputs for each source, best first: beam and sample.", show_default=False),
    ] = None,
    prefix: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="What every output begins with, whatever its source.", show_default=False),
    ] = None,
    stop: Annotated[
        str | None,
        typer.Option(
            metavar="SYMBOL", help="The symbol with which an output is over, if it comes.", show_default=False
        ),
    ] = None,
    scores: Annotated[bool, typer.Option("--scores", help="Each output's score before it, and a tab.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each source.")] = False,
    alignments: Annotated[
        Path | None,
        typer.Option(
            metavar="PNG", help="Draw where the model looked; with several texts, PNG-1, PNG-2, ...", show_default=False
        ),
    ] = None,
) -> None:
    """Write a model's output for each text, one a line.

    Each line of the input is a source, an empty one too, so inputs and outputs have the same number of lines; with
    --n-best, each source's number and a tab stand before each of its outputs. Answers come as soon as there is
    something to answer, and however long the input is, little of it is held.
    """
    if texts and file:
        raise Usage("Give texts as arguments or a --file of them, not both.")
    if alignments is not None and not texts:
        raise Usage("--alignments draws the texts that are given as arguments: give one or more.")
    model = _any_model(model_path)
    if model.readout.vocabulary_size is None:
        searching = search != "greedy" or overrides or n_best or prefix is not None or stop is not None
        if texts or file is None or searching or scores or as_json:
            raise Usage(f"{model_path} puts out real values: give it a --file, in the form of its task, and no more.")
        return _predict_values(model, model_path, file)
    model = _model(model_path)
    from seq2seq_zoo.labeller import Labeller

    chosen = None
    if not isinstance(model, Labeller):
        chosen = _search(model, search, overrides, n_best)
    elif search != "greedy" or overrides or n_best or prefix is not None or stop is not None or alignments:
        raise Usage(f"{model_path} has no decoder: give it texts, --file, --scores or --json, and no search.")
    if alignments is not None and not model.looks:
        raise Usage(f"--alignments: {model_path} does not look at its source: only a mode with attention does.")
    if prefix is not None and not model.reads:
        raise Usage(f"--prefix: {model_path} is a language model: its outputs begin with the texts that it is given.")
    show = _as_json if as_json else functools.partial(_as_text, numbered=n_best is not None, scores=scores)
    unknown = _Unknown(model.vocabularies[0])
    number = 0
    with contextlib.ExitStack() as stack:
        asking = not texts and not file and sys.stdin.isatty()
        if texts:
            batches: Iterable[list[str]] = [texts]
        elif asking:
            batches = _asked()
        else:
            stream = stack.enter_context(file.open("rb")) if file else sys.stdin.buffer
            batches = _piped(stream, str(file or "standard input"), stack.enter_context(_progress(stream)))
        stack.callback(unknown.say)
        for batch in batches:
            for text in batch if model.reads else ():  # a language model refuses what it does not know
                unknown.look(text)
            prefixes = None if prefix is None else [prefix] * len(batch)
            stops = None if stop is None else [stop]
            if chosen is None:
                answers = model.answers(batch)
            else:
                answers = model.answers(batch, chosen, prefixes, stops=stops, first=number)
            for answer in answers:
                number += 1
                print(*show(number, answer), sep="\n")
            sys.stdout.flush()
            if asking:
                unknown.say()
            if alignments is not None:
                _draw(answers, model.vocabularies, alignments)


def _predict_values(model: Any, path: Path, file: Path) -> None:
    """A table of real values, as comma-separated values, for what a file holds."""
    from seq2seq_zoo import values
    from seq2seq_zoo.run import read_rows

    if not path.is_dir():
        raise Usage(f"{path} is a model without a task, which would read the file: give the run directory.")
    names, rows = read_rows(path, file)
    csv.writer(sys.stdout, lineterminator="\n").writerows(values.table(names, values.predict(model, rows)))


def _as_text(number: int, answer: "Answer", numbered: bool, scores: bool) -> Iterator[str]:
    for text, score in [(each.text, each.score) for each in answer.hypotheses] or [("", -math.inf)]:
        yield "\t".join([*([str(number)] if numbered else []), *([f"{score:.4f}"] if scores else []), text])


def _as_json(number: int, answer: "Answer") -> Iterator[str]:
    del number
    outputs = [
        {name: value for name, value in each._asdict().items() if name != "alignment"} for each in answer.hypotheses
    ]
    yield json.dumps({"source": answer.source, "unknown": answer.unknown, "outputs": outputs}, ensure_ascii=False)


def _draw(answers: "Sequence[Answer]", vocabularies: "tuple[Vocabulary, Vocabulary]", path: Path) -> None:
    from seq2seq_zoo.figures import attention_map, image, undrawable
    from seq2seq_zoo.files import write

    source_vocabulary, target_vocabulary = vocabularies
    for number, answer in enumerate(answers, start=1):
        source = source_vocabulary.split(answer.source)
        if not source or not answer.hypotheses:
            note(f"Nothing to draw for {answer.source!r}.")
            continue
        best = answer.hypotheses[0]
        end = target_vocabulary.end
        output = [*best.symbols, *([target_vocabulary.symbols[end]] if best.ended and end is not None else [])]
        if missing := undrawable([*source, *output]):
            note(f"No installed font has {missing}: install one that does, such as Noto Sans CJK for Chinese.")
        place = path if len(answers) == 1 else path.with_stem(f"{path.stem}-{number}")
        write(place, image(attention_map(source, output, best.alignment)))
        note(f"Drew {place}.")


def _asked() -> Iterator[list[str]]:
    """One text at a time from a terminal, until Ctrl-D."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  gives `input` its editing and history
    note("A text and Enter; Ctrl-D ends.")
    with contextlib.suppress(EOFError):
        while True:
            yield [input("> " if sys.stdout.isatty() else "")]
    note("")


def _piped(stream: Any, name: str, told: Callable[[int, int], None]) -> Iterator[list[str]]:
    """The lines that have come, at most `AT_ONCE`: a file goes fast, and who sends one line and waits is answered."""
    from seq2seq_zoo.data.pairs import DataFileError

    number, rest, more, read = 0, b"", True, 0
    while more:
        more = stream.read1(1 << 16)
        if not read:
            more = more.removeprefix(codecs.BOM_UTF8)
        *lines, rest = (rest + more).split(b"\n")
        if rest and not more:
            lines.append(rest)  # the last line needs no end
        for first in range(0, len(lines), AT_ONCE):
            batch = []
            for line in lines[first : first + AT_ONCE]:
                number += 1
                try:
                    batch.append(line.removesuffix(b"\r").decode())
                except UnicodeDecodeError as error:
                    raise DataFileError(
                        f"{name}, line {number}: expected UTF-8, found the byte 0x{line[error.start]:02x}."
                    ) from None
            yield batch
            told(number, read)
        read += len(more)


@contextlib.contextmanager
def _progress(stream: Any) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal's standard error, if the answers go elsewhere: lines so far, and the share of a file."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    if sys.stdout.isatty() or not sys.stderr.isatty():
        yield lambda lines, read: None
        return
    status = os.fstat(stream.fileno())
    size = status.st_size if stat.S_ISREG(status.st_mode) else None
    columns = (TextColumn("{task.fields[lines]:,} lines"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("", total=size, lines=0)
        yield lambda lines, read: progress.update(bar, completed=read, lines=lines)


@app.command(
    epilog=examples(
        "seq2seq-zoo export runs/copy-attention-1 --format onnx",
        "seq2seq-zoo export runs/copy-attention-1 --format litert --quantize dynamic-int8 --out phone",
        "seq2seq-zoo export runs/copy-attention-1 --format savedmodel --search beam --set size=8",
    )
)
def export(
    model_path: ModelPath,
    format: Annotated[str, typer.Option(metavar="NAME", help="Where it goes: see 'seq2seq-zoo list formats'.")],
    out: Annotated[
        Path | None, typer.Option(help="A new directory; FORMAT beside the model if not given.", show_default=False)
    ] = None,
    search: SearchName = "greedy",
    overrides: SearchOptions = None,
    batch: Annotated[
        str | None,
        typer.Option(
            metavar="N|dynamic",
            help="Rows of every call; 1 for litert and dynamic for others if not given.",
            show_default=False,
        ),
    ] = None,
    quantize: Annotated[
        str | None,
        typer.Option(metavar="TYPE", help="Weights as dynamic-int8 or float16.", show_default=False),
    ] = None,
) -> None:
    """Write a model's whole search as one graph, ids to ids, for a runtime without Keras.

    Beside it: the encoder and a single step apart, and the vocabularies as JSON. What a run's model says and what the
    exported graph says, run by its own runtime, are compared on the run's dev split.
    """
    model = _model(model_path)
    if not hasattr(model, "search"):
        raise Usage(f"{model_path} has no decoder: what is exported is a search, and it has nothing to search for.")
    from seq2seq_zoo.export import export, generate
    from seq2seq_zoo.run import read_data

    chosen = _search(model, search, overrides)
    rows = int(batch) if batch is not None and batch.isdecimal() else batch
    name = "-".join(part for part in (format, search if search != "greedy" else "", quantize) if part)
    directory = out or (model_path / name if model_path.is_dir() else model_path.with_name(f"{model_path.stem}-{name}"))
    exported = export(model, directory, format, chosen, rows, quantize)
    for path in sorted(each for each in directory.rglob("*") if each.is_file()):
        print(f"{path.stat().st_size / 1024:9,.1f} KiB  {path}")
    if not model.reads:
        begun = model.vocabularies[1].ordinary[:COMPARED]
        here, there = model.generate(begun, chosen), generate(exported, model.vocabularies, begun)
        same = sum(a == b for a, b in zip(here, there, strict=True))
        print(f"the same text as the model after {same:,} of {len(begun):,} first symbols")
        return
    if not model_path.is_dir():
        note("Not compared with the model: give its run directory, which has the data for it.")
        return
    pairs = read_data(model_path).splits["dev"][:COMPARED]
    sources, targets = zip(*pairs, strict=True)
    here, there = model.generate(sources, chosen), generate(exported, model.vocabularies, sources)
    same = sum(a == b for a, b in zip(here, there, strict=True))
    right = [sum(a == b for a, b in zip(found, targets, strict=True)) / len(pairs) for found in (there, here)]
    print(f"the same text as the model on {same:,} of {len(pairs):,} dev sources")
    print(f"exact match {right[0]:.1%}; the model's {right[1]:.1%}")
