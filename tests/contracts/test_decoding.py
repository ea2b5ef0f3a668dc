"""Relation 6 of docs/design.md, and what else must hold for every search, with every mode and cell."""

import functools
import itertools
import math
import re
import unicodedata

import numpy as np
import pytest
import tensorflow as tf
from cases import LENGTH, SOURCE, TOKENS, VOCABULARY, Told, cases, close, nll, randomise, small, taught, until
from keras import ops, tree
from references.beam import apply_constraints, beam
from scipy import stats

from seq2seq_zoo import Encoder, Seq2Seq, Tokens, decoders
from seq2seq_zoo.data.padding import pad
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.decoders.precomputed import Precomputed
from seq2seq_zoo.decoding import Beam, Greedy, Sample, Search, Searcher, searches
from seq2seq_zoo.decoding.constraints import ends_ngram, seen_tokens
from seq2seq_zoo.decoding.scorer import Scorer
from seq2seq_zoo.models.text_model import TextError
from seq2seq_zoo.prediction import Hypothesis, Prediction
from seq2seq_zoo.training.evaluation import evaluate_generation, perplexity

MODES = list(decoders.list())
SOURCES = np.concatenate([SOURCE, np.random.default_rng(0).integers(3, TOKENS, (12, 4))])


@functools.cache
def various(mode):
    """A random model, whose end is a token that comes early in some rows and late in others."""
    model = small(mode)
    model.set_weights([2 * np.asarray(weight) for weight in model.weights])
    model.readout.bias.assign(np.zeros(TOKENS))
    model.readout.end = -1
    ids = np.asarray(model.readout.predict(model(SOURCES)))
    model.readout.end = max(range(2, TOKENS), key=lambda end: len(np.unique((ids == end).argmax(1))))
    return model


@pytest.fixture(params=MODES)
def model(request):
    return various(request.param)


def teacher_forced(model, sources, ids):
    """`model.log_probs` and the attention weights of every hypothesis `(batch, n_best, length)`."""
    sources, targets = np.repeat(sources, ids.shape[1], axis=0), ids.reshape(-1, ids.shape[2])
    weights = None
    if model.has_attention:
        _, weights = model((sources, targets), return_attention_scores=True)
        weights = np.where(targets[..., None], weights, 0).reshape(*ids.shape, -1)
    return model.log_probs(sources, targets).reshape(ids.shape), weights


def same(found, expected):
    """Compare all fields of two `Generated`s."""
    for name, value in expected._asdict().items():
        if value is None:
            assert getattr(found, name) is None
        else:
            close(getattr(found, name), value, atol=1e-4, err_msg=name)


def part(found, rows):
    """Some rows of a `Generated`."""
    return type(found)(*(each if each is None else each[rows] for each in found))


def remade(model):
    """The same model, whose searches are made anew."""
    model = type(model)(model.encoder, model.decoder)
    model.build((None, None))
    return model


@pytest.mark.parametrize("name", searches)
def test_a_search_is_compiled_by_xla_after_a_few_steps_and_gives_the_same_results(name, monkeypatch):
    plain, calls, call = various("attention"), [], Searcher.call
    options = {"name": name, "min_length": 2, "no_repeat_ngram": 2}
    given = {"prefix": np.array([[5]] * len(SOURCES)), "allowed": range(3, 8)}
    expected = plain.search(SOURCES, options, **given)
    monkeypatch.setattr("seq2seq_zoo.decoding.program.use_xla", lambda: True)
    monkeypatch.setattr(Searcher, "run_eagerly", False)
    monkeypatch.setattr(Searcher, "call", lambda *args: calls.append(tf.executing_eagerly()) or call(*args))
    model = remade(plain)
    monkeypatch.setattr("seq2seq_zoo.layers.backend.EAGER_STEPS", SOURCES.shape[1] + model.max_length)
    found = [model.search(SOURCES, options, **given) for _ in range(3)]
    assert calls == [True, False]  # run, then traced, then neither
    for each in found:
        same(each, expected)
    if name == "greedy":
        model.searcher(options).compile(jit_compile=True)
        same(model.search(SOURCES, options, **given), expected)
        assert calls[2:] == [False]  # at once


def test_scores_compiled_by_xla_are_the_same(monkeypatch):
    targets = np.random.default_rng(1).integers(3, TOKENS, (len(SOURCES), 5))
    expected = various("attention").score_ids(SOURCES, targets)
    monkeypatch.setattr("seq2seq_zoo.decoding.program.use_xla", lambda: True)
    monkeypatch.setattr(Scorer, "run_eagerly", False)
    monkeypatch.setattr("seq2seq_zoo.layers.backend.EAGER_STEPS", 0)
    for name, value in remade(various("attention")).score_ids(SOURCES, targets).items():
        close(value, expected[name], atol=1e-4)


# === Relation 6: for every mode with every cell, body, bridge and attention; and for trained models ===


class Everything:
    """All hypotheses of up to three tokens, from a beam as wide as their number, and what exhaustive search needs."""

    def __init__(self, model, sources):
        self.model, self.sources, self.reference = model, sources, Told(model, sources)
        self.ranking = {"length_penalty": 0.7, "coverage_penalty": 0.2 * model.has_attention}
        self.count = sum(len(self.reference.tokens) ** length for length in range(4))
        options = {"size": self.count + 3, "n_best": self.count + 3, "max_length": 3}
        self.found = model.search(sources, Beam(**options, **self.ranking))


