"""Weights of PyTorch and Keras give the same outputs in our layers, or a message says why they cannot be loaded."""

import re

import keras
import numpy as np
import pytest
from cases import TOKENS, close, randomise
from references.cells import sigmoid
from test_docs import ROOT, blocks

from seq2seq_zoo import AttentionDecoder, BasicDecoder, Encoder, FeedbackDecoder, Seq2Seq, Tokens
from seq2seq_zoo.layers.bridge import DenseBridge
from seq2seq_zoo.layers.cells import LSTMCell, cells
from seq2seq_zoo.layers.stack import Stack
from seq2seq_zoo.models.convert import from_keras, from_torch

SOURCE = np.array([[4, 5, 6, 7], [8, 4, 0, 0], [5, 0, 0, 0]], "int32")
TARGET = np.array([[4, 5, 6, 2], [7, 2, 0, 0], [5, 8, 2, 0]], "int32")
PREVIOUS_TARGETS = np.pad(TARGET[:, :-1], ((0, 0), (1, 0)), constant_values=1)
LENGTHS = [4, 2, 1]
X = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")  # (batch, time, width)

BODIES = [
    pytest.param(depth, bidirectional, id=f"{depth}{'-bidirectional' * bidirectional}")
    for depth in (1, 2)
    for bidirectional in (False, True)
]


def ours(**options):
    """Layers over vectors of width 3."""
    encoder = Encoder(4, **options)
    encoder.build((None, None, 3))
    randomise(encoder)
    return encoder


def whole(decoder=FeedbackDecoder, encoder=None, **options):
    model = Seq2Seq(
        Encoder(4, vocabulary_size=TOKENS, embedding_dim=3, **(encoder or {})),
        decoder(readout=Tokens(TOKENS, embedding_dim=3), **{"units": 4, **options}),
    )
    model.build((None, None))
    randomise(model)
    return model


# === PyTorch's equations ===


def lstm(x, states, w_ih, w_hh, b_ih, b_hh):
    h, c = states
    i, f, g, o = np.split(w_ih @ x + b_ih + w_hh @ h + b_hh, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru(x, states, w_ih, w_hh, b_ih, b_hh):
    (h,) = states
    xr, xz, xn = np.split(w_ih @ x + b_ih, 3)
    hr, hz, hn = np.split(w_hh @ h + b_hh, 3)
    r, z = sigmoid(xr + hr), sigmoid(xz + hz)
    return ((1 - z) * np.tanh(xn + r * hn) + z * h,)


def rnn(x, states, w_ih, w_hh, b_ih, b_hh):
    (h,) = states
    return (np.tanh(w_ih @ x + b_ih + w_hh @ h + b_hh),)


TWINS = {"lstm": (lstm, 4, 2), "gru": (gru, 3, 1), "simple": (rnn, 1, 1)}  # with the numbers of blocks and of states
MODULES = {"lstm": "LSTM", "gru": "GRU", "simple": "RNN"}


def directions(bidirectional):
    return ("", "_reverse") if bidirectional else ("",)


def state_dict(kind, depth=1, bidirectional=False, bias=True, width=3, units=4, prefix=""):
    """Random numbers by the names and in the shapes of a recurrent module of PyTorch."""
    random, rows, state = np.random.default_rng(1), TWINS[kind][1] * units, {}
    for layer in range(depth):
        for way in directions(bidirectional):
            shapes = {"weight_ih": (rows, width), "weight_hh": (rows, units)}
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)} if bias else {}
            state |= {f"{prefix}{name}_l{layer}{way}": random.normal(0, 0.7, shapes[name]) for name in shapes}
        width = units * (1 + bidirectional)
    return state


