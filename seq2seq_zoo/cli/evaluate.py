"""`seq2seq-zoo evaluate`: computes the metrics of a model."""

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2seq_zoo.cli.metrics import print_metrics
from seq2seq_zoo.cli.models import UnknownTokens, load_model, load_text_model
from seq2seq_zoo.cli.shared import ModelPath, SkipBadLines, UsageError, app, examples, note

if TYPE_CHECKING:
    from seq2seq_zoo.models.text_model import TextModel


@app.command(
    epilog=examples(
        "seq2seq-zoo evaluate runs/copy-attention-1",
        "seq2seq-zoo evaluate runs/copy-attention-1/best.keras more.tsv",
        "seq2seq-zoo evaluate runs/copy-attention-1 --metric rouge_l --metric chrf",
        "seq2seq-zoo evaluate runs/copy-attention-1 --json | jq .exact_match",
    )
)
def evaluate(
    model_path: ModelPath,
    file: Annotated[
        Path | None,
        typer.Argument(
            help="A file with a source, a tab and a target on each line, or with text for a language model; the run's "
            "own test split if not given."
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A further metric; see 'seq2seq-zoo list metrics'; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    skip_bad_lines: SkipBadLines = False,
) -> None:
    """Evaluate a model on the test split of its task, or on a file."""
    if file is None and model_path.is_file():
        raise UsageError(f"{model_path} is a model without a task: give a FILE of pairs as well, or the run directory.")
    from seq2seq_zoo.metrics.texts import text_metrics

    further = [text_metrics.create(name) for name in metric or ()]
    model = load_text_model(model_path) if file else load_model(model_path)
    if further and not getattr(model, "has_source", True):
        raise UsageError("--metric compares outputs with targets, and a language model has no outputs: leave it out.")
    if further and not hasattr(model, "search"):
        raise UsageError(f"--metric compares generated texts, and {model_path} outputs labels: leave it out.")
    if further and model.readout.vocabulary_size is None:
        raise UsageError(f"--metric compares generated texts, and {model_path} outputs real values: leave it out.")
    from seq2seq_zoo.experiment.factory import make_metrics
    from seq2seq_zoo.experiment.notes import too_long_targets
    from seq2seq_zoo.experiment.run import read_config, read_data
    from seq2seq_zoo.tasks.task import Data
    from seq2seq_zoo.training import evaluation

    if file is None:
        config, data = read_config(model_path), read_data(model_path)
        further = [*make_metrics(config, data), *further]
    else:
        pairs, skipped = _pairs(model, file, skip_bad_lines)
        source, target = model.vocabularies
        data = Data({"test": pairs}, source, target)
        if skipped:
            note(f"Bad lines skipped: {skipped:,}")
    pairs = data.splits["test"]
    for side, vocabulary in enumerate((data.source, data.target) if isinstance(data, Data) else ()):
        unknown = UnknownTokens(vocabulary)
        for pair in pairs:
            unknown.count(pair[side])
        unknown.report(("sources", "targets")[side])
    if hasattr(model, "search") and model.has_source:  # nothing else generates outputs
        for line in too_long_targets(data, model.max_length, ["test"]):
            note(line)
    metrics, _ = evaluation.evaluate_fully(model, data, "test", further)
    if as_json:
        print(json.dumps({**({} if "tokens" in metrics else {"pairs": len(pairs)}), **metrics}, indent=2))
    else:
        print_metrics(metrics, len(pairs))


def _pairs(model: "TextModel", file: Path, skip_bad_lines: bool) -> tuple[Sequence[tuple[str, str]], int]:
    """The pairs of a file in the form that the model needs, and the number of bad lines skipped."""
    from seq2seq_zoo.data.delimited import read_pairs
    from seq2seq_zoo.data.stream import read_stream
    from seq2seq_zoo.data.texts import read_texts
    from seq2seq_zoo.models.encoder_only import EncoderOnly
    from seq2seq_zoo.tasks.labels import check_labels

    if isinstance(model, EncoderOnly):
        separator = model.vocabularies[0].separator
        check = functools.partial(check_labels, whole=model.whole, separator=separator)
        return read_pairs(file, skip_bad_lines, check=check)
    if model.has_source:
        return read_pairs(file, skip_bad_lines)
    if model.vocabularies[1].end is None:
        text, skipped = read_stream(file, skip_bad_lines)
        return [("", text)], skipped
    texts, skipped = read_texts(file, skip_bad_lines)
    return [("", text) for text, _ in texts], skipped
