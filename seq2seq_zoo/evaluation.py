"""How good a model is on pairs that it has not seen: by free-running generation, and by teacher-forced perplexity."""

import math
from collections.abc import Sequence
from typing import Any

from seq2seq_zoo.generation import AnySearch, TextModel
from seq2seq_zoo.metrics import evaluate as rates
from seq2seq_zoo.tasks.task import Pair


def evaluate(
    model: TextModel, pairs: Sequence[Pair], search: AnySearch = "greedy", batch_size: int = 256
) -> tuple[dict[str, Any], list[list[str]]]:
    """Generate from every source and compare with its target.

    Args:
        model: with vocabularies.
        pairs: source and target texts.
        search: how to generate; see `TextModel.search`.
        batch_size: sources searched at once; changes no result.

    Returns:
        `(metrics, outputs)`: the metrics of `seq2seq_zoo.metrics`, by length too, and the symbols of each output.
    """
    source_vocabulary, target_vocabulary = model.vocabularies
    sources = [source_vocabulary.split(source) for source, _ in pairs]
    references = [target_vocabulary.split(target) for _, target in pairs]
    answers = model.answers([source for source, _ in pairs], search, batch_size=batch_size)
    outputs = [answer.hypotheses[0].symbols if answer.hypotheses else [] for answer in answers]
    return rates(references, outputs, sources), outputs


def perplexity(model: TextModel, pairs: Sequence[Pair], batch_size: int = 256) -> float:
    """The perplexity of the targets when each step is told the right symbol before (teacher forcing).

        exp(mean over all target symbols, each target's end included, of -log p[y])

    Args:
        model: with vocabularies.
        pairs: source and target texts.
        batch_size: pairs read at once; changes no result.
    """
    if not pairs:
        raise ValueError("Expected at least one pair to measure, got none.")
    scores = model.score(*map(list, zip(*pairs, strict=True)), batch_size=batch_size)
    total = math.fsum(score.log_prob for score in scores)
    count = sum(len(score.symbol_log_probs) for score in scores)
    return math.exp(min(-total / count, 700.0))  # a hopeless model's is large, not an overflow
