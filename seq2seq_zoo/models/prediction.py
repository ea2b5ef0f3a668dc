"""What models of texts return."""

import math
from typing import NamedTuple

import numpy as np


class Hypothesis(NamedTuple):
    """One output for one source."""

    text: str
    tokens: list[str]
    score: float
    """What the search ranks by: the log-probability, unless a penalty changes it."""
    log_prob: float
    """Log-probability that the model gives the whole output."""
    token_log_probs: list[float]
    """Log-probability of each token, followed by that of the end if `ended`."""
    ended: bool
    """Whether the model generated the end; if not, a stop token or the maximum length ended the output."""
    alignment: np.ndarray | None
    """`(outputs, source tokens)`: attention weights of each entry of `token_log_probs`; `None` for a model without
    attention."""


class Prediction(NamedTuple):
    """The outputs for one source."""

    source: str
    unknown: list[str]
    """The source's tokens that are not in the model's vocabulary, each once."""
    hypotheses: list[Hypothesis]
    """Best first; empty if the search's constraints allow no output."""

    @property
    def text(self) -> str:
        """The best output, or an empty text if there is none."""
        return self.hypotheses[0].text if self.hypotheses else ""


class Score(NamedTuple):
    """How likely a target is, according to a model."""

    log_prob: float
    """Log-probability of the whole target, its end included if the vocabulary has one."""
    token_log_probs: list[float]
    """Log-probability of each token, followed by that of the end."""
    most_likely: list[bool]
    """For each of these, whether no other token is more likely at its position."""

    @property
    def perplexity(self) -> float:
        """`exp(-mean of token_log_probs)`."""
        return math.exp(-self.log_prob / max(1, len(self.token_log_probs)))