def twin(kind, state, depth, bidirectional, x):
    """The last layer's outputs for one row of vectors, and each layer's last states, directions side by side."""
    step, _, count = TWINS[kind]
    finals = []
    for layer in range(depth):
        runs, lasts = [], []
        for way in directions(bidirectional):
            suffix = f"_l{layer}{way}"
            weights = [state[f"weight_{which}{suffix}"] for which in ("ih", "hh")]
            weights += [state.get(f"bias_{which}{suffix}", np.zeros(len(weights[0]))) for which in ("ih", "hh")]
            states, outputs = [np.zeros(weights[1].shape[1])] * count, []
            for vector in x[::-1] if way else x:
                states = step(vector, states, *weights)
                outputs.append(states[0])
            runs.append(outputs[::-1] if way else outputs)
            lasts.append(states)
        x = np.concatenate(runs, axis=-1)
        finals.append([np.concatenate(each) for each in zip(*lasts, strict=True)])
    return x, finals


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
@pytest.mark.parametrize(("depth", "bidirectional"), BODIES)
@pytest.mark.parametrize("kind", TWINS)
def test_a_stack_equals_pytorchs_equations(kind, depth, bidirectional, bias):
    encoder = ours(cell=kind, depth=depth, bidirectional=bidirectional)
    state = state_dict(kind, depth, bidirectional, bias)
    from_torch(encoder.stack, state)
    encoded = encoder(X)
    for row, x in enumerate(X):
        sequence, states = twin(kind, state, depth, bidirectional, x)
        close(encoded.sequence[row], sequence)
        for own, last in zip(keras.tree.flatten(encoded.states), keras.tree.flatten(states), strict=True):
            close(own[row], last)


@pytest.mark.parametrize("kind", TWINS)
def test_layers_can_be_loaded_from_modules_or_cells_of_their_own(kind):
    lower, upper = state_dict(kind), state_dict(kind, width=4)
    one, modules, alone = (ours(cell=kind, depth=2) for _ in range(3))
    from_torch(one.stack, {**lower, **{name.replace("_l0", "_l1"): array for name, array in upper.items()}})
    cell = {name.removesuffix("_l0"): array for name, array in upper.items()}
    named = {"lower.": lower, "cells.1.": cell}
    state = {prefix + name: array for prefix, arrays in named.items() for name, array in arrays.items()}
    from_torch(modules, state, {"stack": ["lower", "cells.1"]})
    close(modules(X).sequence, one(X).sequence)
    from_torch(alone.stack.cells[0][0], {name.removesuffix("_l0"): array for name, array in lower.items()})
    from_torch(alone.stack.cells[1][0], state={f"cell.{name}": array for name, array in cell.items()}, names="cell")
    close(alone(X).sequence, one(X).sequence)


def linear(outputs, inputs, bias=True):
    random = np.random.default_rng(2)
    weight = {"weight": random.normal(size=(outputs, inputs)), "bias": random.normal(size=outputs)}
    return weight if bias else {"weight": weight["weight"]}


def named(**modules):
    return {f"{module}.{name}": array for module, arrays in modules.items() for name, array in arrays.items()}


def test_linear_modules_are_transposed_and_biases_that_add_up_become_one():
    model = whole(AttentionDecoder, bridge="dense")
    state = named(h=linear(4, 4), c=linear(4, 4, bias=False), q=linear(4, 4), k=linear(4, 4), v=linear(1, 4))
    bridge = {name: array for name, array in state.items() if name[0] in "hc"}
    from_torch(model.decoder.first_states, bridge, ["h", "c"])
    close(model.decoder.first_states.dense.kernel, np.concatenate([state["h.weight"], state["c.weight"]]).T)
    close(model.decoder.first_states.dense.bias, [*state["h.bias"], 0, 0, 0, 0])
    from_torch(
        model.decoder.attention_layer,
        {name: array for name, array in state.items() if name[0] in "qkv"},
        ["q", "k", "v"],
    )
    close(model.decoder.attention_layer.query_kernel, state["q.weight"].T)
    close(model.decoder.attention_layer.key_kernel, state["k.weight"].T)
    close(model.decoder.attention_layer.bias, state["q.bias"] + state["k.bias"])
    close(model.decoder.attention_layer.scale, state["v.weight"].T)


