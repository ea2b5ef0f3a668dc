"""Small models from letters to phones with random weights, and texts for them."""

import random

from cases import randomise

from seq2seq_zoo import Encoder, Seq2Seq, Tokens, decoders
from seq2seq_zoo.data.vocabulary import Vocabulary

LETTERS = Vocabulary.build(["abcdé語'"], "")
PHONES = Vocabulary.build(["AA B CH D EH"], " ")
BEAM = {"name": "beam", "size": 3, "n_best": 3}


def model_of(mode, cell="lstm"):
    encoder = Encoder(4, vocabulary_size=len(LETTERS), cell=cell)
    decoder = decoders.create(mode, units=5, readout=Tokens(len(PHONES)), cell=cell, max_length=8)
    model = Seq2Seq(encoder, decoder, LETTERS, PHONES)
    model.build((None, None))
    randomise(model)
    return model


def sources(count, seed=0):
    """Words of up to 9 letters, some of which no model knows, and an empty one."""
    draw = random.Random(seed)
    return ["", *("".join(draw.choices("abcdé語'xX ", k=draw.randint(1, 9))) for _ in range(count - 1))]
