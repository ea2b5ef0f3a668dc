"""The exported search gives the model's outputs in its own runtime: every mode and cell, on trained models."""

import itertools

import keras
import numpy as np
import pytest

from seq2seq_zoo import Encoder, Seq2Seq, Tokens, decoders
from seq2seq_zoo.data.padding import pad
from seq2seq_zoo.export import export, formats, generate
from seq2seq_zoo.tasks import tasks

SEARCHES = ["greedy", {"name": "beam", "size": 3, "n_best": 2, "length_penalty": 0.6}]
HELD_OUT = 200


@pytest.fixture(scope="module")
def data():
    return tasks.create("digits_to_words", high=9999, train_size=600, dev_size=10, test_size=HELD_OUT).load()


@pytest.fixture(scope="module", params=zip(decoders.list(), itertools.cycle(["lstm", "gru"])), ids="-".join)
def trained(request, data):
    """A model that has learnt something and still makes mistakes."""
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


def test_the_exported_search_gives_the_models_outputs(trained, data, tmp_path):
    """Every runtime has every mode, and every combination of cell and search; every mode has both searches."""
    model, number = trained
    sources = [source for source, _ in data.splits["test"]]
    outputs = [model.generate(sources, search) for search in SEARCHES]
    assert all(len(set(texts)) > HELD_OUT / 10 for texts in outputs)  # not the same for all
    later = number // 2 % 2  # of the modes with the same cell
    for name, which in {"litert": later, "savedmodel": 1 - later, "onnx": (number + later) % 2}.items():
        exported = export(model, tmp_path / name, name, SEARCHES[which])
        assert generate(exported, model.vocabularies, sources) == outputs[which], name
        ids = pad([data.source.encode(source) for source in sources[:1]])
        for field, value in model.search(ids, SEARCHES[which])._asdict().items():
            if value is not None:
                np.testing.assert_allclose(exported.run(ids)[field], value, atol=1e-4, err_msg=f"{name}: {field}")


def test_every_format_is_compared():
    assert set(formats) == {"litert", "onnx", "savedmodel"}
