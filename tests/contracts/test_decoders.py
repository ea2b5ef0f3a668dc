"""The relations that must hold for every mode, with every cell, depth, bridge and attention."""

import re

import numpy as np
import pytest
from cases import (
    FEATURES,
    LENGTH,
    REAL,
    SOURCE,
    TARGET,
    TOKENS,
    UNMOVED,
    VECTORS,
    cases,
    close,
    gradients,
    memorised,
    recall,
    small,
    until,
)
from keras import ops, tree
from references.decoders import READS, decode
from references.encoder import encode

from seq2seq_zoo import Encoder, Tokens, Vectors, decoders
from seq2seq_zoo.config.options import options_of
from seq2seq_zoo.decoders import modes
from seq2seq_zoo.layers.schedules import Constant

MODES = list(decoders.list())
FEEDING_BACK = [mode for mode in MODES if modes[mode].feeds_back]


@pytest.fixture(scope="module", params=cases(), ids=str)
def case(request):
    return request.param.build()


# === Relations of DESIGN.md, over all cases ===


def test_each_row_is_what_its_twin_says(case):
    if case.mode not in READS:
        ours = type(case.decoder).__module__.startswith("seq2seq_zoo.")
        (pytest.fail if ours else pytest.skip)(
            f"No twin of mode {case.mode!r}: write one in tests/references/decoders.py."
        )
    for row, source in enumerate(SOURCE):
        encoded = encode(case.chosen["cell"], case.encoder, source[source != 0])
        close(case.logits[row], decode(case.mode, case.decoder, encoded, targets=case.target[row])[0])
        free, _ = decode(case.mode, case.decoder, encoded, length=LENGTH)
        close(case.outputs[row], np.pad(free, ((0, LENGTH - len(free)), (0, 0))))


def test_a_free_run_told_to_itself_is_the_same(case):
    said = np.asarray(case.decoder.readout.predict(case.outputs))
    if case.says_tokens:
        said = until(2, said)
    close(np.where(case.decoder.readout.mask(said)[..., None], case.forced(target=said), 0), case.outputs)


def test_padding_and_neighbours_change_no_row(case):
    source = np.concatenate(
        [np.pad(SOURCE[rows], ((0, 0), sides)) for rows, sides in [([2, 1], (3, 0)), ([1, 2, 3], (0, 3))]]
    )
    rows = [2, 1, 1, 2, 3]
    longer = np.pad(case.target, ((0, 0), (0, 2), (0, 0))[: case.target.ndim])
    close(case.forced(source, longer[rows])[:, :4], case.logits[rows])
    close(case.free(source), case.outputs[rows])


def test_a_target_changes_only_later_logits_and_none_of_basic(case):
    other = case.target.copy()
    other[:, 1:] = 3
    changed = np.abs(case.forced(target=other) - case.logits).max(-1)
    assert not changed[:, :2].any()
    told = case.decoder.feeds_back and not case.decoder.readout.feeds_back_features
    assert (changed[:, 2:] > 1e-6).all() if told else not changed.any()


def test_basic_and_peek_read_the_summary_at_every_step(case):
    memory, states = case.decoder.initialize(case.encoded)
    without, _ = case.decoder.initialize(case.encoded._replace(summary=ops.zeros_like(case.encoded.summary)))
    first, second = case.target[:, 0], case.target[:, 1]
    _, states, _ = case.decoder.step(first, states, memory)
    with_it, without_it = (np.asarray(case.decoder.step(second, states, each)[0]) for each in (memory, without))
    reads = {"basic": True, "peek": True, "feedback": False, "attention": False}
    assert reads.get(case.mode, ...) in (..., bool(np.abs(with_it - without_it).max() > 1e-5))


def test_attention_sums_to_one_over_real_positions_and_moves(case):
    if not case.decoder.has_attention:
        with pytest.raises(
            ValueError, match=r"\w+Decoder does not look at its source, so it has no attention scores\."
        ):
            case.decoder(case.encoded, return_attention_scores=True)
        return
    padding = SOURCE == 0
    for inputs, expected in [((SOURCE, case.target), case.logits), (SOURCE, case.outputs)]:
        logits, weights = map(np.asarray, case.model(inputs, return_attention_scores=True))
        close(logits, expected)
        before_the_end = (logits != 0).any(-1)
        close(weights.sum(-1), before_the_end & ~padding.all(1)[:, None])
        assert (weights >= 0).all()
        assert not weights[np.broadcast_to(padding[:, None], weights.shape)].any()
        moved = np.ptp(weights[0, before_the_end[0]], axis=0).max()
        assert (moved < 1e-6) if case.chosen["attention"] in UNMOVED else moved > 1e-4 or before_the_end[0].sum() < 2