def test_one_linear_module_can_give_all_initial_states():
    bridge = DenseBridge()
    bridge.build(3, ((3, 3),), ((4, 4), (4, 4)))
    state = linear(16, 3)
    from_torch(bridge, state)
    close(bridge.dense.kernel, state["weight"].T)
    close(bridge.dense.bias, state["bias"])


@pytest.mark.parametrize("width", [4, 3], ids=["as-wide", "projected"])
def test_a_tied_readout_needs_equal_matrices(width):
    readout = Tokens(TOKENS, embedding_dim=width, tied=True)
    readout.build(4, feeds_back=True)
    embedding = linear(TOKENS, width)
    state = named(target={"weight": embedding["weight"]}, out=embedding, down=linear(width, 4, bias=False))
    names = ["target", "down", "out"]
    if width == 4:
        del state["down.weight"], names[1]
    from_torch(readout, state, names)
    features = np.ones((1, 4), "float32")
    hidden = features if width == 4 else features @ state["down.weight"].T
    close(readout.read(features), hidden @ embedding["weight"].T + embedding["bias"])
    state["target.weight"] = state["target.weight"] + 1
    with refused("Tokens: tied=True needs 'out.weight' to equal 'target.weight', but they differ."):
        from_torch(readout, state, names)


def test_a_mode_without_feedback_has_no_embedding_to_load():
    model = whole(BasicDecoder)
    state = linear(TOKENS, 4)
    from_torch(model.decoder.readout, state)
    close(model.decoder.readout.kernel, state["weight"].T)


# === PyTorch itself ===


@pytest.fixture(scope="module")
def torch():
    found = pytest.importorskip(
        "torch", reason="torch is not installed; its equations in numpy are tested all the same"
    )
    found.manual_seed(1)
    return found


@pytest.mark.parametrize(("depth", "bidirectional"), BODIES)
@pytest.mark.parametrize("kind", TWINS)
def test_an_encoder_decoder_equals_pytorchs(torch, kind, depth, bidirectional):
    nn, ways = torch.nn, 1 + bidirectional
    recurrent = getattr(nn, MODULES[kind])
    theirs = nn.ModuleDict(
        {
            "source": nn.Embedding(TOKENS, 3),
            "encoder": recurrent(3, 4, num_layers=depth, bidirectional=bidirectional, batch_first=True),
            "target": nn.Embedding(TOKENS, 3),
            "decoder": recurrent(3, 4 * ways, num_layers=depth, batch_first=True),
            "out": nn.Linear(4 * ways, TOKENS),
        }
    )

    def joined(state):  # (depth * ways, batch, 4)
        return torch.cat(torch.unbind(state.reshape(depth, ways, *state.shape[1:]), 1), -1)

    packed = nn.utils.rnn.pack_padded_sequence(
        theirs["source"](torch.tensor(SOURCE)), LENGTHS, batch_first=True, enforce_sorted=False
    )
    _, states = theirs["encoder"](packed)
    states = tuple(map(joined, states)) if kind == "lstm" else joined(states)
    outputs, _ = theirs["decoder"](theirs["target"](torch.tensor(PREVIOUS_TARGETS)), states)

    body = {"cell": kind, "depth": depth}
    model = whole(encoder={**body, "bidirectional": bidirectional}, units=4 * ways, bridge="copy", **body)
    names = {"encoder.embedding": "source", "encoder.stack": "encoder", "decoder.stack": "decoder"}
    from_torch(model, theirs.state_dict(), {**names, "decoder.readout": ["target", "out"]})
    close(model((SOURCE, TARGET)), theirs["out"](outputs).detach())


