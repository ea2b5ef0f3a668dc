"""A training step that computes a batch in parts is the step of the whole batch."""

import functools

import keras
import numpy as np
import pytest
from cases import LENGTH, SOURCE, TARGET, TOKENS, close, randomise

from seq2seq_zoo import Encoder, Seq2Seq, Tokens, Vectors, decoders
from seq2seq_zoo.models import batch_in_parts
from seq2seq_zoo.tasks.digits_to_words import DigitsToWords
from seq2seq_zoo.training import training
from seq2seq_zoo.training.training import Training


def model_of(mode, readout=Tokens, random=True, **options):
    keras.utils.set_random_seed(1)
    size = readout(TOKENS) if readout is Tokens else readout(4, mask_value=0.0)
    dropout = {"dropout": 0.3, "recurrent_dropout": 0.2} if random else {}
    encoder = Encoder(4, vocabulary_size=TOKENS, word_dropout=0.2 if random else 0.0, unknown=3, **dropout)
    model = Seq2Seq(encoder, decoders.create(mode, units=4, readout=size, max_length=LENGTH, **dropout, **options))
    model.build((None, None))
    randomise(model)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), model.readout.loss(), run_eagerly=True)
    return model


def steps(trainer, targets):
    """The losses of two steps, which the parts make with different numbers of real targets."""
    return [trainer.train_on_batch((SOURCE, targets), targets, return_dict=True)["loss"] for _ in range(2)]


@pytest.fixture
def eager(monkeypatch):
    """Parts one after the other, without compilation."""
    monkeypatch.setattr(batch_in_parts, "compiled_apart", lambda function: function)
    compile = functools.partialmethod(keras.Model.compile, run_eagerly=True)
    monkeypatch.setattr(batch_in_parts.BatchInParts, "compile", compile)


@pytest.mark.parametrize(("mode", "parts"), [*((mode, 2) for mode in decoders.list()), ("basic", 4)])
def test_parts_make_the_step_of_the_whole_batch(mode, parts, eager):
    sampling = {"sampling": {"name": "constant", "p": 0.5}} if decoders.modes[mode].feeds_back else {}
    whole, apart = model_of(mode, **sampling), model_of(mode, **sampling)
    close(steps(apart.in_parts(parts), TARGET), steps(whole, TARGET))
    keras.tree.map_structure(close, apart.get_weights(), whole.get_weights())
    keras.tree.map_structure(close, apart.optimizer.variables, whole.optimizer.variables)


def test_real_values_too(eager):
    targets = np.random.default_rng(0).normal(size=(*TARGET.shape, 4)).astype("float32")
    targets[TARGET == 0] = 0
    whole, apart = model_of("feedback", Vectors), model_of("feedback", Vectors)
    close(steps(apart.in_parts(2), targets), steps(whole, targets))
    keras.tree.map_structure(close, apart.get_weights(), whole.get_weights())


def test_compiled_parts_make_the_same_step():
    # Without random numbers, which XLA and eager execution draw differently.
    whole, apart = model_of("attention", random=False), model_of("attention", random=False)
    close(steps(apart.in_parts(2), TARGET), steps(whole, TARGET))
    keras.tree.map_structure(close, apart.get_weights(), whole.get_weights())


def test_a_model_compiled_anew_is_trained_with_its_new_optimizer(eager):
    model = model_of("basic")
    before = model.in_parts(2)
    assert model.in_parts(2) is before
    model.compile(keras.optimizers.SGD(0.1), model.readout.loss())
    assert model.in_parts(2).optimizer is model.optimizer


@pytest.mark.parametrize(
    ("threads", "rows", "units", "compiled", "parts"),
    [
        (2, 64, 4, True, 2),
        (8, 96, 4, True, 3),
        (1, 64, 4, True, None),
        (2, 32, 4, True, None),
        (2, 65, 4, True, None),
        (2, 64, 256, True, None),
        (2, 64, 4, False, None),
    ],
)
def test_training_uses_parts_where_they_pay(monkeypatch, threads, rows, units, compiled, parts):
    used = []
    monkeypatch.setattr(training, "threads", lambda: threads)
    monkeypatch.setattr(Seq2Seq, "in_parts", lambda model, parts: used.append(parts) or model)
    monkeypatch.setattr(Seq2Seq, "fit", lambda *arguments, **options: None)
    data = DigitsToWords(train_size=4, dev_size=1, test_size=1).load()
    size = len(data.source)
    encoder = Encoder(4, vocabulary_size=size)
    model = Seq2Seq(encoder, decoders.create("basic", units=units, readout=Tokens(len(data.target))))
    model.build((None, None))
    model.compile("adam", model.readout.loss(), jit_compile=compiled)
    Training(batch_size=rows).fit(model, data, seed=1)
    assert used == ([] if parts is None else [parts])


def test_a_sample_of_the_vocabulary_needs_the_whole_batch():
    model = Seq2Seq(
        Encoder(4, vocabulary_size=TOKENS), decoders.create("peek", units=4, readout=Tokens(TOKENS, softmax_samples=3))
    )
    assert not model.has_independent_rows
