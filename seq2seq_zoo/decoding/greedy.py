"""Greedy search."""

from typing import Any

from seq2seq_zoo.decoding.search import Candidates, Search, searches
from seq2seq_zoo.layers.readouts.readout import argmax


@searches.register("greedy", "the likeliest output at every step")
class Greedy(Search):
    """The likeliest output at every step. Options are `Search`'s.

    Example:

    >>> Greedy(max_length=20).hypotheses
    1
    """

    def select(self, candidates: Candidates) -> tuple[Any, Any]:
        """The likeliest."""
        return None, argmax(candidates.log_probs)