@pytest.mark.parametrize("attention", ["additive", "general"])
def test_attention_equals_pytorchs(torch, attention):
    """Steps written out, with cells: as in Bahdanau et al. 2015, from the tanh of a linear layer's first states."""
    nn = torch.nn
    scores = {"query": nn.Linear(5, 5), "key": nn.Linear(8, 5), "score": nn.Linear(5, 1)}
    theirs = nn.ModuleDict(
        {
            "source": nn.Embedding(TOKENS, 3),
            "encoder": nn.LSTM(3, 4, bidirectional=True, batch_first=True),
            "h": nn.Linear(8, 5),
            "c": nn.Linear(8, 5),
            "target": nn.Embedding(TOKENS, 3),
            "cell": nn.LSTMCell(3 + 8, 5),
            "out": nn.Linear(5 + 8, TOKENS),
            **(scores if attention == "additive" else {"key": nn.Linear(8, 5, bias=False)}),
        }
    )
    source = torch.tensor([[4, 5, 6, 7], [8, 4, 5, 5]])
    sequence, (last, _) = theirs["encoder"](theirs["source"](source))
    summary = torch.cat((last[0], last[1]), -1)
    h, c = torch.tanh(theirs["h"](summary)), torch.tanh(theirs["c"](summary))
    keys, logits = theirs["key"](sequence), []
    for previous in torch.tensor(PREVIOUS_TARGETS[:2]).T:
        if attention == "additive":
            energies = theirs["score"](torch.tanh(theirs["query"](h)[:, None] + keys))[..., 0]
        else:
            energies = (keys @ h[..., None])[..., 0]
        context = (torch.softmax(energies, -1)[:, None] @ sequence)[:, 0]
        h, c = theirs["cell"](torch.cat((theirs["target"](previous), context), -1), (h, c))
        logits.append(theirs["out"](torch.cat((h, context), -1)))

    model = whole(AttentionDecoder, {"bidirectional": True}, units=5, attention=attention)
    names = {
        "encoder.embedding": "source",
        "encoder.stack": "encoder",
        "decoder.first_states": ["h", "c"],
        "decoder.stack": "cell",
        "decoder.attention_layer": list(scores) if attention == "additive" else "key",
        "decoder.readout": ["target", "out"],
    }
    from_torch(model, theirs.state_dict(), names)
    close(model((source.numpy(), TARGET[:2])), torch.stack(logits, 1).detach())


def test_the_module_on_the_converting_page_gives_the_same_logits(torch):
    module, state, model = blocks(ROOT / "docs" / "converting.md")[:3]
    page = {}
    for block in (module, state, model):
        exec(block.text, page)
    theirs = page["Theirs"]()
    theirs.load_state_dict({name: torch.tensor(array) for name, array in page["state"].items()})
    logits = theirs(torch.tensor(SOURCE), LENGTHS, torch.tensor(PREVIOUS_TARGETS))
    close(page["model"]((SOURCE, TARGET)), logits.detach())


# === Keras ===


@pytest.mark.parametrize(("depth", "bidirectional"), BODIES)
@pytest.mark.parametrize(("kind", "layer"), [("lstm", "LSTM"), ("gru", "GRU"), ("simple", "SimpleRNN")])
def test_a_stack_equals_keras_layers(kind, layer, depth, bidirectional):
    theirs = [getattr(keras.layers, layer)(4, return_sequences=True) for _ in range(depth)]
    if bidirectional:
        theirs = [keras.layers.Bidirectional(each) for each in theirs]
    theirs = keras.Sequential([keras.Input((None, 3)), *theirs])
    randomise(theirs)
    encoder = ours(cell=kind, depth=depth, bidirectional=bidirectional)
    from_keras(encoder.stack, [array for each in theirs.layers for array in each.get_weights()])
    close(encoder(X).sequence, theirs(X))


def test_keras_layers_without_biases_give_biases_of_zeros():
    lstm, dense = (
        keras.layers.LSTM(4, use_bias=False, return_sequences=True),
        keras.layers.Dense(TOKENS, use_bias=False),
    )
    theirs = keras.Sequential([keras.Input((None, 3)), lstm, dense])
    encoder, readout = ours(), Tokens(TOKENS)
    readout.build(4, feeds_back=False)
    randomise(readout)
    from_keras(encoder, {"stack": lstm.get_weights()})
    from_keras(readout, dense.get_weights())
    close(readout.read(encoder(X).sequence), theirs(X))


