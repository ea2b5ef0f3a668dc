"""Sampling: tokens drawn at random from the model's distribution."""

from typing import Any

from keras import ops

from seq2seq_zoo.config.options import NonNegative, Positive, PositiveFloat, PositiveShare, checked
from seq2seq_zoo.decoding.search import Candidates, Search, searches
from seq2seq_zoo.layers.readouts.readout import argmax
from seq2seq_zoo.layers.sublayer import Tensor


@searches.register("sample", "tokens drawn at random, with temperature, top-k and top-p")
class Sample(Search):
    """Draws each token at random from the model's distribution. The same seed gives the same samples: the random
    numbers depend only on the seed, on the source's position among the sources, and on the step.

    Arguments are those of `Search`, and:

    Args:
        temperature: divisor of the logits; below 1 sharpens the distribution, above 1 flattens it.
        top_k: number of the most likely tokens to draw from; `None` for all.
        top_p: draw from the smallest set of most likely tokens whose probabilities add up to at least this.
        n_best: number of samples for each source, returned in the order in which they are drawn.
        seed: seed of the random numbers.

    Raises:
        ValueError: an option is outside its range.

    Example:

    >>> Sample(top_p=0.9, n_best=4, seed=1).hypotheses
    4

    Reference:
        Top-k: Fan et al. 2018, arXiv:1805.04833, section 5. Top-p: Holtzman et al. 2020, arXiv:1904.09751, section 3.1.
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

    def select(self, candidates: Candidates) -> tuple[Tensor, Tensor]:
        """The first token at which the cumulative probability exceeds the random number."""
        # Relative to the greatest, so that a low temperature leaves one finite score. The lower bound is for rows in
        # which all are minus infinity.
        best = ops.maximum(ops.max(candidates.log_probs, axis=-1, keepdims=True), -1e30)
        scores = (candidates.log_probs - best) / self.temperature
        size = scores.shape[-1]
        ids = None
        if self.top_k is not None or self.top_p < 1:
            scores, ids = ops.top_k(scores, min(self.top_k or size, size))
        weights = ops.exp(scores)  # the softmax's numerators; their sum, its denominator, is the last cumulative sum
        sums = ops.cumsum(weights, axis=-1)
        if self.top_p < 1:
            weights = ops.where(sums - weights < self.top_p * sums[..., -1:], weights, 0.0)
            sums = ops.cumsum(weights, axis=-1)
        # Kept below 1, so that rounding never puts the threshold at the last sum, which nothing exceeds.
        random_numbers = ops.cast(candidates.random_numbers, sums.dtype)  # Keras has them in the model's precision
        threshold = sums[..., -1:] * ops.minimum(random_numbers, 1 - 1e-6)[..., None]
        place = argmax(ops.cast(sums > threshold, "int32"))
        if ids is None:
            return None, place
        return None, ops.cast(ops.squeeze(ops.take_along_axis(ids, place[..., None], axis=-1), -1), "int32")
