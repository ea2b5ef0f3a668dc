"""Statistics over seeds: interquartile means, bootstrap intervals, which intervals are separate, how probably a mode is
better; and over test items: a paired permutation test.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom, trim_mean

CONFIDENCE = 0.95
RESAMPLES = 10_000


@dataclass(frozen=True)
class Estimate:
    """An interquartile mean with its interval.

    Args:
        value: the interquartile mean; NaN without runs.
        low: the lower end of the interval; NaN with fewer than two runs.
        high: the upper end of the interval; NaN with fewer than two runs.
        runs: the number of runs.
    """

    value: float
    low: float
    high: float
    runs: int


def interquartile_mean(scores: np.ndarray, axis: int = 0) -> np.ndarray:
    """The mean of the middle half: more robust to outliers than the mean, more efficient than the median.

    A quarter of the runs, rounded down, is dropped at each end: the lowest two and the highest two of eight runs, but
    none of three. The interquartile mean of three seeds is thus their mean.

    Example:

    >>> float(interquartile_mean(np.array([0, 10, 1, 2, 3, 4, 100, 1000])))
    4.75

    Reference: Agarwal et al. 2021, https://arxiv.org/abs/2108.13264.
    """
    # Rounded, because the means of three and of two runs of 0.9 differ in the last bit, and would be separate.
    return np.round(trim_mean(scores, 0.25, axis=axis), 12)


def resampled_means(
    strata: Sequence[np.ndarray], resamples: int = RESAMPLES, seed: int = 0
) -> np.ndarray:  # (resamples, ...)
    """Interquartile means of stratified bootstrap samples: the runs of each stratum are resampled with replacement.

    A single stratum of at most five runs is enumerated instead of sampled, so that its result is exact.

    Args:
        strata: one array for each condition, with runs on the first axis; further axes (the epochs of a curve) are
            kept.
        resamples: the number of bootstrap samples.
        seed: the seed of the samples; it is fixed so that the same records always give the same report.
    """
    runs = len(strata[0])
    if len(strata) == 1 and runs**runs <= resamples:
        drawn = [strata[0][np.array(list(itertools.product(range(runs), repeat=runs)))]]
    else:
        drawn = _resampled(strata, resamples, seed)
    return interquartile_mean(np.concatenate(drawn, axis=1), axis=1)


def _resampled(strata: Sequence[np.ndarray], resamples: int, seed: int) -> list[np.ndarray]:
    """For each stratum, bootstrap samples of its runs: `(resamples, runs, ...)`."""
    random = np.random.default_rng(seed)
    return [runs[random.integers(len(runs), size=(resamples, len(runs)))] for runs in strata]


def percentiles(samples: np.ndarray) -> np.ndarray:  # (2, ...)
    """The ends of the interval of the middle 95 % of bootstrap samples."""
    tail = (1 - CONFIDENCE) / 2
    return np.quantile(samples, [tail, 1 - tail], axis=0, method="inverted_cdf")


def band(curves: np.ndarray, resamples: int = RESAMPLES) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The interquartile mean of curves at each point, and the lower and upper end of its interval.

    Args:
        curves: `(runs, points)`.
        resamples: the number of bootstrap samples.
    """
    value = interquartile_mean(curves)
    if len(curves) < 2:
        return value, np.full_like(value, np.nan), np.full_like(value, np.nan)
    low, high = percentiles(resampled_means([curves], resamples))
    return value, low, high


def estimate(*strata: Sequence[float], resamples: int = RESAMPLES) -> Estimate:
    """The interquartile mean over all runs of all strata, with its 95 % percentile bootstrap interval.

    A bootstrap knows only the runs that it is given, so with few runs the interval is too narrow. With three seeds it
    is exactly the range from the worst to the best, which contains the true value of a symmetric distribution in three
    of four cases, not in nineteen of twenty. It describes these seeds and proves nothing about others. From about ten
    runs for each condition on, its coverage is close to 95 %.

    Args:
        *strata: the scores of the runs of each condition; their numbers may differ if runs failed.
        resamples: the number of bootstrap samples.

    Returns:
        The estimate. It has no interval for fewer than two runs.

    Example:

    >>> estimate([0.5, 0.75, 1.0])
    Estimate(value=0.75, low=0.5, high=1.0, runs=3)
    """
    arrays = [np.asarray(scores, float) for scores in strata if len(scores)]
    runs = sum(map(len, arrays))
    if not runs:
        return Estimate(math.nan, math.nan, math.nan, 0)
    value = float(interquartile_mean(np.concatenate(arrays)))
    # Strata of one run each give the same sample every time, and so a meaningless interval of width zero.
    if max(map(len, arrays)) < 2:
        return Estimate(value, math.nan, math.nan, runs)
    low, high = percentiles(resampled_means(arrays, resamples))
    return Estimate(value, float(low), float(high), runs)


