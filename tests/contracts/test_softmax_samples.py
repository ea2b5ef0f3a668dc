"""`Tokens(softmax_samples=...)`: fewer logits in training, all of them everywhere else."""

import itertools

import keras
import numpy as np
import pytest
from cases import SOURCE, SYMBOLS, TARGET, close, randomise
from keras import ops

from seq2seq_zoo import Encoder, FeedbackDecoder, Nothing, Seq2Seq, Tokens, load
from seq2seq_zoo.decoders import modes
from seq2seq_zoo.layers.readout import STRUCK_OUT
from seq2seq_zoo.stream import Stream

EVERY_MODE = [(mode, tied) for mode in modes for tied in (False, True) if modes[mode].feeds_back or not tied]


def model_of(mode="attention", tied=False, samples=3):
    readout = Tokens(SYMBOLS, tied=tied, softmax_samples=samples)
    model = Seq2Seq(Encoder(4, vocabulary_size=SYMBOLS), modes.create(mode, units=5, readout=readout))
    model.build((None, None))
    randomise(model)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.5), loss, run_eagerly=True)  # a single step is not worth its compilation
    return model


def drawing(model, ids):
    model.readout.draw = lambda: ops.convert_to_tensor(ids, "int32")
    return model


def stepped(model, source=SOURCE, target=TARGET):
    """The loss of a step, and the weights after it."""
    loss = model.train_on_batch((source, target), target)
    return [loss, *model.get_weights()]


@pytest.mark.parametrize(("mode", "tied"), EVERY_MODE)
def test_if_all_symbols_are_drawn_the_loss_and_every_gradient_are_those_of_the_full_softmax(mode, tied):
    full, sampled = model_of(mode, tied, samples=None), model_of(mode, tied)
    sampled.set_weights(full.get_weights())
    drawing(sampled, np.random.default_rng(1).permutation(SYMBOLS))
    for one, other in zip(stepped(full), stepped(sampled), strict=True):
        close(one, other)


def test_where_logits_are_log_probabilities_no_gradient_is_expected_whatever_they_are_shifted_by():
    """Over all draws that there are and all right answers: so training leads to the probabilities, and not beside."""
    probabilities = np.array([0.5, 0.25, 0.15, 0.08, 0.02])
    readout = Tokens(5, softmax_samples=2)
    readout.settle(4)
    readout.build(4, feeds_back=True)
    readout.bias.assign(np.log(probabilities) + 3)
    gradient = np.zeros(5)
    for ids in itertools.combinations(range(5), 2):
        readout.draw = lambda ids=ids: ops.convert_to_tensor(ids, "int32")
        logits = ops.convert_to_numpy(readout.read_forced(ops.zeros((1, 5, 4)), ops.arange(5)[None]))[0]
        assert ((logits == STRUCK_OUT) == (np.arange(5)[:, None] == [-1, *ids])).all()
        for right, probability in enumerate(probabilities):
            shares = np.exp(logits[right] - logits[right].max())
            np.add.at(gradient, [right, *ids], probability * (shares / shares.sum() - [1, 0, 0]))
    np.testing.assert_allclose(gradient, 0, atol=1e-6)


def test_every_symbol_is_as_likely_to_be_drawn_as_any_other_and_no_draw_has_one_twice():
    readout = Tokens(6, softmax_samples=2)
    readout.seed_generator.state.assign([0, 7])
    drawn = np.stack([ops.convert_to_numpy(readout.draw()) for _ in range(600)])
    assert (drawn[:, 0] != drawn[:, 1]).all()
    counts = np.bincount(drawn.ravel(), minlength=6)
    assert abs(counts - 200).max() < 50  # four standard errors
    readout.seed_generator.state.assign([0, 7])
    np.testing.assert_array_equal(readout.draw(), drawn[0])


def test_fewer_logits_in_training_and_all_of_them_everywhere_else():
    full, sampled = model_of(samples=None), model_of()
    sampled.set_weights(full.get_weights())
    assert sampled((SOURCE, TARGET), training=True).shape == (*TARGET.shape, 1 + 3)
    assert sampled(SOURCE, training=True).shape[-1] == SYMBOLS
    close(sampled((SOURCE, TARGET)), full((SOURCE, TARGET)))
    for ask in (
        lambda model: model.evaluate((SOURCE, TARGET), TARGET, verbose=0),
        lambda model: model.search(SOURCE, {"name": "beam", "size": 2, "max_length": 4}).scores,
        lambda model: model.log_probs(SOURCE, TARGET),
    ):
        close(ask(sampled), ask(full))


def test_padding_is_left_out():
    one, other = (drawing(model_of(), [8, 4, 2]) for _ in range(2))
    other.set_weights(one.get_weights())
    padded = [np.pad(ids, ((0, 2), (0, 3))) for ids in (SOURCE, TARGET)]
    for a, b in zip(stepped(one), stepped(other, *padded), strict=True):
        close(a, b)


def test_a_metric_compares_with_the_right_symbol_s_place():
    model = drawing(model_of(), [0, 1, 3])
    model.compile("sgd", model.readout.loss(), metrics=["accuracy"], run_eagerly=True)
    model.readout.bias.assign(np.where(np.isin(np.arange(SYMBOLS), [0, 1, 3]), -1e3, 0))
    assert model.train_on_batch((SOURCE, TARGET), TARGET, return_dict=True)["accuracy"] == 1


def test_it_trains_is_saved_and_goes_on_as_if_it_had_not_been(tmp_path):
    model = model_of(samples=4)
    model.compile(keras.optimizers.Adam(0.03), model.readout.loss())
    source, target = SOURCE[:3], TARGET[:3]
    for _ in range(60):
        model.train_on_batch((source, target), target)
    model.save(tmp_path / "model.keras")
    loaded = load(tmp_path / "model.keras")
    assert loaded.readout.softmax_samples == 4
    for each in (model, loaded):
        each.readout.seed_generator.state.assign([0, 7])  # Keras saves no chance; a training sets it in every epoch
    for one, other in zip(stepped(model, source, target)[1:], stepped(loaded, source, target)[1:], strict=True):
        close(one, other)
    np.testing.assert_array_equal(loaded.search(source, {"name": "greedy", "max_length": 4}).ids[:, 0], target)


def test_a_language_model_reads_a_stream_so():
    model = Seq2Seq(Nothing(), FeedbackDecoder(4, readout=Tokens(SYMBOLS, softmax_samples=3)))
    model.build((None, None))
    stream = Stream(model, batch=2)
    stream.compile("sgd", model.readout.loss(), run_eagerly=True)
    ids = np.array([[4, 5, 6], [7, 8, 0]])
    assert np.isfinite(stream.train_on_batch((np.array([[False], [True]]), ids), ids))
    assert stream((np.ones((2, 1), bool), ids), training=True).shape[-1] == 1 + 3


def test_what_does_not_go_with_it_is_refused():
    with pytest.raises(
        ValueError, match=r"softmax_samples=8 saves nothing with a vocabulary of 9 symbols: leave it out"
    ):
        Tokens(9, softmax_samples=8)
    with pytest.raises(
        ValueError, match=r"label_smoothing=0.1 needs the probabilities of all symbols, and softmax_sam"
    ):
        Tokens(9, softmax_samples=3).loss(label_smoothing=0.1)
    with pytest.raises(ValueError, match="softmax_samples and sampling do not go together"):
        FeedbackDecoder(4, readout=Tokens(9, softmax_samples=3), sampling="constant")
