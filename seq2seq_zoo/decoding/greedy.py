"""Greedy search."""

from seq2seq_zoo.decoding.search import Candidates, Search, searches
from seq2seq_zoo.layers.readouts.readout import argmax
from seq2seq_zoo.layers.sublayer import Tensor


@searches.register("greedy", "the most likely token at every step")
class Greedy(Search):
    """Selects the most likely token at every step. Options are those of `Search`.

    Example:

    >>> Greedy(max_length=20).hypotheses
    1
    """

    def select(self, candidates: Candidates) -> tuple[Tensor, Tensor]:
        """The most likely token."""
        return None, argmax(candidates.log_probs)
