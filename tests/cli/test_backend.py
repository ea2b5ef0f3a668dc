"""What the command line answers before it imports a backend, or without one."""

import subprocess
import sys
import zipfile

import pytest

from cli.commands import ENVIRONMENT, PACKAGE

BACKENDS = ("tensorflow", "jax", "torch")
WITHOUT = f"""
import sys
sys.modules.update(dict.fromkeys({BACKENDS!r}))  # an import of one of these fails
from seq2seq_zoo.cli import main
main()
"""


def answer(*arguments, backend=""):
    """The exit code and the lines on standard error of a command without any backend."""
    command = [sys.executable, "-c", WITHOUT, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env={**ENVIRONMENT, "KERAS_BACKEND": backend})
    assert done.stdout == ""
    return done.returncode, done.stderr


@pytest.fixture
def files(folder):
    (folder / "there.tsv").write_text("a\tb\n")
    (folder / "text.keras").write_text("no model")
    zipfile.ZipFile(folder / "zipped.keras", "w").close()
    (folder / "empty").mkdir()
    (folder / "full").mkdir()
    (folder / "full" / "mine").write_text("")


NO_MODEL = "no such file: expected a model (.keras) or a run directory with one."
NO_FILE = "No such file or directory."
SEARCHES = "--search: unknown search 'baem'. Did you mean 'beam'? Known: beam, greedy, sample."
EXISTS = "already exists and is not overwritten: give another name with --out"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predict", "gone", "a"], f"gone: {NO_MODEL}"),
        (["predict", "text.keras", "a"], "text.keras: not a model: expected a .keras file."),
        (["predict", "gone", "--file", "gone.txt"], f"gone.txt: {NO_FILE}"),
        (["evaluate", "gone"], f"gone: {NO_MODEL}"),
        (["evaluate", "empty"], f"empty/best.keras: {NO_MODEL}"),
        (["score", "gone", "there.tsv"], f"gone: {NO_MODEL}"),
        (["score", "gone", "gone.tsv"], f"gone.tsv: {NO_FILE}"),
        (["export", "gone", "--format", "onnx"], f"gone: {NO_MODEL}"),
        (["predict", "zipped.keras", "a", "--search", "baem"], SEARCHES),
        (["evaluate", "zipped.keras", "there.tsv", "--search", "baem"], SEARCHES),
        (["export", "zipped.keras", "--format", "onnx", "--search", "baem"], SEARCHES),
        (
            ["export", "zipped.keras", "--format", "onx"],
            "--format: unknown export format 'onx'. Did you mean 'onnx'? Known: litert, onnx, savedmodel.",
        ),
        (["train", "--resume", "gone"], "gone is not a run: expected config.yaml in it."),
        (["train", "--resume", "gone", "--set", "seed=2"], "--set seed=2: a resumed run keeps its configuration"),
        (["train", "cpoy"], "There is no file and no preset 'cpoy'. Did you mean 'copy'?"),
        (["train", "gone.yaml"], "gone.yaml: there is no such file."),
        (["train", "file"], f"{PACKAGE / 'presets' / 'file.yaml'}:2: task: Cannot read the data file 'pairs.tsv'"),
        (
            ["train", "parallel", "--set", "task.train_source=there.tsv", "--set", "task.train_target=gone.tsv"],
            f"{PACKAGE / 'presets' / 'parallel.yaml'}:2: task: Cannot read the data file 'gone.tsv'",
        ),
        (
            ["train", "pig_latin", "--set", "task.words=gone.txt"],
            f"{PACKAGE / 'presets' / 'pig_latin.yaml'}:2: task: Cannot read the data file 'gone.txt'",
        ),
        (["train", "copy", "--out", "full"], f"full {EXISTS}"),
        (["show", "gone.yaml"], "gone.yaml: there is no such file."),
        (["benchmark", "defalt"], "There is no file and no suite 'defalt'. Did you mean 'default'?"),
        (["benchmark", "gone.yaml"], "gone.yaml: there is no such file."),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_mistakes_are_answered_without_a_backend(arguments, words, files):
    code, stderr = answer(*arguments)
    assert stderr.startswith(f"Error: {words}")
    assert (code, stderr.count("\n")) == (2, 1)


def test_an_existing_output_is_refused_without_a_backend(first_25, files):
    directory = first_25.directory
    for arguments in (
        ["evaluate", directory, "--out", "full"],
        ["export", directory, "--format", "x", "--out", "full"],
    ):
        assert answer(*arguments) == (2, f"Error: full {EXISTS}.\n")


def test_a_missing_or_unknown_backend_is_one_line(files):
    run = "which is not installed. Run: pip install"
    assert answer("train", "copy") == (
        2,
        f"Error: Keras needs the package tensorflow, {run} tensorflow, or set KERAS_BACKEND to another backend.\n",
    )
    assert answer("list", "modes", backend="torch")[1].startswith(f"Error: Keras needs the package torch, {run} torch")
    assert answer("schema", backend="tensorflwo") == (
        2,
        "Error: KERAS_BACKEND must be one of tensorflow, jax, torch, got 'tensorflwo'. Did you mean 'tensorflow'?\n",
    )