# Enough cases for every mode to occur with every cell and attention.
KINDS = {
    (case.mode, case.chosen.get(kind)): case
    for case in cases()
    if case.has_tokens
    for kind in ("cell", "attention", "input_feeding")
}


@pytest.fixture(scope="module", params=[*dict.fromkeys(KINDS.values()), *MODES], ids=str)
def every(request):
    if isinstance(request.param, str):
        models, source, _ = taught()
        return Everything(models[request.param], source[[0, 27, 50, 64]])
    return Everything(request.param.build().model, SOURCE)


def test_a_beam_as_wide_as_the_search_space_equals_exhaustive_search(every):
    for row, (ids, scores, log_probs) in enumerate(zip(*every.found[:1], *every.found[2:4], strict=True)):
        expected = beam(every.reference.row(row), every.reference.end, 3, **every.ranking)
        assert len(expected) == every.count
        scored = {each.outputs: score for score, each in expected}
        outputs = [tuple(each[each != 0].tolist()) for each in ids[: every.count]]
        assert set(outputs) == set(scored)
        close(scores[: every.count], [scored[each] for each in outputs], atol=1e-4)
        assert (np.diff(scores[: every.count]) <= 0).all()
        # There are no more hypotheses.
        assert (scores[every.count :] == -math.inf).all()
        assert not ids[every.count :].any()
        assert not log_probs[every.count :].any()


def test_hypotheses_have_the_log_probabilities_and_weights_of_teacher_forcing(every):
    log_probs, weights = teacher_forced(every.model, every.sources, every.found.ids)
    close(every.found.log_probs, log_probs, atol=1e-4)
    close(every.found.totals, log_probs.sum(-1), atol=1e-4)
    real = every.found.ids != 0
    np.testing.assert_array_equal(every.found.lengths, (real & (every.found.ids != every.reference.end)).sum(-1))
    if weights is None:
        assert every.found.weights is None
        return
    close(every.found.weights, weights, atol=1e-4)
    has_source = (every.sources != 0).any(1)
    close(every.found.weights.sum(-1), real & has_source[:, None, None], atol=1e-4)


def test_a_beam_of_one_is_greedy(every):
    greedy = every.model.search(every.sources, Greedy(max_length=3))
    same(every.model.search(every.sources, Beam(size=1, max_length=3)), greedy)


def test_a_beam_finds_the_outputs_that_a_model_has_learnt():
    models, source, target = taught()
    for mode in ("attention", "feedback", "peek"):
        two = models[mode].search(source[:65], Beam(size=4, n_best=2))
        np.testing.assert_array_equal(two.ids[:64, 0], target[:64])
        assert {tuple(ids) for ids in two.ids[64].tolist()} == {(8, 8, 2, 0), (9, 9, 2, 0)}
        close(np.exp(two.totals[64]), 0.5, atol=0.1)


# === What is learnt ===


@pytest.mark.parametrize("mode", ["attention", "feedback", "peek"])
def test_short_sequences_are_learnt(mode):
    models, source, target = taught()
    np.testing.assert_array_equal(models[mode].search(source[:64]).ids[:, 0], target[:64])


def test_only_a_mode_that_reads_its_own_output_can_choose_between_two_answers():
    """Given the source, basic's outputs are independent, so two targets of two tokens cost it 2 log 2, not log 2."""
    models, source, target = taught()
    for mode, model in models.items():
        cost = nll(model((source[-2:], target[-2:])), target[-2:])[:, :2].sum(1).mean()
        generated = model.search(source[-1:]).ids[0, 0].tolist()
        if decoders.modes[mode].feeds_back:
            assert cost < 1.1 * np.log(2)
            assert generated in ([8, 8, 2, 0], [9, 9, 2, 0])
        else:
            assert cost > 2 * np.log(2) - 1e-4


@pytest.mark.parametrize("seed", range(3))
def test_no_weights_let_basic_choose(seed):
    model, (a, b) = small("basic"), np.array([[[8, 8, 2]], [[7, 7, 2]]])
    randomise(model, seed)
    costs = [nll(model((SOURCE[:1], target)), target)[0, :2].sum() for target in (a, b)]
    assert np.mean(costs) >= 2 * np.log(2)


# === Beams against their reference implementation ===

RANKINGS = [
    {"length_penalty": 0.8},
    {"length_penalty": 1.0, "length_formula": "power"},
    {"length_penalty": 2.5, "length_formula": "power", "coverage_penalty": 0.5},
    {"groups": 3, "diversity": 0.7, "length_penalty": 0.3},
    {"min_length": 2, "length_penalty": 0.4},
    {"repetition_penalty": 1.7, "no_repeat_ngram": 2},
    {"repetition_penalty": 0.5, "min_length": 1},
    {"no_repeat_ngram": 1, "coverage_penalty": 1.5},
]


@functools.cache
def reference(mode):
    return Told(various(mode), SOURCES[:6])


CONSTRAINTS = [
    {"prefix": [(5, 6), (7,), (), (8, 6, 5), (6,), (5, 5)]},
    {"prefix": [(), (5, 5), (3,), (5,), (), (6,)], "no_repeat_ngram": 1, "min_length": 2},
    {"allowed": (5, 7), "repetition_penalty": 2.0},
]


