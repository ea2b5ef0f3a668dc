"""What the command line answers before it imports a backend, or without one."""

import json
import subprocess
import sys
import zipfile

import pytest

from cli.commands import ENVIRONMENT, PACKAGE

BACKENDS = ("tensorflow", "jax", "torch")
WITHOUT = f"""
import contextlib, io, json, sys
sys.modules.update(dict.fromkeys({BACKENDS!r}))  # an import of one of these fails
from seq2seq_zoo.cli import app
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["seq2seq-zoo", *arguments]
    with contextlib.redirect_stderr(io.StringIO()) as stderr, contextlib.redirect_stdout(io.StringIO()) as stdout:
        try:
            app()
        except SystemExit as ended:
            code = ended.code
    print(json.dumps([code, stdout.getvalue(), stderr.getvalue()]))
"""


def answers(*commands, backend="", folder=None):
    """The exit codes and the lines on standard error of commands in a process without any backend."""
    commands = json.dumps([list(map(str, arguments)) for arguments in commands])
    call, environment = [sys.executable, "-c", WITHOUT, commands], {**ENVIRONMENT, "KERAS_BACKEND": backend}
    done = subprocess.run(call, capture_output=True, text=True, env=environment, cwd=folder)
    assert done.stderr == ""
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert {stdout for _, stdout, _ in found} == {""}
    return [(code, stderr) for code, _, stderr in found]


def make_files(folder):
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


MISTAKES = [
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
        "--format: unknown export format 'onx'. Did you mean 'onnx'? Known: litert, onnx, savedmodel, package, web.",
    ),
    (["export", "zipped.keras", "--format", "package"], "--format package needs a --name, which is also that of"),
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
    (
        ["train", "copy", "--processes", "2"],
        "--processes, --coordinator, --process go together: add --coordinator and --process.",
    ),
    (
        ["train", "copy", *["--processes", "2", "--coordinator", "a:1", "--process", "2"]],
        "--process must be below --processes, 2, got 2: the first is 0.",
    ),
    (
        ["train", "copy", *["--processes", "2", "--coordinator", "a", "--process", "0"]],
        "--coordinator must be HOST:PORT, such as 10.0.0.1:1234, got 'a'.",
    ),
    (
        ["train", "copy", *["--processes", "2", "--coordinator", "a:1", "--process", "0"]],
        "--processes needs JAX, but KERAS_BACKEND is tensorflow: set KERAS_BACKEND=jax.",
    ),
    (["show", "gone.yaml"], "gone.yaml: there is no such file."),
    (["benchmark", "defalt"], "There is no file and no suite 'defalt'. Did you mean 'default'?"),
    (["benchmark", "gone.yaml"], "gone.yaml: there is no such file."),
]


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    """The answer to each mistake, from one process."""
    folder = tmp_path_factory.mktemp("files")
    make_files(folder)
    return answers(*(arguments for arguments, _ in MISTAKES), folder=folder)


@pytest.mark.parametrize("number", range(len(MISTAKES)), ids=lambda number: " ".join(MISTAKES[number][0]))
def test_mistakes_are_answered_without_a_backend(number, answered):
    code, stderr = answered[number]
    assert stderr.startswith(f"Error: {MISTAKES[number][1]}")
    assert (code, stderr.count("\n")) == (2, 1)


def test_an_existing_output_is_refused_without_a_backend(first_25, folder):
    make_files(folder)
    found = answers(
        ["evaluate", first_25.directory, "--out", "full"],
        ["export", first_25.directory, "--format", "x", "--out", "full"],
    )
    assert found == [(2, f"Error: full {EXISTS}.\n")] * 2


def test_a_missing_or_unknown_backend_is_one_line():
    run = "which is not installed. Run: pip install"
    assert answers(["train", "copy"]) == [
        (2, f"Error: Keras needs the package tensorflow, {run} tensorflow, or set KERAS_BACKEND to another backend.\n")
    ]
    ((_, stderr),) = answers(["list", "modes"], backend="torch")
    assert stderr.startswith(f"Error: Keras needs the package torch, {run} torch")
    words = "KERAS_BACKEND must be one of tensorflow, jax, torch, got 'tensorflwo'. Did you mean 'tensorflow'?"
    assert answers(["schema"], backend="tensorflwo") == [(2, f"Error: {words}\n")]
