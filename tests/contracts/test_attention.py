"""Where a query looks."""

import numpy as np
import pytest
from cases import UNMOVED, close, gradients, randomise
from keras import ops
from references.attention import SCORES, attend

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


def look(attention, query=QUERY, sequence=SEQUENCE, mask=MASK):
    return map(np.asarray, attention(query, attention.prepare(sequence, mask)))


@pytest.mark.parametrize("name", attentions)
@pytest.mark.parametrize("width", [4, 6])
def test_a_look_is_what_its_twin_says(name, width):
    if name not in SCORES:
        ours = attentions[name].__module__.startswith("seq2seq_zoo.")
        (pytest.fail if ours else pytest.skip)(f"No twin of {name!r}: write one in tests/references/attention.py.")
    if width != 4 and name not in ANY_WIDTH:
        return  # a refusal: see below
    attention, query = built(name, query=width), np.resize(QUERY, (3, 2, width))
    context, weights = look(attention, query)
    for row, t in np.ndindex(3, 2):
        expected, shares = attend(name, attention, query[row, t], SEQUENCE[row, MASK[row]])
        close(context[row, t], expected)
        close(weights[row, t, MASK[row]], shares)
        assert not weights[row, t, ~MASK[row]].any()


def test_a_look_by_hand():
    query, sequence = np.array([[[1, 0], [0, 2]]], "float32"), np.array([[[1, 0], [0, 1]]], "float32")
    context, weights = look(built("dot", 2, 2), query, sequence, np.array([[True, True]]))
    expected = [[0.731, 0.269], [0.119, 0.881]]
    np.testing.assert_allclose(weights[0], expected, atol=5e-4)
    np.testing.assert_allclose(context[0], expected, atol=5e-4)


@pytest.mark.parametrize("name", attentions)
def test_the_query_moves_the_weights(name):
    """A score linear in the query and the key *apart* cancels the query in the softmax: a fact about the ancestor's."""
    _, weights = look(built(name))
    moved = np.ptp(weights[:2], axis=1).max(-1)
    assert moved.max() < 1e-6 if name in UNMOVED else moved.min() > 1e-3


@pytest.mark.parametrize("name", attentions)
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_nothing_real_or_very_loud_teaches_nothing_infinite(name, scale):
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
    words = r"must be equally wide: got 4 and 8\. Change the units of one .* or use attention='general'\."
    with pytest.raises(ValueError, match=words):
        AttentionDecoder(4, readout=Tokens(9), attention=name)(encoded)


@pytest.mark.parametrize("attention", ["additive", {"name": "additive"}, AdditiveAttention])
def test_an_attention_is_given_by_name_mapping_or_object(attention):
    attention = attention() if isinstance(attention, type) else attention
    decoder = AttentionDecoder(4, readout=Tokens(9), attention=attention)
    twin = AttentionDecoder.from_config(decoder.get_config())
    assert isinstance(decoder.attention_layer, AdditiveAttention)
    assert isinstance(twin.attention_layer, AdditiveAttention)
