"""How good a model is on pairs that it has not seen: by free-running generation, and by teacher-forced perplexity."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from seq2seq_zoo.data.padding import Batches
from seq2seq_zoo.metrics import evaluate as rates
from seq2seq_zoo.model import Seq2Seq
from seq2seq_zoo.tasks.task import Pair


def evaluate(model: Seq2Seq, pairs: Sequence[Pair], batch_size: int = 256) -> tuple[dict[str, Any], list[list[str]]]:
    """Generate from every source and compare with its target.

    Args:
        model: with vocabularies.
        pairs: source and target texts.
        batch_size: sources searched at once; changes no result.

    Returns:
        `(metrics, outputs)`: the metrics of `seq2seq_zoo.metrics`, by length too, and the symbols of each output.
    """
    source_vocabulary, target_vocabulary = model.vocabularies
    sources = [source_vocabulary.split(source) for source, _ in pairs]
    references = [target_vocabulary.split(target) for _, target in pairs]
    outputs = model.generate_symbols([source for source, _ in pairs], batch_size=batch_size)
    return rates(references, outputs, sources), outputs


def perplexity(model: Seq2Seq, pairs: Sequence[Pair], batch_size: int = 256) -> float:
    """The perplexity of the targets when each step is told the right symbol before (teacher forcing).

        exp(mean over all target symbols, each target's end included, of -log p[y])

    Args:
        model: with vocabularies.
        pairs: source and target texts.
        batch_size: pairs read at once; changes no result.
    """
    source_vocabulary, target_vocabulary = model.vocabularies
    batches = Batches(
        [source_vocabulary.encode(source) for source, _ in pairs],
        [target_vocabulary.encode(target) for _, target in pairs],
        end=target_vocabulary.end,
        batch_size=min(batch_size, len(pairs)),
    )
    total, count = 0.0, 0
    for _, source, target in batches.in_order():
        logits = np.asarray(model.predict_on_batch((source, target)), "float64")
        logits -= logits.max(-1, keepdims=True)
        log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        real = target != 0
        total -= np.take_along_axis(log_probs, target[..., None], -1)[..., 0][real].sum()
        count += int(real.sum())
    return math.exp(min(total / count, 700.0))  # a hopeless model's is large, not an overflow
