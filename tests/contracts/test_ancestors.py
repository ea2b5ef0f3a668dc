"""The models of 2016 (docs/ancestors.md): their sizes, their equations, and what follows from these."""

from importlib.resources import files

import keras
import numpy as np
import pytest
import yaml
from cases import close, randomise

from seq2seq_zoo import Encoder, Tokens, decoders
from seq2seq_zoo.experiment.factory import make_model, make_task, schema
from seq2seq_zoo.layers.activations import hard_sigmoid_keras2

PARAMETERS = {"basic": 8651, "feedback": 9071, "peek": 10671, "attention": 11112}
SOURCES = ["1 2 3 4 5", "21 22 23 24 25"]


def built(mode, **options):
    """The preset's model, of any mode."""
    config = yaml.safe_load((files("seq2seq_zoo") / "presets" / "first_25_2016.yaml").read_text())
    config["decoder"] |= {"mode": mode, **options}
    config = schema.resolve(config)
    return make_model(config, make_task(config).load())


@pytest.mark.parametrize("mode", PARAMETERS)
def test_a_model_has_as_many_parameters_as_its_ancestor(mode):
    model = built(mode)
    assert sum(np.size(weight) for weight in model.trainable_weights) == PARAMETERS[mode]
    assert model.encoder.embedding.count_params() + model.encoder.stack.count_params() == 51 * 20 + 3280
    assert len(model.target_vocabulary) == 51


@pytest.mark.parametrize("mode", PARAMETERS)
def test_outputs_depend_on_the_source_alone_and_no_token_ends_them(mode, tmp_path):
    """So every search finds the same outputs, with the scores of the teacher-forced pass, whatever the targets."""
    model = built(mode)
    randomise(model)
    sources = np.array([model.source_vocabulary.encode(text) for text in SOURCES])
    targets = np.array([[7, 8, 9, 10, 11], [50, 3, 3, 3, 1]])
    logits = np.asarray(model((sources, targets)))
    close(logits, model((sources, targets[::-1])))
    close(logits, model(sources))
    best = np.where(np.arange(51) == 0, -np.inf, logits).argmax(-1)
    found = model.search(sources, {"name": "beam", "size": 3})
    np.testing.assert_array_equal(found.ids[:, 0], best)
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    close(found.log_probs[:, 0], np.take_along_axis(log_probs, best[..., None], -1)[..., 0])
    assert (found.lengths == 5).all()
    assert model.score(SOURCES, model.generate(SOURCES))[0].log_prob == pytest.approx(found.totals[0, 0], rel=1e-4)
    model.save(tmp_path / "model.keras")
    assert keras.models.load_model(tmp_path / "model.keras").generate(SOURCES) == model.generate(SOURCES)


@pytest.mark.parametrize(("attention", "moves"), [("linear", False), ("additive", True)])
def test_the_linear_score_gives_the_same_weights_at_every_step(attention, moves):
    model = built("attention", attention=attention)
    randomise(model)
    sources = np.array([model.source_vocabulary.encode(text) for text in SOURCES])
    _, weights = model(sources, return_attention_scores=True)
    assert np.ptp(weights, axis=-1).min() > 1e-3  # positions differ
    moved = np.ptp(weights, axis=1).max()
    assert moved > 1e-2 if moves else moved < 1e-6


def test_the_hard_sigmoid_is_that_of_keras_2():
    x = np.linspace(-4, 4, 33)
    close(hard_sigmoid_keras2(x), np.clip(0.2 * x + 0.5, 0, 1))
    assert np.abs(hard_sigmoid_keras2(x) - keras.activations.hard_sigmoid(x)).max() > 0.05
    encoder = Encoder(3, cell={"name": "lstm", "recurrent_activation": "hard_sigmoid_keras2"})
    rebuilt = Encoder.from_config(encoder.get_config())
    assert rebuilt.stack.cells[0][0].recurrent_activation is hard_sigmoid_keras2
    assert rebuilt.stack.cells[0][0].activation is keras.activations.tanh


def test_a_vocabulary_without_an_unknown_token_refuses_unknown_ones():
    model = built("basic")
    with pytest.raises(
        ValueError, match=r"The token '26' is not in this vocabulary, which has no id for unknown ones\."
    ):
        model.generate(["25 26"])
    with pytest.raises(
        ValueError, match=r"word_dropout=0\.1 replaces tokens by the unknown token, but unknown is None"
    ):
        Encoder(4, vocabulary_size=9, word_dropout=0.1, unknown=None)
    with pytest.raises(ValueError, match=r"softmax_samples needs feedback='token': leave one of them out\."):
        Tokens(99, feedback="features", softmax_samples=9)
    assert decoders.create("basic", units=4, readout=Tokens(9, end=None)).readout.end is None
