"""What models return."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from seq2seq_zoo.data.vocabulary import PADDING, Vocabulary


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

    @property
    def probability(self) -> float:
        """Probability that the model gives the whole output: `exp(log_prob)`."""
        return math.exp(self.log_prob)


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

    def mass(self, prefix_length: int = 0) -> float:
        """The sum of the probabilities of the distinct hypotheses.

        Args:
            prefix_length: number of tokens that the outputs were made to start with. The probabilities are those of
                what follows them.
        """
        return math.fsum(_probability_after(prefix_length, each) for each in self._distinct())

    def covering(self, mass: float, prefix_length: int = 0) -> "Prediction":
        """The same with only the most probable hypotheses, as many as are needed for their probabilities to add up to
        `mass`, the most probable one first. A hypothesis that occurs several times, as in samples, is kept once. If all
        of them do not add up to `mass`, all are kept.

        Args:
            mass: a probability.
            prefix_length: as in `mass`.
        """
        ranked = sorted(self._distinct(), key=lambda each: -each.log_prob)
        before = itertools.accumulate((_probability_after(prefix_length, each) for each in ranked), initial=0.0)
        kept = [each for each, covered in zip(ranked, before, strict=False) if covered < mass]
        return self._replace(hypotheses=kept)

    def _distinct(self) -> list[Hypothesis]:
        """Each of the hypotheses once, since samples may be equal."""
        return [*{(*each.tokens, each.ended): each for each in self.hypotheses}.values()]


def _probability_after(prefix_length: int, hypothesis: Hypothesis) -> float:
    """Probability of a hypothesis, given its first tokens."""
    return math.exp(hypothesis.log_prob - math.fsum(hypothesis.token_log_probs[:prefix_length]))


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


class Output(NamedTuple):
    """The real-valued output for one source, in the unit of its target."""

    values: np.ndarray
    """`(time, features)`."""
    quantiles: dict[float, np.ndarray]
    """Quantiles of the values, by level: each `(time, features)`. Empty if the readout predicts no distribution."""


def hypotheses_of(
    generated: Mapping[str, np.ndarray], vocabulary: Vocabulary, source_lengths: Sequence[int]
) -> Iterator[list[Hypothesis]]:
    """The hypotheses of the first rows of a batch, as texts.

    Args:
        generated: the fields of a `Generated`, by name.
        vocabulary: of the outputs.
        source_lengths: the length of each source; there may be fewer than rows.
    """
    weights = generated.get("weights")
    real = (generated["ids"] != PADDING).sum(-1)
    longest = real.max(initial=0)
    # Whole arrays at once: to take each row out of its array would take as long as the search.
    counts, lengths, scores = (array.tolist() for array in (real, generated["lengths"], generated["scores"]))
    ids, log_probs = (generated[name][..., :longest].tolist() for name in ("ids", "log_probs"))
    for row, source_length in enumerate(source_lengths):
        hypotheses = []
        for place, score in enumerate(scores[row]):
            if score == -math.inf:  # fewer hypotheses than asked for
                continue
            count = counts[row][place]
            tokens = vocabulary.tokens_of(ids[row][place])
            token_log_probs = log_probs[row][place][:count]
            hypotheses.append(
                Hypothesis(
                    text=vocabulary.join(tokens),
                    tokens=tokens,
                    score=score,
                    log_prob=sum(token_log_probs),
                    token_log_probs=token_log_probs,
                    ended=count > lengths[row][place],
                    alignment=None if weights is None else weights[row, place, :count, :source_length],
                )
            )
        yield hypotheses


def copied(hypothesis: Hypothesis, source_tokens: Sequence[str], vocabulary: Vocabulary) -> Hypothesis:
    """The hypothesis with the source token with the largest attention weight in place of each unknown token."""
    if vocabulary.unknown is None or not source_tokens or hypothesis.alignment is None:
        return hypothesis
    unknown = vocabulary.tokens[vocabulary.unknown]
    places: list[int] = hypothesis.alignment.argmax(axis=1).tolist()
    tokens = [
        source_tokens[place] if token == unknown else token
        for token, place in zip(hypothesis.tokens, places, strict=False)  # the end has a place too
    ]
    return hypothesis._replace(tokens=tokens, text=vocabulary.join(tokens))


def labelled(labels: Sequence[int], log_probs: Sequence[float], vocabulary: Vocabulary) -> Hypothesis:
    """The labels of one source as a hypothesis, which is complete."""
    tokens = [vocabulary.tokens[label] for label in labels]
    total = math.fsum(log_probs)
    return Hypothesis(vocabulary.join(tokens), tokens, total, total, [*log_probs], ended=True, alignment=None)


def table(
    names: Sequence[str],
    outputs: Sequence[Output],
    times: Sequence[Sequence[str]],
    targets: Sequence[np.ndarray] | None = None,
) -> Iterator[list[str]]:
    """The lines of a table of real-valued outputs: the names of the columns, then a line for each step of each output.

    Args:
        names: of the target features.
        outputs: the outputs.
        times: the times of the steps of each output; empty if there are none.
        targets: the target of each output in its own unit, if the table is to have the targets.
    """
    quantiles = [f"{name} ({level:g})" for level in outputs[0].quantiles for name in names]
    time = ["time"] if len(times[0]) else []
    found = [] if targets is None else [f"{name} (output)" for name in names]
    yield ["row", "step", *time, *names, *found, *quantiles]
    for number, (output, steps) in enumerate(zip(outputs, times, strict=True)):
        target = [] if targets is None else [targets[number]]
        lines = np.concatenate([*target, output.values, *output.quantiles.values()], axis=1).tolist()
        for step, line in enumerate(lines):
            yield [str(number), str(step), *steps[step : step + 1], *(f"{value:.6g}" for value in line)]
