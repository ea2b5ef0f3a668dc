"""`seq2seq-zoo predict`: writes a model's outputs."""

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

from seq2seq_zoo.cli.models import (
    AT_ONCE,
    ReadOptions,
    SearchName,
    SearchOptions,
    UnknownTokens,
    layout_for,
    load_model,
    make_search,
    require_vocabularies,
)
from seq2seq_zoo.cli.shared import SEARCHES, ModelPath, UsageError, app, examples, note, require_file, require_known

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
        "seq2seq-zoo predict runs/forecast-attention-1 --file until_tomorrow.csv > next.csv",
    )
)
def predict(
    model_path: ModelPath,
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TEXT]...",
            help="Sources, or texts for a language model to continue; the lines of standard input if not given.",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
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
    if file is not None:
        require_file(file)
    require_known("--search", "search", search, SEARCHES)
    given = (n_best, mass, prefix, stop, forbid or None, copy_unknown or None)
    searching = search != "greedy" or overrides or any(option is not None for option in given)
    model = load_model(model_path)
    if model.readout.vocabulary_size is None:
        if texts or file is None or searching or scores or as_json or read:
            raise UsageError(
                f"{model_path} outputs real values: give it a --file in the format of its task, and no other option."
            )
        return _predict_values(model, model_path, file)
    model = require_vocabularies(model, model_path)
    from seq2seq_zoo.data.delimited import Records
    from seq2seq_zoo.data.lines import Gzip, open_file
    from seq2seq_zoo.data.records import has_columns
    from seq2seq_zoo.models.encoder_only import EncoderOnly

    chosen = None
    if not isinstance(model, EncoderOnly):
        chosen = make_search(model, search, overrides, n_best, mass)
    elif searching or alignments:
        raise UsageError(
            f"{model_path} has no decoder, so it has no search: give it texts, --file, --scores or --json only."
        )
    if alignments is not None and not model.has_attention:
        raise UsageError(f"--alignments: {model_path} has no attention: train a model of mode attention.")
    if copy_unknown and not model.has_attention:
        raise UsageError(f"--copy-unknown: {model_path} has no attention: train a model of mode attention.")
    if prefix is not None and not model.has_source:
        raise UsageError(
            f"--prefix: {model_path} is a language model, which continues its texts: give the prefix as a text."
        )
    numbered = n_best is not None or mass is not None
    show = _as_json if as_json else functools.partial(_as_text, numbered=numbered, scores=scores)
    unknown = UnknownTokens(model.vocabularies[0])
    largest = None if chosen is None or model.readout.end is None else model.searcher(chosen).max_length
    cut = _CutOutputs(largest, None if stop is None else model.vocabularies[1].normalized(stop))
    number = uncovered = 0
    with contextlib.ExitStack() as stack:
        prompting = not texts and not file and sys.stdin.isatty()
        if texts:
            batches: Iterable[list[str]] = [texts]
        elif prompting:
            batches = _prompted()
        elif file and model.has_source and (read or has_columns(file)):
            separators = model.vocabularies[0].separator, model.vocabularies[1].separator
            records = Records(file, layout_for(model, model_path, read), separators=separators, with_target=False)
            batches = _sources(records, stack.enter_context(_progress(None)))
        elif file and read:
            raise UsageError("--read is for sources, and a language model reads texts: leave it out.")
        else:
            stream = stack.enter_context(open_file(file)) if file else sys.stdin.buffer
            sized = None if isinstance(stream, Gzip) else stream
            batches = _piped(stream, str(file or "standard input"), stack.enter_context(_progress(sized)))
        stack.callback(cut.report)
        stack.callback(unknown.report)
        for batch in batches:
            for text in batch if model.has_source else ():  # a language model refuses unknown tokens
                unknown.count(text)
            prefixes = None if prefix is None else [prefix] * len(batch)
            if chosen is None:
                predictions = model.predictions(batch)
            else:
                predictions = model.predictions(
                    batch,
                    chosen,
                    prefixes,
                    stop=None if stop is None else [stop],
                    first=number,
                    forbidden=forbid or None,
                    copy_unknown=copy_unknown,
                )
            if mass is not None:
                starts = (prefixes or [""] * len(batch)) if model.has_source else batch
                lengths = [len(model.vocabularies[1].split(start)) for start in starts]
                pairs = [*zip(predictions, lengths, strict=True)]
                uncovered += sum(prediction.mass(length) < mass for prediction, length in pairs)
                predictions = [prediction.covering(mass, length) for prediction, length in pairs]
            for prediction in predictions:
                number += 1
                cut.count(prediction)
                print(*show(number, prediction), sep="\n")
            sys.stdout.flush()
            if prompting:
                unknown.report()
                cut.report()
            if alignments is not None:
                _draw(predictions, model.vocabularies, alignments)
    if uncovered:
        note(
            f"--mass {mass:g} is not reached by the outputs of {uncovered:,} of {number:,} texts: "
            "give a larger --n-best."
        )


