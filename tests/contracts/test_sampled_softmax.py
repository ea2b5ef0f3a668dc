"""Sampled softmax, `Tokens(softmax_samples=...)`: fewer logits in training, all logits everywhere else."""

import itertools

import keras
import numpy as np
import pytest
from cases import SOURCE, TARGET, TOKENS, close, randomise
from keras import ops

from seq2seq_zoo import Encoder, FeedbackDecoder, NoEncoder, Seq2Seq, Tokens, load
from seq2seq_zoo.decoders import modes
from seq2seq_zoo.layers.readouts import tokens
from seq2seq_zoo.layers.readouts.sampled_softmax import EXCLUDED, draw_sample
from seq2seq_zoo.models.stateful import StatefulLanguageModel

EVERY_MODE = [(mode, tied) for mode in modes for tied in (False, True) if modes[mode].feeds_back or not tied]


def model_of(mode="attention", tied=False, samples=3):
    readout = Tokens(TOKENS, tied=tied, softmax_samples=samples)
    model = Seq2Seq(Encoder(4, vocabulary_size=TOKENS), modes.create(mode, units=5, readout=readout))
    model.build((None, None))
    randomise(model)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.5), loss, run_eagerly=True)  # a single step is not worth its compilation
    return model


def stepped(model, source=SOURCE, target=TARGET):
    """The loss of a step, and the weights after it."""
    loss = model.train_on_batch((source, target), target)
    return [loss, *model.get_weights()]


def seeded(model):
    """Keras does not save the state of random generators; `Training` sets it in every epoch."""
    model.readout.seed_generator.state.assign([0, 7])
    return model


@pytest.mark.parametrize(("mode", "tied"), EVERY_MODE)
def test_with_all_tokens_drawn_loss_and_gradients_are_those_of_the_full_softmax(mode, tied):
    full, sampled = model_of(mode, tied, samples=None), model_of(mode, tied)
    sampled.set_weights(full.get_weights())
    sampled.readout.softmax_samples = TOKENS  # the constructor refuses it, as it saves nothing
    for one, other in zip(stepped(full), stepped(sampled), strict=True):
        close(one, other)


@pytest.mark.parametrize("samples", [1, 2, 4, 5])
def test_the_mean_denominator_over_all_samples_is_that_of_the_full_softmax(samples, monkeypatch):
    readout = Tokens(7, softmax_samples=samples)
    readout.set_default_width(4)
    readout.build(4, feeds_back=True)
    randomise(readout)
    features, targets = np.random.default_rng(1).normal(size=(1, 4, 4)).astype("float32"), np.array([[3, 5, 3, 0]])
    own, others = [3, 5], [0, 1, 2, 4, 6]
    draws = itertools.combinations(own, samples) if samples < 2 else itertools.combinations(others, samples - 2)
    sums = []
    for drawn in draws:
        chances = ops.convert_to_tensor(np.isin(np.arange(7), drawn).astype("float32") / 2)
        monkeypatch.setattr(keras.random, "uniform", lambda shape, seed, chances=chances: chances)
        logits = ops.convert_to_numpy(readout.training_outputs(features, targets))
        assert ((logits == EXCLUDED).sum(-1)[0, :3] <= 1).all()
        sums.append(np.exp(logits.astype("float64")).sum(-1))
    full = np.exp(ops.convert_to_numpy(readout.read(features)).astype("float64"))
    counted = full if samples > 2 else full[..., own]  # only the targets fit into the sample
    np.testing.assert_allclose(np.mean(sums, 0)[0, :3], counted.sum(-1)[0, :3], rtol=1e-5)


def test_targets_are_always_drawn_and_other_tokens_uniformly():
    seed = keras.random.SeedGenerator()
    targets = ops.convert_to_tensor([[3, 5, 3, 0]], "int32")

    def draw():
        return [ops.convert_to_numpy(each) for each in draw_sample(targets, targets != 0, 8, samples=4, seed=seed)]

    seed.state.assign([0, 7])
    drawn = [draw() for _ in range(400)]
    counts = np.zeros(8)
    for ids, probabilities in drawn:
        assert len({*ids}) == 4  # none twice
        counts[ids] += 1
        np.testing.assert_allclose(probabilities, np.where(np.isin(ids, [3, 5]), 1, 2 / 6), rtol=1e-6)
    np.testing.assert_array_equal(counts[[3, 5]], 400)
    assert abs(counts[[0, 1, 2, 4, 6, 7]] - 400 * 2 / 6).max() < 40  # four standard errors
    seed.state.assign([0, 7])
    np.testing.assert_array_equal(draw()[0], drawn[0][0])


