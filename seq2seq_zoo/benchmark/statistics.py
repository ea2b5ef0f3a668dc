"""Statistics over seeds: interquartile means, bootstrap intervals, and which intervals are separate."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import trim_mean

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
        random = np.random.default_rng(seed)
        drawn = [runs[random.integers(len(runs), size=(resamples, len(runs)))] for runs in strata]
    return interquartile_mean(np.concatenate(drawn, axis=1), axis=1)


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
