"""The exported search, run by its own runtime, says what the model says: every mode and cell, on trained models."""

import itertools

import keras
import numpy as np
import pytest

from seq2seq_zoo import Encoder, Seq2Seq, Tokens, decoders
from seq2seq_zoo.data.padding import pad
from seq2seq_zoo.export import export, formats, generate
from seq2seq_zoo.tasks import tasks

SEARCHES = ["greedy", {"name": "beam", "size": 3, "n_best": 2, "length_penalty": 0.6}]
HELD_OUT = 500


@pytest.fixture(scope="module")
def data():
    return tasks.create("digits_to_words", high=9999, train_size=600, dev_size=10, test_size=HELD_OUT).load()


@pytest.fixture(scope="module", params=itertools.product(decoders.list(), ["lstm", "gru"]), ids="-".join)
def trained(request, data):
    """A model that has learnt something, and makes mistakes."""
    mode, cell = request.param
    encoder = Encoder(24, vocabulary_size=len(data.source), cell=cell, bidirectional=True)
    decoder = decoders.create(mode, units=32, readout=Tokens(len(data.target)), cell=cell, max_length=12)
    model = Seq2Seq(encoder, decoder, data.source, data.target)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, jit_compile=False)
    sources, targets = zip(*data.splits["train"], strict=True)
    source = pad([data.source.encode(text) for text in sources])
    target = pad([[*data.target.encode(text), data.target.end] for text in targets])
    model.fit((source, target), target, batch_size=50, epochs=16, verbose=0)
    return model, request.param_index


# Every combination of mode, cell and search in one runtime or two, and all of them in each runtime by twos.
@pytest.mark.parametrize("place", range(len(formats)), ids=list(formats))
def test_the_exported_search_says_what_the_model_says(trained, place, data, tmp_path):
    model, number = trained
    search = SEARCHES[(number + number // 2 + place) % 2]
    exported = export(model, tmp_path / "exported", list(formats)[place], search)
    sources = [source for source, _ in data.splits["test"]]
    said = model.generate(sources, search)
    assert len(set(said)) > HELD_OUT / 10  # not one thing for all
    assert generate(exported, model.vocabularies, sources) == said
    ids = pad([data.source.encode(source) for source in sources[:1]])
    for name, value in model.search(ids, search)._asdict().items():
        if value is not None:
            np.testing.assert_allclose(exported.run(ids)[name], value, atol=1e-4, err_msg=name)
