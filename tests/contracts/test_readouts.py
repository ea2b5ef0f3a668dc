"""Readouts: real-valued outputs, and what holds for all."""

import keras
import numpy as np
import pytest
from cases import FEATURES, LENGTH, REAL, SOURCE, TOKENS, VECTORS, VOCABULARY, close, randomise, small

from seq2seq_zoo import (
    BasicDecoder,
    Encoder,
    Ensemble,
    FeedbackDecoder,
    Gaussian,
    Quantiles,
    Seq2Seq,
    Tokens,
    Vectors,
    average,
)
from seq2seq_zoo.config.options import options_of
from seq2seq_zoo.layers import losses
from seq2seq_zoo.layers.readouts.readout import readouts

SIZES = {name: {"vocabulary_size": TOKENS} if name == "tokens" else {"size": FEATURES} for name in readouts}
VALUES = {
    "vectors": {"mask_value": 0.0, "activation": "tanh"},
    "gaussian": {"mask_value": 0.0},
    "quantiles": {"mask_value": 0.0, "quantiles": (0.25, 0.5, 0.75, 0.9)},
}


def built(name, **options):
    readout = readouts.create(name, **SIZES[name], **options)
    readout.set_default_width(4)
    readout.build(5, feeds_back=True)
    randomise(readout)
    return readout


def pinball(y, p, q):
    return q * (y - p) if y > p else (1 - q) * (p - y)


# For one feature: from its numbers to the output, and from target and numbers to the loss.
OUTPUTS = {
    "vectors": (lambda p: p, lambda y, p: (y - p) ** 2),
    "gaussian": (
        lambda m, s: m,
        lambda y, m, s: -np.log(np.exp(-0.5 * ((y - m) / np.exp(s)) ** 2) / (np.exp(s) * np.sqrt(2 * np.pi))),
    ),
    "quantiles": (
        lambda *ps: ps[1],
        lambda y, *ps: np.mean([pinball(y, p, q) for p, q in zip(ps, VALUES["quantiles"]["quantiles"], strict=True)]),
    ),
}


@pytest.mark.parametrize("name", readouts)
def test_numbers_output_and_loss_equal_the_numpy_reference(name):
    if name == "tokens":
        return  # part of the references of whole decoders in tests/references/decoders.py
    readout, (output, loss) = built(name, **VALUES[name]), OUTPUTS[name]
    features = np.random.default_rng(1).normal(size=(4, 4, 5))
    kernel, bias = map(np.asarray, readout.weights)
    numbers = features @ kernel + bias
    if name == "vectors":
        numbers = np.tanh(numbers)
    found = readout.read(features.astype("float32"))
    assert found.shape[-1] == readout.output_width
    close(found, numbers)
    blocks = numbers.reshape(4, 4, -1, FEATURES)  # for each step, a row for each kind of number
    close(readout.predict(found), np.apply_along_axis(lambda each: output(*each), 2, blocks))
    expected = [
        np.mean([loss(VECTORS[at][feature], *blocks[at][:, feature]) for feature in range(FEATURES)])
        for at in np.ndindex(4, 4)
    ]
    own = type(readout.loss()).from_config(readout.loss().get_config())
    close(own.call(VECTORS, found), np.reshape(expected, (4, 4)))


@pytest.mark.parametrize("name", readouts)
def test_get_config_rebuilds_the_same_readout(name):
    readout = readouts.create(name, **SIZES[name], **VALUES.get(name, {}))
    rebuilt = type(readout).from_config(readout.get_config())
    assert rebuilt.get_config() == readout.get_config()
    assert options_of(type(readout)).keys() <= readout.get_config().keys()


def test_a_target_is_padding_if_all_its_features_have_the_mask_value():
    targets = np.array([[[0, 0], [0, 1], [1, 0], [2, 2]]])
    np.testing.assert_array_equal(Vectors(2, mask_value=0.0).mask(targets), [[False, True, True, True]])
    assert np.asarray(Vectors(2).mask(targets)).all()
    assert not np.asarray(Vectors(2).is_end(targets)).any()


