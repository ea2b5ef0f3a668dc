"""`seq2seq-zoo export`: writes a model for another runtime, as a package or as a page."""

import operator
import re
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from seq2seq_zoo.cli.models import SearchOptions, load_model, make_search, returning_all
from seq2seq_zoo.cli.page import write_page
from seq2seq_zoo.cli.shared import (
    FORMATS,
    SEARCHES,
    ModelPaths,
    UsageError,
    app,
    examples,
    note,
    require_absent,
    require_known,
)
from seq2seq_zoo.system.model_file import find_model, zoo

COMPARED = 500
"""For how many dev sources the outputs of the model and of the exported graph are compared."""
PACKAGE = "package"
"""The format of a Python package, in which the graph has a format of its own."""
WEB = "web"
"""The format of a page, which may have several models."""


@app.command(
    epilog=examples(
        "seq2seq-zoo export runs/copy-attention-1 --format onnx",
        "seq2seq-zoo export runs/copy-attention-1 --format litert --quantize dynamic-int8 --out phone",
        "seq2seq-zoo export runs/copy-attention-1 --format savedmodel --search beam --set size=8",
        "seq2seq-zoo export runs/copy-attention-1 --format package --name copying",
        "seq2seq-zoo export runs/copy-attention-1 --format web",
        "seq2seq-zoo export runs/copy-basic-1 runs/copy-attention-1 --format web --out page",
    )
)
def export(
    model_paths: ModelPaths,
    format: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The format; see 'seq2seq-zoo list formats'. Or package, a Python package; or web, a page.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="A new directory; next to the model, or here for several models, if not given, and named like the "
            "format or the package.",
            show_default=False,
        ),
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The search; see 'seq2seq-zoo list searches'. If not given, greedy, and beam for a package or a page.",
            show_default=False,
        ),
    ] = None,
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
    name: Annotated[
        str | None,
        typer.Option(help="The name of the package, of its module and of its command.", show_default=False),
    ] = None,
    runtime: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="What runs the graph of a package: onnx (if not given) or litert.", show_default=False
        ),
    ] = None,
) -> None:
    """Write a model for a runtime without Keras: its whole search, from ids to ids, as one graph; or its labels or real
    values.

    The directory also gets the encoder and a single step as graphs of their own, and the vocabularies as JSON. With a
    run directory, the command compares the outputs of the graph, run by its own runtime, with those of the model on the
    dev split.

    The format package writes a Python package around the graph, as a source folder and a wheel. The format web writes
    a page that runs the model in the browser; with several models, it shows them side by side.
    """
    paths = model_paths or []
    for path in paths:
        find_model(path)
    model_path = paths[0]
    if len(paths) > 1 and format != WEB:
        raise UsageError(f"--format {format} takes one model, got {len(paths)}: export each, or use --format web.")
    is_package = format == PACKAGE
    if is_package:
        _check_package(model_path, name, batch)
    elif name is not None or runtime is not None:
        option = "--runtime" if name is None else "--name"
        raise UsageError(f"{option} is for a package: add --format package, or leave it out.")
    parts = [name or ""] if is_package else [format, search if search not in (None, "greedy") else "", quantize]
    folder = "-".join(part for part in parts if part)
    directory = out or (_beside(model_path, folder) if len(paths) == 1 else Path(WEB))
    require_absent(directory)
    require_known("--format", "export format", format, (*FORMATS, PACKAGE, WEB))
    if search is not None:
        require_known("--search", "search", search, SEARCHES)
    if runtime is not None:
        require_known("--runtime", "runtime", runtime, ("litert", "onnx"))
    if format == WEB:
        if batch is not None:
            raise UsageError("--batch: a page takes one text at a time: leave it out.")
        _export_page(paths, directory, search, overrides, quantize)
        return
    model = load_model(model_path)
    from seq2seq_zoo.experiment.card import card
    from seq2seq_zoo.experiment.run import read_data, read_inputs
    from seq2seq_zoo.export import export, has_search, package

    has_texts = model.source_vocabulary is not None and model.target_vocabulary is not None
    if has_texts is (model.readout.vocabulary_size is None):
        raise UsageError(f"{model_path}: the model has no vocabularies, so it neither reads nor writes texts.")
    chosen = None
    if has_search(model):
        chosen = make_search(model, search or ("beam" if is_package else "greedy"), overrides)
        if is_package:
            chosen = returning_all(chosen)
    elif search is not None or overrides:
        raise UsageError(f"{model_path} does not generate tokens, so it has no search: leave --search and --set out.")
    inputs = read_inputs(model_path) if not has_texts and model_path.is_dir() else None
    if not has_texts and inputs is None:
        note("The graph takes and gives scaled values, since how to scale them is not known.")
    data = read_data(model_path) if model_path.is_dir() else None
    if is_package:
        about = re.sub("^#", "##", card(model_path), flags=re.MULTILINE)  # a part of the README
        sources = _sources(model, data, inputs, "test")
        exported = package(model, directory, name or "", sources, about, runtime or "onnx", chosen, quantize, inputs)
    else:
        rows = int(batch) if batch is not None and batch.isdecimal() else batch
        exported = export(model, directory, format, chosen, rows, quantize, inputs)
    _list_files(directory)
    _compare_if_known(model, exported, data, chosen, inputs)


