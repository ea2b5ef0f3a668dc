"""The command that exports a model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2seq_zoo.cli.shared import ModelPath, Usage, app, examples, note

if TYPE_CHECKING:
    pass
from seq2seq_zoo.cli.models import SearchName, SearchOptions, _model, _search

COMPARED = 500  # dev sources that an exported model answers as well


@app.command(
    epilog=examples(
        "seq2seq-zoo export runs/copy-attention-1 --format onnx",
        "seq2seq-zoo export runs/copy-attention-1 --format litert --quantize dynamic-int8 --out phone",
        "seq2seq-zoo export runs/copy-attention-1 --format savedmodel --search beam --set size=8",
    )
)
def export(
    model_path: ModelPath,
    format: Annotated[str, typer.Option(metavar="NAME", help="Where it goes: see 'seq2seq-zoo list formats'.")],
    out: Annotated[
        Path | None, typer.Option(help="A new directory; FORMAT beside the model if not given.", show_default=False)
    ] = None,
    search: SearchName = "greedy",
    overrides: SearchOptions = None,
    batch: Annotated[
        str | None,
        typer.Option(
            metavar="N|dynamic",
            help="Rows of every call; 1 for litert and dynamic for others if not given.",
            show_default=False,
        ),
    ] = None,
    quantize: Annotated[
        str | None,
        typer.Option(metavar="TYPE", help="Weights as dynamic-int8 or float16.", show_default=False),
    ] = None,
) -> None:
    """Write a model's whole search as one graph, ids to ids, for a runtime without Keras.

    Beside it: the encoder and a single step apart, and the vocabularies as JSON. What a run's model says and what the
    exported graph says, run by its own runtime, are compared on the run's dev split.
    """
    model = _model(model_path)
    if not hasattr(model, "search"):
        raise Usage(f"{model_path} has no decoder: what is exported is a search, and it has nothing to search for.")
    from seq2seq_zoo.experiment.run import read_data
    from seq2seq_zoo.export import export, generate

    chosen = _search(model, search, overrides)
    rows = int(batch) if batch is not None and batch.isdecimal() else batch
    name = "-".join(part for part in (format, search if search != "greedy" else "", quantize) if part)
    directory = out or (model_path / name if model_path.is_dir() else model_path.with_name(f"{model_path.stem}-{name}"))
    exported = export(model, directory, format, chosen, rows, quantize)
    for path in sorted(each for each in directory.rglob("*") if each.is_file()):
        print(f"{path.stat().st_size / 1024:9,.1f} KiB  {path}")
    if not model.has_source:
        begun = model.vocabularies[1].ordinary[:COMPARED]
        here, there = model.generate(begun, chosen), generate(exported, model.vocabularies, begun)
        same = sum(a == b for a, b in zip(here, there, strict=True))
        print(f"the same text as the model after {same:,} of {len(begun):,} first tokens")
        return
    if not model_path.is_dir():
        note("Not compared with the model: give its run directory, which has the data for it.")
        return
    pairs = read_data(model_path).splits["dev"][:COMPARED]
    sources, targets = zip(*pairs, strict=True)
    here, there = model.generate(sources, chosen), generate(exported, model.vocabularies, sources)
    same = sum(a == b for a, b in zip(here, there, strict=True))
    right = [sum(a == b for a, b in zip(found, targets, strict=True)) / len(pairs) for found in (there, here)]
    print(f"the same text as the model on {same:,} of {len(pairs):,} dev sources")
    print(f"exact match {right[0]:.1%}; the model's {right[1]:.1%}")
