"""Initializers, regularizers and constraints of the weights, as Keras's own layers take them."""

import keras
import numpy as np
import pytest
from cases import SOURCE, TARGET, close

from seq2seq_zoo import AttentionDecoder, Encoder, Seq2Seq, Tokens, Vectors
from seq2seq_zoo.layers.attention import attentions
from seq2seq_zoo.layers.bridge import DenseBridge
from seq2seq_zoo.layers.cells import cells

KINDS = ("kernel", "recurrent", "bias")
OWN = {"kernel_regularizer": "l2"}
CELL = {"name": "gru", **{f"{kind}_regularizer": "l2" for kind in KINDS}, "bias_initializer": "ones"}


def model_with(option, value):
    """A model with the option for all its embeddings, kernels and biases, and for its cells."""
    own = {f"{kind}_{option}": value for kind in ("kernel", "bias")}
    embeddings = {f"embeddings_{option}": value}
    cell = {"name": "lstm", f"recurrent_{option}": value, **own}
    readout = Tokens(9, **own, **embeddings)
    encoder = Encoder(4, cell=cell, depth=2, vocabulary_size=9, bidirectional=True, **embeddings)
    parts = {"attention": {"name": "additive", **own}, "bridge": {"name": "dense", **own}}
    model = Seq2Seq(encoder, AttentionDecoder(4, cell=cell, readout=readout, **parts))
    model.build((None, None))
    return model


def test_regularizers_add_their_losses():
    model = model_with("regularizer", keras.regularizers.L2(0.1))
    by_hand = 0.1 * sum(np.square(weight.numpy()).sum() for weight in model.trainable_variables)
    close(float(sum(model.losses)), by_hand)
    model.compile("sgd", model.readout.loss(), run_eagerly=True)
    without = model_with("initializer", "zeros")
    without.set_weights(model.get_weights())
    without.compile("sgd", without.readout.loss(), run_eagerly=True)
    losses = [each.evaluate((SOURCE, TARGET), TARGET, verbose=0) for each in (model, without)]
    close(losses[0] - losses[1], by_hand)


def test_constraints_hold_after_a_training_step():
    model = model_with("constraint", "non_neg")
    model.compile(keras.optimizers.SGD(1.0), model.readout.loss(), run_eagerly=True)
    model.train_on_batch((SOURCE, TARGET), TARGET)
    assert min(np.min(weight.numpy()) for weight in model.trainable_variables) >= 0


def test_initializers_give_the_values():
    model = model_with("initializer", keras.initializers.Constant(0.5))
    assert all((weight.numpy() == 0.5).all() for weight in model.trainable_variables)


def test_a_random_initializer_gives_each_weight_values_of_its_own():
    encoder = Encoder(4, cell={"name": "gru", "kernel_initializer": keras.initializers.RandomNormal()}, depth=3)
    encoder.build((None, None, 4))
    first, second, third = (layer[0].kernel.numpy() for layer in encoder.stack.cells)
    assert (first != second).all()
    assert (second != third).all()


@pytest.mark.parametrize("cell", cells)
def test_the_defaults_are_those_of_the_cell(cell):
    def weights(**options):
        keras.utils.set_random_seed(3)
        encoder = Encoder(4, cell={"name": cell, **options}, vocabulary_size=9)
        encoder.build((None, None))
        return [encoder.embedding.get_weights()[0], *encoder.stack.cells[0][0].get_weights()]

    for default, given in zip(weights(), weights(kernel_initializer="glorot_uniform"), strict=True):
        np.testing.assert_array_equal(default, given)
    assert (weights(bias_initializer="zeros")[3] == 0).all()
    assert (weights()[3] == 0).all() != (cell == "lstm")  # ones for the forget gate


def test_a_configuration_and_a_file_hold_them(tmp_path):
    for layer in (
        Encoder(4, cell=CELL, vocabulary_size=9, embeddings_constraint=keras.constraints.MaxNorm(0.5)),
        Tokens(9, embeddings_regularizer=keras.regularizers.L1(0.2), kernel_initializer="ones"),
        Vectors(3, bias_initializer=keras.initializers.Constant(2.0)),
        DenseBridge(kernel_constraint="non_neg", bias_regularizer="l1"),
        *(attentions.create(name, kernel_regularizer="l2") for name in ("additive", "general", "linear")),
    ):
        assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()
    readout = Tokens(9, embeddings_regularizer=keras.regularizers.L1(0.2))
    model = Seq2Seq(Encoder(4, cell=CELL, vocabulary_size=9), AttentionDecoder(4, cell=CELL, readout=readout))
    model.build((None, None))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    close(float(sum(loaded.losses)), float(sum(model.losses)))
    assert len(loaded.losses) == len(model.losses) == 9


def test_options_of_weights_that_a_part_does_not_have_are_refused():
    for part in ({"attention": {"name": "general", "bias_regularizer": "l2"}}, {"bridge": {"name": "copy", **OWN}}):
        with pytest.raises(ValueError, match=r"_regularizer` is not an option of (attention 'general'|bridge 'copy')"):
            AttentionDecoder(4, readout=Tokens(9), **part)


def test_wrong_ones_are_refused():
    with pytest.raises(
        ValueError,
        match=r"`cell\.kernel_regularizer` must be one of Keras's regularizers, .*got 'l1_l3'\. Did you mean 'l1_l2'\?",
    ):
        Encoder(4, cell={"name": "lstm", "kernel_regularizer": "l1_l3"})
    with pytest.raises(ValueError, match=r"`embeddings_initializer` must be one of Keras's initializers, .* got 3\."):
        Encoder(4, vocabulary_size=9, embeddings_initializer=3)