@pytest.mark.parametrize("options", [{}, *RANKINGS, *CONSTRAINTS], ids=str)
@pytest.mark.parametrize("mode", ["attention", "basic"])
def test_a_narrow_beam_equals_its_reference_implementation(mode, options):
    expecting = reference(mode)
    if "coverage_penalty" in options and not expecting.model.has_attention:
        options = {**options, "coverage_penalty": 0.0}
    own, given = dict(options), {}
    prefixes = own.pop("prefix", [()] * len(expecting.sources))
    if "allowed" in own:
        given["allowed"] = own.pop("allowed")
    if any(prefixes):
        given["prefix"] = pad(prefixes)
    found = expecting.model.search(expecting.sources, Beam(size=3, n_best=3, max_length=4, **own), **given)
    for row, prefix in enumerate(prefixes):
        expected = beam(expecting.row(row), expecting.end, 4, size=3, **{**options, "prefix": prefix})
        alive = found.scores[row] > -math.inf
        assert [ids[ids != 0].tolist() for ids in found.ids[row, alive]] == [list(each.outputs) for _, each in expected]
        close(found.scores[row, alive], [score for score, _ in expected], atol=1e-4)
        close(found.totals[row, alive], [sum(each.log_probs) for _, each in expected], atol=1e-4)


def test_larger_penalties_favour_longer_outputs_and_more_coverage():
    model = various("attention")

    def length(**penalty):
        return model.search(SOURCES, Beam(**penalty)).lengths.mean()

    assert length() < length(length_penalty=4.0)
    assert length() < length(length_penalty=1.0, length_formula="power")

    def coverage(penalty):
        return model.search(SOURCES, Beam(coverage_penalty=penalty)).weights.sum(2).clip(0, 1).mean()

    assert coverage(0.0) < coverage(2.0)


def test_without_diversity_each_group_is_a_plain_beam_and_with_it_groups_differ(model):
    plain = model.search(SOURCES, Beam(size=2, n_best=2))
    twice = model.search(SOURCES, Beam(size=4, n_best=4, groups=2))
    for row in range(len(SOURCES)):
        assert sorted(twice.ids[row].tolist()) == sorted(2 * plain.ids[row].tolist())
    close(twice.scores, plain.scores.repeat(2, axis=1), atol=1e-4)
    apart = model.search(SOURCES, Beam(size=4, n_best=4, groups=4, diversity=100.0))
    assert all(len(set(row.tolist())) == 4 for row in apart.ids[:, :, 0])


def test_a_hypothesis_that_has_ended_is_frozen(model, monkeypatch):
    steps, select = [], Beam.select
    monkeypatch.setattr(Beam, "select", lambda *args: steps.append((args[1], select(*args))) or steps[-1][1])
    model.search(SOURCES, Beam(size=4, length_penalty=0.5))
    ended = np.zeros((len(SOURCES), 4), bool)
    for (before, (parents, outputs)), (after, _) in itertools.pairwise(steps):
        frozen = np.take_along_axis(ended, np.asarray(parents), 1)
        ended = frozen | (np.asarray(outputs) == model.readout.end)
        for name in ("totals", "lengths"):
            kept = np.take_along_axis(np.asarray(getattr(before, name)), np.asarray(parents), 1)
            np.testing.assert_array_equal(np.asarray(getattr(after, name))[frozen], kept[frozen])
        assert not np.asarray(outputs)[frozen].any()
        # Its only continuation is padding, with log-probability 0.
        assert not np.asarray(after.log_probs)[ended][:, 0].any()
        assert (np.asarray(after.log_probs)[ended][:, 1:] == -np.inf).all()
    assert ended.any()


@pytest.mark.parametrize("mode", ["attention", "basic"])
def test_stopping_early_changes_no_result(mode, monkeypatch):
    model = various(mode)
    steps, step = [], model.decoder.step
    monkeypatch.setattr(model.decoder, "step", lambda *args: steps.append(1) or step(*args))
    options = [{}, {"length_penalty": 1.0, "n_best": 2}, {"length_formula": "power", "length_penalty": 0.5}]
    options.append({"groups": 3, "diversity": 1.0, "coverage_penalty": 0.5 * model.has_attention})
    counts, found = [], []
    for _ in range(2):
        found.append([model.search(SOURCES, Beam(size=6, max_length=10, **each)) for each in options])
        counts.append(len(steps))
        monkeypatch.setattr(Beam, "finished", Search.finished)  # which stops only when all have ended
    for stopped, expected in zip(*found, strict=True):
        same(stopped, expected)
    assert counts[0] < counts[1] - counts[0]


# === Every search ===

SEARCHES = [
    {"name": "greedy"},
    {"name": "greedy", "repetition_penalty": 1.5, "no_repeat_ngram": 2, "min_length": 1},
    {"name": "sample", "n_best": 3, "top_p": 0.9, "seed": 5},
    {"name": "sample", "n_best": 2, "top_k": 4, "no_repeat_ngram": 1},
    {"name": "beam", "size": 3, "n_best": 3, "length_penalty": 0.8},
    {"name": "beam", "size": 4, "n_best": 4, "groups": 2, "diversity": 0.5, "repetition_penalty": 1.2},
]
WITH_ATTENTION = {"name": "beam", "size": 2, "n_best": 2, "coverage_penalty": 0.3}
assert {search["name"] for search in SEARCHES} == set(searches)
PAIRS = [
    *itertools.product(["attention"], [*SEARCHES, WITH_ATTENTION]),
    *itertools.product({*MODES} - {"attention"}, SEARCHES[4:5]),
]


@pytest.fixture(params=sorted(PAIRS, key=str), ids=str)
def searching(request):
    mode, options = request.param
    return various(mode), functools.partial(searches.create, options)


