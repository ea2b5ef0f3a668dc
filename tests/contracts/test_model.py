"""Whole models: built, trained, saved and compiled in the ways of Keras, with every mode."""

import functools
import importlib
import sys
from pathlib import Path

import keras
import numpy as np
import outputs
import pytest
import tensorflow as tf
from cases import LENGTH, REAL, SOURCE, TARGET, TOKENS, cases, close, nll, randomise, small
from keras import ops

from seq2seq_zoo import BasicDecoder, Encoded, Encoder, FeedbackDecoder, PeekDecoder, Seq2Seq, Tokens, decoders
from seq2seq_zoo.decoders import modes
from seq2seq_zoo.layers.attention import GeneralAttention
from seq2seq_zoo.layers.bridge import DenseBridge
from seq2seq_zoo.layers.schedules import Linear

MODES = list(decoders.list())
VECTORS = np.random.default_rng(0).normal(size=(4, 5, 3)).astype("float32")


def crossentropy():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def functional(mode, **options):
    """The layers in a functional model, without `Seq2Seq`."""
    source, target = (keras.Input((None,), dtype="int32") for _ in range(2))
    decoder = decoders.create(mode, units=4, readout=Tokens(TOKENS), **options)
    model = keras.Model([source, target], decoder(Encoder(4, vocabulary_size=TOKENS)(source), target))
    randomise(model)
    return model


@pytest.fixture
def policy(request):
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


# === Losses and metrics leave padding out ===


@pytest.mark.parametrize("make", [small, functional])
@pytest.mark.parametrize("mode", MODES)
def test_fit_and_evaluate_leave_padding_out(mode, make):
    model = make(mode)
    model.compile(keras.optimizers.SGD(0.0), crossentropy(), metrics=["accuracy"], run_eagerly=True)
    logits = np.asarray(model((SOURCE, TARGET)))
    loss, accuracy = nll(logits)[REAL].mean(), (logits.argmax(-1) == TARGET)[REAL].mean()
    source, target = (np.pad(ids, ((0, 3), (0, 3))) for ids in (SOURCE, TARGET))  # rows of nothing else, too
    close(model.evaluate((source, target), target, verbose=0), [loss, accuracy])
    history = model.fit((source, target), target, verbose=0).history
    close([*history["loss"], *history["accuracy"]], [loss, accuracy])


def test_a_loss_of_padding_alone_is_zero():
    model = small("attention")
    model.compile("sgd", crossentropy(), run_eagerly=True)
    before = model.get_weights()
    assert model.train_on_batch((SOURCE, 0 * TARGET), 0 * TARGET) == 0
    keras.tree.map_structure(close, model.get_weights(), before)


# === Ways of building ===


def test_a_sequential_model_is_free_running():
    model = keras.Sequential(
        [Encoder(4, vocabulary_size=TOKENS), BasicDecoder(4, readout=Tokens(TOKENS), max_length=4)]
    )
    model.compile("adam", crossentropy(), run_eagerly=True)
    model.fit(SOURCE, TARGET, verbose=0)
    encoder, decoder = model.layers
    close(model.predict(SOURCE, verbose=0), decoder(encoder(SOURCE)))


@pytest.mark.parametrize("mode", MODES)
def test_a_source_mask_does_not_reach_the_outputs(mode):
    """A source mask on the outputs, longer than they are, would make the loss wrong."""
    decoder = decoders.create(mode, units=4, readout=Tokens(TOKENS), max_length=4)
    model = keras.Sequential([keras.layers.Masking(), Encoder(4), decoder])
    model.compile("adam", crossentropy(), run_eagerly=True)
    vectors = np.where(np.arange(5)[:, None] < 3, VECTORS, 0)
    model.train_on_batch(vectors, TARGET)
    close(model(vectors), model(vectors[:, :3]))