def test_a_config_makes_the_same_model(case):
    twin = type(case.model).from_config(case.model.get_config())
    assert twin.get_config() == case.model.get_config()
    for layer in (case.encoder, case.decoder):
        assert options_of(type(layer)).keys() <= layer.get_config().keys()
    twin.build((None, None))
    names = [[(weight.name, tuple(weight.shape)) for weight in model.weights] for model in (twin, case.model)]
    assert names[0] == names[1]


def test_shapes_are_foretold(case):
    foretold = case.encoder.compute_output_shape(SOURCE.shape)
    assert tree.map_structure(lambda x: tuple(x.shape), case.encoded) == foretold
    assert case.logits.shape == case.decoder.compute_output_shape(foretold, case.target.shape)
    assert case.outputs.shape == case.decoder.compute_output_shape(foretold)


def test_every_weight_learns_and_padding_teaches_nothing_infinite(case):
    deaf = case.mode == "feedback" and case.decoder.bridge == "zero"  # such a decoder hears nothing of the source
    learning = case.decoder if deaf else case.model
    loss = case.decoder.readout.loss()
    found = gradients(learning, lambda: loss(case.target, case.model((SOURCE, case.target), training=True)))
    for path, gradient in found.items():
        assert np.isfinite(gradient).all(), path
        assert np.abs(gradient).max() > 0 or path.endswith("attention/shift"), path  # which moves all scores alike


def loss(logits):
    return ops.sum(ops.where(REAL, ops.sparse_categorical_crossentropy(TARGET, logits, from_logits=True), 0.0))


def test_padding_and_start_are_never_chosen():
    logits = np.eye(TOKENS)[[0, 1, 5]] + 0.5 * np.eye(TOKENS)[[4, 4, 4]]
    np.testing.assert_array_equal(Tokens(TOKENS).choose(logits), [4, 4, 5])


# === Dropout and scheduled sampling ===


@pytest.mark.parametrize("mode", MODES)
def test_dropout_is_for_training_and_the_same_at_every_step(mode):
    model, plain = small(mode, cell="simple", dropout=0.5), small(mode, cell="simple")
    forgetful = model.decoder.stack.cells[0][0].recurrent_kernel
    forgetful.assign(ops.zeros_like(forgetful))
    plain.set_weights([np.asarray(weight) for weight in model.weights])
    same = np.array([[4], [5], [6], [7]]), np.ones((4, 5), "int32")  # every step reads and sees the same
    close(model(same), plain(same))
    close(model(same[0]), plain(same[0]))
    dropped = np.asarray(model(same, training=True))
    assert np.abs(dropped - plain(same)).max(axis=(1, 2)).min() > 0.01
    close(dropped, dropped[:, :1].repeat(5, axis=1))


OUTPUTS = {"tokens": (Tokens, TOKENS, TARGET), "vectors": (Vectors, FEATURES, VECTORS)}


@pytest.mark.parametrize("outputs", OUTPUTS.values(), ids=OUTPUTS)
@pytest.mark.parametrize("mode", MODES)
def test_sampling_with_certainty_is_the_forced_pass(mode, outputs):
    readout, size, target = outputs
    options = {"dropout": 0.3, "recurrent_dropout": 0.3, "sampling": {"name": "constant", "p": 1}}
    model = small(mode, readout=readout(size), **options)
    state = memorised(model)
    sampled = model((SOURCE, target), training=True)
    recall(state)
    model.decoder.schedule = None
    close(sampled, model((SOURCE, target), training=True))


@pytest.mark.parametrize("outputs", OUTPUTS.values(), ids=OUTPUTS)
@pytest.mark.parametrize("mode", MODES)
def test_sampling_without_hope_is_the_free_run(mode, outputs):
    readout, size, target = outputs
    model = small(mode, readout=readout(size), sampling={"name": "constant", "p": 0})
    close(model((SOURCE, target), training=True), model(SOURCE, training=True)[:, :4])
    close(model((SOURCE, target)), small(mode, readout=readout(size))((SOURCE, target)))


