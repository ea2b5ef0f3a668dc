"""Several models as one: ensembles and averages."""

import re

import numpy as np
import pytest
from cases import LENGTH, SOURCE, TARGET, TOKENS, VOCABULARY, Told, close, randomise, small
from references.beam import beam

from seq2seq_zoo import Encoder, Ensemble, Seq2Seq, Tokens, average, decoders, load
from seq2seq_zoo.decoding import Beam

SEARCH = Beam(size=3, n_best=3, max_length=4, length_penalty=0.5)
SIZE = len(VOCABULARY)


def make(mode="peek", seed=1, units=4, vocabularies=(VOCABULARY, VOCABULARY), dtype=None, max_length=LENGTH, **options):
    readout = Tokens(SIZE, **{key: options.pop(key) for key in ("start", "end") if key in options})
    decoder = decoders.create(mode, units=units, readout=readout, max_length=max_length, dtype=dtype, **options)
    model = Seq2Seq(Encoder(4, vocabulary_size=SIZE, dtype=dtype), decoder, *vocabularies)
    model.build((None, None))
    randomise(model, seed)
    return model


@pytest.mark.parametrize("mode", decoders.list())
def test_an_ensemble_of_a_model_with_itself_equals_the_model(mode):
    model = small(mode)
    both = Ensemble([model, model])
    assert (both.has_attention, both.max_length) == (model.has_attention, model.max_length)
    close(both.log_probs(SOURCE, TARGET), model.log_probs(SOURCE, TARGET))
    found, expected = (each.search(SOURCE, SEARCH)._asdict() for each in (both, model))
    for name, value in expected.items():
        assert found[name] is value or not close(found[name], value, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("modes", [("attention", "attention"), ("basic", "peek", "attention")], ids="+".join)
def test_an_ensembles_probabilities_are_the_mean_of_its_models(modes):
    models = [make(mode, seed) for seed, mode in enumerate(modes)]
    together = Ensemble(models)
    probabilities = np.mean([np.exp(model.log_probs(SOURCE, TARGET)) for model in models], axis=0)
    close(together.log_probs(SOURCE, TARGET), np.log(probabilities), atol=1e-4)
    assert together.has_attention == (set(modes) == {"attention"})
    references = [Told(model) for model in models]
    mean = Told(models[0])
    mean.log_probs = np.log(np.mean([np.exp(each.log_probs) for each in references], axis=0))
    mean.weights = np.mean([each.weights for each in references], axis=0) if together.has_attention else None
    options = {"length_penalty": 0.5, "coverage_penalty": 0.4 * together.has_attention}
    found = together.search(SOURCE, Beam(size=3, n_best=3, max_length=4, **options))
    assert (found.weights is not None) == together.has_attention
    for row in range(len(SOURCE)):
        expected = beam(mean.row(row), mean.end, 4, size=3, **options)
        assert [ids[ids != 0].tolist() for ids in found.ids[row]] == [list(each.outputs) for _, each in expected]
        close(found.scores[row], [score for score, _ in expected], atol=1e-4)
        for place, (_, each) in enumerate(expected):
            close(found.log_probs[row, place, : len(each.outputs)], each.log_probs, atol=1e-4)
            if together.has_attention:
                weights = found.weights[row, place, : len(each.outputs)][:, SOURCE[row] != 0]
                close(weights, each.weights, atol=1e-4)


def test_a_saved_ensemble_gives_the_same_predictions(tmp_path):
    models = [make("attention", seed=1), make("peek", seed=2)]
    together = Ensemble(models)
    texts = ["aé漢", "8", "", "x🙂"]
    before = together.predictions(texts, SEARCH)
    together.save(tmp_path / "together.keras")
    loaded = load(tmp_path / "together.keras")
    assert isinstance(loaded, Ensemble)
    assert len(loaded.weights) == sum(len(model.weights) for model in models)
    for old, new in zip(before, loaded.predictions(texts, SEARCH), strict=True):
        assert [each.text for each in new.hypotheses] == [each.text for each in old.hypotheses]
        close([each.score for each in new.hypotheses], [each.score for each in old.hypotheses])
        assert new.unknown == old.unknown
    assert len({prediction.text for prediction in before}) > 1
    close(
        [each.log_prob for each in loaded.score(texts, texts)], [each.log_prob for each in together.score(texts, texts)]
    )


def test_an_ensembles_max_length_is_the_greatest_of_its_models():
    together = Ensemble([make(max_length=3), make(max_length=5)])
    assert together.search(SOURCE).ids.shape == (4, 1, 5)


@pytest.mark.parametrize("combine", [Ensemble, average])
@pytest.mark.parametrize(
    ("others", "words"),
    [
        ([], "Expected at least two models to combine, got 1."),
        (
            [{}, {"vocabularies": (VOCABULARY, None)}],
            "Models to combine need the same vocabularies, but model 3 has another `target_vocabulary`.",
        ),
        (
            [{"vocabularies": (None, VOCABULARY)}],
            "Models to combine need the same vocabularies, but model 2 has another `source_vocabulary`.",
        ),
        ([{"end": 5}], "Models to combine need the same `end`, but model 2 has 5 and the first has 2."),
        ([{"start": 6}], "Models to combine need the same `start`, but model 2 has 6 and the first has 1."),
        (
            [{"dtype": "float16"}],
            "the same `dtype`, but model 2 has float16 and the first has float32.",
        ),
    ],
    ids=str,
)
def test_models_with_different_vocabularies_ids_or_precision_are_refused(combine, others, words):
    without = {} if any("vocabularies" in options for options in others) else {"vocabularies": (None, None)}
    with pytest.raises(ValueError, match=re.escape(words)):
        combine([make(**without), *(make(**without, **options) for options in others)])


def test_models_with_vocabularies_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match=f"`vocabulary_size`, but model 2 has {SIZE} and the first has {TOKENS}"):
        Ensemble([small("peek"), make(vocabularies=(None, None))])


