"""`seq2seq-zoo score`: how likely given outputs are."""

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seq2seq_zoo.cli.models import (
    AT_ONCE,
    ReadOptions,
    UnknownTokens,
    counts_references,
    load_text_model,
    read_pairs_for,
)
from seq2seq_zoo.cli.shared import ModelPath, SkipBadLines, UsageError, app, examples, note, require_file

if TYPE_CHECKING:
    from seq2seq_zoo.models.text_model import TextModel
    from seq2seq_zoo.prediction import Score


@app.command(
    epilog=examples(
        "seq2seq-zoo score runs/copy-attention-1 pairs.tsv",
        "seq2seq-zoo score runs/copy-attention-1 pairs.tsv --json > scores.jsonl",
        "seq2seq-zoo score runs/names-feedback-1 names.txt",
    )
)
def score(
    model_path: ModelPath,
    file: Annotated[
        Path,
        typer.Argument(
            help="A file of pairs, such as a source, a tab and a target on each line, or with text for a language "
            "model."
        ),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a line of JSON for each pair, with its tokens.")
    ] = False,
    skip_bad_lines: SkipBadLines = False,
    read: ReadOptions = None,
) -> None:
    """Print how likely given outputs are: log-probability, perplexity, and the probability of each token.

    The model reads each target token and predicts the next one (teacher forcing). The last probability is that of the
    end, if the model has an end token.
    """
    require_file(file)
    model = load_text_model(model_path)
    if not hasattr(model, "score"):
        raise UsageError(
            f"{model_path} outputs labels, and scores no given ones: predict --scores gives its own labels' scores."
        )
    references = counts_references(model_path)
    pairs, skipped = read_pairs_for(model, model_path, file, skip_bad_lines, read, references)
    if skipped:
        note(f"Bad lines skipped: {skipped:,}")
    texts: tuple[str, ...] = ("source", "target") if model.has_source else ("text",)
    if not as_json:
        print("log_prob", "perplexity", "probabilities", *texts, sep="\t")
    unknown = [UnknownTokens(vocabulary) for vocabulary in model.vocabularies]
    for first in range(0, len(pairs), AT_ONCE):
        batch = list(pairs[first : first + AT_ONCE])
        sources, targets = map(list, zip(*batch, strict=True))
        for pair, each in zip(batch, model.score(sources, targets), strict=True):
            for side, text in zip(unknown, pair, strict=True):
                side.count(text)
            named: dict[str, str] = dict(zip(texts, pair[-len(texts) :], strict=True))
            print(_as_json(model, named, pair[1], each) if as_json else _as_text(named, each))
        sys.stdout.flush()
    for side, counted in zip(("sources", "targets"), unknown, strict=True):
        counted.report(side)


def _as_text(texts: dict[str, str], score: "Score") -> str:
    probabilities = " ".join(f"{math.exp(each):.4f}" for each in score.token_log_probs)
    # A tab or a line break would end the column: it is written as two characters.
    columns = [text.replace("\t", "\\t").replace("\n", "\\n") for text in texts.values()]
    return "\t".join([f"{score.log_prob:.4f}", f"{score.perplexity:.4f}", probabilities, *columns])


def _as_json(model: "TextModel", texts: dict[str, str], target: str, score: "Score") -> str:
    vocabulary = model.vocabularies[1]
    end = [] if vocabulary.end is None else [vocabulary.tokens[vocabulary.end]]
    line: dict[str, Any] = {
        **texts,
        "log_prob": score.log_prob,
        "perplexity": score.perplexity,
        "tokens": [*vocabulary.split(target), *end],
        "probabilities": [math.exp(each) for each in score.token_log_probs],
        "most_likely": score.most_likely,
    }
    return json.dumps(line, ensure_ascii=False)
