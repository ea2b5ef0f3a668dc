"""What a search is: a rule that selects, at every step, which hypotheses go on and with which tokens."""

import abc
from collections.abc import Sequence
from typing import Any, NamedTuple

from keras import ops

from seq2seq_zoo.config.options import NonNegative, Positive, PositiveFloat, checked, options_of
from seq2seq_zoo.config.registry import Registry
from seq2seq_zoo.decoding.constraints import ends_ngram, seen_tokens
from seq2seq_zoo.layers.sublayer import Tensor

IMPOSSIBLE = -float("inf")
"""The log-probability of a token that may not come next, and the score of a hypothesis that does not exist."""


class Hypotheses(NamedTuple):
    """The hypotheses that a search follows, at one step. Tensors have the shape `(batch, hypotheses, ...)`; a field
    that the search does not need is `()`.
    """

    states: Any
    """The decoder's states."""
    previous: Tensor
    """Id of the last token."""
    totals: Tensor
    """Sum of the constrained log-probabilities of the tokens so far."""
    lengths: Tensor
    """Number of tokens so far, the end included."""
    ended: Tensor
    """Whether the hypothesis is complete: only padding follows."""
    history: Tensor
    """`(batch, hypotheses, max_length)`: ids of the tokens so far, preceded by padding."""
    coverage: Tensor
    """`(batch, hypotheses, source length)`: sum of the attention weights so far."""


class Candidates(NamedTuple):
    """Every continuation of every hypothesis by one token, for a search to select from."""

    log_probs: Tensor
    """`(batch, hypotheses, vocabulary)`: constrained log-probability of each token. The only continuation of a
    hypothesis that has ended is padding, whose log-probability is 0."""
    totals: Tensor
    """`(batch, hypotheses)`: sum of the log-probabilities before this token."""
    lengths: Tensor
    """`(batch, hypotheses)`: number of tokens, this one included."""
    coverage: Tensor
    """`(batch, hypotheses, source length)`: sum of the attention weights, this token's included."""
    mask: Tensor
    """`(batch, source length)`: true at real source positions, false at padding."""
    random_numbers: Tensor
    """`(batch, hypotheses)`: one number from [0, 1) for each hypothesis; `None` unless the search `is_random`."""


class Search(abc.ABC):
    """A rule that selects tokens. Abstract: a search is a subclass that defines `select`.

    A search holds options only, so one search can serve any number of models. `Searcher` runs it.

    Args:
        max_length: maximum number of output tokens, the end included; the model's own `max_length` by default.
        min_length: minimum number of output tokens before the end.
        repetition_penalty: factor for the log-probability of each token that the hypothesis already has; above 1
            discourages repetition.
        no_repeat_ngram: length of the n-grams that may occur only once in a hypothesis; `None` for no such rule.

    Raises:
        ValueError: an option is outside its range, or `min_length` is not below `max_length`.

    Reference:
        Repetition penalty: Keskar et al. 2019, arXiv:1909.05858, section 4.1, here on log-probabilities instead of
        logits. Blocked n-grams: Paulus et al. 2018, arXiv:1705.04304, section 2.5.
    """

    hypotheses: int = 1
    """Number of hypotheses that are followed at the same time."""
    n_best: int = 1
    """Number of hypotheses that are returned."""
    reorders: bool = False
    """Whether a hypothesis may be continued in another one's place, as in beam search."""
    is_random: bool = False
    """Whether the selection depends on random numbers."""
    needs_attention: bool = False
    """Whether the selection depends on attention weights, so that the decoder must have attention."""

    @checked
    def __init__(
        self,
        max_length: Positive | None = None,
        min_length: NonNegative = 0,
        repetition_penalty: PositiveFloat = 1.0,
        no_repeat_ngram: Positive | None = None,
    ):
        if max_length is not None and min_length >= max_length:
            raise ValueError(
                f"{type(self).__name__}: `min_length` must be below `max_length`, since the last token may be the end, "
                f"got {min_length} and {max_length}."
            )
        self.max_length = max_length
        self.min_length = min_length
        self.repetition_penalty = repetition_penalty
        self.no_repeat_ngram = no_repeat_ngram

    # === What a subclass defines ===

    def initial_totals(self) -> Sequence[float]:
        """The first total of each hypothesis: 0, or `IMPOSSIBLE` for a hypothesis that does not exist yet."""
        return [0.0] * self.hypotheses

    @abc.abstractmethod
    def select(self, candidates: Candidates) -> tuple[Tensor, Tensor]:
        """Select the next hypotheses.

        Returns:
            `(parents, tokens)`, both `(batch, hypotheses)`: which hypothesis each new one continues, and the id of the
            token that it adds. `parents` is `None` if each hypothesis continues itself.
        """

    def rank(self, totals: Tensor, lengths: Tensor, coverage: Tensor, mask: Tensor) -> Tensor:
        """The score of each hypothesis, `(batch, hypotheses)`: by default its total."""
        del lengths, coverage, mask
        return totals

    def finished(self, hypotheses: Hypotheses, mask: Tensor, max_length: int) -> Tensor:
        """Whether further steps cannot change a row's result, boolean `(batch,)`: by default, if all have ended."""
        del mask, max_length
        return ops.all(hypotheses.ended, axis=1)

    # === What all searches share ===

    def apply_constraints(self, log_probs: Tensor, hypotheses: Hypotheses, is_end: Tensor) -> Tensor:
        """Apply the options of `Search` to the log-probabilities of the next tokens.

        Args:
            log_probs: `(batch, hypotheses, vocabulary)`.
            hypotheses: the hypotheses so far.
            is_end: `(vocabulary,)`, true for each token that ends a sequence.
        """
        size = log_probs.shape[-1]
        if self.repetition_penalty != 1:
            seen = seen_tokens(hypotheses.history, size)
            log_probs = ops.where(seen, log_probs * self.repetition_penalty, log_probs)
        if self.no_repeat_ngram is not None:
            repeated = ends_ngram(hypotheses.history, self.no_repeat_ngram, size)
            log_probs = ops.where(repeated, IMPOSSIBLE, log_probs)
        if self.min_length:
            early = ops.expand_dims(ops.less(hypotheses.lengths, self.min_length), -1)
            log_probs = ops.where(ops.logical_and(early, is_end), IMPOSSIBLE, log_probs)
        return log_probs

    @property
    def needs_history(self) -> bool:
        """Whether the constraints depend on the tokens so far."""
        return self.repetition_penalty != 1 or self.no_repeat_ngram is not None

    @property
    def options(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {name: getattr(self, name) for name in options_of(type(self))}

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.options == self.options

    def __hash__(self) -> int:
        return hash((type(self), *self.options.items()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.options.items())})"


searches: Registry[Search] = Registry("search", base=Search)
