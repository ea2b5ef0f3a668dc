"""A model as a Python package that needs neither Keras nor TensorFlow: its source folder and its wheel."""

import importlib.metadata
import json
import keyword
import os
import re
import shlex
import string
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq_zoo.data.inputs import Inputs
from seq2seq_zoo.export.formats import Exported, ExportError, export, generate, has_search, label, predict
from seq2seq_zoo.export.onnx import optimize
from seq2seq_zoo.models.text_model import AnySearch

RUNTIMES = {"onnx": "onnxruntime>=1.24", "litert": "ai-edge-litert>=2.1"}
"""What a package needs besides NumPy, by the format of its graph."""
RECORDED = 50
"""How many answers the test of a package has at most."""

_ROOT = Path(__file__).parents[1]
_RUNTIME = _ROOT / "runtime"
_IMPORT = re.compile(r"^( *)from seq2seq_zoo\.((?:\w+\.)*)(\w+) import ", re.MULTILINE)
_TAKEN = {*sys.stdlib_module_names, "numpy", "onnxruntime", "ai_edge_litert", "seq2seq_zoo", "tests"}


def package(
    model: Any,
    directory: str | os.PathLike[str],
    name: str,
    sources: Sequence[Any],
    readme: str = "",
    format: str = "onnx",
    search: AnySearch | None = None,
    quantize: str | None = None,
    inputs: Inputs | None = None,
) -> Exported:
    """Write a model as a package: the folder of its source, with a wheel in `dist`.

    Args:
        model: a built model with vocabularies, or with real values as inputs and outputs.
        directory: a new directory. If something fails, it is not created.
        name: the name of the package, of its module and of its command.
        sources: what the package's test gives the model: texts, or real values in their own units. The first
            `RECORDED` are used.
        readme: what the README says about the model after its use, in Markdown.
        format: the format of the graph, which decides what the package needs: onnx or litert.
        search: the search, for a model with one. A beam search returns all its hypotheses, for n-best outputs.
        quantize: see `export`.
        inputs: see `export`.

    Returns:
        The exported model of the package.

    Raises:
        ExportError: the name cannot be that of a package, the model's inputs are not known, a package is not installed,
            or as `export`.
    """
    require_name(name)
    target = Path(directory)
    if target.exists():
        raise ExportError(f"{target} already exists and is not overwritten: give another directory.")
    if format not in RUNTIMES:
        raise ExportError(f"A package's graph is in the format {' or '.join(RUNTIMES)}, got {format!r}.")
    has_texts = model.source_vocabulary is not None and model.target_vocabulary is not None
    if not has_texts and inputs is None:
        raise ExportError(
            "A package takes texts or real values in their own units, but this model has neither vocabularies nor "
            "known units: export it as onnx."
        )
    kind = "values" if not has_texts else "texts" if has_search(model) else "labels"
    try:
        from flit_core.wheel import make_wheel_in
    except ModuleNotFoundError:
        raise ExportError("A package needs flit_core to be built: pip install 'seq2seq-zoo[package]'.") from None
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        draft = Path(folder, target.name)
        module, tests = draft / name, draft / "tests"
        tests.mkdir(parents=True)
        exported = export(model, module, {"name": format, "parts": False}, search, "dynamic", quantize, inputs)
        if format == "onnx" and quantize != "float16":  # optimized, its weights would be of single precision again
            optimize(module)
        for file, text in _modules(kind).items():
            (module / file).write_text(text, encoding="utf-8")
        (module / "py.typed").touch()
        recorded = {"package": name, **_recorded(kind, exported, model, sources[:RECORDED])}
        (tests / "answers.json").write_text(json.dumps(recorded, ensure_ascii=False, indent=1), encoding="utf-8")
        (tests / "test_answers.py").write_text((_RUNTIME / "recorded.py").read_text(encoding="utf-8"), encoding="utf-8")
        (draft / "README.md").write_text(_readme(kind, name, format, inputs, recorded, readme), encoding="utf-8")
        (draft / "LICENSE").write_text(_license(), encoding="utf-8")
        template = string.Template((_RUNTIME / "pyproject.template").read_text(encoding="utf-8"))
        description = {"texts": "texts to texts", "labels": "labels of texts", "values": "real values"}[kind]
        project = template.substitute(
            name=name, runtime=RUNTIMES[format], description=f"A trained sequence-to-sequence model: {description}."
        )
        (draft / "pyproject.toml").write_text(project, encoding="utf-8")
        (draft / "dist").mkdir()
        make_wheel_in(draft / "pyproject.toml", draft / "dist")
        os.replace(draft, target)
    return exported