def test_a_keras_gru_without_biases_can_be_loaded_with_biases_of_zeros():
    gru = keras.layers.GRU(4, use_bias=False, return_sequences=True)
    expected, encoder = gru(X), ours(cell="gru")
    from_keras(encoder, {"stack": [*gru.get_weights(), np.zeros((2, 12))]})
    close(encoder(X).sequence, expected)


# === What is refused ===


NAMES = {
    "encoder.embedding": "source",
    "encoder.stack": "rnn",
    "decoder.stack": "cell",
    "decoder.readout": ["to", "out"],
}
OF_ENCODER = "encoder.stack (GRUCell, 4 units, reads 3): expected "
OF_KERAS = "encoder.stack, forward_0 (GRUCell, 4 units, reads 3): "
ONE_LAYER = "encoder.stack: depth=1 and bidirectional=False expect 'rnn.weight_ih_l0', found "


def refused(message):
    """The whole message; "..." stands for whatever Keras numbers."""
    return pytest.raises(ValueError, match=f"^{re.escape(message).replace(re.escape('...'), '.*')}$")


def complete():
    """What `whole(cell="gru", bridge="copy")` is loaded from, by `NAMES`."""
    state = named(source=linear(TOKENS, 3, bias=False), to=linear(TOKENS, 3, bias=False), out=linear(TOKENS, 4))
    return {**state, **state_dict("gru", prefix="rnn."), **state_dict("gru", prefix="cell.")}


def without(name):
    return {each: array for each, array in complete().items() if each != name}


@pytest.fixture(scope="module")
def model():
    return whole(encoder={"cell": "gru"}, cell="gru", bridge="copy")


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"rnn.weight_ih_l0": np.zeros((16, 3))}, f"{OF_ENCODER}'rnn.weight_ih_l0' of shape (12, 3), found (16, 3)."),
        (
            state_dict("gru", units=5, prefix="rnn."),
            f"{OF_ENCODER}'rnn.weight_ih_l0' of shape (12, 3), found (15, 3).",
        ),
        ({"out.weight": np.zeros((4, 9))}, "decoder.readout: expected 'out.weight' of shape (9, 4), found (4, 9)."),
        ({"out.bias": np.zeros(8)}, "decoder.readout: expected 'out.bias' of shape (9,), found (8,)."),
        (state_dict("gru", depth=2, prefix="rnn."), f"{ONE_LAYER}'rnn.weight_ih_l0', 'rnn.weight_ih_l1'."),
        (
            state_dict("gru", bidirectional=True, prefix="rnn."),
            f"{ONE_LAYER}'rnn.weight_ih_l0', 'rnn.weight_ih_l0_reverse'.",
        ),
        (
            {"attn.weight": 0, "attn.bias": 0, "rnn.weight_hr_l0": 0, "z": 0},
            "No weight of this Seq2Seq is loaded from 'attn.weight', 'attn.bias', 'rnn.weight_hr_l0' and 1 more. Add "
            "the layer to `names`, or remove from the state dict what is not needed.",
        ),
    ],
)
def test_arrays_that_do_not_fit_change_nothing(model, state, message):
    before = [np.array(weight) for weight in model.weights]
    with refused(message):
        from_torch(model, {**complete(), **state}, NAMES)
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (
            {f"module.{name}": array for name, array in complete().items()},
            "encoder.embedding: expected 'source.weight' of shape (9, 3), which does not exist. "
            "Did you mean 'module.source.weight'?",
        ),
        (
            {name.replace("rnn", "gru"): array for name, array in complete().items()},
            f"{ONE_LAYER}none. Did you mean 'gru.weight_ih_l0'?",
        ),
        (
            without("rnn.bias_hh_l0"),
            f"{OF_ENCODER}'rnn.bias_hh_l0' of shape (12,), which does not exist. Did you mean 'rnn.bias_ih_l0'?",
        ),
    ],
)
def test_a_missing_name_is_refused(model, state, message):
    with refused(message):
        from_torch(model, state, NAMES)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"decoder.stak": "cell"}, "decoder.stak: this FeedbackDecoder has no 'stak'. Did you mean 'stack'?"),
        ({"encoder.stack.cells.0": "rnn"}, "encoder.stack.cells.0: this ... has no '0'."),
        (
            {"decoder": "cell"},
            "decoder: a FeedbackDecoder is not loaded as a whole: name its layers, such as 'encoder.stack'.",
        ),
        (
            {"decoder.readout": "out"},
            "decoder.readout: expected one name for each of embedding, output, got 'out'.",
        ),
        (
            {"decoder.stack": ["cell", "rnn"]},
            "decoder.stack: expected one name, or one for each layer (1), got 'cell', 'rnn'.",
        ),
        ({"decoder.first_states": "out"}, "decoder.first_states: a CopyBridge cannot be loaded from a PyTorch module."),
    ],
)
def test_a_wrong_path_or_number_of_names_is_refused(model, names, message):
    with refused(message):
        from_torch(model, complete(), {**NAMES, **names})