@pytest.mark.parametrize("mode", FEEDING_BACK)
def test_sampling_tosses_a_coin_for_every_token(mode):
    model = small(mode, cell="simple", sampling=Constant(0.5))
    forgetful = model.decoder.stack.cells[0][0].recurrent_kernel
    forgetful.assign(ops.zeros_like(forgetful))  # a logit then tells which token was read
    model.decoder.readout.bias.assign(-99.0 * np.eye(TOKENS)[5])  # never its own choice
    source, target = np.full((40, 1), 4), np.full((40, 6), 5)
    logits = np.asarray(model((source, target), training=True))
    told = np.isclose(logits, model((source, target))).all(-1)[:, 1:]
    assert 0.3 < told.mean() < 0.7
    assert told.any(axis=0).all()
    assert not told.all(axis=0).any()
    assert len(np.unique(told, axis=0)) > 5


@pytest.mark.parametrize("mode", FEEDING_BACK)
def test_sampling_teaches_every_weight_and_counts_its_steps(mode):
    model = small(mode, sampling="linear")
    assert int(model.decoder.training_steps) == 0
    found = gradients(model, lambda: loss(model((SOURCE, TARGET), training=True)))
    assert all(np.isfinite(gradient).all() and gradient.any() for gradient in found.values())
    model((SOURCE, TARGET))
    assert int(model.decoder.training_steps) == 1


# === Refusals, by their words ===


@pytest.mark.parametrize(
    ("mode", "options", "words"),
    [
        ("basic", {"readout": Tokens(9, tied=True)}, "tied=True needs a mode that reads its own outputs"),
        ("peek", {"units": 0}, "PeekDecoder: `units` must be an integer of at least 1, got 0."),
        ("peek", {"cell": "lsmt"}, "unknown cell 'lsmt'. Did you mean 'lstm'?"),
        ("peek", {"bridge": "dens"}, "unknown bridge 'dens'. Did you mean 'dense'?"),
        ("peek", {"sampling": "linea"}, "unknown schedule 'linea'. Did you mean 'linear'?"),
        ("peek", {"sampling": {"name": "linear", "step": 3}}, "`sampling.step` is not an option"),
        ("peek", {"unit": 3}, "PeekDecoder: `unit` is not an option. Did you mean 'units'?"),
        ("attention", {"attention": "aditive"}, "nknown attention 'aditive'. Did you mean 'additive'?"),
        ("atention", {}, "Unknown decoder mode 'atention'. Did you mean 'attention'?"),
        ("attention", {"attention": "dot", "units": 5}, "must be equally wide: got 5 and 4."),
        ("feedback", {"bridge": "copy", "units": 5}, "layer 1: 2 x 5, the encoder layer 1: 2 x 4"),
        (
            "feedback",
            {"readout": Tokens(9, 3, feedback="features")},
            "vectors fed back: got 4 and embedding_dim=3. Change",
        ),
        (
            "peek",
            {"readout": Tokens(9, feedback="features"), "sampling": "linear"},
            "a step reads neither: leave sampling",
        ),
        (
            "peek",
            {"readout": Tokens(9, feedback="features", tied=True)},
            "tied=True needs a mode that reads its own outp",
        ),
        ("peek", {"readout": Tokens(9, start=None)}, "start=None leaves a first step that reads tokens without any"),
        ("attention", {"input_feeding": False, "readout_context": False}, "nothing reads what was found: set one of"),
        ("peek", {"combine": "sum"}, "`combine` must be 'concatenate' or 'add', got 'sum'."),
        ("peek", {"combine": "add", "units": 5}, "combine='add' adds the encoder's summary to the output before"),
    ],
)
def test_mistakes_are_named(mode, options, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        decoders.create(mode, **{"units": 4, "readout": Tokens(9), **options})(Encoder(4, vocabulary_size=9)(SOURCE))


def test_a_readout_belongs_to_one_decoder():
    readout, encoded = Tokens(TOKENS), Encoder(4, vocabulary_size=TOKENS)(SOURCE)
    decoders.create("basic", units=4, readout=readout)(encoded)
    with pytest.raises(ValueError, match=r"already belongs to another decoder\. Give each decoder a Tokens of its own"):
        decoders.create("peek", units=4, readout=readout)(encoded)


@pytest.mark.parametrize("ids", [{"start": 2}, {"end": 0}, {"end": 9}])
def test_padding_start_and_end_are_three_tokens(ids):
    with pytest.raises(ValueError, match=r"must be three ids below vocabulary_size=9, got start=\d and end=\d"):
        Tokens(9, **ids)
