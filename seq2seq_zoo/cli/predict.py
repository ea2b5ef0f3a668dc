"""`seq2seq-zoo predict`: writes a model's outputs."""

import contextlib
import csv
import dataclasses
import functools
import importlib.util
import itertools
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console

from seq2seq_zoo.cli.answers import JSON_LINES, PARQUET, Answers, Wanted
from seq2seq_zoo.cli.bulk import write_outputs
from seq2seq_zoo.cli.executor import Address
from seq2seq_zoo.cli.models import (
    AT_ONCE,
    ReadOptions,
    SearchName,
    SearchOptions,
    layout_for,
    open_model,
    outputs_values,
)
from seq2seq_zoo.cli.shared import SEARCHES, UsageError, app, examples, note, require_file, require_known
from seq2seq_zoo.system import remote
from seq2seq_zoo.system.model_file import located

if TYPE_CHECKING:
    from seq2seq_zoo.data.delimited import Records
    from seq2seq_zoo.data.vocabulary import Vocabulary
    from seq2seq_zoo.models.text_model import Prediction


@app.command(
    epilog=examples(
        "seq2seq-zoo predict runs/copy-attention-1 abc cab",
        "seq2seq-zoo predict runs/copy-attention-1 < sources.txt > outputs.txt",
        "seq2seq-zoo predict runs/copy-attention-1 abc --search beam --set size=8 --n-best 3 --scores",
        "seq2seq-zoo predict runs/copy-attention-1 abc --search beam --set size=20 --mass 0.9 --json",
        "seq2seq-zoo predict runs/copy-attention-1 abc --alignments map.png",
        "seq2seq-zoo predict runs/names-feedback-1 jo --search sample --n-best 5 --set temperature=0.8",
        "seq2seq-zoo predict runs/copy-attention-1    (prompts, on a terminal)",
        "seq2seq-zoo predict runs/copy-attention-1 --file sources.csv --read source=text",
        "seq2seq-zoo predict runs/copy-attention-1 --file million.txt --out outputs.txt",
        "seq2seq-zoo predict runs/copy-attention-1/onnx --file s3://bucket/billion.txt --out outputs.parquet "
        "--executor ray --address auto",
        "seq2seq-zoo predict runs/forecast-attention-1 --file until_tomorrow.csv > next.csv",
    )
)
def predict(
    model_path: Annotated[
        Path,
        typer.Argument(
            metavar="RUN_OR_MODEL",
            help="A run directory (its best model is used), a .keras file, zoo:NAME, or a directory exported to onnx "
            "or litert.",
            callback=located,
        ),
    ],
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TEXT]...",
            help="Sources, or texts for a language model to continue; the lines of standard input if not given.",
        ),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(
            metavar="PATH|URL",
            help="A file with one source on each line, or with columns (.tsv, .csv, .jsonl, .parquet), of which the "
            "targets are not read; for real values, a CSV file in the format of the task.",
            show_default=False,
        ),
    ] = None,
    read: ReadOptions = None,
    search: SearchName = "greedy",
    overrides: SearchOptions = None,
    n_best: Annotated[
        int | None,
        typer.Option(
            min=1, help="How many outputs each source gets, best first; with beam and sample.", show_default=False
        ),
    ] = None,
    mass: Annotated[
        float | None,
        typer.Option(
            metavar="P",
            help="Give the most probable outputs, as many as add up to this probability, such as 0.9; with beam and "
            "sample, among --n-best of them.",
            show_default=False,
        ),
    ] = None,
    prefix: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="A text that every output begins with.", show_default=False),
    ] = None,
    stop: Annotated[
        str | None,
        typer.Option(metavar="TOKEN", help="A token after which an output ends.", show_default=False),
    ] = None,
    forbid: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TOKEN", help="A token that no output has, such as '<unk>'; may be repeated.", show_default=False
        ),
    ] = None,
    copy_unknown: Annotated[
        bool,
        typer.Option(
            "--copy-unknown", help="Replace each <unk> of an output by the source token with the most attention."
        ),
    ] = False,
    scores: Annotated[
        bool, typer.Option("--scores", help="Print the score of each output, and a tab, before it.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each source.")] = False,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="PATH|URL",
            help="Write the outputs for a --file to this file, by several processes; a .jsonl or .parquet file has "
            "what --json prints. If they are killed, the same command continues.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="How many processes, or actors of Ray, work on --out; one per core if not given.",
            show_default=False,
        ),
    ] = None,
    executor: Annotated[
        Literal["local", "ray"],
        typer.Option(help="Where --out is computed: in processes on this machine, or by actors on the nodes of Ray."),
    ] = "local",
    address: Address = None,
    alignments: Annotated[
        Path | None,
        typer.Option(
            metavar="PNG", help="Draw the attention weights; of several texts as PNG-1, PNG-2, ...", show_default=False
        ),
    ] = None,
) -> None:
    """Write a model's output for each text, one on each line.

    Each input line is a source, even an empty line, so there are as many outputs as inputs. With --n-best, the number
    of the source and a tab precede each output. Outputs appear as soon as their sources arrive, and the input may be
    larger than memory.
    """
    if texts and file:
        raise UsageError("Give texts as arguments or a --file of them, not both.")
    if read and not file:
        raise UsageError("--read is for a --file with columns: give one, or leave --read out.")
    if alignments is not None and not texts:
        raise UsageError("--alignments draws the texts that are given as arguments: give one or more.")
    if mass is not None and not 0 < mass <= 1:
        raise UsageError(f"--mass must be a probability above 0 and at most 1, got {mass:g}.")
    if out is not None and file is None:
        raise UsageError("--out is for the outputs of a --file: give one, or redirect the standard output.")
    if workers is not None and out is None:
        raise UsageError("--workers is for the outputs of a --file in a file: give --out.")
    if executor == "ray" and out is None:
        raise UsageError("--executor ray is for the outputs of a --file in a file: give --out.")
    if address is not None and executor != "ray":
        raise UsageError(f"--address goes with --executor ray, got --executor {executor}.")
    require_known("--search", "search", search, SEARCHES)
    wanted = Wanted(
        search,
        tuple(overrides or ()),
        n_best,
        mass,
        prefix,
        stop,
        tuple(forbid or ()),
        copy_unknown,
        scores,
        as_json or (out is not None and out.endswith((*JSON_LINES, PARQUET))),
    )
    wanted = _without_fixed(model_path, wanted)
    with _local(file) as path:
        if out is not None:
            _write(model_path, path, out, wanted, workers, executor, address, read)
        else:
            _print(model_path, texts, path, wanted, alignments, read)