@pytest.mark.parametrize("name", VALUES)
def test_models_of_real_values_leave_padding_out_and_load_as_saved(name, tmp_path):
    model = small("attention", readout=readouts.create(name, size=FEATURES, **VALUES[name]))
    model.compile(keras.optimizers.SGD(0.0), model.readout.loss(), run_eagerly=True)
    outputs = model((SOURCE, VECTORS))
    loss = np.asarray(model.readout.loss().call(VECTORS, outputs))[REAL].mean()
    close(
        model.evaluate(
            (SOURCE, np.pad(VECTORS, ((0, 0), (0, 2), (0, 0)))), np.pad(VECTORS, ((0, 0), (0, 2), (0, 0))), verbose=0
        ),
        loss,
    )
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    close(loaded((SOURCE, VECTORS)), outputs)
    close(loaded.predict_on_batch(SOURCE), model(SOURCE))


def test_sequences_of_real_values_are_learnt():
    """From vectors to vectors of another width: the sums of two features, in reverse order."""
    keras.utils.set_random_seed(1)
    source = np.random.default_rng(0).uniform(-0.5, 0.5, (256, 3, 2)).astype("float32")
    target = source.sum(-1, keepdims=True)[:, ::-1]
    model = Seq2Seq(Encoder(16, cell="gru"), FeedbackDecoder(16, cell="gru", readout=Vectors(1), max_length=3))
    model.compile(keras.optimizers.Adam(0.02), model.readout.loss(), jit_compile=False)
    losses = model.fit((source, target), target, epochs=25, verbose=0).history["loss"]
    assert losses[-1] < 0.01 < np.var(target) / 10
    assert np.mean((model.predict(source, verbose=0) - target) ** 2) < 0.02


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "float64"])
def test_outputs_are_float32_whatever_the_policy(dtype):
    readout = Gaussian(FEATURES, dtype=dtype)
    decoder = FeedbackDecoder(4, readout=readout, sampling={"name": "constant", "p": 0.5}, max_length=2, dtype=dtype)
    model = Seq2Seq(Encoder(4, vocabulary_size=TOKENS, dtype=dtype), decoder, dtype=dtype)
    passes = [model((SOURCE, VECTORS)), model((SOURCE, VECTORS), training=True), model(SOURCE)]
    assert {keras.backend.standardize_dtype(each.dtype) for each in passes} == {"float32"}


# === Errors ===


@pytest.mark.parametrize("readout", [Vectors(2), Gaussian(2), Quantiles(2)])
def test_label_smoothing_is_for_tokens_only(readout):
    words = rf"smooths the probabilities of tokens, but the outputs of {type(readout).__name__} are real values"
    with pytest.raises(ValueError, match=words):
        readout.loss(0.1)
    assert Tokens(9).loss(0.1).label_smoothing == 0.1
    assert isinstance(Gaussian(2).loss(), losses.GaussianNLL)


@pytest.mark.parametrize("quantiles", [(), (0.1, 0.9), (0.9, 0.5, 0.1), (0.5, 0.5), (0.5, 1.0)])
def test_quantiles_must_increase_and_include_the_median(quantiles):
    with pytest.raises(ValueError, match=r"must increase between 0 and 1 and include 0\.5, the output, got"):
        Quantiles(2, quantiles=quantiles)


def test_real_values_have_no_search_score_ensemble_or_vocabulary():
    model = small("basic", readout=Vectors(FEATURES))
    with pytest.raises(ValueError, match=r"A search needs .* tokens, but this model's readout is Vectors"):
        model.search(SOURCE)
    with pytest.raises(ValueError, match=r"Log-probabilities need .* tokens, but this model's readout is Vectors"):
        model.log_probs(SOURCE, VECTORS)
    with pytest.raises(ValueError, match=r"averages the probabilities of tokens, but these models' readout is Vectors"):
        Ensemble([model, model])
    close(average([model, model])(SOURCE), model(SOURCE))
    words = "The {} vocabulary has no use: this {} is for vectors, not for ids. Leave it out."
    with pytest.raises(ValueError, match=words.format("target", "Vectors")):
        Seq2Seq(Encoder(4, vocabulary_size=TOKENS), BasicDecoder(4, Vectors(2)), target_vocabulary=VOCABULARY)
    with pytest.raises(ValueError, match=words.format("source", "Encoder")):
        Seq2Seq(Encoder(4), BasicDecoder(4, Vectors(2), max_length=LENGTH), VOCABULARY)
