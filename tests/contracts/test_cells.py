"""Every cell, and stacks of them."""

import keras
import numpy as np
import pytest
from cases import SOURCE, TARGET, close, randomise, small
from keras import ops
from references.cells import CELLS, STATES, stack_step, weights

from seq2seq_zoo.layers.cells import cells
from seq2seq_zoo.layers.products import EmbeddingLookup
from seq2seq_zoo.layers.stack import Stack

random = np.random.default_rng(0)
X = random.normal(size=(5, 3, 4)).astype("float32")  # (time, batch, width)
H = random.normal(size=(2, 3, 6)).astype("float32")  # two states
KEEP = random.integers(0, 2, (3, 6)) * 2.0


def built(name, widths=(4,)):
    cell = cells.create(name, units=6)
    cell.build(widths)
    randomise(cell)
    return cell


@pytest.fixture(params=list(cells))
def name(request):
    if request.param not in CELLS:
        ours = cells[request.param].__module__.startswith("seq2seq_zoo.")
        (pytest.fail if ours else pytest.skip)(
            f"Cell {request.param!r} has no NumPy reference: write one in tests/references/cells.py."
        )
    return request.param


@pytest.mark.parametrize("keep", [None, KEEP])
def test_a_step_equals_its_numpy_reference(name, keep):
    cell = built(name)
    states = tuple(H[: cell.state_count])
    following = cell.advance(cell.project((X[0],)), states, None if keep is None else keep.astype("float32"))
    for row in range(3):
        dropping = {} if keep is None else {"keep": keep[row]}
        expected = CELLS[name](X[0, row], [state[row] for state in states], **weights(cell), **dropping)
        close([state[row] for state in following], expected)


def test_layers_with_a_shared_state_pass_it_on():
    stack = Stack(6, "lstm", depth=3, shared_state=True, dropout=0.5, recurrent_dropout=0.5)
    stack.build((4,))
    randomise(stack)
    dropout_masks = stack.dropout_masks(3, training=True)
    first = ((H[0], H[1]),)
    outputs, last, states = stack.scan((X,), dropout_masks, first)
    output, following = None, first
    for x in X:
        output, following = stack.advance(stack.project((x,)), following, dropout_masks)
    close(outputs[-1], output)
    close(last, output)
    keras.tree.map_structure(close, states, following)
    assert stack.state_widths == ((6, 6),)
    with pytest.raises(ValueError, match=r"never reach a step together\. Set bidirectional or shared_state to False"):
        Stack(6, shared_state=True, bidirectional=True)


@pytest.mark.parametrize(("name", "layer"), [("lstm", "LSTM"), ("gru", "GRU"), ("simple", "SimpleRNN")])
def test_a_stack_equals_keras_own_layer(name, layer):
    stack = Stack(6, name)
    stack.build((4,))
    randomise(stack)
    theirs = getattr(keras.layers, layer)(6, return_sequences=True)
    theirs.build((None, None, 4))
    own = [np.asarray(weight) for weight in stack.trainable_weights]
    if name == "gru":  # theirs has two biases for each gate
        recurrent = np.concatenate([np.zeros(12), own.pop()])
        own[2] = np.stack([own[2], recurrent])
    theirs.set_weights(own)
    outputs, _, _ = stack.scan((X,), stack.dropout_masks(3, None))
    close(np.swapaxes(outputs, 0, 1), theirs(np.swapaxes(X, 0, 1)))


def test_the_lstms_forget_bias_starts_at_one():
    cell = cells.create("lstm", units=2)
    cell.build((1,))
    np.testing.assert_array_equal(cell.bias, [0, 0, 1, 1, 0, 0, 0, 0])


@pytest.mark.parametrize("name", cells)
def test_input_parts_are_projected_like_their_concatenation(name):
    cell = built(name, (4, 4, 4))
    whole = cell.project(X[:3])
    close(whole, cell.project(X[:2]) + cell.project(X[2:3], first=2))
    close(whole, np.concatenate(X[:3], axis=-1) @ cell.kernel + cell.bias)
    close(cell.project((X, X[:1], X[:1]))[0], cell.project((X[0],) * 3))


