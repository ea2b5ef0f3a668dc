"""How good a model is on what it has not seen: by free-running generation, and by teacher-forced perplexity."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from seq2seq_zoo.data.padding import Batches
from seq2seq_zoo.generation import AnySearch, TextModel
from seq2seq_zoo.labeller import Labeller
from seq2seq_zoo.metrics import accuracy, evaluate_vectors
from seq2seq_zoo.metrics import evaluate as rates
from seq2seq_zoo.tasks.task import Data, Pair, Series
from seq2seq_zoo.text_metrics import TextMetric, text_metrics


def judge(
    model: Any, data: Data | Series, split: str, batch_size: int = 256, metrics: Sequence[TextMetric] = ()
) -> tuple[dict[str, Any], list[Any]]:
    """Measure a model on a split, by what its task is judged by.

    Args:
        model: as `factory.make_model` makes it for the data.
        data: the task's.
        split: the key of one of its splits.
        batch_size: rows at once; changes no result.
        metrics: further ones, where texts are generated.

    Returns:
        `(metrics, outputs)`: the metrics by name, the one that a training monitors first; and for each row the symbols
        that came out, or the values `(time, features)` in the target's own unit. A language model has no outputs.
    """
    rows = data.splits[split]
    if isinstance(data, Series):
        outputs = _vectors(model, data, split, batch_size)
        restored = [row.restore(output) for row, output in zip(rows, outputs, strict=True)]
        return evaluate_vectors([row.restore(row.target) for row in rows], restored), restored
    if isinstance(model, Labeller):
        references = [data.target.split(target) for _, target in rows]
        outputs = model.labels([source for source, _ in rows], batch_size)
        return {"accuracy": accuracy(references, outputs)}, outputs
    if not data.has_sources:
        return {"perplexity": perplexity(model, rows, batch_size)}, []
    return evaluate(model, rows, batch_size=batch_size, metrics=metrics)


def evaluate(
    model: TextModel,
    pairs: Sequence[Pair],
    search: AnySearch = "greedy",
    batch_size: int = 256,
    metrics: Sequence[TextMetric] = (),
) -> tuple[dict[str, Any], list[list[str]]]:
    """Generate from every source and compare with its target.

    Args:
        model: with vocabularies.
        pairs: source and target texts.
        search: how to generate; see `TextModel.search`.
        batch_size: sources searched at once; changes no result.
        metrics: further ones, of `seq2seq_zoo.text_metrics`.

    Returns:
        `(metrics, outputs)`: the metrics of `seq2seq_zoo.metrics`, by length too, and the further ones, by their names;
        and the symbols of each output.
    """
    source_vocabulary, target_vocabulary = model.vocabularies
    sources = [source_vocabulary.split(source) for source, _ in pairs]
    references = [target_vocabulary.split(target) for _, target in pairs]
    answers = model.answers([source for source, _ in pairs], search, batch_size=batch_size)
    outputs = [answer.hypotheses[0].symbols if answer.hypotheses else [] for answer in answers]
    further = {text_metrics.name_of(type(metric)): metric(references, outputs) for metric in metrics}
    return {**rates(references, outputs, sources), **further}, outputs


def _vectors(model: Any, data: Series, split: str, batch_size: int) -> list[np.ndarray]:
    """The values that a model puts out for each row of a split, as long as the row's target."""
    pairs = data.encode(split)
    outputs: list[Any] = [None] * len(pairs)
    for rows, source, _ in Batches(pairs, None, min(batch_size, len(pairs))).in_order():
        found = np.asarray(model.readout.choose(model.predict_on_batch(source)))
        for row, values in zip(rows.tolist(), found, strict=False):
            outputs[row] = values[: len(pairs[row][1])]
    return outputs


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