@contextlib.contextmanager
def _local(file: str | None) -> Iterator[Path | None]:
    """The path of a file, which is copied here if it is at a URL."""
    if file is not None and remote.is_url(file):
        with remote.local_copy(file) as copy:
            yield copy
    else:
        path = None if file is None else Path(file)
        if path is not None:
            require_file(path)
        yield path


def _without_fixed(path: Path, wanted: Wanted) -> Wanted:
    """What is wanted of a model, if that is possible: the options of an exported search are fixed."""
    from seq2seq_zoo.runtime.directory import ExportedModel, is_exported

    if not is_exported(path):
        return wanted
    plain = Wanted()
    for name in ("search", "overrides", "n_best", "prefix", "stop", "forbid"):
        if getattr(wanted, name) != getattr(plain, name):
            option = {"overrides": "set"}.get(name, name).replace("_", "-")
            raise UsageError(
                f"--{option} goes with a model, but {path} is an exported search, whose options are fixed: give the "
                f"run, or export it with other options."
            )
    count = ExportedModel(path).n_best
    return wanted if count == 1 else dataclasses.replace(wanted, n_best=count)


def _write(
    model_path: Path,
    file: Path | None,
    out: str,
    wanted: Wanted,
    workers: int | None,
    executor: str,
    address: str | None,
    read: list[str] | None,
) -> None:
    """Write the outputs for a file to another one."""
    assert file is not None  # else refused
    if out.endswith(PARQUET) and importlib.util.find_spec("pyarrow") is None:
        raise UsageError(
            f"{out} is a Parquet file, which needs a package that is not installed. Run: pip install "
            "'seq2seq-zoo[parquet]'."
        )
    if remote.is_url(out) and remote.exists(out):
        raise UsageError(f"{out} already exists and is not overwritten: give another name with --out.")
    path = Path(remote.name_of(out) if remote.is_url(out) else out)
    sources = functools.partial(_file, file, model_path, read)
    counts = write_outputs(model_path, path, wanted, workers, sources, executor, address)
    if remote.is_url(out):
        remote.send(path, out)
        path.unlink()
    counts.report_outputs()
    counts.report_mass()


def _print(
    model_path: Path,
    texts: list[str] | None,
    file: Path | None,
    wanted: Wanted,
    alignments: Path | None,
    read: list[str] | None,
) -> None:
    """Print the outputs for texts, a file or standard input."""
    model = open_model(model_path)
    if outputs_values(model):
        if texts or file is None or wanted != Wanted() or read:
            raise UsageError(
                f"{model_path} outputs real values: give it a --file in the format of its task, and no other option."
            )
        return _predict_values(model, model_path, file)
    from seq2seq_zoo.data.lines import arriving_texts

    answers = Answers(model, model_path, wanted, alignments is not None)
    counts = answers.counts()
    number = 0
    with contextlib.ExitStack() as stack:
        prompting = not texts and not file and sys.stdin.isatty()
        on_progress: Callable[[int, int], None] | None = None  # nothing to show while texts are typed
        if texts:
            batches: Iterable[tuple[list[str], int]] = [(texts, 0)]
        elif prompting:
            batches = _prompted()
        elif file:
            batches, on_progress = stack.enter_context(_file(file, model_path, read, answers.description()))
        else:
            on_progress = stack.enter_context(_progress(sys.stdin.buffer))
            batches = arriving_texts(sys.stdin.buffer, "standard input", AT_ONCE)
        stack.callback(counts.report_outputs)
        for batch, size in batches:
            predictions = [answers.select(each, counts) for each in answers.predictions(batch, number)]
            for prediction in predictions:
                number += 1
                print(*answers.lines(number, prediction), sep="\n")
            sys.stdout.flush()
            if on_progress is not None:
                on_progress(number, size)
            if prompting:
                counts.report_outputs()
            if alignments is not None:
                _draw(predictions, answers.model.vocabularies, alignments)
    counts.report_mass()