def require_name(name: str) -> None:
    """Refuse a name that is none for a package, its module and its command.

    Raises:
        ExportError: it is not a lower-case identifier of ASCII letters, is a word of Python, or belongs to a module
            that the package needs.
    """
    if not re.fullmatch(r"[a-z]([a-z0-9_]*[a-z0-9])?", name):
        valid = re.sub(r"[^a-z0-9]+", "_", name.lower()).lstrip("_0123456789").rstrip("_")
        raise ExportError(
            f"The name of a package has lower-case letters, digits and underscores, and begins with a letter; got "
            f"{name!r}.{f' Did you mean {valid!r}?' if valid else ''}"
        )
    if keyword.iskeyword(name) or name in _TAKEN:
        raise ExportError(f"{name!r} is a word or a module of Python: give the package another name.")


def _modules(kind: str) -> dict[str, str]:
    """The files of a package, by name: a module of `runtime`, and all modules of this project that it imports, whose
    imports of each other become relative."""
    files: dict[str, str] = {}
    todo = [f"runtime.{kind}"]
    while todo:
        module = todo.pop()
        name = "__init__" if module.endswith(f".{kind}") else module.rpartition(".")[2]
        if f"{name}.py" not in files:
            text = _ROOT.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")
            todo += [f"{found[2]}{found[3]}" for found in _IMPORT.finditer(text)]
            files[f"{name}.py"] = _IMPORT.sub(r"\1from .\3 import ", text)
    return files


def _recorded(kind: str, exported: Exported, model: Any, sources: Sequence[Any]) -> dict[str, Any]:
    """The function of the package that its test calls, what it is given, and what it must return."""
    if kind == "values":
        answers = [each.values.tolist() for each in predict(exported, sources)]
        # What is not read may be NaN, which JSON does not have.
        return {
            "function": "predict",
            "sources": [np.nan_to_num(source).tolist() for source in sources],
            "answers": answers,
        }
    function, outputs = ("labels", label) if kind == "labels" else ("generate", generate)
    answers = outputs(exported, model.vocabularies, sources)
    return {"function": function, "sources": [*sources], "answers": answers}


def _readme(kind: str, name: str, format: str, inputs: Inputs | None, recorded: dict[str, Any], about: str) -> str:
    """How the package is used, then what is known of its model."""
    if kind == "values" and inputs is not None:
        what, use = "A trained model of real values.", f"{name}.predict([values])  # values: (time, columns)"
        columns = ", ".join(f"`{column}`" for column in inputs.columns)
        more = f"The columns of `values` are {columns}, in their own units. An output has `values` and `quantiles`."
        shell = [f"{name} new.csv", f"{name} < new.csv"]
    else:
        what = {"texts": "A trained model that writes a text for each text.", "labels": "A trained model of labels."}[
            kind
        ]
        example = next((source for source in recorded["sources"] if source), "")
        use = f"{name}.{recorded['function']}([{example!r}])"
        more = f"`{name}.predictions` also gives the probabilities."
        shell = [f"{name} {shlex.quote(example)}", f"{name} --file texts.txt", f"{name} < texts.txt > outputs.txt"]
    commands = "\n".join(f"$ {line}" for line in shell)
    return f"""# {name}

{what} It needs NumPy and {RUNTIMES[format].partition(">")[0]}, and neither Keras nor TensorFlow.

```python
import {name}

{use}
```

```console
$ pip install dist/{name}-1.0.0-py3-none-any.whl
{commands}
```

{more} `python -m pytest` in this folder tests that the model gives the answers that it gave when it was exported.
`pip wheel --no-deps .` makes the wheel again.

{about}
## Licence

The code of this package is licensed under Apache-2.0 (`LICENSE`). It is part of seq2seq_zoo, which exported the model.
Whoever trained the model decides under which licence its weights may be used, as the data permit.
"""


def _license() -> str:
    """The licence of this project, which is that of the code in a package."""
    files = importlib.metadata.distribution("seq2seq-zoo").files or ()
    return next(file.read_text() for file in files if file.name == "LICENSE")
