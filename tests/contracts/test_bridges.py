"""The bridges, from the encoder's final states to the decoder's initial ones."""

import keras
import numpy as np
import pytest
from cases import close, randomise
from references.bridges import BRIDGES

from seq2seq_zoo import Encoded, Encoder, FeedbackDecoder, Tokens
from seq2seq_zoo.layers.bridge import DenseBridge, bridges

random = np.random.default_rng(0)
SUMMARY = random.normal(size=(3, 5)).astype("float32")
STATES = tuple(tuple(random.normal(size=(2, 3, 4)).astype("float32")) for _ in range(2))  # two layers of two states
ENCODED = Encoded(np.zeros((3, 1, 5), "float32"), SUMMARY, STATES)
FOUR = ((4, 4), (4, 4))


@pytest.mark.parametrize("name", bridges)
@pytest.mark.parametrize("decoder_widths", [FOUR, ((7,), (2,), (3,))], ids=["same widths", "other widths"])
def test_initial_states_equal_the_numpy_reference(name, decoder_widths):
    if name not in BRIDGES:
        ours = bridges[name].__module__.startswith("seq2seq_zoo.")
        (pytest.fail if ours else pytest.skip)(
            f"Bridge {name!r} has no NumPy reference: write one in tests/references/bridges.py."
        )
    if name == "copy" and decoder_widths != FOUR:
        return  # refused: see below
    bridge = bridges.create(name)
    bridge.build(5, FOUR, decoder_widths)
    randomise(bridge)
    first = bridge(ENCODED)
    assert tuple(tuple(state.shape[1] for state in layer) for layer in first) == decoder_widths
    for row in range(3):
        expected = BRIDGES[name](bridge, SUMMARY[row], [[state[row] for state in layer] for layer in STATES])
        keras.tree.map_structure(
            close, [[state[row] for state in layer] for layer in first], [list(each) for each in expected]
        )


@pytest.mark.parametrize(
    ("encoder", "decoder", "words"),
    [
        ({}, {"units": 5}, "the decoder has layer 1: 2 x 5, the encoder layer 1: 2 x 4."),
        ({"cell": "gru"}, {}, "the decoder has layer 1: 2 x 4, the encoder layer 1: 1 x 4."),
        ({"depth": 2}, {}, "the decoder has layer 1: 2 x 4, the encoder layer 1: 2 x 4 and layer 2: 2 x 4."),
        ({"bidirectional": True}, {}, "the decoder has layer 1: 2 x 4, the encoder layer 1: 2 x 8."),
    ],
)
def test_the_copy_bridge_refuses_states_of_other_widths(encoder, decoder, words):
    encoded = Encoder(4, vocabulary_size=9, **encoder)(np.array([[4, 5]]))
    with pytest.raises(ValueError, match=words) as caught:
        FeedbackDecoder(**{"units": 4, **decoder}, readout=Tokens(9), bridge="copy")(encoded)
    assert "or use bridge='dense'" in str(caught.value)
    for other in ("zero", "dense"):
        logits = FeedbackDecoder(**{"units": 4, **decoder}, readout=Tokens(9), bridge=other, max_length=2)(encoded)
        assert logits.shape == (1, 2, 9)


@pytest.mark.parametrize("bridge", ["dense", {"name": "dense"}, DenseBridge])
def test_a_bridge_is_given_by_name_mapping_or_object(bridge):
    bridge = bridge() if isinstance(bridge, type) else bridge
    decoder = FeedbackDecoder(4, readout=Tokens(9), bridge=bridge)
    twin = FeedbackDecoder.from_config(decoder.get_config())
    assert isinstance(decoder.first_states, DenseBridge)
    assert isinstance(twin.first_states, DenseBridge)