def _predict_values(model: Any, path: Path, file: Path) -> None:
    """Print the real-valued outputs for the rows of a file, as comma-separated values."""
    from seq2seq_zoo.experiment.run import read_rows
    from seq2seq_zoo.runtime.prediction import table
    from seq2seq_zoo.training import real_values

    if not path.is_dir():
        raise UsageError(f"{path} is a model without a task to read the file: give the run directory.")
    names, rows = read_rows(path, file)
    lines = table(names, real_values.predict(model, rows), [row.times for row in rows])
    csv.writer(sys.stdout, lineterminator="\n").writerows(lines)


def _draw(predictions: "Sequence[Prediction]", vocabularies: "tuple[Vocabulary, Vocabulary]", path: Path) -> None:
    from seq2seq_zoo.figures import attention_map, image, undrawable
    from seq2seq_zoo.system.files import write

    source_vocabulary, target_vocabulary = vocabularies
    for number, prediction in enumerate(predictions, start=1):
        source = source_vocabulary.split(prediction.source)
        if not source or not prediction.hypotheses:
            note(f"Nothing to draw for {prediction.source!r}.")
            continue
        best = prediction.hypotheses[0]
        end = target_vocabulary.end
        output = [*best.tokens, *([target_vocabulary.tokens[end]] if best.ended and end is not None else [])]
        if missing := undrawable([*source, *output]):
            note(f"No installed font has {missing}: install one that does, such as Noto Sans CJK for Chinese.")
        place = path if len(predictions) == 1 else path.with_stem(f"{path.stem}-{number}")
        write(place, image(attention_map(source, output, best.alignment)))
        note(f"Drew {place}.")


def _prompted() -> Iterator[tuple[list[str], int]]:
    """One text at a time from a terminal, until Ctrl-D."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  gives `input` its editing and history
    note("Type a text and press Enter; Ctrl-D ends.")
    with contextlib.suppress(EOFError):
        while True:
            yield [input("> " if sys.stdout.isatty() else "")], 0
    note("")


@contextlib.contextmanager
def _file(
    file: Path, model_path: Path, read: list[str] | None, description: dict[str, Any]
) -> Iterator[tuple[Iterator[tuple[list[str], int]], Callable[[int, int], None]]]:
    """The sources in a file as `arriving_texts` gives them, and the function that shows the progress."""
    from seq2seq_zoo.data.delimited import Records
    from seq2seq_zoo.data.lines import Gzip, arriving_texts, open_file
    from seq2seq_zoo.data.records import has_columns

    if read and not description["has_source"]:
        raise UsageError("--read is for sources, and a language model reads texts: leave it out.")
    if description["has_source"] and (read or has_columns(file)):
        source, target = description["separators"]
        records = Records(file, layout_for(source, model_path, read), separators=(source, target), with_target=False)
        with _progress(None) as on_progress:
            yield _sources(records), on_progress
    else:
        with open_file(file) as stream, _progress(None if isinstance(stream, Gzip) else stream) as on_progress:
            yield arriving_texts(stream, str(file), AT_ONCE), on_progress


def _sources(records: "Records") -> Iterator[tuple[list[str], int]]:
    """The sources of a file with columns, in batches of at most `AT_ONCE`, each with the number of bytes up to its
    end."""
    sources = ((source, stop) for _, stop, (source,) in records)
    while batch := list(itertools.islice(sources, AT_ONCE)):
        yield [source for source, _ in batch], batch[-1][1]


@contextlib.contextmanager
def _progress(stream: Any) -> Iterator[Callable[[int, int], None]]:
    """A progress bar with the number of lines, and for a file its fraction; if only standard error is a terminal.

    Args:
        stream: whose size is that of all lines; `None` if that is not known.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    if sys.stdout.isatty() or not sys.stderr.isatty():
        yield lambda lines, read: None
        return
    status = None if stream is None else os.fstat(stream.fileno())
    size = status.st_size if status and stat.S_ISREG(status.st_mode) else None
    columns = (TextColumn("{task.fields[lines]:,} lines"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("", total=size, lines=0)
        yield lambda lines, read: progress.update(bar, completed=read, lines=lines)
