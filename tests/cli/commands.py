"""Calls of the command line."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

import seq2seq_zoo
from seq2seq_zoo.cli import app

PACKAGE = Path(seq2seq_zoo.__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "NO_COLOR": "1"}

COMMANDS = [
    "list",
    "init",
    "show",
    "schema",
    "train",
    "tune",
    "evaluate",
    "predict",
    "score",
    "card",
    "export",
    "play",
    "benchmark",
    "report",
    "compare",
    "data",
]
PRESETS = [
    "addition",
    "articulation",
    "autoencode",
    "copy",
    "date_normalization",
    "digits_each",
    "digits_to_words",
    "file",
    "first_25",
    "first_25_2016",
    "forecast",
    "integers",
    "labels",
    "melodies",
    "names",
    "parallel",
    "pig_latin",
    "pronunciation",
    "reverse",
    "scan",
    "stream",
    "textsum",
    "words_to_digits",
]


def call(*arguments, input=None):
    """The result of a command run in this process; an exception that no user should see propagates."""
    words = [str(argument) for argument in arguments]
    return CliRunner().invoke(app, words, input=input, catch_exceptions=False, prog_name="seq2seq-zoo")


def refused(*arguments, code=2, input=None):
    """The error message of a command that must fail with an exit code."""
    done = call(*arguments, input=input)
    assert done.exit_code == code, done.output
    *_, line = done.stderr.splitlines()
    assert line.startswith("Error: ")
    return line.removeprefix("Error: ")


@contextlib.contextmanager
def started(*arguments, **streams):
    """A command in a process of its own, which is killed when the block ends."""
    command = [sys.executable, "-m", "seq2seq_zoo", *map(str, arguments)]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    with subprocess.Popen(command, text=True, env=ENVIRONMENT, **streams) as process:
        try:
            yield process
        finally:
            process.kill()


def set_options(*changes):
    """The arguments that make changes such as `decoder.units=4`."""
    return [word for change in changes for word in ("--set", change)]