@pytest.mark.parametrize("name", cells)
def test_a_cell_is_rebuilt_from_its_config(name):
    cell = cells.create({"name": name, "activation": "relu", "recurrent_activation": "hard_sigmoid"}, units=6)
    twin = type(cell).from_config(cell.get_config())
    assert twin.get_config() == cell.get_config()
    assert (twin.units, twin.activation) == (6, keras.activations.relu)


@pytest.mark.parametrize(
    "options", [{}, {"depth": 3}, {"depth": 3, "residual": True}], ids=["flat", "deep", "residual"]
)
def test_a_scan_equals_single_steps(name, options):
    stack = Stack(6, name, **options)
    stack.build((4,))
    randomise(stack)
    states = tuple(tuple(H[: STATES[name]]) for _ in stack.cells)
    dropout_masks = stack.dropout_masks(3, None)
    outputs, last, finals = stack.scan((X,), dropout_masks, states)
    stepwise, reference = states, [[[state[row] for state in layer] for layer in states] for row in range(3)]
    for t, x in enumerate(X):
        output, stepwise = stack.advance(stack.project((x,)), stepwise, dropout_masks)
        close(output, outputs[t])
        for row in range(3):
            expected, reference[row] = stack_step(name, stack, x[row], reference[row])
            close(output[row], expected)
    close(last, outputs[-1])
    keras.tree.map_structure(close, stepwise, finals)


def test_dropout_masks_hold_for_all_steps_and_differ_by_layer():
    stack = Stack(6, depth=2, dropout=0.5, recurrent_dropout=0.5, residual=True)
    stack.build((4,))
    randomise(stack)
    dropout_masks = stack.dropout_masks(3, training=True)
    masks = [np.asarray(mask) for layer in dropout_masks for mask in (*layer.states, layer.output)]
    assert {tuple(np.unique(mask)) for mask in masks} == {(0.0, 2.0)}
    assert len({mask.tobytes() for mask in masks}) == 4
    states = tuple((H[0], H[1]) for _ in stack.cells)
    outputs, last, _ = stack.scan((X,), dropout_masks, states)
    for t, x in enumerate(X):
        output, states = stack.advance(stack.project((x,)), states, dropout_masks)
        close(output, outputs[t])
    close(last, outputs[-1])
    assert all(layer == ((None,), None) for layer in stack.dropout_masks(3, training=False))


def test_an_input_part_of_one_step_is_repeated_for_all_steps():
    stack = Stack(6)
    stack.build((4,))
    dropout_masks = stack.dropout_masks(3, None)
    once, _, _ = stack.scan((X[:1],), dropout_masks, length=5)
    close(once, stack.scan((np.repeat(X[:1], 5, axis=0),), dropout_masks)[0])


def test_a_cell_instance_is_refused_because_each_layer_needs_its_own():
    with pytest.raises(ValueError, match=r"^Stack: `cell` must name a cell \(gru, lstm, simple.*\), got <LSTMCell"):
        Stack(6, cells.create("lstm", units=6))


@pytest.mark.parametrize("name", cells)
def test_an_embedding_lookup_is_projected_like_the_embeddings(name):
    cell = cells.create(name, units=3)
    cell.build((2, 4))
    randomise(cell)
    vectors, ids = np.arange(20, dtype="float32").reshape(5, 4), np.array([[0, 4], [3, 3], [1, 0]])
    before = np.ones((3, 1, 2), "float32")
    expected = cell.project((before, vectors[ids]))
    tokens = EmbeddingLookup(ops.convert_to_tensor(ids), vectors)
    close(cell.project((before, tokens)), expected)
    products = vectors @ np.asarray(cell.kernel_of(1))
    close(cell.project((before, tokens._replace(vectors=None, products=products))), expected)
    assert tokens.pays_off
    assert not tokens._replace(ids=tokens.ids[:2]).pays_off


def test_embedding_lookups_change_no_output_of_a_model(monkeypatch):
    model = small("attention")
    teacher_forced, free_running = np.asarray(model((SOURCE, TARGET))), model.search(SOURCE)
    monkeypatch.setattr(EmbeddingLookup, "pays_off", False)
    monkeypatch.setattr(model.decoder, "_previous_part", None)
    close(model((SOURCE, TARGET)), teacher_forced)
    model._searcher.cache_clear()
    close(model.search(SOURCE).log_probs, free_running.log_probs)