def test_a_row_depends_on_neither_its_batch_nor_padding(searching):
    model, search = searching
    full = model.search(SOURCES, search())
    for rows, sides in [([9], (0, 0)), ([5, 2, 5, 0, 1], (2, 3))]:
        sources = np.pad(SOURCES[rows], ((0, 0), sides))
        found = model.search(sources, search(), rows=rows)
        if found.weights is not None:
            found = found._replace(weights=found.weights[..., sides[0] : sides[0] + SOURCES.shape[1]])
        same(found, part(full, rows))


def test_a_search_stops_when_every_row_has_ended_whatever_max_length_is(searching, monkeypatch):
    model, search = searching
    found = model.search(SOURCES, search())
    ended = (found.ids == model.readout.end).any(-1).all(-1)
    assert ended.any()
    steps, step = [], model.decoder.step
    monkeypatch.setattr(model.decoder, "step", lambda *args: steps.append(1) or step(*args))
    longer = model.search(SOURCES[ended], search(max_length=50), rows=np.flatnonzero(ended))
    assert len(steps) == (found.ids[ended] != 0).sum(-1).max()
    for name in ("ids", "log_probs", "weights"):
        if getattr(longer, name) is not None:
            assert not getattr(longer, name)[:, :, LENGTH:].any()
            longer = longer._replace(**{name: getattr(longer, name)[:, :, :LENGTH]})
    same(longer, part(found, ended))


def test_hypotheses_share_the_memory_of_their_row(searching, monkeypatch):
    model, search = searching
    search = search(max_length=2)
    step, attend, steps, attended = model.decoder.step, model.decoder.attend, [], []
    monkeypatch.setattr(model.decoder, "step", lambda *args: steps.append(args) or step(*args))
    if model.has_attention:
        monkeypatch.setattr(model.decoder, "attend", lambda *args: attended.append(args) or attend(*args))
    model.search(SOURCES, search)
    previous, states, memory = steps[0]
    assert previous.shape == (len(SOURCES), search.hypotheses)
    assert all(each.shape[:2] == previous.shape for each in tree.flatten(states))
    held = [each for each in tree.flatten(memory._replace(precomputed=Precomputed())) if each is not None]
    assert {each.shape[0] for each in held} == {len(SOURCES)}
    assert all(args[2] is memory for args in steps)
    assert bool(attended) == model.has_attention
    for query, source in attended:
        assert query.shape[:2] == previous.shape
        assert source.keys.shape[:2] == source.values.shape[:2] == SOURCES.shape


@pytest.mark.parametrize("mode", MODES)
def test_precomputed_products_change_no_step(mode):
    model = various(mode)
    (plain, states), memory = model.initialize(SOURCES), model.precompute(model.initialize(SOURCES)[0], steps=100)
    states = tree.map_structure(lambda state: ops.stack([state, -state], axis=1), states)
    previous = np.random.default_rng(0).integers(1, TOKENS, (len(SOURCES), 2)).astype("int32")
    steps = [tree.flatten(model.step(previous, states, each)) for each in (memory, plain)]
    for found, expected in zip(*([each for each in step if each is not None] for step in steps), strict=True):
        close(found, expected)
    assert plain.precomputed == Precomputed()
    assert (memory.precomputed.embedding_products is not None) == model.decoder.feeds_back
    assert (memory.precomputed.context_products is not None) == model.has_attention
    assert model.precompute(plain, steps=1).precomputed.context_products is None


@pytest.mark.parametrize("mode", MODES)
def test_greedy_search_is_the_free_running_pass_scored_by_teacher_forcing(mode):
    model = various(mode)
    found = model.search(SOURCES)
    ids = until(model.readout.end, np.asarray(model.readout.predict(model(SOURCES))))
    np.testing.assert_array_equal(found.ids[:, 0], ids)
    assert len(np.unique(found.lengths)) > 1
    close(found.log_probs[:, 0], -nll(model((SOURCES, ids)), ids), atol=1e-4)
    close(found.scores, found.totals, atol=1e-4)


@functools.cache
def unconstrained(name):
    return various("peek").search(SOURCES, {"name": name, **MANY[name]})


MANY = {"greedy": {}, "sample": {"n_best": 4}, "beam": {"size": 4, "n_best": 4}}


@pytest.mark.parametrize(
    "options",
    [
        {"no_repeat_ngram": 2},
        {"min_length": 3},
        {"max_length": 2},
        {"prefix": (6, 5, 5)},
        {"prefix": (6,) * 9},
        {"allowed": (5, 6)},
        {"allowed": ()},
        {"forbidden": (3, 5, 6)},
        {"forbidden": (5,), "allowed": (5, 6)},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", searches.list())
def test_constraints_hold_and_log_probabilities_are_the_models_own(name, options):
    model, own, given = various("peek"), dict(options), {}
    if "prefix" in own:
        given["prefix"] = [own.pop("prefix")] * len(SOURCES)
    for constraint in {"allowed", "forbidden"} & own.keys():
        given[constraint] = own.pop(constraint)
    found = model.search(SOURCES, {"name": name, **MANY[name], **own}, **given)
    close(found.log_probs, teacher_forced(model, SOURCES, found.ids)[0], atol=1e-4)

    def kept(found):
        alive = found.ids[found.scores > -math.inf].tolist()
        return all(fits([id for id in ids if id], **options) for ids in alive)

    def fits(
        ids, no_repeat_ngram=None, min_length=0, max_length=LENGTH, prefix=(), allowed=range(TOKENS), forbidden=()
    ):
        n = no_repeat_ngram or len(ids) + 1
        runs = [tuple(ids[start : start + n]) for start in range(len(ids) - n + 1)]
        spoken = [id for id in ids if id != model.readout.end]
        return (
            len(runs) == len(set(runs))
            and min_length <= len(spoken) <= len(ids) <= max_length
            and ids[: len(prefix)] == list(prefix)[:LENGTH]
            and set(spoken) <= set(allowed) - set(forbidden)
        )

    assert kept(found)
    assert not kept(unconstrained(name))


def test_constraints_that_allow_no_output_leave_no_hypothesis():
    model = taught()[0]["attention"]
    for name in searches:
        (prediction,) = model.predictions(["aé漢"], {"name": name, "min_length": 1}, allowed=[])
        assert prediction.text == ""
        assert prediction.hypotheses == []
        (prediction,) = model.predictions(["aé漢"], {"name": name}, allowed=[])
        assert prediction.text == ""
        assert [(each.tokens, each.ended) for each in prediction.hypotheses] == [([], True)]
    (prediction,) = model.predictions(["aé漢"], {"name": "beam", "n_best": 4, "max_length": 1}, allowed="a")
    assert sorted(each.text for each in prediction.hypotheses) == ["", "a"]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 9])