class _CutOutputs:
    """Counts the outputs that reached the largest length before their end.

    Args:
        max_length: the largest number of output tokens; `None` if outputs have no end, so that none is cut.
        stop: the token after which an output ends.
    """

    def __init__(self, max_length: int | None, stop: str | None):
        self._max_length = max_length
        self._stop = stop
        self._cut = self._all = 0

    def count(self, prediction: "Prediction") -> None:
        """Count those of one more text."""
        for each in prediction.hypotheses:
            self._all += 1
            full = len(each.token_log_probs) == self._max_length
            self._cut += full and not each.ended and each.tokens[-1:] != [self._stop]

    def report(self) -> None:
        """Print the count in one line, if there were any, and start again from zero."""
        if self._cut:
            note(
                f"{self._cut:,} of {self._all:,} outputs were cut at max_length {self._max_length} before their end: "
                f"raise it with --set max_length={2 * (self._max_length or 0)}."
            )
        self._cut = self._all = 0


def _predict_values(model: Any, path: Path, file: Path) -> None:
    """Print the real-valued outputs for the rows of a file, as comma-separated values."""
    from seq2seq_zoo.experiment.run import read_rows
    from seq2seq_zoo.training import real_values

    if not path.is_dir():
        raise UsageError(f"{path} is a model without a task to read the file: give the run directory.")
    names, rows = read_rows(path, file)
    lines = real_values.table(names, real_values.predict(model, rows), rows)
    csv.writer(sys.stdout, lineterminator="\n").writerows(lines)


def _as_text(number: int, prediction: "Prediction", numbered: bool, scores: bool) -> Iterator[str]:
    for text, score in [(each.text, each.score) for each in prediction.hypotheses] or [("", -math.inf)]:
        yield "\t".join([*([str(number)] if numbered else []), *([f"{score:.4f}"] if scores else []), text])


def _as_json(number: int, prediction: "Prediction") -> Iterator[str]:
    del number
    outputs = [
        {name: value for name, value in each._asdict().items() if name != "alignment"}
        | {"probability": each.probability}
        for each in prediction.hypotheses
    ]
    line = {"source": prediction.source, "unknown": prediction.unknown, "outputs": outputs}
    yield json.dumps(line, ensure_ascii=False)


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


def _prompted() -> Iterator[list[str]]:
    """One text at a time from a terminal, until Ctrl-D."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  gives `input` its editing and history
    note("Type a text and press Enter; Ctrl-D ends.")
    with contextlib.suppress(EOFError):
        while True:
            yield [input("> " if sys.stdout.isatty() else "")]
    note("")


def _piped(stream: Any, name: str, on_progress: Callable[[int, int], None]) -> Iterator[list[str]]:
    """The lines of a stream, in batches of those that have arrived, at most `AT_ONCE`."""
    from seq2seq_zoo.data.lines import DataFileError, NotTextError, lines_of, text_of

    number = read = 0
    for lines in map(list, lines_of(iter(functools.partial(stream.read1, 1 << 16), b""))):
        for first in range(0, len(lines), AT_ONCE):
            batch = []
            for start, line in lines[first : first + AT_ONCE]:
                number += 1
                try:
                    batch.append(text_of(line))
                except NotTextError as error:
                    message = f"{name}, line {number}: expected UTF-8 text, found {error}. Fix the line."
                    raise DataFileError(message) from None
                read = start + len(line)
            yield batch
            on_progress(number, read)


def _sources(records: "Records", on_progress: Callable[[int, int], None]) -> Iterator[list[str]]:
    """The sources of a file with columns, in batches of at most `AT_ONCE`."""
    sources = ((source, stop) for _, stop, (source,) in records)
    number = 0
    while batch := list(itertools.islice(sources, AT_ONCE)):
        yield [source for source, _ in batch]
        number += len(batch)
        on_progress(number, batch[-1][1])


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
