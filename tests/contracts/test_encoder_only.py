import re

import keras
import numpy as np
import pytest

from seq2seq_zoo import Encoder, EncoderOnly, Tokens, Vectors, load
from seq2seq_zoo.data.vocabulary import Vocabulary

SIZE = 9  # tokens of the sources
IDS = np.array([[4, 5, 6, 7, 8], [5, 5, 0, 0, 0], [8, 4, 4, 0, 0], [7, 0, 0, 0, 0], [0, 0, 0, 0, 0]])
LABELS = np.array([4, 5, 4, 5, 0])
LENGTHS = (5, 2, 3, 1)


def encoder_only(whole=True, cell="gru", **options):
    model = EncoderOnly(Encoder(6, cell=cell, vocabulary_size=SIZE), Tokens(6), whole, **options)
    model.build((None, None))
    random = np.random.default_rng(1)
    model.set_weights([random.normal(size=weight.shape) for weight in model.get_weights()])
    model.compile(keras.optimizers.SGD(0.0), model.readout.loss(), run_eagerly=True)
    return model


def losses(readout, features, ids):
    """`-log p[id]` at each step, in numpy."""
    logits = features @ np.array(readout.kernel) + np.array(readout.bias)
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return -np.take_along_axis(log_probs, np.asarray(ids)[:, None], 1)[:, 0]


def sequences(model, ids=IDS):
    """`H` of each real row, its real steps."""
    outputs = np.array(model.encoder(ids).sequence)
    return [row[real] for row, real in zip(outputs, ids != 0, strict=True) if real.any()]


def of_labels(model, gain):
    rows = []
    for features, label, length in zip(sequences(model), LABELS, LENGTHS, strict=False):
        each = losses(model.readout, features, [label] * length)
        weights = np.linspace(0, 1, length) if gain and length > 1 else np.arange(1, length + 1) == length
        rows.append((weights * each).sum() / weights.sum())
    return np.mean(rows)


def of_next_tokens(model):
    each = [
        losses(model.language, features[:-1], row[1 : len(features)])
        for features, row in zip(sequences(model), IDS, strict=False)
    ]
    return np.concatenate(each).mean()


@pytest.mark.parametrize("gain", [False, True])
@pytest.mark.parametrize("weight", [0.0, 0.3])
def test_the_loss_equals_its_numpy_reference(gain, weight):
    model = encoder_only(linear_gain=gain, joint_weight=weight)
    expected = of_labels(model, gain) + (weight * of_next_tokens(model) if weight else 0.0)
    for ids in (IDS, np.pad(IDS, [(0, 0), (0, 3)])):
        assert model.train_on_batch(ids, LABELS) == pytest.approx(expected, rel=1e-5)


def test_left_padding_changes_no_loss():
    model = encoder_only(linear_gain=True, joint_weight=0.3)
    left = np.stack([np.roll(row, (row == 0).sum()) for row in IDS])
    assert model.train_on_batch(left, LABELS) == pytest.approx(model.train_on_batch(IDS, LABELS), rel=1e-5)


def test_sample_weights_scale_the_loss_of_each_row():
    model = encoder_only(linear_gain=True)
    of_first = model.train_on_batch(IDS[:1], LABELS[:1])
    weighed = model.train_on_batch(IDS[:3], LABELS[:3], sample_weight=np.array([1.0, 0.0, 0.0]))
    assert weighed == pytest.approx(of_first / 3, rel=1e-5)


def test_joint_training_with_a_label_for_each_step_adds_both_losses():
    model = encoder_only(whole=False, joint_weight=0.5)
    rows = [losses(model.readout, features, [4] * len(features)) for features in sequences(model)]
    expected = np.concatenate(rows).mean() + 0.5 * of_next_tokens(model)
    assert model.train_on_batch(IDS, np.where(IDS == 0, 0, 4)) == pytest.approx(expected, rel=1e-5)