def test_seen_tokens_and_tokens_that_would_repeat_an_ngram(n):
    random = np.random.default_rng(n)
    history = random.integers(1, 4, (40, 2, 7)) * (np.arange(7) >= random.integers(0, 8, (40, 2, 1)))
    history = history.astype("int32")
    seen, repeated = (np.asarray(each) for each in (seen_tokens(history, 5), ends_ngram(history, n, 5)))
    for place in itertools.product(range(40), range(2)):
        ids = [id for id in history[place].tolist() if id]
        assert seen[place].tolist() == [id in ids for id in range(5)]
        runs = [ids[start : start + n] for start in range(len(ids) - n + 1)]
        assert repeated[place].tolist() == [[*ids, id][-n:] in runs for id in range(5)]


def test_a_user_defined_search_needs_only_select():
    class Second(Search):
        """The second most likely token at every step."""

        def select(self, candidates):
            return None, ops.top_k(candidates.log_probs, 2)[1][..., 1]

    model = various("peek")
    found = model.search(SOURCES, Second(max_length=1))
    best = model.search(SOURCES, Beam(size=2, n_best=2, max_length=1))
    np.testing.assert_array_equal(found.ids[:, 0], best.ids[:, 1])
    close(found.scores[:, 0], best.scores[:, 1], atol=1e-4)


def test_a_search_builds_its_model_and_takes_sources_of_vectors():
    vectors = np.random.default_rng(0).normal(size=(3, 5, 2))
    model = Seq2Seq(Encoder(4), decoders.create("attention", units=4, readout=Tokens(TOKENS), max_length=LENGTH))
    found = model.search(vectors, Beam(size=3, n_best=2))
    close(found.log_probs, teacher_forced(model, vectors, found.ids)[0], atol=1e-4)


# === Sampling ===


def renormalised(log_probs, temperature=1.0, top_k=None, top_p=1.0):
    """The distribution that `Sample` draws from, in numpy."""
    chances = np.exp(np.array(log_probs) / temperature)
    if top_k is not None:
        chances[np.argsort(chances)[:-top_k]] = 0
    chances /= chances.sum()
    order = np.argsort(-chances)
    before = np.cumsum(chances[order]) - chances[order]
    chances[order[before >= top_p]] = 0
    return chances / chances.sum()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0.5},
        {"temperature": 3.0},
        {"top_k": 3},
        {"top_p": 0.8},
        {"temperature": 2.0, "top_k": 4, "top_p": 0.7, "seed": 3},
    ],
    ids=str,
)
def test_samples_are_as_frequent_as_their_probabilities(options):
    expecting = reference("feedback")
    next_step, sharpening = expecting.row(0), {key: value for key, value in options.items() if key != "seed"}
    chances = {}
    for first, chance in enumerate(renormalised(apply_constraints(next_step(())[0], (), expecting.end), **sharpening)):
        if first == expecting.end or not chance:
            chances[first, 0] = chance
            continue
        following = renormalised(apply_constraints(next_step((first,))[0], (first,), expecting.end), **sharpening)
        chances |= {(first, second): chance * each for second, each in enumerate(following)}
    # Samples of rows with different numbers, and several of each row.
    found = expecting.model.search(SOURCES[:1].repeat(50, 0), Sample(max_length=2, n_best=100, **options))
    outputs, counts = np.unique(found.ids.reshape(-1, 2), axis=0, return_counts=True)
    counted = dict(zip(map(tuple, outputs.tolist()), counts.tolist(), strict=True))
    assert all(chances[each] > 0 for each in counted)
    often = [each for each, chance in chances.items() if chance * 5000 >= 5]
    observed = [counted.get(each, 0) for each in often]
    expected = [chances[each] * 5000 for each in often]
    if len(often) < sum(chance > 0 for chance in chances.values()):
        observed, expected = [*observed, 5000 - sum(observed)], [*expected, 5000 - sum(expected)]
    assert len(observed) > 4
    assert stats.chisquare(observed, expected).pvalue > 1e-3


def test_samples_depend_on_the_seed_alone(model):
    def ids(seed, **options):
        return model.search(SOURCES, Sample(seed=seed, temperature=2.0, n_best=2, **options)).ids.tolist()

    first = ids(1)
    np.random.seed(7)
    assert ids(1) == first
    assert ids(2) != first
    assert [row[0] for row in first] != [row[1] for row in first]
    alike = model.search(SOURCES[:1].repeat(8, 0), Sample(temperature=2.0)).ids
    assert len(np.unique(alike[:, 0], axis=0)) > 1