def test_only_training_has_fewer_logits():
    full, sampled = model_of(samples=None), model_of()
    sampled.set_weights(full.get_weights())
    assert sampled((SOURCE, TARGET), training=True).shape == (*TARGET.shape, 1 + 3)
    assert sampled(SOURCE, training=True).shape[-1] == TOKENS
    close(sampled((SOURCE, TARGET)), full((SOURCE, TARGET)))
    for result in (
        lambda model: model.evaluate((SOURCE, TARGET), TARGET, verbose=0),
        lambda model: model(SOURCE),
        lambda model: model.log_probs(SOURCE, TARGET),
    ):
        close(result(sampled), result(full))


def test_padding_is_left_out():
    one, other = (seeded(model_of(samples=6)) for _ in range(2))
    other.set_weights(one.get_weights())
    padded = [np.pad(ids, ((0, 2), (0, 3))) for ids in (SOURCE, TARGET)]
    for a, b in zip(stepped(one), stepped(other, *padded), strict=True):
        close(a, b)


def test_a_metric_compares_with_the_place_of_the_target(monkeypatch):
    model = model_of()
    sample = ops.convert_to_tensor([0, 1, 3], "int32"), ops.ones(3)
    monkeypatch.setattr(tokens, "draw_sample", lambda *args: sample)
    model.compile("sgd", model.readout.loss(), metrics=["accuracy"], run_eagerly=True)
    model.readout.bias.assign(np.where(np.isin(np.arange(TOKENS), [0, 1, 3]), -1e3, 0))
    assert model.train_on_batch((SOURCE, TARGET), TARGET, return_dict=True)["accuracy"] == 1


def test_training_continues_the_same_after_saving_and_loading(tmp_path):
    model = model_of(samples=4)
    model.compile(keras.optimizers.Adam(0.03), model.readout.loss())
    source, target = SOURCE[:3], TARGET[:3]
    for _ in range(60):
        model.train_on_batch((source, target), target)
    model.save(tmp_path / "model.keras")
    loaded = load(tmp_path / "model.keras")
    assert loaded.readout.softmax_samples == 4
    steps = [
        stepped(seeded(each), source, target)[1:] for each in (model, loaded)
    ]  # the reported loss is a mean over all steps so far
    for one, other in zip(*steps, strict=True):
        close(one, other)
    np.testing.assert_array_equal(loaded.search(source, {"name": "greedy", "max_length": 4}).ids[:, 0], target)


def test_a_language_model_on_a_stream_trains_with_samples():
    model = Seq2Seq(NoEncoder(), FeedbackDecoder(4, readout=Tokens(TOKENS, softmax_samples=3)))
    model.build((None, None))
    stream = StatefulLanguageModel(model, batch=2)
    stream.compile("sgd", model.readout.loss(), run_eagerly=True)
    ids = np.array([[4, 5, 6], [7, 8, 0]])
    assert np.isfinite(stream.train_on_batch((np.array([[False], [True]]), ids), ids))
    assert stream((np.ones((2, 1), bool), ids), training=True).shape[-1] == 1 + 3


def test_options_that_exclude_sampled_softmax_are_refused():
    with pytest.raises(ValueError, match=r"softmax_samples=8 saves nothing with a vocabulary of 9 tokens: leave"):
        Tokens(9, softmax_samples=8)
    with pytest.raises(ValueError, match=r"label_smoothing=0.1 needs the probabilities of all tokens, and"):
        Tokens(9, softmax_samples=3).loss(label_smoothing=0.1)
    with pytest.raises(ValueError, match="softmax_samples and sampling do not go together"):
        FeedbackDecoder(4, readout=Tokens(9, softmax_samples=3), sampling="constant")
