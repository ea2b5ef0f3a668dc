"""What all commands share: error handling, messages, common arguments, and files that come with the package."""

import contextlib
import errno
import importlib.metadata
import importlib.util
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup

from seq2seq_zoo.config.messages import nearest
from seq2seq_zoo.config.registry import UnknownNameError
from seq2seq_zoo.system.interrupt import interruptible
from seq2seq_zoo.system.model_file import located

PACKAGE = Path(__file__).parents[1]
BACKENDS = ("tensorflow", "jax", "torch")
"""The packages that Keras may compute with."""


# === Errors and messages ===


class UsageError(ValueError):
    """Arguments that do not go together."""


@contextlib.contextmanager
def _exit_codes() -> Iterator[None]:
    """Turn the exception that ends a command into an exit code and one line on standard error.

    2: the user's mistake. Our own subclasses of ValueError, arguments that the command line refuses, and files that
       cannot be read or written.
    1: a run that failed. Our own subclasses of RuntimeError.
    130: Ctrl-C.

    Anything else is a bug: its traceback is shown.
    """
    try:
        yield
        sys.stdout.flush()
    except KeyboardInterrupt as stop:
        note(str(stop) or "Stopped.")
        raise typer.Exit(130) from None
    except BrokenPipeError:
        # The reader of our output (`| head`) has closed it. Discard what is still in our buffers.
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
    """The group of all commands, which handles their errors."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Parse the arguments that precede the command."""
        with _exit_codes():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Parse the command's arguments and run it."""
        with _exit_codes():
            return super().invoke(ctx)


def note(line: str) -> None:
    """Print a line that is not a result: on standard error, so that standard output can be piped."""
    Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)


def complain(message: str) -> None:
    """Print an error in one line."""
    line = escape(" ".join(message.split()))
    Console(stderr=True).print(f"[bold red]Error:[/] {line}", highlight=False, soft_wrap=True)


def chosen_backend() -> str:
    """The backend that Keras will compute with."""
    return os.environ.get("KERAS_BACKEND") or BACKENDS[0]


def start_backend(connect: Callable[[], None] | None = None) -> None:
    """Import the backend, and hide what its libraries write to standard error while they load.

    Args:
        connect: connects this process with others, which must happen before the first tensor.

    Raises:
        UsageError: the backend is unknown or not installed.
    """
    chosen = chosen_backend()
    if chosen not in BACKENDS:
        known = ", ".join(BACKENDS)
        raise UsageError(f"KERAS_BACKEND must be one of {known}, got '{chosen}'.{nearest(chosen, BACKENDS)}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as hidden:
        os.dup2(hidden.fileno(), 2)
        try:
            with interruptible():
                import keras

                if connect is not None:
                    connect()
                keras.ops.zeros(())  # the first tensor makes the backend search for devices, and report them
        except Exception as error:
            missing = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
            if missing in BACKENDS:
                raise UsageError(_not_installed(missing)) from None
            hidden.seek(0)
            os.write(stderr, hidden.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def _not_installed(backend: str) -> str:
    """The message that a backend is not installed, and what to do."""
    others = [each for each in BACKENDS if each != backend and importlib.util.find_spec(each)]
    another = f"set KERAS_BACKEND={others[0]}, which is installed" if others else "set KERAS_BACKEND to another backend"
    return f"Keras needs the package {backend}, which is not installed. Run: pip install {backend}, or {another}."


# === The application ===

app = typer.Typer(
    cls=Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def examples(*lines: str) -> str:
    """The examples at the end of a command's help."""
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


# === Arguments of several commands ===

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change an option, such as decoder.units=256; may be repeated."),
]
ConfigName = Annotated[str, typer.Argument(metavar="CONFIG", help="A YAML file, or the name of a preset.")]
ModelPath = Annotated[
    Path,
    typer.Argument(
        metavar="RUN_OR_MODEL",
        help="A run directory (its best model is used), a .keras file, or zoo:NAME; see 'seq2seq-zoo list models'.",
        callback=located,
    ),
]
ModelPaths = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="RUN_OR_MODEL...",
        help="Run directories (their best models are used), .keras files, or zoo:NAME; see 'seq2seq-zoo list models'.",
        callback=lambda paths: [*map(located, paths or ())],
        show_default=False,
    ),
]
RunPath = Annotated[
    Path,
    typer.Argument(
        metavar="RUN",
        help="A run directory, or zoo:NAME; see 'seq2seq-zoo list models'.",
        callback=located,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="How many processes train at once; one per core if not given.", show_default=False),
]
SkipBadLines = Annotated[
    bool, typer.Option("--skip-bad-lines", help="Skip and count the lines of a data file that cannot be read.")
]


def _set_data_dir(given: Path | None) -> Path | None:
    """Pass the folder of published data on to worker processes, and to the code that reads the variable."""
    if given is not None:
        os.environ["SEQ2SEQ_ZOO_DATA"] = str(given)
    return given


DataDir = Annotated[
    Path | None,
    typer.Option(
        callback=_set_data_dir,
        envvar="SEQ2SEQ_ZOO_DATA",
        show_default=False,
        help="The folder of the published data sets; the user's cache if not given.",
    ),
]
Results = Annotated[Path, typer.Argument(metavar="DIR", help="A directory made by 'seq2seq-zoo benchmark'.")]


# === Checks that need no backend ===


SEARCHES = ("beam", "greedy", "sample")
FORMATS = ("litert", "onnx", "savedmodel")
"""The names of the searches and of the export formats of this package, whose registries import the backend."""

PLUGINS = ("seq2seq_zoo.decoders", "seq2seq_zoo.tasks")
"""The groups of entry points with which other packages register more."""


def require_known(option: str, kind: str, name: str, known: Sequence[str]) -> None:
    """Refuse an unknown name before the backend is imported, unless another package may register it.

    Raises:
        UsageError: the name is unknown.
    """
    if name not in known and not any(importlib.metadata.entry_points(group=group) for group in PLUGINS):
        raise UsageError(f"{option}: unknown {kind} '{name}'.{nearest(name, known)} Known: {', '.join(known)}.")


def require_file(path: Path) -> None:
    """Refuse a file of data that does not exist, before anything slow is imported.

    Raises:
        OSError: there is no such file, or it is a folder.
    """
    path.stat()
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))


def require_absent(path: Path) -> None:
    """Refuse to overwrite a file or directory.

    Raises:
        UsageError: it exists.
    """
    if path.exists():
        raise UsageError(f"{path} already exists and is not overwritten: give another name with --out.")


# === Files that come with the package ===


def _yaml_files(*folders: Path) -> dict[str, Path]:
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.yaml"))}


def presets() -> dict[str, Path]:
    """The files of the presets, by name."""
    return _yaml_files(PACKAGE / "presets")


def suites() -> dict[str, Path]:
    """The files of the suites, by name."""
    # They are inside an installed package, and beside it in a checkout.
    return _yaml_files(PACKAGE / "suites", PACKAGE.parent / "benchmarks")


def find_file(name: str, kind: str, files: Mapping[str, Path]) -> Path:
    """The file at a path, or the one of that name that comes with the package."""
    path = Path(name)
    if path.exists() and not path.is_dir():
        return path
    if name in files:
        return files[name]
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        from seq2seq_zoo.config.reader import content_of

        content_of(path)  # clearly a path: this raises the error
    raise UnknownNameError(
        f"There is no file and no {kind} '{name}'.{nearest(name, files)} {kind.capitalize()}s: {', '.join(files)}."
    )
