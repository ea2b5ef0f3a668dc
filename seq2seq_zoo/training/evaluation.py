"""How good a model is on what it has not seen: by free-running generation, and by teacher-forced perplexity."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from seq2seq_zoo.metrics.texts import TextMetric, text_metrics
from seq2seq_zoo.metrics.tokens import accuracy, token_metrics
from seq2seq_zoo.models.encoder_only import EncoderOnly
from seq2seq_zoo.models.text_model import AnySearch, TextModel
from seq2seq_zoo.tasks.task import Data, Pair, Series
from seq2seq_zoo.training import real_values


def evaluate_split(
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
        `(metrics, outputs)`: the metrics by name, the one that a training monitors first; and for each row the tokens
        that came out, or the `Output` of real values. A language model has no outputs.
    """
    if isinstance(data, Series):
        outputs = real_values.predict(model, data.splits[split], batch_size)
        return real_values.evaluate_outputs(data, split, outputs), outputs
    rows = data.splits[split]
    if isinstance(model, EncoderOnly):
        references = [data.target.split(target) for _, target in rows]
        outputs = model.labels([source for source, _ in rows], batch_size)
        return {"accuracy": accuracy(references, outputs)}, outputs
    if not data.has_sources:
        return teacher_forced_metrics(model, rows, batch_size), []
    return evaluate_generation(model, rows, batch_size=batch_size, metrics=metrics)


def monitorable_metrics(model: Any, data: Data | Series) -> list[str]:
    """The metrics by which `evaluate_split` measures a model, those that a training may monitor: the first one does."""
    if isinstance(data, Series):
        forecast = [] if data.naive_error is None else ["mase"]
        knows_quantiles = model.readout.quantiles_of(np.zeros((1, model.readout.output_width), "float32"))
        return [*forecast, "rmse", "correlation", *(["quantile_loss"] if knows_quantiles else [])]
    if isinstance(model, EncoderOnly):
        return ["accuracy"]
    if not data.has_sources:
        return ["perplexity", "next_token_accuracy"]
    return ["exact_match", "token_accuracy", "token_error_rate"]


def evaluate_generation(
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
        and the tokens of each output.
    """
    source_vocabulary, target_vocabulary = model.vocabularies
    sources = [source_vocabulary.split(source) for source, _ in pairs]
    references = [target_vocabulary.split(target) for _, target in pairs]
    answers = model.predictions([source for source, _ in pairs], search, batch_size=batch_size)
    outputs = [answer.hypotheses[0].tokens if answer.hypotheses else [] for answer in answers]
    further = {text_metrics.name_of(type(metric)): metric(references, outputs) for metric in metrics}
    return {**token_metrics(references, outputs, sources), **further}, outputs


def evaluate_fully(
    model: Any, data: Data | Series, split: str, metrics: Sequence[TextMetric] = ()
) -> tuple[dict[str, Any], list[Any]]:
    """Measure a model as `evaluate_split` does, and by what only matters in the end: the perplexity of the targets,
    and the task's `baselines` for real values."""
    measured, outputs = evaluate_split(model, data, split, metrics=metrics)
    if isinstance(data, Series):
        if data.baselines:
            measured["baselines"] = real_values.evaluate_baselines(data, split)
    elif not isinstance(model, EncoderOnly) and "perplexity" not in measured:
        measured["perplexity"] = perplexity(model, data.splits[split])
    return measured, outputs


def teacher_forced_metrics(model: TextModel, pairs: Sequence[Pair], batch_size: int = 256) -> dict[str, Any]:
    """How well each next token is foreseen where all right ones before it are told (teacher forcing).

        perplexity = exp(mean over all tokens of -log p[y])
        next_token_accuracy = share of all tokens of which none is likelier

    All tokens are those of the targets and, if the vocabulary has one, each target's end. Padding is none.

    Args:
        model: with vocabularies.
        pairs: source and target texts.
        batch_size: pairs read at once; changes no result.

    Returns:
        Both by their names, and the number of `tokens`.

    Raises:
        ValueError: no tokens.
    """
    scores = model.score(*map(list, zip(*pairs, strict=True)), batch_size=batch_size) if pairs else []
    count = sum(len(score.token_log_probs) for score in scores)
    if not count:
        raise ValueError("Expected at least one token to measure, got none.")
    total = math.fsum(score.log_prob for score in scores)
    return {
        "perplexity": math.exp(min(-total / count, 700.0)),  # a hopeless model's is large, not an overflow
        "next_token_accuracy": sum(sum(score.most_likely) for score in scores) / count,
        "tokens": count,
    }


def perplexity(model: TextModel, pairs: Sequence[Pair], batch_size: int = 256) -> float:
    """The perplexity of the targets; arguments as of `foreseen`."""
    return teacher_forced_metrics(model, pairs, batch_size)["perplexity"]
