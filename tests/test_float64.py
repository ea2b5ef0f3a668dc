"""Double precision, `keras.config.set_floatx("float64")`: in a process of its own, since the setting is global."""

import subprocess
import sys

SCRIPT = """
import keras
import numpy as np

keras.config.set_floatx("float64")
from seq2seq_zoo import Encoder, Seq2Seq, Tokens, Vectors, decoders

keras.utils.set_random_seed(1)
ids = np.array([[4, 5, 6, 0], [5, 6, 0, 0]])
targets = np.array([[4, 5, 2], [6, 2, 0]])
vectors = np.random.default_rng(0).normal(size=(2, 3, 4))
BEAM = {"name": "beam", "size": 4, "n_best": 2, "groups": 2, "diversity": 0.5, "no_repeat_ngram": 2, "min_length": 1}
SAMPLE = {"name": "sample", "top_p": 0.9, "n_best": 2, "repetition_penalty": 1.2}


def built(mode, **options):
    options = {"readout": Tokens(9), **options}
    model = Seq2Seq(Encoder(4, vocabulary_size=9), decoders.create(mode, units=4, max_length=3, **options))
    model.build((None, None))
    return model


def trained(mode, expected=targets, eager=True, **options):
    model = built(mode, **options)
    model.compile("adam", model.readout.loss(), run_eagerly=eager)
    assert np.isfinite(model.train_on_batch((ids, expected), expected))
    return model


# Compiling takes most of the time, so only attention's training, beams and scores are.
for mode in decoders.list():
    model = trained(mode, sampling="linear", dropout=0.1, recurrent_dropout=0.1)
    beam = {**BEAM, "coverage_penalty": 0.5 if model.has_attention else 0.0}
    for search in ("greedy", SAMPLE, beam)[: 3 - model.has_attention]:
        model.searcher(search).run_eagerly = True
    model._scorer().run_eagerly = not model.has_attention
    free, found = model.predict_on_batch(ids), model.search(ids)
    assert free.dtype == "float32"  # whatever the policy
    real = found.ids[:, 0] != 0
    assert (np.asarray(model.readout.predict(free))[real] == found.ids[:, 0][real]).all()
    assert np.isfinite(model.search(ids, beam).scores).all()
    assert model.search(ids, SAMPLE, prefix=targets[:, :1], allowed=[4, 5, 6]).ids.shape == (2, 2, 3)
    assert np.isfinite(model.log_probs(ids, targets)).all()
    print(mode)

trained("attention", eager=False)
trained("peek", readout=Tokens(9, softmax_samples=3))
trained("feedback", readout=Tokens(9, tied=True))
real_values = trained("feedback", vectors, readout=Vectors(4), sampling="constant")
assert real_values.predict_on_batch(ids).shape == (2, 3, 4)
"""


def test_every_mode_works_in_double_precision():
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", SCRIPT], capture_output=True, text=True)
    assert done.stdout.split() == ["attention", "basic", "feedback", "peek"], done.stderr
