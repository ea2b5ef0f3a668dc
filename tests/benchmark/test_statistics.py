import itertools
import math

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, permutation_test

from seq2seq_zoo.benchmark.statistics import (
    Estimate,
    band,
    difference,
    estimate,
    expected_best,
    interquartile_mean,
    ordering,
    paired_permutation_test,
    probability_of_improvement,
    profile,
    separated,
)


def between(low, high):
    return Estimate((low + high) / 2, low, high, 3)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([1, 2, 3, 4, 5, 6, 7, 1000], (3 + 4 + 5 + 6) / 4),
        ([0.2, 0.4, 0.9], 0.5),  # a quarter of three is none: the plain mean
        ([9, 1, 5, 3, 100], (3 + 5 + 9) / 3),
        ([7], 7),
    ],
)
def test_the_interquartile_mean_of_small_samples(scores, expected):
    assert interquartile_mean(np.array(scores, float)) == pytest.approx(expected)


@pytest.mark.parametrize("better", [True, False])
def test_the_expected_best_score_is_the_mean_over_all_draws(better):
    scores = [0.5, 0.25, 0.25, 1.0]
    best = max if better else min
    expected = [np.mean([best(draw) for draw in itertools.product(scores, repeat=n)]) for n in (1, 2, 3, 4)]
    assert expected_best(scores, better) == pytest.approx(expected)


def test_the_interval_of_three_seeds_is_their_range():
    assert estimate([0.9, 0.7, 0.8]) == Estimate(0.8, 0.7, 0.9, 3)


def test_rounding_does_not_separate_equal_scores():
    assert not separated(estimate([0.9, 0.9]), estimate([0.9] * 7))
    change = difference([0.9, 0.9], [0.9] * 7)
    assert (change.low, change.value, change.high) == (0, 0, 0)


def test_one_run_has_no_interval_and_no_runs_have_no_value():
    one = estimate([0.5])
    assert (one.value, one.runs) == (0.5, 1)
    assert math.isnan(one.low)
    assert math.isnan(one.high)
    none = estimate([])
    assert none.runs == 0
    assert math.isnan(none.value)
    assert math.isnan(estimate([0.1], [0.9]).low)  # one run a condition, drawn anew, is always itself


def test_runs_are_resampled_within_their_condition():
    # Nothing varies within a condition, so nothing is uncertain, however far apart the conditions lie.
    assert estimate([0.0, 0.0], [1.0, 1.0, 1.0]) == Estimate(
        pytest.approx(2 / 3), pytest.approx(2 / 3), pytest.approx(2 / 3), 5
    )
    assert estimate([0.0, 0.0, 1.0, 1.0, 1.0]).low < 0.5


def test_the_interval_has_the_stated_coverage():
    random = np.random.default_rng(1)
    samples = random.normal(0.7, 0.1, (200, 20))
    estimates = [estimate(sample, resamples=500) for sample in samples]
    covered = np.mean([e.low <= 0.7 <= e.high for e in estimates])
    assert 0.88 <= covered <= 0.99
    few = [estimate(sample[:3]) for sample in samples]
    assert 0.65 <= np.mean([e.low <= 0.7 <= e.high for e in few]) <= 0.85  # three in four, as the docstring says


def test_the_same_scores_give_the_same_interval():
    scores = np.random.default_rng(2).random(12)
    assert estimate(scores) == estimate(scores)


def test_a_band_is_the_interval_at_every_point():
    curves = np.random.default_rng(3).random((3, 4))
    value, low, high = band(curves)
    for point in range(4):
        assert estimate(curves[:, point]) == Estimate(*(pytest.approx(end[point]) for end in (value, low, high)), 3)
    assert np.isnan(band(curves[:1])[1]).all()


def test_intervals_are_separate_if_they_do_not_overlap():
    assert separated(between(1, 2), between(3, 4))
    assert separated(between(3, 4), between(1, 2))
    assert not separated(between(1, 3), between(3, 4))
    assert not separated(estimate([1]), between(3, 4))


@pytest.mark.parametrize(
    ("intervals", "expected"),
    [
        ({"a": (7, 8), "b": (5, 6), "c": (3, 4), "d": (1, 2)}, "a > b > c > d"),
        ({"a": (7, 8), "b": (4, 6), "c": (3, 5), "d": (1, 2)}, "a > b, c > d"),
        ({"a": (5, 8), "b": (4, 6), "c": (1, 3)}, "a, b > c"),
        ({"a": (6, 8), "b": (4, 7), "c": (2, 5)}, "a > c"),  # b separates from neither
        ({"a": (9, 10), "b": (5, 6), "c": (3, 8), "d": (1, 2)}, "a > b, c > d"),
        ({"a": (9, 10), "b": (6, 8), "c": (4, 7), "d": (1, 5)}, "a > b, c; b > d"),
        ({"a": (1, 3), "b": (2, 4)}, ""),
    ],
)
def test_ordering_of_intervals(intervals, expected):
    assert ordering({name: between(*ends) for name, ends in intervals.items()}) == expected


def test_ordering_where_less_is_better():
    assert ordering({"a": between(1, 2), "b": between(3, 4)}, higher_is_better=False) == "a > b"


def test_the_difference_of_two_samples():
    assert difference([1, 2, 3], [5, 5, 5]) == Estimate(3, 2, 4, 6)
    none = difference([0.5, 0.6, 0.7], [0.55, 0.6, 0.65])
    assert none.low < 0 < none.high
    assert math.isnan(difference([1], [2, 3]).low)


# === Two modes ===


@pytest.mark.parametrize("runs", [1, 3])
def test_the_paired_permutation_test_is_the_exact_one(runs):
    before, after = np.random.default_rng(runs).random((2, runs, 10)) < [[[0.4]], [[0.8]]]

    def difference(x, y, axis):
        return (y - x).sum(axis=axis)

    sides = before.mean(axis=0), after.mean(axis=0)
    exact = permutation_test(sides, difference, permutation_type="samples", n_resamples=np.inf, vectorized=True)
    assert paired_permutation_test(before, after) == pytest.approx(exact.pvalue)


def test_equal_sides_are_not_told_apart_and_many_items_are_no_problem():
    same = np.random.default_rng(1).random((3, 20_000)) < 0.5
    assert paired_permutation_test(same, same) == 1
    assert paired_permutation_test(same, same | (np.arange(20_000) < 100)) < 1e-6


def test_the_probability_of_improvement_is_the_share_of_pairs_of_runs():
    before, after = [3, 1, 2, 2], [2, 3, 4]
    found = probability_of_improvement([before, [1, 2]], [after, [0, 0]])
    assert found.value == pytest.approx(mannwhitneyu(after, before).statistic / 12 / 2)
    assert found.low < found.value < found.high
    assert math.isnan(probability_of_improvement([[1]], [[2]]).low)


def test_a_profile_is_the_share_of_runs_in_the_mean_over_conditions():
    value, low, high = profile([np.array([0.2, 0.6]), np.array([0.9])], np.array([0, 0.5, 0.6, 1]))
    assert value.tolist() == [1, 0.75, 0.75, 0]
    assert (low <= value).all()
    assert (value <= high).all()
