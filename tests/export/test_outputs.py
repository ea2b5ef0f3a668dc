"""Labels and real values: every format and a package equal the model on held-out rows."""

import csv
import importlib
import sys

import numpy as np
import pytest
from cases import randomise

from seq2seq_zoo import Encoder, EncoderOnly, Tokens
from seq2seq_zoo.cli.shared import presets
from seq2seq_zoo.config.reader import read
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.experiment import factory
from seq2seq_zoo.export import ExportError, export, formats, label, package, predict
from seq2seq_zoo.tasks import tasks
from seq2seq_zoo.training import real_values

TEXTS = ["aé語d", "", " a  x ", "語" * 9, "é"]
SIZES = {"train_size": 4, "dev_size": 2, "test_size": 3, "min_frames": 5, "max_frames": 9}


def labelling(whole):
    source = Vocabulary.build(["aé語d "], "")
    target = Vocabulary.build(["NOUN VERB ADJ"], " ")
    model = EncoderOnly(
        Encoder(4, vocabulary_size=len(source), bidirectional=True), Tokens(len(target)), whole, source, target
    )
    model.build((None, None))
    randomise(model)
    return model


def made(preset, data, *changes):
    model = factory.make_model(read(presets()[preset], factory.schema, ["encoder.units=4", *changes]), data)
    randomise(model)
    return model


@pytest.fixture(scope="module")
def forecast():
    """A model of windows with a column that is known in advance, its inputs, held-out windows, and its outputs."""
    task = tasks.create("seasons", steps=400, history=24, horizon=5, known=["event"])
    data = task.load()
    model = made("forecast", data, "decoder.units=4", "readout=quantiles", "decoder.mode=attention")
    rows = data.splits["test"][:7]
    sources = [row.given.copy() for row in rows]
    for source in sources:
        source[24:, :2] = np.nan  # the future of what is not known
    return model, task.inputs(data.kept), sources, real_values.predict(model, rows)


@pytest.fixture(scope="module")
def frames():
    """The same of sequences of several lengths."""
    task = tasks.create("articulation", acoustics=4, articulators=2, **SIZES)
    data = task.load()
    inputs, rows = task.inputs(data.kept), data.splits["test"]
    model = made("articulation", data)
    return model, inputs, [inputs.unscaled(row.source) for row in rows], real_values.predict(model, rows)


def equal(found, expected):
    """Whether real-valued outputs are those of the model, to single precision."""
    assert len(found) == len(expected)
    for ours, theirs in zip(expected, found, strict=True):
        np.testing.assert_allclose(theirs.values, ours.values, rtol=1e-4, atol=1e-4)
        assert list(theirs.quantiles) == list(ours.quantiles)
        for level, values in ours.quantiles.items():
            np.testing.assert_allclose(theirs.quantiles[level], values, rtol=1e-4, atol=1e-4)


OTHERS = [name for name in formats if name != "onnx"]
"""The formats besides that of the packages below."""


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("kind", ["forecast", "frames"])
def test_every_format_gives_the_models_values(kind, name, request, tmp_path):
    model, inputs, sources, expected = request.getfixturevalue(kind)
    equal(predict(export(model, tmp_path / "graph", name, inputs=inputs), sources, batch_size=2), expected)


@pytest.mark.parametrize("name", OTHERS)
def test_every_format_gives_the_models_labels(name, tmp_path):
    model = labelling(whole=name == "savedmodel")
    exported = export(model, tmp_path / "graph", name)
    assert label(exported, model.vocabularies, TEXTS, batch_size=2) == model.labels(TEXTS)
    if name == "savedmodel":
        import tensorflow as tf

        text = tf.saved_model.load(str(tmp_path / "graph")).signatures["serving_default"]
        found = [row[0].decode() for row in text(texts=tf.constant(TEXTS))["texts"].numpy()]
        assert found == [each.text for each in model.predictions(TEXTS)]


def test_without_inputs_the_graph_takes_scaled_values(forecast, tmp_path):
    model, inputs, sources, _ = forecast
    exported = export(model, tmp_path / "graph", "savedmodel")
    scaled = inputs.scaled(sources[0]).source.astype("float32")
    np.testing.assert_allclose(
        exported.run(scaled[None])["values"][0], np.asarray(model(scaled[None]))[0, :, 2:4], atol=1e-5
    )
    with pytest.raises(ExportError, match="takes scaled values: export it with its `inputs`"):
        predict(exported, sources)
    with pytest.raises(ExportError, match="has no search to export: leave `search` out"):
        export(model, tmp_path / "new", "savedmodel", "beam")


@pytest.mark.parametrize("kind", ["forecast", "frames"])
def test_a_package_of_real_values(kind, request, tmp_path, monkeypatch, capsys):
    model, inputs, sources, expected = request.getfixturevalue(kind)
    package(model, tmp_path / "source", kind, sources, inputs=inputs)
    monkeypatch.syspath_prepend(tmp_path / "source")
    module = importlib.import_module(kind)
    equal(module.predict(sources), expected)
    assert module.columns() == list(inputs.columns)
    with pytest.raises(ValueError, match=r"sources\[0\] has the shape \(3,\): expected \(.*, \d\), with the columns"):
        module.predict([[1, 2, 3]])
    with pytest.raises(ValueError, match=r"sources\[0\] has values that are not finite"):
        module.predict([np.full_like(sources[0], np.nan)])

    with (tmp_path / "new.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*inputs.columns, "sequence"])
        for number, source in enumerate(sources if kind == "frames" else sources[:1]):
            writer.writerows([*(f"{value!r}" for value in row), number] for row in source.tolist())
    monkeypatch.setattr(sys, "argv", [kind, str(tmp_path / "new.csv")])
    module.main()
    header, *lines = csv.reader(capsys.readouterr().out.splitlines())
    assert header[:4] == ["row", "step", *inputs.targets]
    shown = expected if kind == "frames" else expected[:1]
    values = np.concatenate([each.values for each in shown])
    np.testing.assert_allclose([[float(cell) for cell in line[2:4]] for line in lines], values, rtol=1e-4, atol=1e-4)


def test_a_package_of_labels(tmp_path, monkeypatch, capsys):
    model = labelling(whole=False)
    package(model, tmp_path / "source", "tagger", TEXTS)
    monkeypatch.syspath_prepend(tmp_path / "source")
    tagger = importlib.import_module("tagger")
    assert tagger.labels(TEXTS) == model.labels(TEXTS)
    monkeypatch.setattr(sys, "argv", ["tagger", *TEXTS])
    tagger.main()
    assert capsys.readouterr().out.split("\n")[:-1] == [each.text for each in model.predictions(TEXTS)]