def test_a_weight_without_an_array_is_refused():
    model = whole(encoder={"cell": "gru"}, cell="gru", bridge="dense")
    dense = "'.../bridge/dense/kernel', '.../bridge/dense/bias'"
    with refused(f"No array is given for {dense} of this Seq2Seq. Name the layer of these weights, too."):
        from_torch(model, complete(), NAMES)


def test_a_layer_that_is_not_built_is_refused():
    with refused("Stack: this Stack has no weights to load into yet: call `build` first."):
        from_torch(Stack(4), state_dict("lstm"))


def test_a_cell_unknown_to_pytorch_and_keras_is_refused():
    class Peephole(LSTMCell):
        """A cell that neither has."""

    cell = Peephole(4)
    cell.build((3,))
    for load, weights in ((from_torch, state_dict("lstm")), (from_keras, shapes((3, 16), (4, 16), (16,)))):
        with refused("Peephole...: a Peephole cannot be loaded from PyTorch or Keras."):
            load(cell, weights)


def shapes(*each):
    return [np.zeros(shape) for shape in each]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (
            {"encoder.stack": shapes((3, 12), (4, 12), (12,))},
            f"{OF_KERAS}expected a bias of shape (2, 12), found (12,), as of a GRU with reset_after=False. Such a GRU "
            "resets the state before the matrix product, which this package's GRU cannot do.",
        ),
        (
            {"encoder.stack": shapes((3, 12), (4, 12))},
            f"{OF_KERAS}without a bias, the weights do not show whether the GRU was made with reset_after=True. If it "
            "was, add a bias of zeros of shape (2, 12).",
        ),
        (
            {"encoder.stack": shapes((3, 16), (4, 16), (16,))},
            f"{OF_KERAS}expected kernel of shape (3, 12), found (3, 16).",
        ),
        (
            {"encoder.stack": shapes((3, 12), (4, 12), (2, 12)) * 2},
            "encoder.stack: expected 3 arrays (kernel, recurrent kernel and bias of each layer and direction), or 2 "
            "without biases, got 6.",
        ),
        (
            {"decoder.readout": shapes((4, 9), (9,), (9, 3))},
            "decoder.readout: expected embedding of shape (9, 3), found (4, 9).",
        ),
        (
            {"decoder.readout": shapes((4, 9))},
            "decoder.readout: expected 3 arrays (embedding (9, 3), kernel (4, 9), bias (9,)), got 1.",
        ),
        (
            {"encoder.embedding": shapes((9, 3))},
            "No array is given for '.../kernel', '.../recurrent_kernel', '.../bias' and 8 more of this Seq2Seq. Name "
            "the layer of these weights, too.",
        ),
    ],
)
def test_keras_arrays_that_do_not_fit_are_refused(model, weights, message):
    with refused(message):
        from_keras(model, weights)


def test_every_cell_can_be_loaded():
    assert {name for name, cell in cells.items() if cell.__module__.startswith("seq2seq_zoo.")} == set(TWINS)