def difference(before: Sequence[float], after: Sequence[float], resamples: int = RESAMPLES) -> Estimate:
    """The interquartile mean of `after` minus that of `before`, with its 95 % bootstrap interval.

    The two sides are resampled independently, so their seeds need not match, and their numbers may differ.

    Example:

    >>> difference([1, 2, 3], [5, 5, 5])
    Estimate(value=3.0, low=2.0, high=4.0, runs=6)
    """
    runs = len(before) + len(after)
    first, second = estimate(before), estimate(after)
    value = second.value - first.value
    if min(len(before), len(after)) < 2:
        return Estimate(value, math.nan, math.nan, runs)
    random = np.random.default_rng(1)
    drawn = [
        random.choice(resampled_means([np.asarray(side, float)], resamples), resamples) for side in (before, after)
    ]
    low, high = percentiles(drawn[1] - drawn[0])
    return Estimate(value, float(low), float(high), runs)


def expected_best(scores: Sequence[float], higher_is_better: bool = True) -> np.ndarray:  # (trials,)
    """The expected best score after 1, 2, ... trials: that of n draws, with replacement, from all scores.

    Of n independent draws from N scores, all are among the k worst with probability (k / N)^n. So the k-th worst score
    is the best of the draws with probability (k / N)^n - ((k - 1) / N)^n.

    Example:

    >>> expected_best([0.0, 1.0]).tolist(), expected_best([3.0, 1.0], higher_is_better=False).tolist()
    ([0.5, 0.75], [2.0, 1.5])

    Reference: Dodge et al. 2019, https://arxiv.org/abs/1909.03004, equation 8.
    """
    worst_first = np.sort(np.asarray(scores, float))[:: 1 if higher_is_better else -1]
    count = len(worst_first)
    shares = np.arange(count + 1) / count
    draws = np.arange(1, count + 1)[:, None]
    return np.diff(shares**draws, axis=1) @ worst_first


def probability_of_improvement(
    before: Sequence[Sequence[float]], after: Sequence[Sequence[float]], resamples: int = 2_000
) -> Estimate:
    """How probable it is that a run of `after` scores above a run of `before`, in the mean over conditions.

    Within a condition, it is the share of the pairs of runs, one of each side, in which `after` is higher; equal scores
    count half. The interval is a stratified bootstrap over the runs of both sides. It says nothing about the size of
    the improvement.

    Args:
        before: the scores of the runs in each condition.
        after: the same for the other side; their numbers may differ.
        resamples: the number of bootstrap samples.

    Example:

    >>> probability_of_improvement([[1, 2, 3]], [[2, 4, 5]])
    Estimate(value=0.833333333333, low=0.444444444444, high=1.0, runs=6)

    Reference: Agarwal et al. 2021, https://arxiv.org/abs/2108.13264, section 4.3.
    """
    sides = [[np.asarray(scores, float) for scores in side] for side in (before, after)]

    def share(before: np.ndarray, after: np.ndarray) -> np.ndarray:
        signs = np.sign(after[..., :, None] - before[..., None, :])
        return (1 + signs.mean(axis=(-2, -1))) / 2

    def mean(before: Sequence[np.ndarray], after: Sequence[np.ndarray]) -> np.ndarray:
        return np.round(np.mean([share(*pair) for pair in zip(before, after, strict=True)], axis=0), 12)

    value, runs = float(mean(*sides)), sum(len(scores) for side in sides for scores in side)
    if min(len(scores) for side in sides for scores in side) < 2:
        return Estimate(value, math.nan, math.nan, runs)
    drawn = [_resampled(side, resamples, seed) for seed, side in enumerate(sides)]
    low, high = percentiles(mean(*drawn))
    return Estimate(value, float(low), float(high), runs)