def test_a_coverage_penalty_needs_models_that_all_have_attention():
    with pytest.raises(ValueError, match="leave the penalty out, or use a mode with attention"):
        Ensemble([make("attention"), make("basic")]).search(SOURCE, Beam(coverage_penalty=0.1))


# === Averages ===


@pytest.mark.parametrize("mode", decoders.list())
def test_the_average_of_equal_models_equals_the_model(mode):
    models = [make(mode, sampling="linear", dropout=0.1) for _ in range(3)]
    mean = average(models)
    close(mean((SOURCE, TARGET)), models[0]((SOURCE, TARGET)))
    assert mean.vocabularies == models[0].vocabularies


def test_the_average_has_the_mean_weights_and_leaves_the_models_unchanged():
    models = [make("attention", seed, sampling="linear") for seed in range(3)]
    for steps, model in enumerate(models, start=5):
        model.decoder.training_steps.assign(steps)
    before = [model.get_weights() for model in models]
    mean = average(models)
    assert len(mean.trainable_weights) == len(models[0].trainable_weights)
    for own, *theirs in zip(*(model.trainable_weights for model in (mean, *models)), strict=True):
        close(own, np.mean([np.asarray(weight) for weight in theirs], axis=0))
    assert int(mean.decoder.training_steps) == 5
    for model, weights in zip(models, before, strict=True):
        for now, then in zip(model.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(now, then)
    assert mean.generate(["aé漢"]) != [""]


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("peek", {"units": 5}),
        ("peek", {"cell": "gru"}),
        ("peek", {"depth": 2}),
        ("peek", {"bridge": "zero"}),
        ("feedback", {}),
        ("basic", {}),
        ("attention", {}),
    ],
    ids=str,
)
def test_models_of_different_architectures_are_not_averaged(mode, options):
    with pytest.raises(ValueError, match=r"Models to average need the same architecture, but model 2 "):
        average([make("peek"), make(mode, **options)])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"depth": 2}, {"depth": 2, "residual": True}),
        ({"mode": "attention", "attention": "dot"}, {"mode": "attention", "attention": "scaled_dot"}),
        ({"cell": "simple"}, {"cell": {"name": "simple", "activation": "relu"}}),
    ],
    ids=str,
)
def test_models_with_equal_shapes_but_different_options_are_not_averaged(one, other):
    with pytest.raises(ValueError, match=r"Models to average need the same architecture, but model 2 "):
        average([make(**one), make(**other)])
