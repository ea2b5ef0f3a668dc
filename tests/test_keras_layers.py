"""Our layers under the layer test of Keras itself, and what users of Keras expect of a layer."""

import copy
import gc
import weakref

import keras
import numpy as np
import pytest
from cases import close
from keras.src.testing import TestCase

from seq2seq_zoo import AttentionDecoder, Encoded, Encoder, FeedbackDecoder, PeekDecoder, Seq2Seq, Tokens, decoders
from seq2seq_zoo.layers.attention import attentions
from seq2seq_zoo.layers.cells import cells

# Keras's own test feeds `fit` from a generator.
pytestmark = pytest.mark.filterwarnings("ignore:.*shuffle=True.*:UserWarning")

IDS = np.array([[4, 5, 6, 0], [5, 6, 0, 0]], "int32")
TARGETS = np.array([[4, 5, 2], [6, 2, 0]], "int32")
random = np.random.default_rng(0)
MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0]], bool)
SEQUENCE = random.normal(size=(2, 4, 6)).astype("float32")
SUMMARY = SEQUENCE.mean(1)
ENCODED = Encoded(SEQUENCE, SUMMARY, (), MASK)
harness = TestCase()


# === The layer test of Keras ===


@pytest.mark.parametrize(("cell", "vocabulary_size"), [*((cell, 9) for cell in cells), ("lstm", None)])
def test_the_encoder_passes_the_layer_test(cell, vocabulary_size):
    harness.run_layer_test(
        Encoder,
        {"units": 5, "cell": cell, "depth": 2, "bidirectional": True, "vocabulary_size": vocabulary_size},
        input_data=IDS if vocabulary_size else SEQUENCE,
        supports_masking=True,
    )


@pytest.mark.parametrize("mode", decoders.list())
def test_every_mode_passes_the_layer_test(mode):
    """A decoder is called with an `Encoded` alone there, so it runs freely."""

    def create(**arguments):
        return decoders.create(mode, readout=Tokens(9), max_length=3, **arguments)

    harness.run_layer_test(create, {"units": 5}, input_data=ENCODED)


@pytest.mark.parametrize("attention", attentions)
def test_every_attention_passes_the_layer_test(attention):
    harness.run_layer_test(
        lambda **arguments: AttentionDecoder(readout=Tokens(9), max_length=3, **arguments),
        {"units": 6, "attention": attention},
        input_data=ENCODED,
        run_training_check=False,  # which is that of the mode
    )


# === What users of Keras expect ===


@pytest.mark.parametrize("mode", decoders.list())
def test_a_model_without_weights_is_copied_and_saved(mode):
    model = Seq2Seq(Encoder(4, vocabulary_size=9), decoders.create(mode, units=4, readout=Tokens(9), max_length=3))
    config = keras.saving.serialize_keras_object(model)
    for other in (copy.deepcopy(model), keras.models.clone_model(model), keras.saving.deserialize_keras_object(config)):
        assert not other.built
        assert other.get_config()["decoder"]["config"]["units"] == 4
        assert other((IDS, TARGETS)).shape == (2, 3, 9)


def test_attention_scores_are_outputs_of_a_functional_model():
    source, target = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    decoder = AttentionDecoder(4, readout=Tokens(9))
    outputs = decoder(Encoder(4, vocabulary_size=9)(source), target, return_attention_scores=True)
    logits, weights = keras.Model([source, target], outputs).predict_on_batch([IDS, TARGETS])
    assert logits.shape == (2, 3, 9)
    close(weights.sum(-1), np.ones((2, 3)))
    with pytest.raises(ValueError, match="PeekDecoder does not attend to its source"):
        PeekDecoder(4, readout=Tokens(9))(Encoder(4, vocabulary_size=9)(source), target, return_attention_scores=True)


def test_symbolic_outputs_have_the_dtypes_of_real_ones():
    encoder = Encoder(4, vocabulary_size=9, dtype="mixed_float16")
    decoder = AttentionDecoder(4, readout=Tokens(9), dtype="mixed_float16")
    source, target = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")

    def dtypes(source, target):
        encoded = encoder(source)
        outputs = decoder(encoded, target, return_attention_scores=True)
        return [keras.backend.standardize_dtype(each.dtype) for each in keras.tree.flatten([tuple(encoded), outputs])]

    assert dtypes(source, target) == dtypes(IDS, TARGETS) == ["float16"] * 4 + ["bool", "float32", "float16"]