def test_sampling_from_the_most_likely_token_alone_is_greedy_search(model):
    same(model.search(SOURCES, Sample(top_k=1, temperature=3.0, seed=2)), model.search(SOURCES))
    assert model.search(SOURCES, Sample(temperature=1e-30)).ids.tolist() == model.search(SOURCES).ids.tolist()


# === Compiled ===

ALL_AT_ONCE = {
    **{"size": 4, "n_best": 3, "groups": 2, "diversity": 0.5, "length_penalty": 0.6},
    **{"min_length": 1, "repetition_penalty": 1.3, "no_repeat_ngram": 2},
}


@pytest.fixture
def compiled(monkeypatch):
    """A model whose searches are compiled, and a list with an entry for each time that one was traced."""
    monkeypatch.setattr(Searcher, "run_eagerly", False)
    model, traces, call = small("attention"), [], Searcher.call
    monkeypatch.setattr(Searcher, "call", lambda *args: traces.append(1) or call(*args))
    return model, traces


@pytest.mark.parametrize("mode", ["attention", "basic"])
def test_a_compiled_search_gives_the_same_results(mode, monkeypatch):
    search = Beam(coverage_penalty=0.2 * various(mode).has_attention, max_length=8, **ALL_AT_ONCE)
    inputs = {"prefix": [[5]] + [[0]] * 15, "allowed": range(3, 8)}
    expected = various(mode).search(SOURCES, search, **inputs)
    with monkeypatch.context() as patch:
        patch.setattr(Searcher, "run_eagerly", False)
        fresh = small(mode)
        fresh.set_weights(various(mode).get_weights())
        fresh.readout.end = various(mode).readout.end
        same(fresh.search(SOURCES, search, **inputs), expected)


def test_two_calls_of_one_shape_compile_once(compiled):
    model, traces = compiled
    for options in [{"name": "greedy"}, {"name": "sample"}, {"name": "beam", "size": 2}]:
        before = len(traces)
        model.search(SOURCES, dict(options))
        once = len(traces)
        model.search(SOURCES[::-1], dict(options))
        assert before < once == len(traces)


def test_a_compiled_search_takes_any_shape(compiled):
    model, _ = compiled
    search = {"name": "sample", "n_best": 2, "no_repeat_ngram": 2}
    again = small("attention")
    again.searcher(search).run_eagerly = True
    for rows, padding, prefix in [(3, 0, 1), (5, 2, 2), (16, 1, 3)]:
        inputs = np.pad(SOURCES[:rows], ((0, 0), (0, padding))), search, np.full((rows, prefix), 5)
        same(model.search(*inputs), again.search(*inputs))


# === Texts ===

TEXTS = ["aé漢", "🙂🙂a", "", "x🙂y漢x", "8", "aé漢", "e\u0301", "漢" * 100]


def test_predictions_have_texts_tokens_scores_and_alignments():
    model = taught()[0]["attention"]
    predictions = model.predictions(TEXTS, {"name": "beam", "size": 3, "n_best": 2})
    assert [prediction.source for prediction in predictions] == TEXTS
    assert [prediction.unknown for prediction in predictions] == [[], [], [], ["x", "y"], [], [], ["e", "\u0301"], []]
    assert [predictions[row].text for row in (0, 1, 5)] == ["漢éa", "a🙂🙂", "漢éa"]
    assert {each.text for each in predictions[4].hypotheses} == {"88", "99"}
    for text, prediction in zip(TEXTS, predictions, strict=True):
        assert len(prediction.hypotheses) == 2
        assert prediction.text == prediction.hypotheses[0].text
        (scored,) = model.score([text], [prediction.text])
        for each in prediction.hypotheses:
            assert each.text == "".join(each.tokens)
            assert len(each.token_log_probs) == len(each.tokens) + each.ended
            assert each.alignment.shape == (len(each.token_log_probs), len(text))
            close(each.alignment.sum(1), bool(text), atol=1e-4)
            close(each.log_prob, sum(each.token_log_probs))
        if prediction.hypotheses[0].ended:
            close(scored.token_log_probs, prediction.hypotheses[0].token_log_probs, atol=1e-4)
    assert model.generate(TEXTS, {"name": "beam", "size": 3, "n_best": 2}) == [
        prediction.text for prediction in predictions
    ]
    assert model.predictions([]) == model.generate([]) == []


@pytest.mark.parametrize("search", [SEARCHES[0], SEARCHES[2], SEARCHES[4]], ids=str)
def test_predictions_depend_on_neither_batch_size_nor_other_texts(search):
    model = taught()[0]["feedback"]
    texts = [text for text in TEXTS if len(text) < 9]
    together = model.predictions(texts, search)
    for number, alone in enumerate(model.predictions(texts, search, batch_size=1)):
        assert alone.hypotheses[0].tokens == together[number].hypotheses[0].tokens
        close(alone.hypotheses[0].token_log_probs, together[number].hypotheses[0].token_log_probs, atol=1e-4)
        assert alone.hypotheses[0].alignment is None
    if search["name"] != "sample":
        assert model.generate(texts[::-1], search) == [prediction.text for prediction in together][::-1]


def test_outputs_cut_at_max_length_have_not_ended():
    (prediction,) = taught()[0]["attention"].predictions(["aé漢"], {"name": "greedy", "max_length": 2})
    (hypothesis,) = prediction.hypotheses
    assert (prediction.text, hypothesis.ended, len(hypothesis.token_log_probs)) == ("漢é", False, 2)


