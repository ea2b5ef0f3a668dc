"""Beam search: several hypotheses at the same time, of which the best are kept."""

from typing import Any, Literal

from keras import ops

from seq2seq_zoo.config.options import NonNegativeFloat, Positive, checked
from seq2seq_zoo.decoding.search import IMPOSSIBLE, Candidates, Hypotheses, Search, searches
from seq2seq_zoo.layers.readouts.readout import PAD
from seq2seq_zoo.layers.sublayer import Tensor

MIN_COVERAGE = 1e-6
"""Lower bound of a position's coverage, so that the penalty of a position without attention is large but finite."""


@searches.register("beam", "the best of several hypotheses that are followed at the same time")
class Beam(Search):
    """Keeps the best `size` hypotheses at every step. A hypothesis that has ended does not change any more, and stays
    for as long as its score is among the best.

    Hypotheses are ranked, at every step and at the end, by

        score = log p(outputs | source) / penalty(length) + coverage_penalty * sum_j log(min(sum_t a[t, j], 1))

        penalty(length) = ((5 + length) / 6) ** length_penalty    formula "gnmt"
                        = length ** length_penalty                formula "power"

    where `length` includes the end and `a` are the attention weights. Log-probabilities are negative, so a *larger*
    length penalty favours *longer* outputs. With 0 the score is the log-probability; with formula "power" and 1 it is
    the mean log-probability of a token. The search stops as soon as no unfinished hypothesis could still overtake the
    `n_best` finished ones, even if it ended at the next step and had the penalty of the greatest length.

    `Searcher._reorder` then moves the decoder's states to the places of the selected hypotheses.

    Arguments are those of `Search`, and:

    Args:
        size: number of hypotheses that are followed; 1 is greedy search.
        n_best: number of hypotheses that are returned.
        length_penalty: exponent in the formula above.
        length_formula: one of the formulas above.
        coverage_penalty: factor in the formula above; above 0 it needs a mode with attention.
        groups: number of groups that the hypotheses are divided into, all of the same size; each group is a beam of
            its own, and avoids the tokens of the groups before it.
        diversity: how much a token's score is lowered for each hypothesis of an earlier group that adds the same token
            at the same step. It affects the selection, not the returned scores.

    Raises:
        ValueError: an option is outside its range, `n_best` is above `size`, `size` is not a multiple of `groups`, or
            `diversity` is given with one group.

    Example:

    >>> Beam(size=5, n_best=2, length_penalty=0.6).n_best
    2

    Reference:
        Penalties: Wu et al. 2016, arXiv:1609.08144, section 7. Groups: Vijayakumar et al. 2018, arXiv:1610.02424,
        section 4.
    """

    reorders = True

    @checked
    def __init__(
        self,
        size: Positive = 5,
        n_best: Positive = 1,
        length_penalty: NonNegativeFloat = 0.0,
        length_formula: Literal["gnmt", "power"] = "gnmt",
        coverage_penalty: NonNegativeFloat = 0.0,
        groups: Positive = 1,
        diversity: NonNegativeFloat = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if n_best > size:
            raise ValueError(
                f"Beam: `n_best` must be at most `size`, the number of hypotheses, got {n_best} and {size}."
            )
        if size % groups:
            raise ValueError(f"Beam: `size` must be a multiple of `groups`, got {size} hypotheses in {groups} groups.")
        if diversity and groups == 1:
            raise ValueError(f"Beam: `diversity` needs `groups` above 1, got {groups}.")
        self.size = self.hypotheses = size
        self.n_best = n_best
        self.length_penalty = length_penalty
        self.length_formula = length_formula
        self.coverage_penalty = coverage_penalty
        self.needs_attention = coverage_penalty > 0
        self.groups = groups
        self.diversity = diversity

    def initial_totals(self) -> list[float]:
        """One hypothesis exists in each group: several equal ones would all be continued in the same way."""
        return ([0.0] + [IMPOSSIBLE] * (self.size // self.groups - 1)) * self.groups

    def select(self, candidates: Candidates) -> tuple[Tensor, Tensor]:
        """The best of all continuations, group by group."""
        size, members = candidates.log_probs.shape[-1], self.size // self.groups
        totals = candidates.totals[..., None] + candidates.log_probs
        scores = totals / self._length_penalty(candidates.lengths)[..., None]
        if self.needs_attention:
            scores = scores + self._coverage_score(candidates.coverage, candidates.mask)[..., None]
        parents, tokens, counts = [], [], []
        for first in range(0, self.size, members):
            group = scores[:, first : first + members]
            if tokens and self.diversity:
                others = ops.where(
                    ops.arange(size, dtype="int32") == PAD, 0.0, sum(counts)
                )  # ended hypotheses' padding is no token
                group = group - self.diversity * others[:, None]
            best_scores, best = ops.top_k(ops.reshape(group, (-1, members * size)), members)
            best = ops.cast(best, "int32")
            parents.append(first + best // size)
            tokens.append(best % size)
            exists = (best_scores > IMPOSSIBLE)[..., None]
            counts.append(ops.sum(ops.where(exists, ops.one_hot(tokens[-1], size, dtype="float32"), 0.0), axis=1))
        return ops.concatenate(parents, axis=1), ops.concatenate(tokens, axis=1)

    def rank(self, totals: Tensor, lengths: Tensor, coverage: Tensor, mask: Tensor) -> Tensor:
        """The score above."""
        scores = totals / self._length_penalty(lengths)
        return scores + self._coverage_score(coverage, mask) if self.needs_attention else scores

    def finished(self, hypotheses: Hypotheses, mask: Tensor, max_length: int) -> Tensor:
        """Whether no unfinished hypothesis of a row can reach the `n_best` finished ones any more: totals only fall,
        and the penalty of the greatest length lowers them least.
        """
        scores = self.rank(hypotheses.totals, hypotheses.lengths, hypotheses.coverage, mask)
        worst_kept = ops.top_k(ops.where(hypotheses.ended, scores, IMPOSSIBLE), self.n_best)[0][:, -1]
        bounds = ops.where(hypotheses.ended, IMPOSSIBLE, hypotheses.totals / self._length_penalty(max_length))
        return ops.logical_or(ops.all(hypotheses.ended, axis=1), worst_kept >= ops.max(bounds, axis=1))

    def _length_penalty(self, lengths: Tensor) -> Tensor:
        lengths = ops.cast(lengths, "float32")
        base = lengths if self.length_formula == "power" else (5 + lengths) / 6
        return base**self.length_penalty

    def _coverage_score(self, coverage: Tensor, mask: Tensor) -> Tensor:
        log_coverage = ops.log(ops.clip(coverage, MIN_COVERAGE, 1.0))
        return self.coverage_penalty * ops.sum(ops.where(mask[:, None], log_coverage, 0.0), axis=-1)
