"""Custom gradients equal the automatic ones of TensorFlow."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import randomise

from seq2seq_zoo import AttentionDecoder, Encoder, Seq2Seq, Tokens
from seq2seq_zoo.layers import gradients
from seq2seq_zoo.layers.attention import AdditiveAttention, attentions
from seq2seq_zoo.layers.cells import LSTMCell, cells
from seq2seq_zoo.layers.gradients.adjoints import adjoint_of
from seq2seq_zoo.layers.losses import SmoothedCrossentropy
from seq2seq_zoo.layers.scan import scan
from seq2seq_zoo.layers.stack import Stack

random = np.random.default_rng(0)
TIME, BATCH, WIDTH, UNITS, SOURCE = 5, 3, 4, 6, 7
X = tf.constant(random.normal(size=(TIME, BATCH, WIDTH)))
MASK = tf.constant([[True, True, False], [True] * 3, [True, False, True], [True, False, False], [False, True, False]])
KEYS = tf.constant(random.normal(size=(BATCH, SOURCE, UNITS)))
REAL = tf.constant([[True] * SOURCE, [True] * 3 + [False] * 4, [False] * SOURCE])

PASSES = {
    "plain": {},
    "bidirectional": {"bidirectional": True},
    "deep": {"depth": 2, "residual": True, "dropout": 0.3, "recurrent_dropout": 0.3},
}


@pytest.fixture
def used(monkeypatch):
    """The custom gradients that were used, in order."""
    calls = []
    for name in ("recurrent_pass", "attention_pass"):
        original = getattr(gradients, name)

        def counting(*args, original=original):
            calls.append(original)
            return original(*args)

        monkeypatch.setattr(gradients, name, counting)
    return calls


def stacked(cell, **options):
    stack = Stack(UNITS, cell, dtype="float64", **options)
    stack.build((WIDTH,))
    randomise(stack)
    first = None
    if not options.get("bidirectional"):
        first = tuple(
            tuple(tf.constant(random.normal(size=(BATCH, UNITS))) for _ in range(cell.state_count))
            for (cell,) in stack.cells
        )
    return stack, first, stack.dropout_masks(BATCH, training=True)


def gradients_of(function, inputs, layers):
    """The loss and its gradients in a graph; each output enters the loss through a function of its own."""
    variables = [weight.value for layer in layers for weight in layer.trainable_weights]

    @functools.partial(tf.function, autograph=False)
    def all_of_them():
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = tf.nest.flatten(function())
            loss = sum(tf.reduce_sum(tf.sin((1 + i) * output)) for i, output in enumerate(outputs))
        return loss, [tf.convert_to_tensor(each) for each in tape.gradient(loss, [*inputs, *variables])]

    return all_of_them()


def close(ours, automatic):
    np.testing.assert_allclose(ours[0], automatic[0], rtol=1e-12)
    for mine, theirs in zip(ours[1], automatic[1], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-10)


# Any two of cell, body and mask occur together.
RECURRENT = {
    f"{cell}-{name}-{'masked' if masked else 'unmasked'}": (cell, PASSES[name], MASK if masked else None)
    for number, cell in enumerate(cells)
    for place, name in enumerate(PASSES)
    for masked in [(number + place) % 2]
}


@pytest.mark.parametrize(("cell", "options", "mask"), RECURRENT.values(), ids=RECURRENT)
def test_a_recurrent_pass_has_the_automatic_gradient(cell, options, mask, used):
    stack, first, dropout_masks = stacked(cell, **options)

    def scanned(training):
        return stack.scan((X,), dropout_masks, first, mask=mask, training=training)

    inputs = [X, *tf.nest.flatten(first or ())]
    automatic = gradients_of(lambda: scanned(False), inputs, [stack])
    assert not used
    ours = gradients_of(lambda: scanned(True), inputs, [stack])
    if cells[cell].__module__.startswith("seq2seq_zoo."):  # another package's cell may have no adjoint
        assert len(used) == sum(map(len, stack.cells))
    close(ours, automatic)


# Any two of attention, cell and body occur together.
ATTENTIVE = {
    f"{attention}-{cell}-{name}": (attention, cell, PASSES[name])
    for number, attention in enumerate(attentions)
    for cell, name in zip(["lstm", "gru"], ["plain", "deep"] if number % 2 else ["deep", "plain"], strict=True)
}


@pytest.mark.parametrize(("attention", "cell", "options"), ATTENTIVE.values(), ids=ATTENTIVE)
def test_an_attention_pass_has_the_automatic_gradient(attention, cell, options):
    attend = attentions.create(attention, dtype="float64")
    attend.build(UNITS, UNITS)
    randomise(attend)
    stack = Stack(UNITS, cell, dtype="float64", **options)
    stack.build((WIDTH, UNITS))
    randomise(stack)
    _, first, _ = stacked(cell, depth=options.get("depth", 1))
    dropout_masks = stack.dropout_masks(BATCH, training=True)

    def passed(custom):
        projected, source = stack.project((X,)), attend.prepare(KEYS, REAL)
        if custom:
            return stack.attention_pass(attend, 1, projected, dropout_masks, first, source)

        def step(states, projected):
            context, weights = attend(states[-1][0][:, None], source)
            projected = projected + stack.project((context[:, 0],), first=1)
            output, states = stack.advance(projected, states, dropout_masks)
            return states, (tf.concat([output, context[:, 0]], -1), weights[:, 0])

        return scan(step, first, projected)[1]

    inputs = [X, KEYS, *tf.nest.flatten(first)]
    close(*(gradients_of(lambda custom=custom: passed(custom), inputs, [stack, attend]) for custom in (True, False)))


@pytest.mark.parametrize("cell", cells)
def test_a_recurrent_pass_has_the_gradient_of_finite_differences(cell):
    stack, first, dropout_masks = stacked(cell)

    @functools.partial(tf.function, autograph=False)
    def outputs(x):
        return stack.scan((x,), dropout_masks, first, mask=MASK, training=True)[0]

    analytic, numeric = tf.test.compute_gradient(outputs, [X], delta=1e-5)
    np.testing.assert_allclose(analytic, numeric, atol=1e-8)


@pytest.mark.parametrize("name", ["lstm", "gru", "simple"])
def test_an_adjoints_forward_equals_the_cells_step(name):
    cell = cells.create(name, units=UNITS)
    states = tuple(random.normal(size=(cell.state_count, BATCH, UNITS)))
    projected, product = random.normal(size=(2, BATCH, cell.gates * UNITS))
    following, _ = adjoint_of(cell).forward(projected, product, states)
    np.testing.assert_array_equal(following, cell.combine(projected, product, states))


class Leaky(LSTMCell):
    """An LSTM with a different step."""

    def combine(self, projected, product, states):
        """The LSTM's, plus half of the output before."""
        h, c = super().combine(projected, product, states)
        return h + states[0] / 2, c


