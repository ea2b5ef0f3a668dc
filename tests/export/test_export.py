"""Export: what it writes, takes and refuses."""

import json
import sys

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from cases import SOURCE, TOKENS, close, randomise, small

from seq2seq_zoo import (
    AttentionDecoder,
    Encoder,
    Ensemble,
    FeedbackDecoder,
    NoEncoder,
    Seq2Seq,
    Tokens,
    decoders,
)
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.export import ExportError, export, formats, generate

CHARACTERS = Vocabulary(["<pad>", "<start>", "<end>", "<unk>", "a", "é", "語", "d", " "], separator="")
WORDS = Vocabulary(["<pad>", "<start>", "<end>", "<unk>", "four", "hundert", "fünf", "七", "nine"], separator=" ")
FEATURES = Vocabulary(["<pad>", "<start>", "<end>", "<unk>", "a;", "é;", "é", "a", " "], separator=";")
TEXTS = ["aé語d", "", " a  x ", "語" * 9, "é"]


def with_vocabularies(mode="attention", source=CHARACTERS, target=WORDS):
    model = small(mode)
    model.source_vocabulary, model.target_vocabulary = source, target
    return model


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A model with attention, exported to every format for any number of rows."""
    folder, model = tmp_path_factory.mktemp("exported"), with_vocabularies()
    return folder, model, {name: export(model, folder / name, name, batch="dynamic") for name in formats}


# === What is written ===


def test_vocabularies_are_written_as_plain_json(exported):
    folder, model, found = exported
    for name in found:
        texts = json.loads((folder / name / "vocabularies.json").read_text(encoding="utf-8"))
        assert Vocabulary.from_config(texts["source"]) == model.source_vocabulary
        assert Vocabulary.from_config(texts["target"]) == model.target_vocabulary


def test_a_dynamic_batch_takes_any_number_of_rows_of_any_length(exported):
    _, model, found = exported
    for name, each in found.items():
        for rows in (SOURCE, SOURCE[:1, :2], np.pad(SOURCE, ((0, 3), (0, 5)))):
            np.testing.assert_array_equal(each.run(rows)["ids"], model.search(rows).ids, err_msg=name)
        assert generate(each, model.vocabularies, TEXTS, batch_size=2) == model.generate(TEXTS), name
        assert generate(each, model.vocabularies, []) == []


def test_weights_that_half_precision_holds_are_stored_in_it_and_no_others(tmp_path):
    model = Seq2Seq(Encoder(20, vocabulary_size=TOKENS), FeedbackDecoder(20, readout=Tokens(TOKENS)))
    model.build((None, None))
    stored = {}
    for name, rounded in (("single", np.float32), ("half", np.float16)):
        randomise(model)
        model.set_weights([weight.astype(rounded).astype("float32") for weight in model.get_weights()])
        found = export(model, tmp_path / name, "onnx")
        np.testing.assert_allclose(found.run(SOURCE)["log_probs"], model.search(SOURCE).log_probs, atol=1e-5)
        weights = onnx.load(tmp_path / name / "encode.onnx").graph.initializer
        stored[name] = {weight.data_type for weight in weights if np.prod(weight.dims) > 1000}
    assert stored == {"single": {onnx.TensorProto.FLOAT}, "half": {onnx.TensorProto.FLOAT16}}


def test_a_fixed_batch_is_filled_up(tmp_path):
    model = with_vocabularies("basic")
    found = export(model, tmp_path / "three", "litert", batch=3)
    assert found.batch == 3
    assert generate(found, model.vocabularies, TEXTS) == model.generate(TEXTS)


@pytest.mark.parametrize("source", [CHARACTERS, WORDS, FEATURES], ids=["characters", "words", "features"])
def test_a_savedmodel_maps_texts_to_texts(source, tmp_path):
    model = with_vocabularies("peek", source, CHARACTERS)
    search = {"name": "beam", "size": 3, "n_best": 2}
    export(model, tmp_path / "model", "savedmodel", search)
    texts = [*TEXTS, "four　nine", "\tfünf\x1c七 \n", "<end> <unk> a", "a;;é;x a éa"]
    outputs = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"](texts=tf.constant(texts))
    expected = model.predictions(texts, search)
    for prediction, row, scores in zip(expected, outputs["texts"].numpy(), outputs["scores"].numpy(), strict=True):
        assert [text.decode() for text in row] == [each.text for each in prediction.hypotheses]
        close(scores, [each.score for each in prediction.hypotheses])


@pytest.mark.parametrize("mode", decoders.list())
def test_exported_encoder_and_step_reproduce_the_search(mode, tmp_path):
    model = small(mode)
    export(model, tmp_path / "parts", "savedmodel")
    loaded = tf.saved_model.load(str(tmp_path / "parts"))
    encode, step = loaded.signatures["encode"], loaded.signatures["step"]
    expected = model.search(SOURCE)
    tensors, previous = dict(encode(sources=tf.constant(SOURCE))), np.full(len(SOURCE), 1, "int32")
    assert set(step.structured_input_signature[1]) == {*tensors, "previous"}  # nothing that it does not read
    for t in range(expected.ids.shape[-1]):
        found = step(previous=tf.constant(previous), **tensors)
        tensors.update({name.removeprefix("next_"): value for name, value in found.items() if name.startswith("next_")})
        going = (expected.ids[:, 0, :t] != 2).all(1)
        previous = 2 + found["logits"].numpy()[:, 2:].argmax(-1).astype("int32")
        np.testing.assert_array_equal(previous[going], expected.ids[going, 0, t])
        if mode == "attention":
            close(found["weights"].numpy()[going], expected.weights[going, 0, t])


def test_ensembles_sources_of_vectors_and_half_precision_can_be_exported(tmp_path):
    ensemble = Ensemble([small("attention"), small("peek")])
    found = export(ensemble, tmp_path / "ensemble", "savedmodel")
    np.testing.assert_array_equal(found.run(SOURCE)["ids"], ensemble.search(SOURCE).ids)

    vectors = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    model = Seq2Seq(Encoder(4), AttentionDecoder(4, readout=Tokens(TOKENS), max_length=6))
    model.build((None, None, 3))
    found = export(model, tmp_path / "vectors", "savedmodel")
    np.testing.assert_array_equal(found.run(vectors)["ids"], model.search(vectors).ids)

    parts = {"dtype": "mixed_bfloat16"}
    encoder, readout = Encoder(4, vocabulary_size=TOKENS, **parts), Tokens(TOKENS)
    half = Seq2Seq(encoder, AttentionDecoder(4, readout=readout, max_length=6, **parts))
    half.build((None, None))
    whole = small("attention")
    half.set_weights(whole.get_weights())
    found = export(half, tmp_path / "half", "savedmodel")
    np.testing.assert_array_equal(found.run(SOURCE)["ids"], whole.search(SOURCE).ids)


def test_an_exported_language_model_continues_texts(tmp_path):
    letters = Vocabulary.build(["aé語d "], "", endless=True)
    decoder = FeedbackDecoder(4, depth=2, readout=Tokens(len(letters), end=None), max_length=7)
    model = Seq2Seq(NoEncoder(), decoder, Vocabulary.build([], ""), letters)
    model.build((None, None))
    randomise(model)
    model.readout.bias.assign([-99.0 if id == letters.unknown else 0.0 for id in range(len(letters))])
    given = ["aé", "", "語", "d a"]
    for name in formats:
        found = export(model, tmp_path / name, name, batch="dynamic")
        outputs = generate(found, model.vocabularies, given)
        assert outputs == model.generate(given), name
        assert [len(text) for text in outputs] == [7] * 4
    text = tf.saved_model.load(str(tmp_path / "savedmodel")).signatures["serving_default"]
    texts = text(texts=tf.constant(given))["texts"].numpy()
    assert [row[0].decode() for row in texts] == model.generate(given)


@pytest.mark.parametrize("name", [name for name in formats if formats[name].quantizations])
def test_quantized_weights_change_log_probabilities_little(name, tmp_path):
    model = Seq2Seq(Encoder(64, vocabulary_size=TOKENS), AttentionDecoder(64, readout=Tokens(TOKENS), max_length=6))
    model.build((None, None))

    def exported(quantize):
        folder = tmp_path / str(quantize)
        found = export(model, folder, name, quantize=quantize, batch=4)
        return sum(path.stat().st_size for path in folder.iterdir()), found.run(SOURCE)["log_probs"]

    size, log_probs = exported(None)
    for quantize, most in {"dynamic-int8": 0.1, "float16": 0.01}.items():
        smaller, others = exported(quantize)
        assert smaller < 0.75 * size
        assert 0 < np.abs(log_probs - others).max() < most


# === What is refused ===


def refused(message, *arguments, **options):
    with pytest.raises(ExportError, match=message):
        export(*arguments, **options)


def test_an_export_overwrites_nothing_and_leaves_nothing_half_written(tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    model = small("basic")
    refused("there already exists and is not overwritten", model, tmp_path / "there", "savedmodel")

    def fail(*arguments):
        (arguments[4] / "part").write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(formats["savedmodel"], "write", fail)
    with pytest.raises(OSError, match="No space left"):
        export(model, tmp_path / "new", "savedmodel")
    assert [each.name for each in tmp_path.iterdir()] == ["there"]


def test_invalid_exports_are_refused_in_one_line(tmp_path, monkeypatch):
    model, place = small("basic"), tmp_path / "new"
    refused("An exported search cannot be random: expected greedy or beam, got Sample", model, place, "onnx", "sample")
    refused(
        "onnx cannot store weights as int4; supported: dynamic-int8 or float16", model, place, "onnx", quantize="int4"
    )
    refused("savedmodel cannot store .* supported: none", model, place, "savedmodel", quantize="float16")
    refused("at least 1 or 'dynamic', got 0", model, place, "onnx", batch=0)
    refused("at least 1 or 'dynamic', got 'many'", model, place, "onnx", batch="many")
    with pytest.raises(ValueError, match=r"Unknown export format 'onx'\. Did you mean 'onnx'\?"):
        export(model, place, "onx")
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    refused(r"needs the package tf2onnx: pip install 'seq2seq-zoo\[onnx\]'", model, place, "onnx")
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    refused("but Keras runs on jax here: set KERAS_BACKEND=tensorflow", model, place, "savedmodel")
    assert not list(tmp_path.iterdir())
