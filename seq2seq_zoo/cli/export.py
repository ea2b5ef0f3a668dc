"""`seq2seq-zoo export`: writes a model for another runtime."""

import operator
from pathlib import Path
from typing import Annotated

import typer

from seq2seq_zoo.cli.models import SearchName, SearchOptions, load_text_model, make_search
from seq2seq_zoo.cli.shared import (
    FORMATS,
    SEARCHES,
    ModelPath,
    UsageError,
    app,
    examples,
    note,
    require_absent,
    require_known,
)
from seq2seq_zoo.system.model_file import find_model

COMPARED = 500
"""For how many dev sources the outputs of the model and of the exported graph are compared."""


@app.command(
    epilog=examples(
        "seq2seq-zoo export runs/copy-attention-1 --format onnx",
        "seq2seq-zoo export runs/copy-attention-1 --format litert --quantize dynamic-int8 --out phone",
        "seq2seq-zoo export runs/copy-attention-1 --format savedmodel --search beam --set size=8",
    )
)
def export(
    model_path: ModelPath,
    format: Annotated[str, typer.Option(metavar="NAME", help="The format; see 'seq2seq-zoo list formats'.")],
    out: Annotated[
        Path | None, typer.Option(help="A new directory; FORMAT next to the model if not given.", show_default=False)
    ] = None,
    search: SearchName = "greedy",
    overrides: SearchOptions = None,
    batch: Annotated[
        str | None,
        typer.Option(
            metavar="N|dynamic",
            help="How many rows each call has; if not given, 1 for litert and dynamic for the others.",
            show_default=False,
        ),
    ] = None,
    quantize: Annotated[
        str | None,
        typer.Option(metavar="TYPE", help="Store the weights as dynamic-int8 or float16.", show_default=False),
    ] = None,
) -> None:
    """Write a model's whole search, from ids to ids, as one graph for a runtime without Keras.

    The directory also gets the encoder and a single step as graphs of their own, and the vocabularies as JSON. With a
    run directory, the command compares the outputs of the graph, run by its own runtime, with those of the model on the
    dev split.
    """
    find_model(model_path)
    name = "-".join(part for part in (format, search if search != "greedy" else "", quantize) if part)
    directory = out or (model_path / name if model_path.is_dir() else model_path.with_name(f"{model_path.stem}-{name}"))
    require_absent(directory)
    require_known("--format", "export format", format, FORMATS)
    require_known("--search", "search", search, SEARCHES)
    model = load_text_model(model_path)
    if not hasattr(model, "search"):
        raise UsageError(f"{model_path} has no decoder, so it has no search to export.")
    from seq2seq_zoo.experiment.run import read_data
    from seq2seq_zoo.export import export, generate

    chosen = make_search(model, search, overrides)
    rows = int(batch) if batch is not None and batch.isdecimal() else batch
    exported = export(model, directory, format, chosen, rows, quantize)
    for path in sorted(each for each in directory.rglob("*") if each.is_file()):
        print(f"{path.stat().st_size / 1024:9,.1f} KiB  {path}")
    if not model.has_source:
        tokens = model.vocabularies[1].ordinary[:COMPARED]
        ours, theirs = model.generate(tokens, chosen), generate(exported, model.vocabularies, tokens)
        same = sum(a == b for a, b in zip(ours, theirs, strict=True))
        print(f"the same text as the model after {same:,} of {len(tokens):,} first tokens")
        return
    if not model_path.is_dir():
        note("Not compared with the model: that needs the data of its run directory.")
        return
    data = read_data(model_path)
    sources, targets = zip(*data.answers("dev")[:COMPARED], strict=True)
    targets = [[*map(data.target.normalized, each)] for each in targets]
    ours, theirs = model.generate(sources, chosen), generate(exported, model.vocabularies, sources)
    same = sum(a == b for a, b in zip(ours, theirs, strict=True))
    exact = [sum(map(operator.contains, targets, outputs)) / len(sources) for outputs in (theirs, ours)]
    print(f"the same text as the model on {same:,} of {len(sources):,} dev sources")
    print(f"exact match {exact[0]:.1%}; the model's {exact[1]:.1%}")
