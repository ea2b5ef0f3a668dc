"""Sampling: outputs by chance, as the model's probabilities have it."""

from typing import Any

from keras import ops

from seq2seq_zoo.config.options import NonNegative, Positive, PositiveFloat, PositiveShare, checked
from seq2seq_zoo.decoding.search import Candidates, Search, searches
from seq2seq_zoo.layers.readouts.readout import argmax


@searches.register("sample", "drawn by chance, by temperature, top k and top p")
class Sample(Search):
    """Outputs drawn by chance. Drawn anew, they are the same: chance is a function of the seed, of the source's place
    among the sources given, and of the step.

    Arguments are `Search`'s, and:

    Args:
        temperature: logits are divided by this: below one sharpens, above one flattens.
        top_k: draw from so many of the likeliest outputs; `None` for all.
        top_p: draw from the fewest likeliest outputs whose probabilities add up to this.
        n_best: samples of each source, in the order in which they were drawn.
        seed: of all chance.

    Raises:
        ValueError: an option outside its range.

    Example:

    >>> Sample(top_p=0.9, n_best=4, seed=1).hypotheses
    4

    Reference:
        Top k: Fan et al. 2018, arXiv:1805.04833, section 5; top p: Holtzman et al. 2020, arXiv:1904.09751, section 3.1.
    """

    is_random = True

    @checked
    def __init__(
        self,
        temperature: PositiveFloat = 1.0,
        top_k: Positive | None = None,
        top_p: PositiveShare = 1.0,
        n_best: Positive = 1,
        seed: NonNegative = 0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.temperature = temperature
        self.top_k = top_k
        self.top_p = top_p
        self.hypotheses = self.n_best = n_best
        self.seed = seed

    def select(self, candidates: Candidates) -> tuple[Any, Any]:
        """The output at which the summed probabilities pass the number drawn."""
        # Below the greatest, so that no temperature makes minus infinity of all; the bound is for where all are that.
        best = ops.maximum(ops.max(candidates.log_probs, axis=-1, keepdims=True), -1e30)
        scores = (candidates.log_probs - best) / self.temperature
        size = scores.shape[-1]
        ids = None
        if self.top_k is not None or self.top_p < 1:
            scores, ids = ops.top_k(scores, min(self.top_k or size, size))
        weights = ops.exp(scores)  # a softmax without its denominator, which is the last of the sums
        sums = ops.cumsum(weights, axis=-1)
        if self.top_p < 1:
            weights = ops.where(sums - weights < self.top_p * sums[..., -1:], weights, 0.0)
            sums = ops.cumsum(weights, axis=-1)
        # Always below the last sum, whatever the rounding.
        threshold = sums[..., -1:] * ops.minimum(candidates.draws, 1 - 1e-6)[..., None]
        place = argmax(ops.cast(sums > threshold, "int32"))
        if ids is None:
            return None, place
        return None, ops.cast(ops.squeeze(ops.take_along_axis(ids, place[..., None], axis=-1), -1), "int32")
