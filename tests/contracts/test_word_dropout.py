"""Word dropout: in training, the unknown token replaces some of the source's tokens."""

import keras
import numpy as np
import pytest

from seq2seq_zoo import Encoder

IDS = np.tile([4, 5, 6, 4, 5, 0, 0], (400, 1))  # ends in padding


def encoder_of(rate):
    """An encoder whose output is 1 at the unknown token and -1 at any other."""
    encoder = Encoder(1, cell="simple", vocabulary_size=9, unknown=7, word_dropout=rate)
    encoder.build((None, None))
    (cell,) = encoder.stack.cells[0]
    cell.set_weights([np.full((1, 1), 20.0), np.zeros((1, 1)), np.zeros(1)])
    encoder.embedding.set_weights([np.where(np.arange(9) == 7, 1.0, -1.0)[:, None]])
    return encoder


@pytest.mark.parametrize("rate", [0.1, 0.6])
def test_a_share_of_the_tokens_is_replaced_in_training_only(rate):
    keras.utils.set_random_seed(1)
    encoder = encoder_of(rate)
    for training in (False, None):
        assert (np.array(encoder(IDS, training=training).sequence) == -1).all()
    read = np.array(encoder(IDS, training=True).sequence)[:, :5, 0]
    assert set(np.unique(read)) == {-1.0, 1.0}
    assert (read == 1).mean() == pytest.approx(rate, abs=4 * (rate * (1 - rate) / read.size) ** 0.5)
    # Each token is drawn separately: neither whole texts nor the same positions.
    assert 0 < (read == 1).all(1).mean() + 0.01 < rate
    assert (read == 1).mean(0) == pytest.approx(rate, abs=0.1)
    assert (np.array(encoder(IDS, training=True).sequence)[:, :5, 0] != read).any()


def test_padding_is_not_replaced():
    encoder = encoder_of(0.6)
    encoded = encoder(IDS, training=True)
    np.testing.assert_array_equal(encoded.mask, IDS != 0)
    np.testing.assert_array_equal(encoded.summary, np.array(encoded.sequence)[:, 4])  # of the last real step
    assert (np.array(encoder(np.zeros((50, 3), "int32"), training=True).summary) == 0).all()


def test_word_dropout_needs_ids_and_an_unknown_token():
    with pytest.raises(ValueError, match=r"word_dropout=0\.5"):
        Encoder(4, word_dropout=0.5)
    with pytest.raises(ValueError, match=r"word_dropout=0\.5"):
        Encoder(4, vocabulary_size=5, unknown=None, word_dropout=0.5)
