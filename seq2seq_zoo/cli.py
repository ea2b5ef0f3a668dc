"""The command line. Imports no backend until a command needs one, so that help answers at once."""

import contextlib
import itertools
import json
import logging
import os
import pkgutil
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup

from seq2seq_zoo.interrupt import interruptible
from seq2seq_zoo.registry import UnknownNameError, nearest

if TYPE_CHECKING:
    from seq2seq_zoo.data.vocabulary import Vocabulary
    from seq2seq_zoo.model import Seq2Seq
    from seq2seq_zoo.run import Run

HERE = Path(__file__).parent
AT_ONCE = 64  # texts that `predict` reads from a pipe before it answers, if so many have come
SHOWN = 10  # unknown symbols that are spelt out


# === What every command's end looks like ===


class Usage(ValueError):
    """Arguments that do not go together."""


@contextlib.contextmanager
def _ending() -> Iterator[None]:
    """Turn what ends a command into an exit code and one line: here and nowhere else.

    2 is the user's mistake: our own subclasses of ValueError, what the command line itself refuses, files that cannot
    be read or written. 1 is a run that failed: our own subclasses of RuntimeError. 130 is Ctrl-C. Anything else is a
    bug, and shows its traceback.
    """
    try:
        yield
        sys.stdout.flush()
    except KeyboardInterrupt as stop:
        _note(str(stop) or "Stopped.")
        raise typer.Exit(130) from None
    except BrokenPipeError:
        # Who was reading (`| head`) has had enough. What is still in our buffers goes nowhere.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        raise typer.Exit(0) from None
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "seq2seq-zoo"
        message = error.format_message()
        _complain(f"{message}{'' if message[-1:] in '.?' else '.'} See '{command} --help'.")
        raise typer.Exit(2) from None
    except OSError as error:
        _complain(": ".join(str(part) for part in (error.filename, error.strerror or error) if part is not None) + ".")
        raise typer.Exit(2) from None
    except (ValueError, RuntimeError) as error:
        if type(error).__module__.partition(".")[0] != "seq2seq_zoo":
            raise
        _complain(str(error))
        raise typer.Exit(2 if isinstance(error, ValueError) else 1) from None


class Commands(TyperGroup):
    """The commands, in the order of this file, each with the same ending."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the arguments before the command."""
        with _ending():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Read the command's arguments, and run it."""
        with _ending():
            return super().invoke(ctx)


def _note(line: str) -> None:
    """A line that is no result, so that standard output can be piped."""
    Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)


def _complain(message: str) -> None:
    line = escape(" ".join(message.split()))
    Console(stderr=True).print(f"[bold red]Error:[/] {line}", highlight=False, soft_wrap=True)


def _start_backend() -> None:
    """Import the backend without the lines that its libraries write before they know how much to say."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            with interruptible():
                import keras

                keras.ops.zeros(())  # the first tensor looks for devices, and says so
        except Exception:
            said.seek(0)
            os.write(stderr, said.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


app = typer.Typer(
    cls=Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line."""
    app()


def _examples(*lines: str) -> str:
    return "\n".join(["[bold]Examples[/]", *(f"[cyan]{escape(line)}[/]" for line in lines)])


@app.callback(
    invoke_without_command=True,
    epilog=_examples(
        "seq2seq-zoo list presets",
        "seq2seq-zoo train first_25",
        "seq2seq-zoo predict runs/first_25-attention-1 '1 2 3 4 5'",
        "seq2seq-zoo benchmark --quick",
    ),
)
def start(ctx: typer.Context) -> None:
    """Train four recurrent sequence-to-sequence decoders, use them, and compare them."""
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help(), nl=False)


# === Arguments that several commands have ===

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change an option, such as decoder.units=256; may be repeated."),
]
ConfigName = Annotated[str, typer.Argument(metavar="CONFIG", help="A YAML file, or the name of a preset.")]
ModelPath = Annotated[
    Path, typer.Argument(metavar="RUN_OR_MODEL", help="A run directory, whose best model is meant, or a .keras file.")
]
SkipBadLines = Annotated[
    bool, typer.Option("--skip-bad-lines", help="Leave out and count lines of a data file that cannot be read.")
]


