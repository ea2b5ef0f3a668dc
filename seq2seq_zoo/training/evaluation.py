"""Evaluation on a split: metrics of free-running generation, and teacher-forced perplexity."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from seq2seq_zoo.metrics.texts import TextMetric, text_metrics
from seq2seq_zoo.metrics.tokens import accuracy, exact_match, nearest_references, token_error_rate, token_metrics
from seq2seq_zoo.models.encoder_only import EncoderOnly
from seq2seq_zoo.models.text_model import AnySearch, TextModel
from seq2seq_zoo.tasks.task import Data, Pair, Series
from seq2seq_zoo.training import real_values


def evaluate_split(
    model: Any,
    data: Data | Series,
    split: str,
    batch_size: int = 256,
    metrics: Sequence[TextMetric] = (),
    search: AnySearch = "greedy",
) -> tuple[dict[str, Any], list[Any]]:
    """Compute the metrics of a model on a split, as its task defines them.

    Args:
        model: as `factory.make_model` returns it for the data.
        data: the task's data.
        split: the name of one of its splits.
        batch_size: how many rows are computed at once. It changes no result.
        metrics: further metrics, if the model generates texts.
        search: how to generate, if the model generates texts; see `TextModel.search`.

    Returns:
        `(metrics, outputs)`: the metrics by name, starting with the one that a training monitors by default; and for
        each row of `Data.answers` its output tokens, or for each row an `Output` of real values. A language model has
        no outputs.
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
    return evaluate_generation(model, data.answers(split), search, batch_size, metrics)


def monitorable_metrics(model: Any, data: Data | Series) -> list[str]:
    """The metrics of `evaluate_split` that a training may monitor, starting with the default."""
    if isinstance(data, Series):
        forecast = [] if data.naive_error is None else ["mase"]
        has_quantiles = model.readout.quantiles_of(np.zeros((1, model.readout.output_width), "float32"))
        return [*forecast, "rmse", "correlation", *(["quantile_loss"] if has_quantiles else [])]
    if isinstance(model, EncoderOnly):
        return ["accuracy"]
    if not data.has_sources:
        return ["perplexity", "next_token_accuracy"]
    return ["exact_match", "token_accuracy", "token_error_rate"]


def evaluate_generation(
    model: TextModel,
    answers: Sequence[tuple[str, Sequence[str]]],
    search: AnySearch = "greedy",
    batch_size: int = 256,
    metrics: Sequence[TextMetric] = (),
) -> tuple[dict[str, Any], list[list[str]]]:
    """Generate an output for each source and compare it with its target, or with the nearest of several.

    Args:
        model: with vocabularies.
        answers: each source with the targets that are right for it.
        search: how to generate; see `TextModel.search`.
        batch_size: how many sources are searched at once. It changes no result.
        metrics: further metrics of texts.

    Returns:
        `(metrics, outputs)`: the result of `token_metrics` and the further metrics, by name; and the tokens of each
        output. If a source has several targets, there are also the number of `sources`, and `exact_match_first` and
        `token_error_rate_first`, for which only the first target is right.
    """
    source_vocabulary, target_vocabulary = model.vocabularies
    sources = [source_vocabulary.split(source) for source, _ in answers]
    references = [[target_vocabulary.split(target) for target in targets] for _, targets in answers]
    model.searcher(search).compile_at_once()
    predictions = model.predictions([source for source, _ in answers], search, batch_size=batch_size)
    outputs = [prediction.hypotheses[0].tokens if prediction.hypotheses else [] for prediction in predictions]
    evaluated = token_metrics(nearest_references(references, outputs), outputs, sources)
    if any(len(row) > 1 for row in references):
        first = [row[0] for row in references]
        evaluated |= {f"{metric.__name__}_first": metric(first, outputs) for metric in (exact_match, token_error_rate)}
        evaluated["sources"] = len(sources)
    further = {text_metrics.name_of(type(metric)): metric(references, outputs) for metric in metrics}
    return {**evaluated, **further}, outputs


def evaluate_fully(
    model: Any,
    data: Data | Series,
    split: str,
    metrics: Sequence[TextMetric] = (),
    search: AnySearch = "greedy",
) -> tuple[dict[str, Any], list[Any]]:
    """Evaluate a model as `evaluate_split` does, and add what is computed only after training: the perplexity of the
    targets, and for real values the metrics of the task's `baselines`."""
    evaluated, outputs = evaluate_split(model, data, split, metrics=metrics, search=search)
    if isinstance(data, Series):
        if data.baselines:
            evaluated["baselines"] = real_values.evaluate_baselines(data, split)
    elif not isinstance(model, EncoderOnly) and "perplexity" not in evaluated:
        evaluated["perplexity"] = perplexity(model, data.splits[split])
    return evaluated, outputs


def teacher_forced_metrics(model: TextModel, pairs: Sequence[Pair], batch_size: int = 256) -> dict[str, Any]:
    """How well a model predicts each token of the targets from the target tokens before it (teacher forcing).

        perplexity = exp(mean over all tokens of -log p[y])
        next_token_accuracy = share of the tokens to which no other is preferred

    The tokens are those of the targets and, if the vocabulary has an end, the end of each target. Padding is left out.

    Args:
        model: with vocabularies.
        pairs: source and target texts.
        batch_size: how many pairs are read at once. It changes no result.

    Returns:
        Both metrics by name, and the number of `tokens`.

    Raises:
        ValueError: there are no tokens.
    """
    model.scorer().compile_at_once()
    scores = model.score(*map(list, zip(*pairs, strict=True)), batch_size=batch_size) if pairs else []
    count = sum(len(score.token_log_probs) for score in scores)
    if not count:
        raise ValueError("Expected at least one target token, got none.")
    total = math.fsum(score.log_prob for score in scores)
    return {
        "perplexity": math.exp(
            min(-total / count, 700.0)
        ),  # the perplexity of a very bad model is large, not an overflow
        "next_token_accuracy": sum(sum(score.most_likely) for score in scores) / count,
        "tokens": count,
    }


def perplexity(model: TextModel, pairs: Sequence[Pair], batch_size: int = 256) -> float:
    """The perplexity of the targets. The arguments are those of `teacher_forced_metrics`."""
    return teacher_forced_metrics(model, pairs, batch_size)["perplexity"]
