"""Beam search in plain Python: one row at a time, over lists, without an early stop.

`next_step(outputs)` gives the log-probability of every token after the given ones, and the step's attention weights at
the real source positions.
"""

import math
from collections import Counter
from typing import NamedTuple

IMPOSSIBLE = -math.inf
PAD, START = 0, 1


class Hypothesis(NamedTuple):
    outputs: tuple = ()
    log_probs: tuple = ()  # the model's own
    total: float = 0.0  # sum of the constrained log-probabilities
    weights: tuple = ()


def beam(
    next_step,
    end,
    max_length,
    size=None,
    groups=1,
    diversity=0.0,
    length_penalty=0.0,
    length_formula="gnmt",
    coverage_penalty=0.0,
    **constraints,
):
    """Hypotheses with their scores, best first: the `size` best, or all of them by default."""

    def score(hypothesis):
        length = len(hypothesis.outputs)
        penalty = length**length_penalty if length_formula == "power" else ((5 + length) / 6) ** length_penalty
        covered = [min(max(sum(column), 1e-6), 1) for column in zip(*hypothesis.weights, strict=True)]
        return hypothesis.total / penalty + coverage_penalty * sum(map(math.log, covered))

    beams = [[Hypothesis()]] * groups
    for step in range(max_length):
        counts = Counter()
        for group, hypotheses in enumerate(beams):
            candidates = []
            for hypothesis in hypotheses:
                ended = hypothesis.outputs[-1:] == (end,)
                for each in [hypothesis] if ended else continued(hypothesis, next_step, end, **constraints):
                    repeated = 0 if ended else counts[each.outputs[-1]]
                    candidates.append((score(each) - diversity * repeated, each))
            candidates.sort(key=lambda candidate: -candidate[0])
            beams[group] = [each for _, each in candidates[: size and size // groups]]
            counts.update(each.outputs[-1] for each in beams[group] if len(each.outputs) > step)
    found = [(score(each), each) for hypotheses in beams for each in hypotheses]
    return sorted(found, key=lambda each: -each[0])


def continued(hypothesis, next_step, end, **constraints):
    """The hypothesis, continued by each token that may come next."""
    log_probs, weights = next_step(hypothesis.outputs)
    for output, constrained in enumerate(apply_constraints(log_probs, hypothesis.outputs, end, **constraints)):
        if constrained > IMPOSSIBLE:
            yield Hypothesis(
                (*hypothesis.outputs, output),
                (*hypothesis.log_probs, log_probs[output]),
                hypothesis.total + constrained,
                (*hypothesis.weights, weights),
            )


def apply_constraints(
    log_probs, outputs, end, min_length=0, repetition_penalty=1.0, no_repeat_ngram=None, prefix=(), allowed=None
):
    """The log-probabilities by which a search selects."""
    ids = range(len(log_probs))
    if len(outputs) < len(prefix):
        return [log_probs[id] if id == prefix[len(outputs)] else IMPOSSIBLE for id in ids]
    ngrams = {outputs[at : at + no_repeat_ngram] for at in range(len(outputs))} if no_repeat_ngram else ()

    def constrained(id):
        never = id in (PAD, START) or (allowed is not None and id not in (*allowed, end))
        early = id == end and len(outputs) < min_length
        again = no_repeat_ngram and (*outputs, id)[-no_repeat_ngram:] in ngrams
        return IMPOSSIBLE if never or early or again else log_probs[id] * (repetition_penalty if id in outputs else 1)

    return [constrained(id) for id in ids]