@pytest.mark.parametrize("mode", MODES)
def test_the_encoder_may_be_any_layer_that_gives_an_encoded(mode):
    sequence, h, c = keras.layers.LSTM(4, return_sequences=True, return_state=True)(VECTORS)
    decoder = decoders.create(mode, units=4, readout=Tokens(TOKENS), bridge="copy", max_length=LENGTH)
    encoded = Encoded(sequence, h, ((h, c),), np.ones((4, 5), bool))
    teacher_forced, free_running = decoder(encoded, TARGET), decoder(encoded)
    as_keras_loads_it = [sequence, h, [[h, c]], None]
    close(decoder(as_keras_loads_it, TARGET), teacher_forced)
    close(tf.function(decoder)(as_keras_loads_it), free_running)


def test_a_subclassed_model_with_a_masked_keras_encoder():
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.embedding = keras.layers.Embedding(TOKENS, 3, mask_zero=True)
            self.rnn = keras.layers.GRU(4, return_sequences=True, return_state=True)
            self.decoder = decoders.create("attention", units=4, readout=Tokens(TOKENS), cell="gru", bridge="copy")

        def call(self, inputs):
            source, target = inputs
            sequence, h = self.rnn(self.embedding(source))
            return self.decoder(Encoded(sequence, h, ((h,),), ops.not_equal(source, 0)), target)

    model = Model()
    model.compile("adam", crossentropy(), run_eagerly=True)
    model.fit((SOURCE, TARGET), TARGET, verbose=0)
    longer = np.pad(SOURCE[:2], ((0, 0), (0, 2)))
    close(model((longer, TARGET[:2])), model((SOURCE, TARGET))[:2])


# === Saving ===


@pytest.fixture
def mean_mode(monkeypatch):
    """The mode of tests/own_mode.py, registered for one test."""
    monkeypatch.setattr(modes, "_entries", dict(modes._entries))
    monkeypatch.delitem(sys.modules, "own_mode", raising=False)
    return importlib.import_module("own_mode")


def test_saved_models_give_the_same_outputs_in_a_new_process(tmp_path, mean_mode):
    objects = {
        "attention": GeneralAttention(),
        "bridge": DenseBridge(),
        "sampling": Linear(steps=10),
        "max_length": LENGTH,
    }
    some = {"body": "residual", "bridge": "dense"}.items()
    models = {
        **{str(case): case.build().model for case in cases() if case.has_tokens and some <= case.chosen.items()},
        **{mode: functional(mode) for mode in MODES},
        **outputs.special(),
        "objects": functional("attention", **objects),
        "mappings": small("peek", cell={"name": "gru", "activation": "relu"}, sampling={"name": "linear", "steps": 5}),
        "sequential": keras.Sequential(
            [Encoder(4, vocabulary_size=TOKENS), PeekDecoder(4, readout=Tokens(TOKENS), max_length=4)]
        ),
        "mean": small("mean"),
    }
    models["sequential"](SOURCE)
    for name, model in models.items():
        for weight in model.non_trainable_variables:
            if weight.name == "training_steps":
                weight.assign(99.0)  # so no step reads the previous target
        model.save(tmp_path / f"{name}.keras")
    with outputs.ask(tmp_path, "own_mode", KERAS_BACKEND="tensorflow") as process:
        expected = {name: outputs.outputs(model) for name, model in models.items()}
    assert process.returncode == 0
    for name, here in expected.items():
        there = np.load(tmp_path / f"{name}.tensorflow.npz")
        assert set(there) == set(here)
        for what in here:
            close(there[what], here[what], err_msg=f"{name}: {what}")


def test_an_own_mode_takes_few_lines_and_trains(mean_mode):
    assert len(Path(mean_mode.__file__).read_text().splitlines()) < 25
    assert decoders.list()["mean"] == "reads its own last output and the mean of the source"
    model = small("mean")
    model.compile(keras.optimizers.Adam(0.1), crossentropy(), run_eagerly=True)
    losses = [model.train_on_batch((SOURCE, TARGET), TARGET) for _ in range(4)]
    assert losses[-1] < losses[0]
    longer = np.pad(SOURCE, ((0, 0), (0, 2)))
    close(model((longer, TARGET)), model((SOURCE, TARGET)))


