"""Search, one row at a time, over a function of what was said: lists, no early stop, nothing shared between steps.

`tell(said)` gives the log-probability of every output after those said, and where that step looks (real positions).
"""

import math
from collections import Counter
from typing import NamedTuple

NEVER = -math.inf
PAD, START = 0, 1


class Hypothesis(NamedTuple):
    outputs: tuple = ()
    log_probs: tuple = ()  # the model's own
    total: float = 0.0  # of the steered ones
    weights: tuple = ()


def beam(
    tell,
    end,
    max_length,
    size=None,
    groups=1,
    diversity=0.0,
    length_penalty=0.0,
    length_formula="gnmt",
    coverage_penalty=0.0,
    **steering,
):
    """Hypotheses with their scores, the best first. Without a size, every one that there is."""

    def score(hypothesis):
        length = len(hypothesis.outputs)
        penalty = length**length_penalty if length_formula == "power" else ((5 + length) / 6) ** length_penalty
        covered = [min(max(sum(column), 1e-6), 1) for column in zip(*hypothesis.weights, strict=True)]
        return hypothesis.total / penalty + coverage_penalty * sum(map(math.log, covered))

    beams = [[Hypothesis()]] * groups
    for step in range(max_length):
        said = Counter()
        for group, hypotheses in enumerate(beams):
            candidates = []
            for hypothesis in hypotheses:
                ended = hypothesis.outputs[-1:] == (end,)
                for each in [hypothesis] if ended else continued(hypothesis, tell, end, **steering):
                    repeated = 0 if ended else said[each.outputs[-1]]
                    candidates.append((score(each) - diversity * repeated, each))
            candidates.sort(key=lambda candidate: -candidate[0])
            beams[group] = [each for _, each in candidates[: size and size // groups]]
            said.update(each.outputs[-1] for each in beams[group] if len(each.outputs) > step)
    found = [(score(each), each) for hypotheses in beams for each in hypotheses]
    return sorted(found, key=lambda each: -each[0])


def continued(hypothesis, tell, end, **steering):
    """The hypothesis with each output that may come next."""
    log_probs, weights = tell(hypothesis.outputs)
    for output, steered in enumerate(apply_constraints(log_probs, hypothesis.outputs, end, **steering)):
        if steered > NEVER:
            yield Hypothesis(
                (*hypothesis.outputs, output),
                (*hypothesis.log_probs, log_probs[output]),
                hypothesis.total + steered,
                (*hypothesis.weights, weights),
            )


def apply_constraints(
    log_probs, said, end, min_length=0, repetition_penalty=1.0, no_repeat_ngram=None, prefix=(), allowed=None
):
    """The log-probabilities that a search goes by."""
    ids = range(len(log_probs))
    if len(said) < len(prefix):
        return [log_probs[id] if id == prefix[len(said)] else NEVER for id in ids]
    runs = {said[at : at + no_repeat_ngram] for at in range(len(said))} if no_repeat_ngram else ()

    def steered(id):
        never = id in (PAD, START) or (allowed is not None and id not in (*allowed, end))
        early = id == end and len(said) < min_length
        again = no_repeat_ngram and (*said, id)[-no_repeat_ngram:] in runs
        return NEVER if never or early or again else log_probs[id] * (repetition_penalty if id in said else 1)

    return [steered(id) for id in ids]
