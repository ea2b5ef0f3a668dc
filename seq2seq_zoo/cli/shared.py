"""What all commands share: how they end, where they write, which arguments several of them have."""

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup

from seq2seq_zoo.config.registry import UnknownNameError, nearest
from seq2seq_zoo.system.interrupt import interruptible

HERE = Path(__file__).parents[1]


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
        note(str(stop) or "Stopped.")
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
        complain(f"{message}{'' if message[-1:] in '.?' else '.'} See '{command} --help'.")
        raise typer.Exit(2) from None
    except OSError as error:
        complain(": ".join(str(part) for part in (error.filename, error.strerror or error) if part is not None) + ".")
        raise typer.Exit(2) from None
    except (ValueError, RuntimeError) as error:
        if type(error).__module__.partition(".")[0] != "seq2seq_zoo":
            raise
        complain(str(error))
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


def note(line: str) -> None:
    """A line that is no result, so that standard output can be piped."""
    Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)


def complain(message: str) -> None:
    """What went wrong, in one line."""
    line = escape(" ".join(message.split()))
    Console(stderr=True).print(f"[bold red]Error:[/] {line}", highlight=False, soft_wrap=True)


def start_backend() -> None:
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


def examples(*lines: str) -> str:
    """The end of a command's help."""
    return "\n".join(["[bold]Examples[/]", *(f"[cyan]{escape(line)}[/]" for line in lines)])


@app.callback(
    invoke_without_command=True,
    epilog=examples(
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
Results = Annotated[Path, typer.Argument(metavar="DIR", help="A directory that 'seq2seq-zoo benchmark' made.")]


def _yaml_files(*folders: Path) -> dict[str, Path]:
    """The files that come with the package, by name."""
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.yaml"))}


def presets() -> dict[str, Path]:
    """The presets' files, by name."""
    return _yaml_files(HERE / "presets")


def suites() -> dict[str, Path]:
    """The suites' files, by name."""
    # An installed package has them inside; a checkout has them beside it.
    return _yaml_files(HERE / "suites", HERE.parent / "benchmarks")


def file_of(name: str, kind: str, files: Mapping[str, Path]) -> Path:
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


def columns(rows: Sequence[Sequence[str]]) -> None:
    """Print rows on standard output, in columns: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        print("  ".join(cells).rstrip())


def print_metrics(metrics: Mapping[str, Any], pairs: int) -> None:
    """Print the metrics of `pairs` pairs, or of their tokens: all together, beside a task's baselines if it has some;
    then apart for each feature or length, where that is known."""
    from seq2seq_zoo.metrics.metric import METRICS

    beside = metrics.get("baselines", {})
    all_of_them = [metrics, *beside.values()]
    rows = [["", "model", *beside]] if beside else []
    counted = ("tokens", metrics["tokens"]) if "tokens" in metrics else ("pairs", pairs)
    rows.append([counted[0], f"{counted[1]:,}", *[""] * len(beside)])
    for name, metric in METRICS.items():
        if name in metrics:
            rows.append([metric.label, *(metric.shown(each[name]) if name in each else "" for each in all_of_them)])
    columns(rows)
    if "by_feature" in metrics:
        by_feature = {METRICS[name]: values for name, values in metrics["by_feature"].items()}
        print()
        columns(
            [
                ["feature", *(metric.label for metric in by_feature)],
                *(
                    [feature, *(metric.shown(values[feature]) for metric, values in by_feature.items())]
                    for feature in metrics["by_feature"]["rmse"]
                ),
            ]
        )
    if "by_length" not in metrics:
        return
    rows = [["length", "pairs", "exact match", "token error rate"]]
    for entry in metrics["by_length"]:
        rates = [f"{entry[name]:.1%}" for name in ("exact_match", "token_error_rate")]
        rows.append([str(entry["length"]), f"{entry['count']:,}", *rates])
    print()
    columns(rows)
