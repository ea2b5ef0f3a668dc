"""The relations that must hold for every mode, with every cell, depth, bridge and attention."""

import re

import numpy as np
import pytest
from cases import (
    FEATURES,
    LENGTH,
    QUERY_CANCELS,
    REAL,
    SOURCE,
    TARGET,
    TOKENS,
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


def test_each_row_equals_the_numpy_reference(case):
    if case.mode not in READS:
        ours = type(case.decoder).__module__.startswith("seq2seq_zoo.")
        (pytest.fail if ours else pytest.skip)(
            f"No reference of mode {case.mode!r}: write one in tests/references/decoders.py."
        )
    for row, source in enumerate(SOURCE):
        encoded = encode(case.chosen["cell"], case.encoder, source[source != 0])
        close(case.logits[row], decode(case.mode, case.decoder, encoded, targets=case.target[row])[0])
        free, _ = decode(case.mode, case.decoder, encoded, length=LENGTH)
        close(case.outputs[row], np.pad(free, ((0, LENGTH - len(free)), (0, 0))))


def test_free_running_outputs_given_as_targets_give_the_same_logits(case):
    generated = np.asarray(case.decoder.readout.predict(case.outputs))
    if case.has_tokens:
        generated = until(2, generated)
    logits = case.teacher_forced(target=generated)
    close(np.where(case.decoder.readout.mask(generated)[..., None], logits, 0), case.outputs)


def test_padding_and_neighbours_change_no_row(case):
    source = np.concatenate(
        [np.pad(SOURCE[rows], ((0, 0), sides)) for rows, sides in [([2, 1], (3, 0)), ([1, 2, 3], (0, 3))]]
    )
    rows = [2, 1, 1, 2, 3]
    longer = np.pad(case.target, ((0, 0), (0, 2), (0, 0))[: case.target.ndim])
    close(case.teacher_forced(source, longer[rows])[:, :4], case.logits[rows])
    close(case.free_running(source), case.outputs[rows])


def test_a_target_changes_only_later_logits_and_none_of_basic(case):
    other = case.target.copy()
    other[:, 1:] = 3
    changed = np.abs(case.teacher_forced(target=other) - case.logits).max(-1)
    assert not changed[:, :2].any()
    reads_targets = case.decoder.feeds_back and not case.decoder.readout.feeds_back_features
    assert (changed[:, 2:] > 1e-6).all() if reads_targets else not changed.any()


def test_basic_and_peek_read_the_summary_at_every_step(case):
    memory, states = case.decoder.initialize(case.encoded)
    without, _ = case.decoder.initialize(case.encoded._replace(summary=ops.zeros_like(case.encoded.summary)))
    first, second = case.target[:, 0], case.target[:, 1]
    _, states, _ = case.decoder.step(first, states, memory)
    with_it, without_it = (np.asarray(case.decoder.step(second, states, each)[0]) for each in (memory, without))
    reads = {"basic": True, "peek": True, "feedback": False, "attention": False}
    assert reads.get(case.mode, ...) in (..., bool(np.abs(with_it - without_it).max() > 1e-5))


def test_attention_weights_sum_to_one_are_zero_on_padding_and_vary_over_steps(case):
    if not case.decoder.has_attention:
        with pytest.raises(
            ValueError, match=r"\w+Decoder does not attend to its source, so it has no attention scores\."
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
        change = np.ptp(weights[0, before_the_end[0]], axis=0).max()
        cancels = case.chosen["attention"] in QUERY_CANCELS
        assert change < 1e-6 if cancels else change > 1e-4 or before_the_end[0].sum() < 2


def test_get_config_rebuilds_the_same_model(case):
    rebuilt = type(case.model).from_config(case.model.get_config())
    assert rebuilt.get_config() == case.model.get_config()
    for layer in (case.encoder, case.decoder):
        assert options_of(type(layer)).keys() <= layer.get_config().keys()
    rebuilt.build((None, None))
    names = [[(weight.name, tuple(weight.shape)) for weight in model.weights] for model in (rebuilt, case.model)]
    assert names[0] == names[1]


def test_compute_output_shape_gives_the_shapes_of_the_outputs(case):
    expected = case.encoder.compute_output_shape(SOURCE.shape)
    assert tree.map_structure(lambda x: tuple(x.shape), case.encoded) == expected
    assert case.logits.shape == case.decoder.compute_output_shape(expected, case.target.shape)
    assert case.outputs.shape == case.decoder.compute_output_shape(expected)


def test_every_weight_has_a_gradient_and_padding_gives_no_infinite_one(case):
    sourceless = case.mode == "feedback" and case.decoder.bridge == "zero"  # nothing of the source reaches it
    learning = case.decoder if sourceless else case.model
    loss = case.decoder.readout.loss()
    found = gradients(learning, lambda: loss(case.target, case.model((SOURCE, case.target), training=True)))
    for path, gradient in found.items():
        assert np.isfinite(gradient).all(), path
        assert np.abs(gradient).max() > 0 or path.endswith("attention/shift"), (
            path
        )  # which is added to all scores alike


def loss(logits):
    return ops.sum(ops.where(REAL, ops.sparse_categorical_crossentropy(TARGET, logits, from_logits=True), 0.0))


def test_padding_and_start_are_never_predicted():
    logits = np.eye(TOKENS)[[0, 1, 5]] + 0.5 * np.eye(TOKENS)[[4, 4, 4]]
    np.testing.assert_array_equal(Tokens(TOKENS).predict(logits), [4, 4, 5])


# === Dropout and scheduled sampling ===


@pytest.mark.parametrize("mode", MODES)
def test_dropout_applies_in_training_with_one_mask_for_all_steps(mode):
    model, plain = small(mode, cell="simple", dropout=0.5), small(mode, cell="simple")
    recurrent_kernel = model.decoder.stack.cells[0][0].recurrent_kernel
    recurrent_kernel.assign(ops.zeros_like(recurrent_kernel))
    plain.set_weights([np.asarray(weight) for weight in model.weights])
    same = np.array([[4], [5], [6], [7]]), np.ones((4, 5), "int32")  # every step reads the same
    close(model(same), plain(same))
    close(model(same[0]), plain(same[0]))
    dropped = np.asarray(model(same, training=True))
    assert np.abs(dropped - plain(same)).max(axis=(1, 2)).min() > 0.01
    close(dropped, dropped[:, :1].repeat(5, axis=1))


OUTPUTS = {"tokens": (Tokens, TOKENS, TARGET), "vectors": (Vectors, FEATURES, VECTORS)}


@pytest.mark.parametrize("outputs", OUTPUTS.values(), ids=OUTPUTS)
@pytest.mark.parametrize("mode", MODES)
def test_scheduled_sampling_with_probability_one_is_teacher_forcing(mode, outputs):
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
def test_scheduled_sampling_with_probability_zero_is_free_running(mode, outputs):
    readout, size, target = outputs
    model = small(mode, readout=readout(size), sampling={"name": "constant", "p": 0})
    close(model((SOURCE, target), training=True), model(SOURCE, training=True)[:, :4])
    close(model((SOURCE, target)), small(mode, readout=readout(size))((SOURCE, target)))


@pytest.mark.parametrize("mode", FEEDING_BACK)
def test_scheduled_sampling_draws_a_number_for_every_token(mode):
    model = small(mode, cell="simple", sampling=Constant(0.5))
    recurrent_kernel = model.decoder.stack.cells[0][0].recurrent_kernel
    recurrent_kernel.assign(ops.zeros_like(recurrent_kernel))  # so a step's logits depend on the token that it read
    model.decoder.readout.bias.assign(-99.0 * np.eye(TOKENS)[5])  # the target, which the decoder itself never puts out
    source, target = np.full((40, 1), 4), np.full((40, 6), 5)
    logits = np.asarray(model((source, target), training=True))
    reads_target = np.isclose(logits, model((source, target))).all(-1)[:, 1:]
    assert 0.3 < reads_target.mean() < 0.7
    assert reads_target.any(axis=0).all()
    assert not reads_target.all(axis=0).any()
    assert len(np.unique(reads_target, axis=0)) > 5


@pytest.mark.parametrize("mode", FEEDING_BACK)
def test_scheduled_sampling_trains_every_weight_and_counts_training_steps(mode):
    model = small(mode, sampling="linear")
    assert int(model.decoder.training_steps) == 0
    found = gradients(model, lambda: loss(model((SOURCE, TARGET), training=True)))
    assert all(np.isfinite(gradient).all() and gradient.any() for gradient in found.values())
    model((SOURCE, TARGET))
    assert int(model.decoder.training_steps) == 1


# === Errors ===


@pytest.mark.parametrize(
    ("mode", "options", "words"),
    [
        ("basic", {"readout": Tokens(9, tied=True)}, "tied=True needs a decoder that reads the embeddings"),
        ("peek", {"units": 0}, "PeekDecoder: `units` must be an integer of at least 1, got 0."),
        ("peek", {"cell": "lsmt"}, "unknown cell 'lsmt'. Did you mean 'lstm'?"),
        ("peek", {"bridge": "dens"}, "unknown bridge 'dens'. Did you mean 'dense'?"),
        ("peek", {"sampling": "linea"}, "unknown schedule 'linea'. Did you mean 'linear'?"),
        ("peek", {"sampling": {"name": "linear", "step": 3}}, "`sampling.step` is not an option"),
        ("peek", {"unit": 3}, "PeekDecoder: `unit` is not an option. Did you mean 'units'?"),
        ("attention", {"attention": "aditive"}, "nknown attention 'aditive'. Did you mean 'additive'?"),
        ("atention", {}, "Unknown decoder mode 'atention'. Did you mean 'attention'?"),
        ("attention", {"attention": "dot", "units": 5}, "must have the same width: got 5 and 4."),
        ("feedback", {"bridge": "copy", "units": 5}, "layer 1: 2 x 5, the encoder layer 1: 2 x 4"),
        (
            "feedback",
            {"readout": Tokens(9, 3, feedback="features")},
            "vectors fed back: got 4 and embedding_dim=3. Change",
        ),
        (
            "peek",
            {"readout": Tokens(9, feedback="features"), "sampling": "linear"},
            "a step reads neither. Leave sampling out.",
        ),
        (
            "peek",
            {"readout": Tokens(9, feedback="features", tied=True)},
            "tied=True needs a decoder that reads the embeddings",
        ),
        ("peek", {"readout": Tokens(9, start=None)}, "start=None leaves the first step without a token to read"),
        (
            "attention",
            {"input_feeding": False, "readout_context": False},
            "nothing reads the attention context: set one of",
        ),
        ("peek", {"combine": "sum"}, "`combine` must be 'concatenate' or 'add', got 'sum'."),
        ("peek", {"combine": "add", "units": 5}, "combine='add' adds the encoder's summary to the embedded previous"),
    ],
)
def test_wrong_arguments_are_refused_with_what_to_change(mode, options, words):
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