def test_registering_a_taken_name_or_no_decoder_is_refused(mean_mode):
    with pytest.raises(ValueError, match=r"'peek' is already registered by seq2seq_zoo\.decoders\.peek\.PeekDecoder"):
        decoders.register("peek", "again")(mean_mode.MeanDecoder)
    with pytest.raises(TypeError, match="A decoder mode must derive from Decoder"):
        decoders.register("other", "no decoder")(Encoder)


# === Compiling ===


@pytest.fixture(scope="module")
def passes():
    """The teacher-forced and the free-running pass and the gradients of modes, as a function of ids."""
    models = {mode: small(mode) for mode in MODES}

    def passes(modes, source, target):
        found = {}
        for mode in modes:
            model = models[mode]
            with tf.GradientTape() as tape:
                logits = model((source, target), training=True)
                loss = ops.sum(ops.where(ops.not_equal(target, 0)[..., None], ops.log_softmax(logits), 0) ** 2)
            gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
            found[mode] = [logits, model(source), *map(tf.convert_to_tensor, gradients)]
        return found

    return passes


@pytest.mark.parametrize(
    ("modes", "shape", "jit_compile"),
    [(MODES, (4, 4), True), (MODES[::2], (4, None), False), (MODES[1::2], (None, None), False)],
    ids=["compiled", "graph", "any shape"],
)
def test_a_graph_computes_what_eager_execution_computes(passes, modes, shape, jit_compile):
    of_modes = functools.partial(passes, modes)
    spec = tf.TensorSpec(shape, "int32")
    graph = tf.function(of_modes, input_signature=[spec, spec], autograph=False, jit_compile=jit_compile)
    keras.tree.map_structure(close, graph(SOURCE, TARGET), of_modes(*map(tf.constant, (SOURCE, TARGET))))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"], indirect=True)
@pytest.mark.parametrize("mode", MODES)
def test_half_precision_gives_float32_logits(mode, policy):
    model = small(mode, bridge="copy")
    passes = model((SOURCE, TARGET)), model(SOURCE)
    assert {each.dtype for each in passes} == {tf.float32}
    assert model.decoder.compute_dtype == policy.removeprefix("mixed_")
    beam = model.searcher({"name": "beam", "size": 2, "coverage_penalty": 0.1 * model.has_attention})
    assert beam({"sources": SOURCE})["log_probs"].dtype == tf.float32
    model.compile("sgd", crossentropy(), run_eagerly=True)
    assert np.isfinite(model.train_on_batch((SOURCE, TARGET), TARGET))
    keras.config.set_dtype_policy("float32")
    np.testing.assert_allclose(passes[0], small(mode, bridge="copy")((SOURCE, TARGET)), atol=0.1)


def test_half_precision_of_a_layer_alone():
    model = Seq2Seq(
        Encoder(4, vocabulary_size=TOKENS, dtype="mixed_bfloat16"),
        FeedbackDecoder(4, readout=Tokens(TOKENS), dtype="mixed_bfloat16"),
    )
    assert model.search(SOURCE, {"name": "greedy", "max_length": 3}).ids.shape == (4, 1, 3)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"], indirect=True)
def test_ids_in_half_precision_are_refused(policy):
    """Keras's `Sequential` without an `Input`, or an `Input` without a dtype, makes floats of them: 301 is then 302."""
    model = keras.Sequential([Encoder(4, vocabulary_size=999), BasicDecoder(4, readout=Tokens(TOKENS))])
    with pytest.raises(ValueError, match=r"cannot tell all of them apart\. Give integers: an Input .* dtype='int32'\."):
        model(np.array([[301]]))
    encoder = Encoder(4, vocabulary_size=999)
    assert np.ptp(np.asarray(encoder(np.array([[301], [302]])).summary, "float32"), axis=0).max() > 0