def test_attention_respects_the_mask_of_a_layer_of_keras():
    """An `Encoded` made by hand has no mask of its own, but its sequence may carry one."""
    embedding = keras.layers.Embedding(9, 4, mask_zero=True)
    decoder = AttentionDecoder(4, readout=Tokens(9))

    def weights(mask):
        x = keras.layers.LSTM(4, return_sequences=True, seed=1)(embedding(IDS))
        return np.asarray(decoder(Encoded(x, x[:, -1], (), mask), TARGETS, return_attention_scores=True)[1])

    assert not weights(None)[IDS[:, None].repeat(3, 1) == 0].any()
    close(weights(None).sum(-1), np.ones((2, 3)))


def test_a_quantized_embedding_is_read_with_its_scale():
    """Ids are more than tokens here, so that the products with the embeddings would be looked up."""
    model = Seq2Seq(Encoder(8, vocabulary_size=5), FeedbackDecoder(8, readout=Tokens(9)))
    ids = random.integers(1, 5, (8, 6))
    targets = random.integers(3, 9, (8, 4))
    before = np.asarray(model((ids, targets)))
    with pytest.warns(UserWarning, match="does not have a `quantize` method"):
        model.quantize("int8")
    after = np.asarray(model((ids, targets)))
    assert 0 < np.abs(after - before).max() < 0.02 * np.abs(before).max()


def test_an_adapted_embedding_is_read_with_its_adapter():
    encoder = Encoder(8, vocabulary_size=5)
    ids = random.integers(1, 5, (8, 6))
    before = np.asarray(encoder(ids).summary)
    encoder.embedding.enable_lora(2)
    for weight in (encoder.embedding.lora_embeddings_a, encoder.embedding.lora_embeddings_b):
        weight.assign(np.ones(weight.shape))
    assert np.abs(np.asarray(encoder(ids).summary) - before).max() > 0.01


@pytest.mark.parametrize("mode", decoders.list())
def test_an_empty_batch_has_empty_outputs(mode):
    decoder = decoders.create(mode, units=4, readout=Tokens(9), max_length=3)
    encoded = Encoder(4, vocabulary_size=9)(np.zeros((0, 4), "int32"))
    assert decoder(encoded, np.zeros((0, 3), "int32")).shape == (0, 3, 9)
    assert decoder(encoded).shape == (0, 3, 9)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow registers gradients")
@pytest.mark.parametrize("mode", ["attention", "peek"])
def test_a_model_that_was_trained_is_freed(mode):
    """Each training frees the models before it. TensorFlow would keep them all, with their graphs."""
    models = []
    for _ in range(3):
        model = Seq2Seq(Encoder(4, vocabulary_size=9), decoders.create(mode, units=4, readout=Tokens(9)))
        model.compile("adam", model.readout.loss())
        model.train_on_batch((IDS, TARGETS), TARGETS)
        models.append(weakref.ref(model))
        del model
        gc.collect()
    assert [each() for each in models[:2]] == [None, None]


def test_a_gradient_may_be_taken_outside_the_graph():
    """There TensorFlow looks the custom gradient up by its name."""
    tf = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("the gradient of another backend")
    model = Seq2Seq(Encoder(4, vocabulary_size=9), AttentionDecoder(4, readout=Tokens(9)))
    model.build((None, None))

    def gradients(call):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(call((IDS, TARGETS), training=True) ** 2)
        return map(tf.convert_to_tensor, tape.gradient(loss, model.trainable_weights))

    graph = tf.function(model)
    for in_graph, eager in zip(gradients(graph), gradients(model), strict=True):
        close(in_graph, eager)


def test_a_readout_computes_in_the_precision_of_its_decoder_unless_it_has_its_own():
    assert PeekDecoder(4, readout=Tokens(9), dtype="mixed_bfloat16").readout.compute_dtype == "bfloat16"
    assert PeekDecoder(4, readout=Tokens(9, dtype="float32"), dtype="mixed_bfloat16").readout.compute_dtype == "float32"


def test_a_mapping_of_inputs_is_refused_in_one_line():
    model = Seq2Seq(Encoder(4, vocabulary_size=9), PeekDecoder(4, readout=Tokens(9)))
    with pytest.raises(ValueError, match=r"expects sources, or a pair \(sources, targets\), got a mapping"):
        model({"sources": IDS, "targets": TARGETS})