def profile(
    strata: Sequence[np.ndarray], thresholds: np.ndarray, resamples: int = 2_000
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The share of runs with a score of at least each threshold, in the mean over conditions, and its interval.

    Args:
        strata: the scores of the runs in each condition.
        thresholds: the thresholds, in ascending order.
        resamples: the number of bootstrap samples.

    Returns:
        The share, and the lower and upper end of its interval: `(thresholds,)` each.

    Reference: Agarwal et al. 2021, https://arxiv.org/abs/2108.13264, section 4.2.
    """
    above = [np.asarray(scores, float)[:, None] >= thresholds for scores in strata]
    value = np.mean([runs.mean(axis=0) for runs in above], axis=0)
    if max(map(len, above)) < 2:
        return value, np.full_like(value, np.nan), np.full_like(value, np.nan)
    drawn = _resampled(above, resamples, 0)
    low, high = percentiles(np.mean([runs.mean(axis=1) for runs in drawn], axis=0))
    return value, low, high


def paired_permutation_test(before: np.ndarray, after: np.ndarray) -> float:
    """The p-value of a difference between two sides on the same test items: exact, two-sided.

    If the sides are equal, each of an item's two results could as well be the other's. So the differences of the items
    have random signs. The p-value is the share of all assignments of signs whose sum is at least as far from zero as
    the sum found. With one run for each side, this is McNemar's exact test.

    Args:
        before: which items each run got right: `(runs, items)`, booleans.
        after: the same for the other side, with the same number of runs.

    Example:

    >>> paired_permutation_test(np.array([[0, 0, 0, 0, 1]]), np.array([[1, 1, 1, 1, 1]]))
    0.125
    """
    differences = after.sum(axis=0).astype(int) - before.sum(axis=0)
    sizes, counts = np.unique(np.abs(differences), return_counts=True)
    distribution = np.ones(1)
    for size, count in zip(sizes, counts, strict=True):
        # Of `count` differences of one size, a binomial number is positive.
        sums = np.zeros(2 * size * count + 1)
        sums[:: max(1, 2 * size)] = binom.pmf(np.arange(count + 1), count, 0.5) if size else 1.0
        distribution = np.convolve(distribution, sums)
    furthest = len(distribution) // 2
    far = np.abs(np.arange(-furthest, furthest + 1)) >= abs(differences.sum())
    return float(min(1.0, np.round(distribution[far].sum(), 12)))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number, so that the probability of any false rejection stays below the level.

    Example:

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]

    Reference: Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    corrected = [1.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable").tolist()):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def separated(one: Estimate, other: Estimate) -> bool:
    """Whether two intervals do not overlap; false if an estimate has no interval.

    Example:

    >>> separated(estimate([1, 2, 3]), estimate([4, 5, 6])), separated(estimate([1, 2, 3]), estimate([3, 5, 6]))
    (True, False)
    """
    return one.low > other.high or other.low > one.high


def ordering(estimates: Mapping[str, Estimate], higher_is_better: bool = True) -> str:
    """Which names are better than which, by separate intervals; empty if no two intervals are separate.

    Only direct steps are written: "a > b > c" says that a is better than b and c, and b better than c. The intervals of
    names with a comma between them ("a > b, c") overlap.

    Example:

    >>> ordering({"a": estimate([8, 9]), "b": estimate([4, 6]), "c": estimate([5, 7]), "d": estimate([1, 2])})
    'a > b, c > d'
    """
    sign = 1 if higher_is_better else -1
    better = {
        name: {
            other
            for other, behind in estimates.items()
            if separated(ahead, behind) and sign * (ahead.value - behind.value) > 0
        }
        for name, ahead in estimates.items()
    }
    # Only direct steps: what follows from other steps is left out.
    direct = {name: below.difference(*(better[other] for other in below)) for name, below in better.items()}
    steps: dict[tuple[str, ...], list[str]] = {}
    for name in estimates:
        if direct[name]:
            steps.setdefault(tuple(other for other in estimates if other in direct[name]), []).append(name)
    follows = {tuple(names): below for below, names in steps.items()}
    chains = [[start] for start in follows if start not in steps]
    for chain in chains:
        while chain[-1] in follows:
            chain.append(follows[chain[-1]])
    return "; ".join(" > ".join(", ".join(names) for names in chain) for chain in chains)
