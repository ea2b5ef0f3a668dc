"""Beam search: the best of several hypotheses, followed side by side."""

from typing import Any, Literal

from keras import ops

from seq2seq_zoo.config.options import NonNegativeFloat, Positive, checked
from seq2seq_zoo.decoding.search import NEVER, Candidates, Hypotheses, Search, searches
from seq2seq_zoo.layers.readouts.readout import PAD

LEAST = 1e-6
"""Attention below this counts as this much, so that a position never looked at costs much and not everything."""


@searches.register("beam", "the best of several hypotheses, followed side by side")
class Beam(Search):
    """The best `size` hypotheses at every step. One that has ended stays as it is, and keeps its place for as long as
    its score is among the best.

    Hypotheses are ranked, at every step and in the end, by

        score = log p(outputs | source) / penalty(length) + coverage_penalty * sum_j log(min(sum_t a[t, j], 1))

        penalty(length) = ((5 + length) / 6) ** length_penalty    formula "gnmt"
                        = length ** length_penalty                formula "power"

    where the length counts the end. Log-probabilities are negative, so a *larger* length penalty favours *longer*
    outputs; 0 leaves log-probabilities as they are, and the power 1 takes their mean. The search stops when no
    hypothesis that goes on could still reach the `n_best` that have ended, were it to end at once and be the longest.

    Arguments are `Search`'s, and:

    Args:
        size: hypotheses followed; one is greedy search.
        n_best: hypotheses returned.
        length_penalty: see above.
        length_formula: see above.
        coverage_penalty: see above; needs a mode that looks.
        groups: groups of equal size that the hypotheses are divided into, each a beam of its own, each kept from
            saying what the groups before it say.
        diversity: how much an output's score is lowered for each hypothesis of the groups before that says it at the
            same step. Only the choice is moved, not the scores.

    Raises:
        ValueError: an option outside its range; `n_best` above `size`; `size` not a multiple of `groups`; `diversity`
            without groups.

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
                f"Beam: `n_best` must be at most `size`, the hypotheses there are, got {n_best} of {size}."
            )
        if size % groups:
            raise ValueError(f"Beam: `size` must be a multiple of `groups`, got {size} hypotheses in {groups} groups.")
        if diversity and groups == 1:
            raise ValueError(f"Beam: `diversity` keeps groups apart, so it needs `groups` above 1, got {groups}.")
        self.size = self.hypotheses = size
        self.n_best = n_best
        self.length_penalty = length_penalty
        self.length_formula = length_formula
        self.coverage_penalty = coverage_penalty
        self.needs_attention = coverage_penalty > 0
        self.groups = groups
        self.diversity = diversity

    def initial_totals(self) -> list[float]:
        """One hypothesis in each group: were they all there, all would go the same way."""
        return ([0.0] + [NEVER] * (self.size // self.groups - 1)) * self.groups

    def select(self, candidates: Candidates) -> tuple[Any, Any]:
        """The best of all continuations, group by group."""
        size, members = candidates.log_probs.shape[-1], self.size // self.groups
        totals = candidates.totals[..., None] + candidates.log_probs
        scores = totals / self._penalty(candidates.lengths)[..., None]
        if self.needs_attention:
            scores = scores + self._covered(candidates.coverage, candidates.mask)[..., None]
        parents, outputs, said = [], [], []
        for first in range(0, self.size, members):
            group = scores[:, first : first + members]
            if outputs and self.diversity:
                others = ops.where(ops.arange(size) == PAD, 0.0, sum(said))  # not the padding of those that have ended
                group = group - self.diversity * others[:, None]
            scored, best = ops.top_k(ops.reshape(group, (-1, members * size)), members)
            best = ops.cast(best, "int32")
            parents.append(first + best // size)
            outputs.append(best % size)
            said.append(ops.sum(ops.where((scored > NEVER)[..., None], ops.one_hot(outputs[-1], size), 0.0), axis=1))
        return ops.concatenate(parents, axis=1), ops.concatenate(outputs, axis=1)

    def rank(self, totals: Any, lengths: Any, coverage: Any, mask: Any) -> Any:
        """The score above."""
        scores = totals / self._penalty(lengths)
        return scores + self._covered(coverage, mask) if self.needs_attention else scores

    def finished(self, found: Hypotheses, mask: Any, max_length: int) -> Any:
        """Where the `n_best` that have ended are out of reach: sums only fall, and no penalty is kinder than that of
        the greatest length."""
        ended = ops.where(found.ended, self.rank(found.totals, found.lengths, found.coverage, mask), NEVER)
        reached = ops.top_k(ended, self.n_best)[0][:, -1]
        hope = ops.where(found.ended, NEVER, found.totals / self._penalty(max_length))
        return ops.logical_or(ops.all(found.ended, axis=1), reached >= ops.max(hope, axis=1))

    def _penalty(self, lengths: Any) -> Any:
        lengths = ops.cast(lengths, "float32")
        base = lengths if self.length_formula == "power" else (5 + lengths) / 6
        return base**self.length_penalty

    def _covered(self, coverage: Any, mask: Any) -> Any:
        looked = ops.log(ops.clip(coverage, LEAST, 1.0))
        return self.coverage_penalty * ops.sum(ops.where(mask[:, None], looked, 0.0), axis=-1)
