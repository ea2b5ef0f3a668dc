"""Greedy search."""

from typing import Any

from seq2seq_zoo.decoding.search import Candidates, Search, searches
from seq2seq_zoo.layers.readouts.readout import argmax


@searches.register("greedy", "the most likely token at every step")
class Greedy(Search):
    """Selects the most likely token at every step. Options are those of `Search`.

    Example:

    >>> Greedy(max_length=20).hypotheses
    1
    """

    def select(self, candidates: Candidates) -> tuple[Any, Any]:
        """The most likely token."""
        return None, argmax(candidates.log_probs)
