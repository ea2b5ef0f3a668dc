"""Attention: contexts, weights, masks, and how an attention is given."""

import numpy as np
import pytest
from cases import QUERY_CANCELS, close, gradients, randomise
from keras import ops
from references.attention import SCORES
from references.attention import attend as attend_in_numpy

from seq2seq_zoo import AttentionDecoder, Encoder, Tokens
from seq2seq_zoo.layers.attention import AdditiveAttention, attentions

random = np.random.default_rng(0)
QUERY = random.normal(size=(3, 2, 4)).astype("float32")
SEQUENCE = random.normal(size=(3, 5, 4)).astype("float32")
MASK = np.array([[1, 1, 1, 1, 1], [0, 1, 1, 0, 1], [0, 0, 0, 0, 0]], bool)
ANY_WIDTH = ["additive", "general", "linear"]


def built(name, query=4, key=4):
    attention = attentions.create(name)
    attention.build(query, key)
    randomise(attention)
    return attention


def attend(attention, query=QUERY, sequence=SEQUENCE, mask=MASK):
    return map(np.asarray, attention(query, attention.prepare(sequence, mask)))


@pytest.mark.parametrize("name", attentions)
@pytest.mark.parametrize("width", [4, 6])
def test_context_and_weights_equal_the_numpy_reference(name, width):
    if name not in SCORES:
        ours = attentions[name].__module__.startswith("seq2seq_zoo.")
        (pytest.fail if ours else pytest.skip)(f"No reference of {name!r}: write one in tests/references/attention.py.")
    if width != 4 and name not in ANY_WIDTH:
        return  # an error: see below
    attention, query = built(name, query=width), np.resize(QUERY, (3, 2, width))
    context, weights = attend(attention, query)
    for row, t in np.ndindex(3, 2):
        expected, expected_weights = attend_in_numpy(name, attention, query[row, t], SEQUENCE[row, MASK[row]])
        close(context[row, t], expected)
        close(weights[row, t, MASK[row]], expected_weights)
        assert not weights[row, t, ~MASK[row]].any()


def test_two_positions_computed_by_hand():
    query, sequence = np.array([[[1, 0], [0, 2]]], "float32"), np.array([[[1, 0], [0, 1]]], "float32")
    context, weights = attend(built("dot", 2, 2), query, sequence, np.array([[True, True]]))
    expected = [[0.731, 0.269], [0.119, 0.881]]
    np.testing.assert_allclose(weights[0], expected, atol=5e-4)
    np.testing.assert_allclose(context[0], expected, atol=5e-4)


@pytest.mark.parametrize("name", attentions)
def test_the_weights_depend_on_the_query(name):
    """In a score linear in the sum of query and key, as an ancestor's, the query cancels out in the softmax."""
    _, weights = attend(built(name))
    change = np.ptp(weights[:2], axis=1).max(-1)
    assert change.max() < 1e-6 if name in QUERY_CANCELS else change.min() > 1e-3


@pytest.mark.parametrize("name", attentions)
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_padding_alone_and_very_large_inputs_give_finite_gradients(name, scale):
    attention = built(name)

    def loss():
        context, weights = attention(scale * QUERY, attention.prepare(scale * SEQUENCE, MASK))
        assert np.isfinite(context).all()
        close(ops.sum(weights, -1), np.repeat(MASK.any(1)[:, None], 2, axis=1))
        return ops.sum(context**2)

    if attention.trainable_weights:
        assert all(np.isfinite(gradient).all() for gradient in gradients(attention, loss).values())
    else:
        loss()


@pytest.mark.parametrize("name", sorted(set(SCORES) - set(ANY_WIDTH)))
def test_a_product_needs_equal_widths(name):
    encoded = Encoder(4, vocabulary_size=9, bidirectional=True)(np.array([[4, 5]]))
    words = r"must have the same width: got 4 and 8\. Change the units of one .* or use attention='general'\."
    with pytest.raises(ValueError, match=words):
        AttentionDecoder(4, readout=Tokens(9), attention=name)(encoded)


@pytest.mark.parametrize("attention", ["additive", {"name": "additive"}, AdditiveAttention])
def test_an_attention_is_given_by_name_mapping_or_object(attention):
    attention = attention() if isinstance(attention, type) else attention
    decoder = AttentionDecoder(4, readout=Tokens(9), attention=attention)
    rebuilt = AttentionDecoder.from_config(decoder.get_config())
    assert isinstance(decoder.attention_layer, AdditiveAttention)
    assert isinstance(rebuilt.attention_layer, AdditiveAttention)