def _yaml_files(*folders: Path) -> dict[str, Path]:
    """The files that come with the package, by name."""
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.yaml"))}


def _presets() -> dict[str, Path]:
    return _yaml_files(HERE / "presets")


def _suites() -> dict[str, Path]:
    # An installed package has them inside; a checkout has them beside it.
    return _yaml_files(HERE / "suites", HERE.parent / "benchmarks")


def _file(name: str, kind: str, files: Mapping[str, Path]) -> Path:
    """The file that a name means: a path, or one that comes with the package."""
    path = Path(name)
    if path.is_file():
        return path
    if name in files:
        return files[name]
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        return path  # who reads it says what is wrong
    raise UnknownNameError(
        f"There is no file and no {kind} '{name}'.{nearest(name, files)} {kind.capitalize()}s: {', '.join(files)}."
    )


def _columns(rows: Sequence[Sequence[str]]) -> None:
    """Print rows on standard output, in columns: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        print("  ".join(cells).rstrip())


# === Commands that need no configuration ===


def _registered(place: str) -> Callable[[], dict[str, str]]:
    def read() -> dict[str, str]:
        if not place.startswith("seq2seq_zoo.tasks"):
            _start_backend()
        return pkgutil.resolve_name(place).list()

    return read


def _purposes(files: Callable[[], dict[str, Path]]) -> Callable[[], dict[str, str]]:
    """The comment on the first line of each file."""
    return lambda: {
        name: path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ") for name, path in files().items()
    }


KINDS: dict[str, Callable[[], dict[str, str]]] = {
    "modes": _registered("seq2seq_zoo.decoders:modes"),
    "cells": _registered("seq2seq_zoo.layers.cells:cells"),
    "attentions": _registered("seq2seq_zoo.layers.attention:attentions"),
    "bridges": _registered("seq2seq_zoo.layers.bridge:bridges"),
    "schedules": _registered("seq2seq_zoo.layers.schedules:schedules"),
    "tasks": _registered("seq2seq_zoo.tasks:tasks"),
    "presets": _purposes(_presets),
    "suites": _purposes(_suites),
}


@app.command("list", epilog=_examples("seq2seq-zoo list", "seq2seq-zoo list modes"))
def list_(
    kind: Annotated[str | None, typer.Argument(help=f"One of {', '.join(KINDS)}; all of them if not given.")] = None,
) -> None:
    """Say what there is to choose from, each with one line."""
    if kind is not None and kind not in KINDS:
        raise UnknownNameError(f"Unknown kind '{kind}'.{nearest(kind, KINDS)} Kinds: {', '.join(KINDS)}.")
    for each in KINDS if kind is None else [kind]:
        entries = KINDS[each]()
        width = max(map(len, entries), default=0)
        indent = ""
        if kind is None:
            print(f"{each}:")
            indent = "  "
        for name, description in entries.items():
            print(f"{indent}{name:{width}}  {description}")


@app.command(epilog=_examples("seq2seq-zoo init digits_to_words", "seq2seq-zoo init file --out inflection.yaml"))
def init(
    preset: Annotated[str, typer.Argument(help="The name of a preset: see 'seq2seq-zoo list presets'.")],
    out: Annotated[Path | None, typer.Option(help="The file to write; PRESET.yaml here if not given.")] = None,
) -> None:
    """Write a preset into a file of your own, to change and to train."""
    presets = _presets()
    if preset not in presets:
        raise UnknownNameError(f"Unknown preset '{preset}'.{nearest(preset, presets)} Presets: {', '.join(presets)}.")
    path = out or Path(f"{preset}.yaml")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(presets[preset].read_text(encoding="utf-8"))
    except FileExistsError:
        raise Usage(f"{path} is there already and is not overwritten: give another name with --out.") from None
    _note(f"Wrote {path}. Train it with: seq2seq-zoo train {shlex.quote(str(path))}")


# === Training ===


@app.command(epilog=_examples("seq2seq-zoo show copy", "seq2seq-zoo show copy --set decoder.mode=peek"))
def show(config: ConfigName, overrides: Overrides = None) -> None:
    """Print a configuration with every default filled in."""
    path = _file(config, "preset", _presets())
    _start_backend()
    from seq2seq_zoo import factory
    from seq2seq_zoo.config import dump, read

    print(dump(read(path, factory.schema, overrides or ())), end="")


@app.command(epilog=_examples("seq2seq-zoo schema > seq2seq-zoo.schema.json"))
def schema() -> None:
    """Print the JSON Schema of configurations, by which an editor completes and checks them."""
    _start_backend()
    from seq2seq_zoo import factory
    from seq2seq_zoo.config import json_schema

    print(json.dumps(json_schema(factory.schema), indent=2))


@app.command(
    epilog=_examples(
        "seq2seq-zoo train first_25",
        "seq2seq-zoo train digits_to_words --set decoder.mode=peek --out runs/peek",
        "seq2seq-zoo train file --set task.train=pairs.tsv --skip-bad-lines",
        "seq2seq-zoo train --resume runs/peek",
    )
)
def train(
    ctx: typer.Context,
    config: Annotated[
        str | None, typer.Argument(metavar="CONFIG", help="A YAML file, or the name of a preset.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="A new directory; runs/CONFIG-MODE-SEED if not given.", show_default=False)
    ] = None,
    overrides: Overrides = None,
    skip_bad_lines: SkipBadLines = False,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with the run in this directory, in place of CONFIG.", show_default=False)
    ] = None,
) -> None:
    """Train a model in a directory of its own, and measure it on the test split."""
    if (config is None) == (resume is None):
        raise Usage("Give either a CONFIG to begin a new run, or --resume DIR to go on with one.")
    if resume is not None and (out or overrides or skip_bad_lines):
        raise Usage("--resume goes on with the run's own directory and configuration: leave the other options out.")
    run = None
    try:
        path = None if config is None else _file(config, "preset", _presets())
        _start_backend()
        from seq2seq_zoo.progress import EpochLines
        from seq2seq_zoo.run import BEST, CURVES, PREDICTIONS, Run

        if path is None:
            run = Run.resume(str(resume))
        else:
            changes = [*(overrides or ()), *(["task.skip_bad_lines=true"] if skip_bad_lines else [])]
            run = _new_run(path, changes, out)
        _introduce(run)
        with EpochLines(Console(stderr=True)) as lines:
            measured = run.train(lines.told, [lines])
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_saved(run, ctx.command_path)) from None
    _note("The best epoch's model on the test split:")
    _print_metrics(measured["test"], len(run.data.splits["test"]))
    print()
    for what, file in (("model", BEST), ("outputs", PREDICTIONS), ("curves", CURVES)):
        print(f"{what:7}  {run.directory / file}")


def _new_run(path: Path, changes: Sequence[str], out: Path | None) -> "Run":
    from seq2seq_zoo import factory
    from seq2seq_zoo.config import read
    from seq2seq_zoo.run import Run

    config = read(path, factory.schema, changes)
    name = f"{path.stem}-{config['decoder']['mode']}-{config['seed']}"
    return Run.start(out or Path("runs", name), config)


def _introduce(run: "Run") -> None:
    sizes = {split: f"{len(pairs):,}" for split, pairs in run.data.splits.items()}
    _note(
        f"{run.config['task']['name']}: {sizes['train']} pairs to train on, {sizes['dev']} dev, {sizes['test']} test"
        + (f"; bad lines skipped: {run.data.skipped:,}" if run.data.skipped else "")
    )
    _note(f"{run.config['decoder']['mode']} decoder: {run.model.count_params():,} parameters in the whole model")
    _note(f"{'going on' if run.history else 'training'} in {run.directory}, epoch {len(run.history) + 1}")


def _saved(run: "Run | None", command: str) -> str:
    if run is None:
        return "Stopped before anything was saved."
    epochs = len(run.history)
    kept = f"{epochs} finished epoch{'s' * (epochs > 1)} saved" if epochs else "no epoch is finished yet"
    return f"Stopped: {kept}. Go on with: {command} --resume {shlex.quote(str(run.directory))}"


# === Using what was trained ===


def _model(path: Path) -> "Seq2Seq":
    _start_backend()
    from seq2seq_zoo.loading import ModelFileError, load

    model = load(path)
    if model.source_vocabulary is None or model.target_vocabulary is None:
        raise ModelFileError(f"{path}: the model has no vocabularies, so it neither reads nor writes texts.")
    return model


class _Unknown:
    """Counts the symbols that a model does not know."""

    def __init__(self, vocabulary: "Vocabulary"):
        self._vocabulary = vocabulary
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
        """One line, if there were any."""
        if self._count:
            shown = ", ".join(map(repr, self._symbols))
            _note(
                f"Symbols that the model does not know: {self._count:,}, in {self._texts:,} of {self._all:,} {side}: "
                f"{shown}{', …' if len(self._symbols) == SHOWN else ''}"
            )


@app.command(
    epilog=_examples(
        "seq2seq-zoo evaluate runs/copy-attention-1",
        "seq2seq-zoo evaluate runs/copy-attention-1/best.keras more.tsv",
        "seq2seq-zoo evaluate runs/copy-attention-1 --json | jq .exact_match",
    )
)
def evaluate(
    model_path: ModelPath,
    file: Annotated[
        Path | None,
        typer.Argument(help="Source, tab and target on each line; the run's own test split if not given."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    skip_bad_lines: SkipBadLines = False,
) -> None:
    """Measure a model on the test split of its task, or on a file."""
    if file is None and model_path.is_file():
        raise Usage(f"{model_path} is a model without a task: give a FILE of pairs as well, or the run directory.")
    model = _model(model_path)
    from seq2seq_zoo import evaluation
    from seq2seq_zoo.data.delimited import read_pairs
    from seq2seq_zoo.run import load_data, read_config

    if file is None:
        pairs = load_data(read_config(model_path)).splits["test"]
    else:
        pairs, skipped = read_pairs(file, skip_bad_lines)
        if skipped:
            _note(f"Bad lines skipped: {skipped:,}")
    for side, vocabulary in enumerate(model.vocabularies):
        unknown = _Unknown(vocabulary)
        for pair in pairs:
            unknown.look(pair[side])
        unknown.say(("sources", "targets")[side])
    metrics, _ = evaluation.evaluate(model, pairs)
    metrics["perplexity"] = evaluation.perplexity(model, pairs)
    if as_json:
        print(json.dumps({"pairs": len(pairs), **metrics}, indent=2))
    else:
        _print_metrics(metrics, len(pairs))


def _print_metrics(metrics: Mapping[str, Any], pairs: int) -> None:
    from seq2seq_zoo.benchmark.records import METRICS

    rows = [["pairs", f"{pairs:,}"]]
    for name, metric in METRICS.items():
        rows.append([metric.label, f"{metrics[name]:.1%}" if metric.percent else f"{metrics[name]:.4f}"])
    _columns(rows)
    rows = [["length", "pairs", "exact match", "symbol error rate"]]
    for entry in metrics["by_length"]:
        rates = [f"{entry[name]:.1%}" for name in ("exact_match", "symbol_error_rate")]
        rows.append([str(entry["length"]), f"{entry['count']:,}", *rates])
    print()
    _columns(rows)


@app.command(
    epilog=_examples(
        "seq2seq-zoo predict runs/copy-attention-1 abc cab",
        "seq2seq-zoo predict runs/copy-attention-1 < sources.txt > outputs.txt",
        "seq2seq-zoo predict runs/copy-attention-1    (asks, on a terminal)",
    )
)
def predict(
    model_path: ModelPath,
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="[TEXT]...", help="Sources; the lines of standard input if not given.")
    ] = None,
) -> None:
    """Write a model's output for each text, one a line.

    Each line of standard input is a source, an empty one too, so inputs and outputs have the same number of lines.
    Answers come as soon as there is something to answer, and however long the input is, little of it is held.
    """
    model = _model(model_path)
    asking = not texts and sys.stdin.isatty()
    unknown = _Unknown(model.vocabularies[0])
    batches = [texts] if texts else _asked() if asking else _piped(sys.stdin.buffer)
    try:
        for batch in batches:
            for text in batch:
                unknown.look(text)
            print(*model.generate(batch), sep="\n", flush=True)
            if asking:
                unknown.say()
                unknown = _Unknown(model.vocabularies[0])
    finally:
        unknown.say()


def _asked() -> Iterator[list[str]]:
    """One text at a time from a terminal, until Ctrl-D."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  gives `input` its editing and history
    _note("A text and Enter; Ctrl-D ends.")
    with contextlib.suppress(EOFError):
        while True:
            yield [input("> " if sys.stdout.isatty() else "")]
    _note("")