def test_linear_gain_and_joint_training_change_training_alone():
    """Elsewhere, outputs, losses and metrics are those of the plain model with the same weights."""
    plain = encoder_only()
    both = EncoderOnly(plain.encoder, plain.readout, True, linear_gain=True, joint_weight=1.0)
    both.compile(keras.optimizers.SGD(0.0), plain.readout.loss(), metrics=["accuracy"], run_eagerly=True)
    both.build((None, None))
    assert both.count_params() - plain.count_params() == 6 * SIZE + SIZE
    np.testing.assert_array_equal(plain.predict_on_batch(IDS), both.predict_on_batch(IDS))
    measured, trained = both.test_on_batch(IDS[:3], LABELS[:3]), both.train_on_batch(IDS[:3], LABELS[:3])
    assert measured[0] == plain.test_on_batch(IDS[:3], LABELS[:3])
    assert trained[0] != pytest.approx(measured[0])
    assert trained[1] == measured[1]


def test_all_weights_learn_and_the_loss_falls():
    model = encoder_only(cell="lstm", linear_gain=True, joint_weight=0.5)
    before = model.get_weights()
    model.compile(keras.optimizers.Adam(0.02), model.readout.loss())
    history = model.fit(IDS, LABELS, epochs=30, verbose=0).history["loss"]
    assert history[-1] < 0.7 * history[0]
    assert all((old != new).any() for old, new in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("whole", [True, False])
def test_labels_of_texts_are_the_same_after_saving(tmp_path, whole):
    vocabularies = Vocabulary.build(["abc"], ""), Vocabulary.build(["no yes"], " ")
    model = EncoderOnly(
        Encoder(6, vocabulary_size=7), Tokens(6), whole, *vocabularies, linear_gain=whole, joint_weight=0.2
    )
    model.build((None, None))
    texts = ["abcab", "a", "cx"]
    predictions = model.predictions(texts)
    assert [len(prediction.hypotheses[0].tokens) for prediction in predictions] == ([1, 1, 1] if whole else [5, 1, 2])
    assert [prediction.unknown for prediction in predictions] == [[], [], ["x"]]
    assert model.labels(texts) == [prediction.hypotheses[0].tokens for prediction in predictions]
    ids = np.array([vocabularies[0].encode(texts[0])])
    logits = np.array(model(ids)).reshape(-1, 6)
    log_probs = np.log(np.exp(logits) / np.exp(logits).sum(-1, keepdims=True))[:, 2:].max(
        -1
    )  # neither padding nor start
    best = predictions[0].hypotheses[0]
    np.testing.assert_allclose(best.token_log_probs, log_probs, rtol=1e-4)
    assert best.log_prob == pytest.approx(log_probs.sum(), rel=1e-4)
    assert model.predictions(texts[:1])[0].hypotheses[0].log_prob == pytest.approx(best.log_prob, rel=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = load(tmp_path / "model.keras")
    assert loaded.predictions(texts) == predictions
    assert (loaded.linear_gain, loaded.joint_weight) == (whole, 0.2)


def test_invalid_arguments_are_refused():
    encoder, both_ways = Encoder(6, vocabulary_size=SIZE), Encoder(6, vocabulary_size=SIZE, bidirectional=True)
    for message, arguments in {
        "linear_gain needs one label for the whole source, but with whole=False": (
            encoder,
            False,
            True,
            0.0,
        ),
        "joint_weight=0.5 needs sources of tokens, but this encoder reads vectors": (Encoder(6), True, False, 0.5),
        "joint_weight=0.5 needs an encoder that reads in one direction": (both_ways, True, False, 0.5),
        "linear_gain needs an encoder that reads in one direction": (both_ways, True, True, 0.5),
    }.items():
        encoder, whole, gain, weight = arguments
        with pytest.raises(ValueError, match=re.escape(message)):
            EncoderOnly(encoder, Tokens(6), whole, linear_gain=gain, joint_weight=weight)
    with pytest.raises(ValueError, match="This model has no vocabularies"):
        EncoderOnly(Encoder(6), Vectors(3)).labels(["a"])
