"""The command that writes a model's outputs."""

import codecs
import contextlib
import csv
import functools
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

from seq2seq_zoo.cli.shared import ModelPath, Usage, app, examples, note

if TYPE_CHECKING:
    from seq2seq_zoo.data.vocabulary import Vocabulary
    from seq2seq_zoo.models.prediction import Prediction
from seq2seq_zoo.cli.models import SearchName, SearchOptions, _any_model, _model, _search, _Unknown

AT_ONCE = 1024  # texts that `predict` reads from a pipe before it answers, if so many have come


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
        typer.Option(metavar="TOKEN", help="The token with which an output is over, if it comes.", show_default=False),
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
    from seq2seq_zoo.models.encoder_only import EncoderOnly

    chosen = None
    if not isinstance(model, EncoderOnly):
        chosen = _search(model, search, overrides, n_best)
    elif search != "greedy" or overrides or n_best or prefix is not None or stop is not None or alignments:
        raise Usage(f"{model_path} has no decoder: give it texts, --file, --scores or --json, and no search.")
    if alignments is not None and not model.has_attention:
        raise Usage(f"--alignments: {model_path} does not look at its source: only a mode with attention does.")
    if prefix is not None and not model.has_source:
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
            for text in batch if model.has_source else ():  # a language model refuses what it does not know
                unknown.look(text)
            prefixes = None if prefix is None else [prefix] * len(batch)
            stopping = None if stop is None else [stop]
            if chosen is None:
                answers = model.predictions(batch)
            else:
                answers = model.predictions(batch, chosen, prefixes, stop=stopping, first=number)
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
    from seq2seq_zoo.experiment.run import read_rows
    from seq2seq_zoo.training import real_values

    if not path.is_dir():
        raise Usage(f"{path} is a model without a task, which would read the file: give the run directory.")
    names, rows = read_rows(path, file)
    csv.writer(sys.stdout, lineterminator="\n").writerows(real_values.table(names, real_values.predict(model, rows)))


def _as_text(number: int, answer: "Prediction", numbered: bool, scores: bool) -> Iterator[str]:
    for text, score in [(each.text, each.score) for each in answer.hypotheses] or [("", -math.inf)]:
        yield "\t".join([*([str(number)] if numbered else []), *([f"{score:.4f}"] if scores else []), text])


def _as_json(number: int, answer: "Prediction") -> Iterator[str]:
    del number
    outputs = [
        {name: value for name, value in each._asdict().items() if name != "alignment"} for each in answer.hypotheses
    ]
    yield json.dumps({"source": answer.source, "unknown": answer.unknown, "outputs": outputs}, ensure_ascii=False)


def _draw(answers: "Sequence[Prediction]", vocabularies: "tuple[Vocabulary, Vocabulary]", path: Path) -> None:
    from seq2seq_zoo.figures import attention_map, image, undrawable
    from seq2seq_zoo.system.files import write

    source_vocabulary, target_vocabulary = vocabularies
    for number, answer in enumerate(answers, start=1):
        source = source_vocabulary.split(answer.source)
        if not source or not answer.hypotheses:
            note(f"Nothing to draw for {answer.source!r}.")
            continue
        best = answer.hypotheses[0]
        end = target_vocabulary.end
        output = [*best.tokens, *([target_vocabulary.tokens[end]] if best.ended and end is not None else [])]
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
    from seq2seq_zoo.data.lines import DataFileError

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
