"""Ids outside the vocabulary, and what is not ids, are refused wherever arrays come in."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import SOURCE, TARGET, TOKENS, VOCABULARY, small

from seq2seq_zoo import (
    BasicDecoder,
    Encoder,
    EncoderOnly,
    Ensemble,
    FeedbackDecoder,
    NoEncoder,
    PeekDecoder,
    Seq2Seq,
    Tokens,
)

SOURCES = 8


def outside(what, id, size=TOKENS):
    return f"^{re.escape(what)} is {id}, but the vocabulary has {size} tokens: expected ids from 0 to {size - 1}\\.$"


def changed(ids, id):
    """A copy of ids with one of them at row 1, position 1."""
    copied = ids.copy()
    copied[1, 1] = id
    return copied


@pytest.fixture(scope="module")
def model():
    """Its source vocabulary is smaller than that of its targets."""
    made = Seq2Seq(Encoder(4, vocabulary_size=SOURCES), BasicDecoder(4, readout=Tokens(TOKENS), max_length=3))
    made.compile("sgd", made.readout.loss(), run_eagerly=True)
    return made


GOOD = np.minimum(SOURCE, SOURCES - 1)


@pytest.mark.parametrize("id", [SOURCES, 50, -1])
@pytest.mark.parametrize(
    "call",
    [
        lambda model, ids: model.search(ids),
        lambda model, ids: model.search(ids.tolist()),
        lambda model, ids: model.score_ids(ids, TARGET),
        lambda model, ids: model.log_probs(ids.tolist(), TARGET),
        lambda model, ids: Ensemble([model, model]).search(ids),
        lambda model, ids: model.predict(ids, verbose=0),
        lambda model, ids: model.predict(tf.constant(ids), verbose=0),
        lambda model, ids: model.predict_on_batch(ids),
        lambda model, ids: model.fit((ids, TARGET), TARGET, verbose=0),
        lambda model, ids: model.fit([ids, TARGET], TARGET, verbose=0),
        lambda model, ids: model.fit((GOOD, TARGET), TARGET, validation_data=((ids, TARGET), TARGET), verbose=0),
        lambda model, ids: model.evaluate((ids, TARGET), TARGET, verbose=0),
        lambda model, ids: model.train_on_batch((ids, TARGET), TARGET),
        lambda model, ids: model.test_on_batch((ids, TARGET), TARGET),
    ],
)
def test_source_ids_outside_the_vocabulary(model, call, id):
    with pytest.raises(ValueError, match=outside("sources[1, 1]", id, SOURCES)):
        call(model, changed(GOOD, id))


@pytest.mark.parametrize("id", [TOKENS, -3])
@pytest.mark.parametrize(
    "call",
    [
        lambda model, ids: model.score_ids(GOOD, ids),
        lambda model, ids: model.log_probs(GOOD, ids),
        lambda model, ids: model.fit((GOOD, ids), TARGET, verbose=0),
        lambda model, ids: model.fit((GOOD, TARGET), ids, verbose=0),
        lambda model, ids: model.evaluate((GOOD, TARGET), ids, verbose=0),
        lambda model, ids: model.train_on_batch((GOOD, TARGET), ids),
    ],
)
def test_target_ids_outside_the_vocabulary(model, call, id):
    with pytest.raises(ValueError, match=outside("targets[1, 1]", id)):
        call(model, changed(TARGET, id))


def test_the_other_ids_of_a_search(model):
    with pytest.raises(ValueError, match=outside("prefix[0, 1]", 9)):
        model.search(GOOD[:1], prefix=[[4, 9]])
    with pytest.raises(ValueError, match=outside("allowed[1]", 9)):
        model.search(GOOD, allowed=[4, 9])
    with pytest.raises(ValueError, match=outside("stop[0]", -1)):
        model.search(GOOD, stop=[-1])
    with pytest.raises(
        ValueError, match=r"^sources has values of type <U2: expected integer ids\. Texts are for `pred"
    ):
        model.search(["aé"])


def test_ids_of_a_language_model_and_its_long_texts():
    language = Seq2Seq(NoEncoder(), FeedbackDecoder(4, readout=Tokens(TOKENS), max_length=3))
    assert language.search(np.full((2, 1), -1.0)).ids.shape[0] == 2  # its sources are not ids
    for length in (5, 1500):
        with pytest.raises(ValueError, match=outside("targets[0, 4]", 77)):
            language.score_ids(np.zeros((1, 1)), np.eye(1, length, 4, dtype="int32") * 77)


def test_ids_and_labels_without_a_decoder():
    model = EncoderOnly(Encoder(4, vocabulary_size=TOKENS), Tokens(6), whole=True)
    model.compile("sgd", model.readout.loss(), run_eagerly=True)
    with pytest.raises(ValueError, match=outside("sources[1, 1]", 9)):
        model.predict(changed(SOURCE, 9), verbose=0)
    with pytest.raises(ValueError, match=outside("targets[2]", 6, 6)):
        model.fit(SOURCE, np.array([4, 5, 6, 0]), verbose=0)
    with pytest.raises(
        ValueError, match=r"^targets has the shape \(4, 6\) of one-hot vectors: expected ids of shape \(4,\)"
    ):
        model.fit(SOURCE, np.eye(6)[[4, 5, 4, 0]], verbose=0)
    model.fit(SOURCE, np.array([4, 5, 4, 0]), verbose=0)


def test_one_hot_targets_are_refused_where_ids_are_expected(model):
    one_hot = np.eye(TOKENS, dtype="float32")[TARGET]
    words = re.escape(
        "targets has the shape (4, 4, 9) of one-hot vectors: expected ids of shape (4, 4). Pass targets.argmax(-1)."
    )
    for x, y in (((GOOD, one_hot), TARGET), ((GOOD, TARGET), one_hot)):
        with pytest.raises(ValueError, match=words):
            model.fit(x, y, verbose=0)
    with pytest.raises(ValueError, match=words.replace("targets", "sources").replace("4,\\ 9", "4,\\ 8")):
        model.search(np.eye(SOURCES)[GOOD])


def test_what_a_loss_of_another_kind_compares_is_not_checked():
    model, one_hot = small("basic"), np.eye(TOKENS, dtype="float32")[TARGET]
    model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True), run_eagerly=True)
    model.fit((SOURCE, TARGET), one_hot, verbose=0)
    model.compile(
        "sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1), run_eagerly=True
    )
    model.fit((SOURCE, TARGET), np.where(TARGET == 5, -1, TARGET), verbose=0)


class Batches(keras.utils.PyDataset):
    """Two batches of two rows."""

    def __init__(self, batches):
        super().__init__()
        self._batches = batches

    def __len__(self):
        return len(self._batches)

    def __getitem__(self, index):
        return self._batches[index]


def in_batches(*arrays):
    """Both batches of some structures of arrays."""
    return [keras.tree.map_structure(lambda each, rows=rows: each[rows], arrays) for rows in (slice(2), slice(2, 4))]


KINDS = {
    "dataset": lambda *arrays: tf.data.Dataset.from_tensor_slices(arrays).batch(2),
    "PyDataset": lambda *arrays: Batches(in_batches(*arrays)),
    "generator": lambda *arrays: (batch for batch in in_batches(*arrays)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_batches_of_datasets_and_generators_are_checked(model, kind):
    make, wrong = KINDS[kind], GOOD.copy()
    wrong[3, 2] = 50
    sources = outside("sources[1, 2]", 50, SOURCES)  # of the second batch
    with pytest.raises(ValueError, match=sources):
        model.fit(make((wrong, TARGET), TARGET), shuffle=False, verbose=0)
    with pytest.raises(ValueError, match=outside("targets[1, 1]", -3)):
        model.fit(make((GOOD, TARGET), changed(TARGET, -3)), shuffle=False, verbose=0)
    with pytest.raises(ValueError, match=sources):
        model.fit((GOOD, TARGET), TARGET, validation_data=make((wrong, TARGET), TARGET), verbose=0)
    with pytest.raises(ValueError, match=sources):
        model.evaluate(make((wrong, TARGET), TARGET), verbose=0)
    with pytest.raises(ValueError, match=sources):
        model.predict(make(wrong), verbose=0)


@pytest.mark.parametrize("kind", KINDS)
def test_checked_batches_are_those_that_were_given(model, kind):
    make = KINDS[kind]
    np.testing.assert_array_equal(model.predict(make(GOOD), steps=2, verbose=0), model.predict(GOOD, verbose=0))
    expected = model.evaluate((GOOD, TARGET), TARGET, batch_size=2, verbose=0)
    np.testing.assert_allclose(model.evaluate(make((GOOD, TARGET), TARGET), steps=2, verbose=0), expected, rtol=1e-5)


@pytest.fixture(scope="module")
def of_texts():
    """An untrained model with vocabularies."""
    decoder = PeekDecoder(4, readout=Tokens(len(VOCABULARY)))
    return Seq2Seq(Encoder(4, vocabulary_size=len(VOCABULARY)), decoder, VOCABULARY, VOCABULARY)


@pytest.mark.parametrize("texts", [[None], ["a", 4], [["a"]], [b"a"], np.array([[4, 5]])], ids=str)
def test_texts_must_be_texts(texts, of_texts):
    model = of_texts
    place = len(texts) - 1
    words = f"^Expected a list of texts, got .* at position {place}\\.$"
    calls = [
        lambda: model.generate(texts),
        lambda: model.predictions(texts),
        lambda: model.generate(["a"] * len(texts), prefixes=texts),
        lambda: model.score(texts, ["a"] * len(texts)),
        lambda: model.score(["a"] * len(texts), texts),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=words):
            call()


def test_tokens_must_be_texts(of_texts):
    model = of_texts
    with pytest.raises(ValueError, match=r"^Expected one token as stop token, got None\.$"):
        model.generate(["a"], stop=[None])
    with pytest.raises(ValueError, match=r"^Expected one token as allowed token, got 4\.$"):
        model.generate(["a"], allowed=[4])
