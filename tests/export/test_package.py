"""A model as a Python package: its answers are the model's, and it needs neither Keras nor TensorFlow."""

import importlib
import json
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from cases import randomise
from letters import BEAM, LETTERS, model_of, sources

from seq2seq_zoo import Encoder, EncoderOnly, FeedbackDecoder, NoEncoder, Seq2Seq, Tokens, decoders
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.export import ExportError, export, package
from seq2seq_zoo.runtime.texts import search_texts

CASES = [  # every mode has both cells and both searches
    (mode, cell, BEAM if (place + number) % 2 else "greedy")
    for place, mode in enumerate(decoders.list())
    for number, cell in enumerate(["lstm", "gru"])
]


@pytest.mark.parametrize(("mode", "cell", "search"), CASES, ids=str)
def test_the_code_of_packages_gives_the_models_outputs(mode, cell, search, tmp_path):
    model, texts = model_of(mode, cell), sources(500)
    graph = export(model, tmp_path / "graph", {"name": "onnx", "parts": False}, search).graph
    assert [path.name for path in sorted((tmp_path / "graph").iterdir())] == ["search.onnx", "vocabularies.json"]
    found = search_texts(graph, model.vocabularies, texts, batch_size=100)
    expected = model.predictions(texts, search, batch_size=500)
    assert len({round(each.hypotheses[0].log_prob, 4) for each in expected}) > 50  # not the same for all
    ties = 0
    for ours, theirs in zip(expected, found, strict=True):
        assert theirs[:2] == ours[:2]
        assert theirs.text == ours.text
        if [each.text for each in theirs.hypotheses] != [each.text for each in ours.hypotheses]:
            ties += 1  # two hypotheses of equal probability, of which a beam keeps one
            continue
        for a, b in zip(ours.hypotheses, theirs.hypotheses, strict=True):
            np.testing.assert_allclose(b.token_log_probs, a.token_log_probs, atol=1e-3)
    assert ties <= 1


