"""`seq2seq-zoo evaluate`: computes the metrics of a model."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from seq2seq_zoo.cli.metrics import print_metrics
from seq2seq_zoo.cli.models import (
    ReadOptions,
    SearchName,
    SearchOptions,
    UnknownTokens,
    counts_references,
    load_model,
    load_text_model,
    make_search,
    read_pairs_for,
)
from seq2seq_zoo.cli.shared import (
    SEARCHES,
    ModelPath,
    SkipBadLines,
    UsageError,
    app,
    examples,
    note,
    require_absent,
    require_file,
    require_known,
)
from seq2seq_zoo.experiment.directory import require_run
from seq2seq_zoo.system.model_file import find_model


@app.command(
    epilog=examples(
        "seq2seq-zoo evaluate runs/copy-attention-1",
        "seq2seq-zoo evaluate runs/copy-attention-1/best.keras more.tsv",
        "seq2seq-zoo evaluate runs/copy-attention-1 --search beam --set size=5 --out beam.tsv",
        "seq2seq-zoo evaluate runs/copy-attention-1 --metric rouge_l --metric chrf",
        "seq2seq-zoo evaluate runs/copy-attention-1 --json | jq .exact_match",
    )
)
def evaluate(
    model_path: ModelPath,
    file: Annotated[
        Path | None,
        typer.Argument(
            help="A file of pairs, such as a source, a tab and a target on each line, or with text for a language "
            "model; the run's own test split if not given."
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A further metric; see 'seq2seq-zoo list metrics'; may be repeated."),
    ] = None,
    search: SearchName = "greedy",
    overrides: SearchOptions = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="TSV", help="A new file for each source, its target and its output, by tabs.", show_default=False
        ),
    ] = None,
    references: Annotated[
        bool,
        typer.Option(
            "--references",
            help="Count every target of a source as right: those of all its lines and, in FILE, of further columns. "
            "The option 'references' of a run's task does the same.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    skip_bad_lines: SkipBadLines = False,
    read: ReadOptions = None,
) -> None:
    """Evaluate a model on the test split of its task, or on a file."""
    if file is None and model_path.is_file():
        raise UsageError(f"{model_path} is a model without a task: give a FILE of pairs as well, or the run directory.")
    if file is None and read:
        raise UsageError("--read is for a FILE, and the run's own test split is read as its task says: give a FILE.")
    find_model(model_path)
    if file is None:
        require_run(model_path)
    else:
        require_file(file)
    if out is not None:
        require_absent(out)
    require_known("--search", "search", search, SEARCHES)
    from seq2seq_zoo.metrics.texts import text_metrics

    further = [text_metrics.create(name) for name in metric or ()]
    model = load_text_model(model_path) if file else load_model(model_path)
    searching = search != "greedy" or bool(overrides)
    for option, given in (("--metric", further), ("--search", searching), ("--references", references)):
        if given and (other := _instead_of_texts(model, model_path)):
            raise UsageError(f"{option} is for generated texts, and {other}: leave it out.")
    if out is not None and not getattr(model, "has_source", True):
        raise UsageError("--out is for outputs, and a language model is evaluated without any: leave it out.")
    chosen = make_search(model, search, overrides) if searching else "greedy"
    from seq2seq_zoo.experiment.factory import make_metrics
    from seq2seq_zoo.experiment.notes import too_long_targets
    from seq2seq_zoo.experiment.run import predictions_table, read_config, read_data
    from seq2seq_zoo.system.files import write
    from seq2seq_zoo.tasks.task import Data
    from seq2seq_zoo.training import evaluation

    if file is None:
        config, data = read_config(model_path), read_data(model_path)
        data = dataclasses.replace(data, references=True) if references else data
        further = [*make_metrics(config, data), *further]
    else:
        references = references or counts_references(model_path)
        pairs, skipped = read_pairs_for(model, model_path, file, skip_bad_lines, read, references)
        source, target = model.vocabularies
        data = Data({"test": pairs}, source, target, references=references)
        if skipped:
            note(f"Bad lines skipped: {skipped:,}")
    pairs = data.splits["test"]
    if isinstance(data, Data):
        answers = data.answers("test")
        texts = {"sources": (source for source, _ in answers), "targets": (target for _, target in pairs)}
        for side, vocabulary in zip(texts, (data.source, data.target), strict=True):
            unknown = UnknownTokens(vocabulary)
            for text in texts[side]:
                unknown.count(text)
            unknown.report(side)
    if not _instead_of_texts(model, model_path):  # nothing else has outputs that can be cut
        for line in too_long_targets(data, model.searcher(chosen).max_length, ["test"]):
            note(line)
    metrics, outputs = evaluation.evaluate_fully(model, data, "test", further, chosen)
    if out is not None:
        write(out, predictions_table(data, outputs))
        note(f"Wrote {out}.")
    if as_json:
        print(json.dumps({**({} if "tokens" in metrics else {"pairs": len(pairs)}), **metrics}, indent=2))
    else:
        print_metrics(metrics, len(pairs))


def _instead_of_texts(model: Any, path: Path) -> str:
    """What is evaluated of a model that does not generate texts; empty if it does."""
    if not getattr(model, "has_source", True):
        return "a language model is evaluated without outputs"
    if not hasattr(model, "search"):
        return f"{path} outputs labels"
    return f"{path} outputs real values" if model.readout.vocabulary_size is None else ""