def test_outputs_start_with_their_prefixes_and_have_only_allowed_tokens():
    model = taught()[0]["attention"]
    assert model.generate(["8", "8", "aé漢"], prefixes=["8", "99", ""]) == ["88", "99", "漢éa"]
    assert set("".join(model.generate(TEXTS, allowed="a🙂"))) <= set("a🙂")


def test_forbidden_tokens_are_never_generated():
    model = taught()[0]["attention"]
    assert set(model.generate(["8"] * 4, "sample", forbidden="9")) == {"88"}
    assert set("".join(model.generate(TEXTS, allowed="a🙂", forbidden=["🙂"]))) <= {"a"}
    assert model.generate(["8"], prefixes=["9"], forbidden="9")[0].startswith("9")
    unknown = VOCABULARY.unknown
    model.readout.bias.assign(np.asarray(model.readout.bias) + 50 * (np.arange(len(VOCABULARY)) == unknown))
    try:
        assert "<unk>" in model.generate(["aé漢"])[0]
        assert model.generate(["aé漢"], forbidden=["<unk>"]) == ["漢éa"]
        # Each unknown token becomes the source token that attention selects.
        (plain,), (copied,) = (model.predictions(["aé漢"], copy_unknown=copy) for copy in (False, True))
        weights = plain.hypotheses[0].alignment
        expected = [
            "aé漢"[weights[place].argmax()] if token == "<unk>" else token
            for place, token in enumerate(plain.hypotheses[0].tokens)
        ]
        assert copied.hypotheses[0].tokens == expected
        assert copied.text == "".join(expected)
        assert "<unk>" not in copied.text
        assert copied.hypotheses[0].token_log_probs == plain.hypotheses[0].token_log_probs
        assert "<unk>" in model.generate([""], copy_unknown=True)[0]  # there is nothing to copy
    finally:
        model.readout.bias.assign(np.asarray(model.readout.bias) - 50 * (np.arange(len(VOCABULARY)) == unknown))


def test_a_prediction_covers_a_probability_with_the_most_probable_hypotheses():
    def hypothesis(text, probability):
        return Hypothesis(text, list(text), 0.0, math.log(probability), [], True, None)

    drawn = [hypothesis("a", 0.2), hypothesis("b", 0.5), hypothesis("b", 0.5), hypothesis("c", 0.1)]
    prediction = Prediction("x", [], drawn)
    close(prediction.mass(), 0.8)
    for mass, texts in ((0.1, "b"), (0.49, "b"), (0.51, "ba"), (0.75, "bac"), (1.0, "bac")):
        assert "".join(each.text for each in prediction.covering(mass).hypotheses) == texts
    close(prediction.covering(0.1).hypotheses[0].probability, 0.5)


def test_a_sample_depends_on_its_number_and_not_on_the_other_texts():
    model = taught()[0]["feedback"]
    options = {"name": "sample", "temperature": 3.0}
    texts = ["8"] * 6
    together = [prediction.text for prediction in model.predictions(texts, options)]
    assert len(set(together)) > 1
    assert [model.predictions(["8"], options, first=number)[0].text for number in range(6)] == together


def test_texts_in_any_normal_form_are_the_same_text():
    jamo = Vocabulary.build(["한국 é"], "", normalize="nfd")
    decoder = decoders.FeedbackDecoder(4, readout=Tokens(len(jamo)), max_length=9)
    model = Seq2Seq(Encoder(4, vocabulary_size=len(jamo)), decoder, jamo, jamo)
    model.build((None, None))
    for prefix in ("국", unicodedata.normalize("NFD", "국")):
        outputs = [model.generate([source], prefixes=[prefix])[0] for source in ("한é", "\u1112\u1161\u11abe\u0301")]
        assert outputs[0] == outputs[1] == unicodedata.normalize("NFC", outputs[0])
        assert outputs[0].startswith(("국", "구"))  # a vowel may follow the last consonant
    assert model.score(["한"], ["é"]) == model.score(["\u1112\u1161\u11ab"], ["e\u0301"])
    with pytest.raises(TextError, match="got 'é', which has 2 tokens in the normal form nfd"):
        model.generate(["한"], forbidden=["é"])
    with pytest.raises(TextError, match=r"The prefix contains U\+0302 COMBINING CIRCUMFLEX ACCENT, which is not in"):
        model.generate(["한"], prefixes=["\u0302"])


def test_scores_are_log_probabilities_by_teacher_forcing():
    model = taught()[0]["peek"]
    pairs = [("aé漢", "漢éa"), ("8", "88"), ("", ""), ("xé", "?é" * 7), ("é" * 9, "a")]
    sources, targets = zip(*pairs, strict=True)
    scores = model.score(sources, targets)
    ids = [pad([[*VOCABULARY.encode(text), *end] for text in texts]) for texts, end in ((sources, []), (targets, [2]))]
    expected = -nll(model((ids[0], ids[1])), ids[1])
    for score, alone, row, target in zip(
        scores, model.score(sources, targets, batch_size=1), expected, ids[1], strict=True
    ):
        close(score.token_log_probs, row[target != 0], atol=1e-4)
        close(alone.token_log_probs, score.token_log_probs, atol=1e-4)
        close(score.log_prob, row.sum(), atol=1e-4)
        close(score.perplexity, np.exp(-row.sum() / (target != 0).sum()), rtol=1e-4)
    close(perplexity(model, pairs), np.exp(-expected.sum() / (ids[1] != 0).sum()), rtol=1e-4)
    close(np.exp(scores[1].log_prob), 0.5, atol=0.1)
    assert scores[0].perplexity < 1.1 < scores[3].perplexity
    assert model.score([], []) == []
    metrics, outputs = evaluate_generation(model, [(sources[0], targets[:1])], Beam(size=2))
    assert (metrics["exact_match"], outputs) == (1.0, [["漢", "é", "a"]])


