"""The command line as a whole: its commands, their help, and commands that do not exist."""

import subprocess
import sys

import typer

from cli.commands import COMMANDS, ENVIRONMENT, refused
from seq2seq_zoo.cli import app


def test_help_of_every_command_has_examples_and_imports_no_backend():
    code = """
        import sys
        from typer.testing import CliRunner
        from seq2seq_zoo.cli import app
        for arguments in ([], ["--help"], *([name, "--help"] for name in sys.argv[1:]), ["list", "presets"]):
            done = CliRunner().invoke(app, arguments)
            assert done.exit_code == 0, (arguments, done.output)
            print(arguments, "Examples" in done.stdout)
        heavy = {"tensorflow", "keras", "jax", "torch", "numpy", "matplotlib", "scipy"}
        print(sorted(heavy & set(sys.modules)))
    """
    command = [sys.executable, "-c", "\n".join(line[8:] for line in code.splitlines()), *COMMANDS]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
    *helped, heavy = done.stdout.splitlines()
    assert done.stderr == ""
    assert helped == [
        *(f"{arguments} True" for arguments in ([], ["--help"], *([name, "--help"] for name in COMMANDS))),
        "['list', 'presets'] False",
    ]
    assert heavy == "[]"


def test_the_commands_in_order():
    assert list(typer.main.get_command(app).commands) == COMMANDS


def test_an_unknown_command_or_option():
    message = "No such command 'trian'. Did you mean 'train'? See 'seq2seq-zoo --help'."
    assert refused("trian") == message
    assert refused("--trian") == "No such option: --trian. See 'seq2seq-zoo --help'."