def _export_page(
    paths: list[Path], directory: Path, search: str | None, overrides: list[str] | None, quantize: str | None
) -> None:
    """Write a page, and compare each of its models with the original."""
    page = write_page(paths, directory, search, overrides, quantize)
    from seq2seq_zoo.experiment.run import read_data

    _list_files(directory)
    for path, model, exported in zip(paths, page.models, page.exported, strict=True):
        if len(paths) > 1:
            print(path)
        _compare_if_known(model, exported, read_data(path) if path.is_dir() else None, page.search or "greedy", None)
    note(f"To open it: python -m http.server --bind 127.0.0.1 --directory {shlex.quote(str(directory))}")


def _list_files(directory: Path) -> None:
    """Print the sizes and names of the files in a folder."""
    for path in sorted(each for each in directory.rglob("*") if each.is_file()):
        print(f"{path.stat().st_size / 1024:9,.1f} KiB  {path}")


def _beside(model_path: Path, name: str) -> Path:
    """A new folder in the run's directory, beside the model, or here for a model of the zoo."""
    if model_path in zoo().values():
        return Path(f"{model_path.name}-{name}")
    return model_path / name if model_path.is_dir() else model_path.with_name(f"{model_path.stem}-{name}")


def _check_package(model_path: Path, name: str | None, batch: str | None) -> None:
    """Refuse what a package cannot have, before anything slow is imported."""
    if name is None:
        raise UsageError("--format package needs a --name, which is also that of the module and of the command.")
    if batch is not None:
        raise UsageError("--batch: a package takes any number of sources: leave it out.")
    if not model_path.is_dir():
        raise UsageError(f"{model_path}: a package needs the run directory, for its README and its test.")


def _sources(model: Any, data: Any, inputs: Any, split: str) -> list[Any]:
    """The sources of a split; for a language model, the tokens of its vocabulary."""
    if not model.has_source:
        return [*model.vocabularies[1].ordinary[:COMPARED]]
    if inputs is None:
        return [source for source, _ in data.answers(split)[:COMPARED]]
    rows = data.splits[split][:COMPARED]
    return [inputs.unscaled(row.source) if row.given is None else row.given for row in rows]


def _compare_if_known(model: Any, exported: Any, data: Any, search: Any, inputs: Any) -> None:
    """`_compare`, unless the data of the model's run is not known."""
    if data is None and model.has_source:
        note("Not compared with the model: that needs the data of its run directory.")
    else:
        _compare(model, exported, data, search, inputs)


def _compare(model: Any, exported: Any, data: Any, search: Any, inputs: Any) -> None:
    """Print how the outputs of the exported graph compare with those of the model."""
    from seq2seq_zoo.export import generate, label, predict
    from seq2seq_zoo.training import real_values

    if model.readout.vocabulary_size is None:
        if inputs is None:
            return
        sources, rows = _sources(model, data, inputs, "dev"), data.splits["dev"][:COMPARED]
        ours, theirs = real_values.predict(model, rows), predict(exported, sources)
        difference, deviation = real_values.largest_difference(ours, theirs)
        print(
            f"differs from the model by at most {difference:.2g} on {len(rows):,} dev rows, where the model's outputs "
            f"have a standard deviation of {deviation:.3g}"
        )
        return
    sources = _sources(model, data, inputs, "dev")
    if search is None:
        ours = [each.hypotheses[0].text for each in model.predictions(sources)]
        theirs = [model.vocabularies[1].join(each) for each in label(exported, model.vocabularies, sources)]
    else:
        ours, theirs = model.generate(sources, search), generate(exported, model.vocabularies, sources)
    same = sum(map(operator.eq, ours, theirs))
    if not model.has_source:
        print(f"the same text as the model after {same:,} of {len(sources):,} first tokens")
        return
    targets = [[*map(data.target.normalized, each)] for _, each in data.answers("dev")[:COMPARED]]
    exact = [sum(map(operator.contains, targets, outputs)) / len(sources) for outputs in (theirs, ours)]
    print(f"the same text as the model on {same:,} of {len(sources):,} dev sources")
    print(f"exact match {exact[0]:.1%}; the model's {exact[1]:.1%}")