def _piped(stream: Any) -> Iterator[list[str]]:
    """The lines that have come, at most `AT_ONCE`: a file goes fast, and who sends one line and waits is answered."""
    from seq2seq_zoo.data.delimited import DataFileError

    number, rest, more = 0, b"", True
    while more:
        more = stream.read1(1 << 16)
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
                        f"standard input, line {number}: expected UTF-8, found the byte 0x{line[error.start]:02x}."
                    ) from None
            yield batch


# === The comparison ===


@app.command(
    epilog=_examples(
        "seq2seq-zoo benchmark --quick",
        "seq2seq-zoo benchmark default --workers 4 --out results",
        "seq2seq-zoo benchmark mine.yaml --set base.training.epochs=3",
    )
)
def benchmark(
    suite: Annotated[str, typer.Argument(help="A YAML file, or the name of a suite that comes with this.")] = "default",
    quick: Annotated[bool, typer.Option("--quick", help="The suite's short form.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="A directory, new or begun with this suite; runs/benchmark-SUITE if not given.", show_default=False
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that train at once; a core each if not given.", show_default=False),
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Train every mode on the questions of a suite, and write a report.

    What has finished is kept: stopped or killed at any time, the same command goes on.
    """
    path = _file(suite, "suite", _suites())
    _start_backend()
    from seq2seq_zoo import factory
    from seq2seq_zoo.benchmark import runner
    from seq2seq_zoo.benchmark.cell import match_parameters
    from seq2seq_zoo.benchmark.executor import LocalProcesses
    from seq2seq_zoo.benchmark.suite import read_suite
    from seq2seq_zoo.environment import cores

    wanted = read_suite(path, factory.schema, factory.modes, match_parameters, quick, overrides or ())
    directory = out or Path("runs", f"benchmark-{wanted.name}")
    executor = LocalProcesses(min(workers or cores(), len(wanted.cells)))
    changes = [argument for override in overrides or () for argument in ("--set", override)]
    command = shlex.join(["seq2seq-zoo", "benchmark", suite, *(["--quick"] if quick else []), *changes])
    raise typer.Exit(runner.run(wanted, directory, executor, Console(stderr=True), command))


Results = Annotated[Path, typer.Argument(metavar="DIR", help="A directory that 'seq2seq-zoo benchmark' made.")]


@app.command(epilog=_examples("seq2seq-zoo report runs/benchmark-default"))
def report(directory: Results) -> None:
    """Write a benchmark's tables and plots anew, from its records alone."""
    from seq2seq_zoo.benchmark.report import report

    print(*report(directory)[:2], sep="\n")


@app.command(epilog=_examples("seq2seq-zoo compare runs/before runs/after > difference.md"))
def compare(before: Results, after: Results) -> None:
    """Set two benchmarks side by side, as Markdown: what moved, and what else differs."""
    from seq2seq_zoo.benchmark.compare import compare

    print(compare(before, after), end="")