def test_other_activations_and_subclasses_are_differentiated_automatically(used):
    stack, first, dropout_masks = stacked(
        {"name": "lstm", "activation": "softsign", "recurrent_activation": "hard_sigmoid"}
    )
    gradients_of(lambda: stack.scan((X,), dropout_masks, first, training=True), [X], [stack])
    assert not used
    stack, first, dropout_masks = stacked("lstm")
    gradients_of(lambda: stack.scan((X,), dropout_masks, first, training=True), [X], [stack])
    assert len(used) == 1
    stack.cells[0][0].__class__ = Leaky
    gradients_of(lambda: stack.scan((X,), dropout_masks, first, training=True), [X], [stack])
    assert len(used) == 1


def test_a_subclass_of_an_attention_is_differentiated_automatically(used):
    class Twice(AdditiveAttention):
        """An attention with a different context."""

        def call(self, query, source):
            """Twice the context."""
            context, weights = super().call(query, source)
            return 2 * context, weights

    def train(attention):
        decoder = AttentionDecoder(UNITS, Tokens(9), attention=attention)
        model = Seq2Seq(Encoder(UNITS, vocabulary_size=9), decoder)
        model.build((None, None))
        ids = tf.constant([[4, 5, 2]])
        gradients_of(lambda: model((ids, ids), training=True), [], [model])
        return [call.__name__ for call in used]

    assert train(Twice()) == ["recurrent_pass"]
    assert train("additive") == ["recurrent_pass", "recurrent_pass", "attention_pass"]


@pytest.mark.parametrize(("policy", "depth"), [("mixed_bfloat16", 1), ("mixed_float16", 2)])
def test_training_in_half_precision_uses_custom_gradients(policy, depth, used):
    decoder = AttentionDecoder(16, Tokens(9, dtype=policy), depth=depth, recurrent_dropout=0.1, dtype=policy)
    model = Seq2Seq(Encoder(16, vocabulary_size=9, bidirectional=depth == 1, dtype=policy), decoder)
    model.compile(keras.optimizers.Adam(0.03), SmoothedCrossentropy())
    ids = random.integers(3, 9, (32, 3))
    first, *_, last = (float(model.train_on_batch((ids, ids), ids)) for _ in range(25))
    assert {call.__name__ for call in used} == {"recurrent_pass", "attention_pass"}
    assert last < first / 2