# === The wheel ===


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A model, its package, and an environment in which only NumPy, ONNX Runtime and the wheel are installed."""
    folder, model = tmp_path_factory.mktemp("package"), model_of("attention")
    package(model, folder / "source", "letters", sources(60, seed=1), "## About\n", search=BEAM)
    venv.create(folder / "fresh", symlinks=True)
    (site,) = (folder / "fresh").glob("lib/*/site-packages")
    for each in [Path(np.__file__).parent, *Path(np.__file__).parents[1].glob("numpy.libs")]:
        (site / each.name).symlink_to(each)
    (site / "onnxruntime").symlink_to(Path(onnxruntime.__file__).parent)
    python = folder / "fresh/bin/python"
    (wheel,) = (folder / "source/dist").iterdir()
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True, capture_output=True)
    return folder, model


def ran(program, *arguments, input=None, code=0, cwd=None):
    """Standard output and standard error of a program that must end with an exit code."""
    done = subprocess.run([program, *map(str, arguments)], input=input, capture_output=True, text=True, cwd=cwd)
    assert done.returncode == code, done
    return done.stdout, done.stderr


def test_the_wheel_answers_in_a_fresh_environment(built, tmp_path):
    folder, model = built
    command, python = folder / "fresh/bin/letters", folder / "fresh/bin/python"
    texts = sources(500)
    expected = model.generate(texts, BEAM, batch_size=500)
    out, error = ran(command, input="\n".join(texts))
    assert out.splitlines() == expected
    assert error == "Tokens that the model does not know: ' ', 'X', 'x'\n" or sorted(error.split("'")) == sorted(
        ["Tokens that the model does not know: ", " ", ", ", "X", ", ", "x", "\n"]
    )
    (tmp_path / "texts").write_text("\r\n".join(texts[:9]), encoding="utf-8")
    assert ran(command, "--file", tmp_path / "texts")[0].splitlines() == expected[:9]
    best = [each.text for each in model.predictions(["abc"], BEAM)[0].hypotheses]
    assert ran(command, "abc", "--n-best", 3) == ("".join(f"1\t{text}\n" for text in best), "")
    code = (
        "import sys, letters; print(letters.generate(['abc'], n_best=3) == "
        f"[{best!r}], letters.generate([]), {{'keras', 'tensorflow', 'seq2seq_zoo'}} & set(sys.modules))"
    )
    assert ran(python, "-c", code)[0] == "True [] set()\n"
    ran(
        python,
        "-c",
        "import tests.test_answers as t; t.test_the_model_gives_the_recorded_answers()",
        cwd=folder / "source",
    )


def test_wrong_inputs_of_the_command_are_one_line(built, tmp_path):
    command = built[0] / "fresh/bin/letters"
    (tmp_path / "bad").write_bytes(b"ab\n\xff\n")

    def message(*arguments, **options):
        out, error = ran(command, *arguments, code=2, **options)
        assert (out, error.count("\n")) == ("", 1)
        return error.removeprefix("Error: ").strip()

    assert message("abc", "--n-best", "4") == (
        "The search of this model returns 3 outputs for each text, fewer than n_best=4: export the model with a larger "
        "beam."
    )
    assert message("abc", "--n-best", "0") == "Expected an n_best of at least 1, got 0."
    assert "line 2: expected UTF-8 text, found the byte 0xff" in message("--file", tmp_path / "bad")
    assert message("--file", tmp_path / "none").startswith("Cannot read the data file")
    assert message("abc", "--file", tmp_path / "bad").startswith(
        "give texts as arguments or a --file of them, not both"
    )
    assert message("--beam").startswith("unrecognized arguments: --beam. See 'letters --help'")


def test_a_package_has_what_it_promises(built):
    source = built[0] / "source"
    recorded = json.loads((source / "tests/answers.json").read_text(encoding="utf-8"))
    assert len(recorded["answers"]) == 50
    assert recorded["answers"] == built[1].generate(recorded["sources"], BEAM)
    readme = (source / "README.md").read_text(encoding="utf-8")
    assert readme.startswith("# letters\n")
    assert "## About" in readme
    assert "Apache License" in (source / "LICENSE").read_text(encoding="utf-8")
    files = [path for path in (source / "letters").iterdir() if path.name != "__pycache__"]  # of an import
    assert {path.suffix for path in files} == {
        ".py",
        ".onnx",
        ".json",
        ".typed",
    }
    for module in (source / "letters").glob("*.py"):
        assert "from seq2seq_zoo" not in module.read_text(encoding="utf-8"), module


# === Other models, and what is refused ===


def test_a_language_model_continues_texts(tmp_path, monkeypatch):
    decoder = FeedbackDecoder(4, readout=Tokens(len(LETTERS)), max_length=6)
    model = Seq2Seq(NoEncoder(), decoder, Vocabulary.build([], ""), LETTERS)
    model.build((None, None))
    randomise(model)
    package(model, tmp_path / "source", "writer", ["a", "bc"], format="litert")
    monkeypatch.syspath_prepend(tmp_path / "source")
    writer = importlib.import_module("writer")
    assert writer.generate(["a", "bcd", ""]) == model.generate(["a", "bcd", ""])
    with pytest.raises(ValueError, match="A text contains 'x', which this model does not know"):
        writer.generate(["ax"])
    with pytest.raises(ValueError, match="A text has 7 tokens, but an output has at most 6"):
        writer.generate(["abcdabc"])


def test_what_cannot_be_a_package_is_refused_in_one_line(tmp_path, monkeypatch):
    model, place = model_of("basic"), tmp_path / "new"

    def refused(message, name="letters", given=model, **options):
        with pytest.raises(ExportError, match=message):
            package(given, place, name, ["a"], **options)

    refused(r"got 'My-Model 2'\. Did you mean 'my_model_2'\?", "My-Model 2")
    refused("'class' is a word or a module of Python", "class")
    refused("'json' is a word or a module of Python", "json")
    refused("in the format onnx or litert, got 'savedmodel'", format="savedmodel")
    bare = EncoderOnly(Encoder(4, vocabulary_size=9), Tokens(9))
    refused("has neither vocabularies nor known units", given=bare)
    monkeypatch.setitem(sys.modules, "flit_core.wheel", None)
    refused(r"pip install 'seq2seq-zoo\[package\]'")
    assert not list(tmp_path.iterdir())
    place.mkdir()
    refused("already exists and is not overwritten")