# === What is refused ===


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ({"name": "beam", "size": 0}, "Beam: `size` must be an integer of at least 1, got 0."),
        ({"name": "beam", "n_best": 0}, "Beam: `n_best` must be an integer of at least 1, got 0."),
        ({"name": "beam", "size": 2.5}, "Beam: `size` must be an integer of at least 1, got 2.5."),
        ({"name": "beam", "size": 2, "n_best": 3}, "Beam: `n_best` must be at most `size`"),
        ({"name": "beam", "length_penalty": -0.5}, "Beam: `length_penalty` must be a number of at least 0, got -0.5."),
        ({"name": "beam", "length_penalty": math.nan}, "Beam: `length_penalty` must be"),
        ({"name": "beam", "coverage_penalty": -1}, "Beam: `coverage_penalty` must be a number of at least 0, got -1."),
        ({"name": "beam", "length_formula": "gmnt"}, "Did you mean 'gnmt'?"),
        ({"name": "beam", "size": 5, "groups": 2}, "must be a multiple of `groups`, got 5 hypotheses in 2 groups."),
        ({"name": "beam", "diversity": 0.5}, "Beam: `diversity` needs `groups` above 1, got 1."),
        (
            {"name": "beam", "coverage_penalty": 0.2},
            "Beam's coverage penalty needs attention weights",
        ),
        ({"name": "beam", "sise": 3}, "Beam: `sise` is not an option. Did you mean 'size'?"),
        ({"name": "greedy", "max_length": 0}, "Greedy: `max_length` must be an integer of at least 1 or null, got 0."),
        ({"name": "greedy", "min_length": 4, "max_length": 4}, "Greedy: `min_length` must be below `max_length`"),
        ({"name": "greedy", "min_length": LENGTH}, f"below the model's max_length, {LENGTH}, got {LENGTH}."),
        ({"name": "greedy", "min_length": -1}, "Greedy: `min_length` must be an integer of at least 0, got -1."),
        ({"name": "greedy", "repetition_penalty": 0}, "Greedy: `repetition_penalty` must be a number above 0, got 0."),
        ({"name": "greedy", "no_repeat_ngram": 0}, "Greedy: `no_repeat_ngram` must be an integer of at least 1"),
        ({"name": "greedy", "size": 3}, "Greedy: `size` is not an option."),
        ({"name": "sample", "top_p": 0}, "Sample: `top_p` must be"),
        ({"name": "sample", "top_p": 1.5}, "Sample: `top_p` must be"),
        ({"name": "sample", "top_k": 0}, "Sample: `top_k` must be an integer of at least 1"),
        ({"name": "sample", "temperature": 0}, "Sample: `temperature` must be a number above 0, got 0."),
        ({"name": "sample", "seed": -1}, "Sample: `seed` must be an integer of at least 0, got -1."),
        ("baem", "Unknown search 'baem'. Did you mean 'beam'? Known: beam, greedy, sample."),
        ({"size": 3}, "A search given as a mapping needs the key 'name', got {'size': 3}."),
    ],
    ids=str,
)
def test_invalid_options_are_refused_by_name(search, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        various("basic").search(SOURCE, search)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"sources": "aé"}, "Expected a list of texts, got one text: write ['aé']."),
        ({"prefixes": ["a"]}, "Expected a prefix for each source, got 1 for 2."),
        ({"prefixes": ["a", "z"]}, "The prefix contains 'z', which is not in the model's vocabulary."),
        ({"allowed": ["a", "<edn>"]}, "The allowed token contains '<', which is not in the model's vocabulary."),
        ({"stop": ["aé"]}, "Expected one token as stop token, got 'aé', which has 2 tokens."),
        ({"forbidden": ["b"]}, "The forbidden token contains 'b', which is not in the model's vocabulary."),
        ({"copy_unknown": True}, "copy_unknown replaces unknown tokens by the source tokens that attention selects"),
        ({"allowed": [""]}, "Expected one token as allowed token, got '', which has 0 tokens."),
        ({"batch_size": 0}, "Expected a batch_size of at least 1, got 0."),
    ],
    ids=str,
)
def test_invalid_texts_are_refused_by_name(arguments, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        taught()[0]["peek"].predictions(**{"sources": ["a", "é"], **arguments})


def test_texts_without_vocabularies_and_sources_without_targets_are_refused():
    with pytest.raises(ValueError, match=r"This model has no vocabularies, so it takes ids instead of texts"):
        various("basic").generate(["a"])
    with pytest.raises(ValueError, match=r"Expected a target for each source, got 1 for 2\."):
        taught()[0]["peek"].score(["a", "é"], ["a"])


@pytest.mark.parametrize("name", searches)
def test_equal_searches_share_one_searcher(name):
    model, search = various("peek"), searches.create(name, max_length=3)
    assert search == searches.create({"name": name, **search.options})
    assert model.searcher(search) is model.searcher({"name": name, "max_length": 3})
    assert search != searches.create(name, max_length=4)
    assert repr(search).startswith(f"{type(search).__name__}(")
    assert "max_length=3" in repr(search)
