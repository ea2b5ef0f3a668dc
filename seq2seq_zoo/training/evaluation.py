"""How good a model is on what it has not seen: by free-running generation, and by teacher-forced perplexity."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from seq2seq_zoo.metrics.texts import TextMetric, text_metrics
from seq2seq_zoo.metrics.tokens import accuracy
from seq2seq_zoo.metrics.tokens import evaluate as rates
from seq2seq_zoo.models.encoder_only import Labeller
from seq2seq_zoo.models.text_model import AnySearch, TextModel
from seq2seq_zoo.tasks.task import Data, Pair, Series
from seq2seq_zoo.training import real_values as values


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
        that came out, or the `Output` of real values. A language model has no outputs.
    """
    if isinstance(data, Series):
        outputs = values.predict(model, data.splits[split], batch_size)
        return values.measure(data, split, outputs), outputs
    rows = data.splits[split]
    if isinstance(model, Labeller):
        references = [data.target.split(target) for _, target in rows]
        outputs = model.labels([source for source, _ in rows], batch_size)
        return {"accuracy": accuracy(references, outputs)}, outputs
    if not data.has_sources:
        return foreseen(model, rows, batch_size), []
    return evaluate(model, rows, batch_size=batch_size, metrics=metrics)


def judged_by(model: Any, data: Data | Series) -> list[str]:
    """The metrics by which `judge` measures a model, those that a training may monitor: the first one does."""
    if isinstance(data, Series):
        forecast = [] if data.naive_error is None else ["mase"]
        knows_quantiles = model.readout.quantiles_of(np.zeros((1, model.readout.output_width), "float32"))
        return [*forecast, "rmse", "correlation", *(["quantile_loss"] if knows_quantiles else [])]
    if isinstance(model, Labeller):
        return ["accuracy"]
    if not data.has_sources:
        return ["perplexity", "next_symbol_accuracy"]
    return ["exact_match", "token_accuracy", "symbol_error_rate"]


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


def measure(
    model: Any, data: Data | Series, split: str, metrics: Sequence[TextMetric] = ()
) -> tuple[dict[str, Any], list[Any]]:
    """Measure a model as `judge` does, and by what only matters in the end: the perplexity of what is generated, and a
    task's `baselines` beside real values."""
    measured, outputs = judge(model, data, split, metrics=metrics)
    if isinstance(data, Series):
        if data.baselines:
            measured["baselines"] = values.baselines(data, split)
    elif not isinstance(model, Labeller) and "perplexity" not in measured:
        measured["perplexity"] = perplexity(model, data.splits[split])
    return measured, outputs


def foreseen(model: TextModel, pairs: Sequence[Pair], batch_size: int = 256) -> dict[str, Any]:
    """How well each next symbol is foreseen where all right ones before it are told (teacher forcing).

        perplexity = exp(mean over all symbols of -log p[y])
        next_symbol_accuracy = share of all symbols of which none is likelier

    All symbols are those of the targets and, if the vocabulary has one, each target's end. Padding is none.

    Args:
        model: with vocabularies.
        pairs: source and target texts.
        batch_size: pairs read at once; changes no result.

    Returns:
        Both by their names, and the number of `symbols`.

    Raises:
        ValueError: no symbols.
    """
    scores = model.score(*map(list, zip(*pairs, strict=True)), batch_size=batch_size) if pairs else []
    count = sum(len(score.symbol_log_probs) for score in scores)
    if not count:
        raise ValueError("Expected at least one symbol to measure, got none.")
    total = math.fsum(score.log_prob for score in scores)
    return {
        "perplexity": math.exp(min(-total / count, 700.0)),  # a hopeless model's is large, not an overflow
        "next_symbol_accuracy": sum(sum(score.likeliest) for score in scores) / count,
        "symbols": count,
    }


def perplexity(model: TextModel, pairs: Sequence[Pair], batch_size: int = 256) -> float:
    """The perplexity of the targets; arguments as of `foreseen`."""
    return foreseen(model, pairs, batch_size)["perplexity"]
