"""The arrows between modules: the imports must agree with the table in docs/design.md."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import seq2seq_zoo

PACKAGE = Path(seq2seq_zoo.__file__).parent
DESIGN = Path(__file__).parents[1] / "docs" / "design.md"
MODULES = sorted(PACKAGE.rglob("*.py"))
BACKENDS = {"jax", "keras", "tensorflow", "torch"}
WITHOUT_BACKEND = ("config", "system", "metrics", "data", "runtime", "tasks")

Arrows = dict[str, tuple[set[str], set[str]]]


def imports(module: Path) -> tuple[set[str], set[str]]:
    """All imports of a module: dotted names of this package, and the names of other packages."""
    own, others = set(), set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: write the whole name, not a relative import"
            # `from seq2seq_zoo import config` names a module, `from seq2seq_zoo.config import read` does as well.
            names = [
                f"{node.module}.{each.name}" if node.module == "seq2seq_zoo" else node.module for each in node.names
            ]
        elif isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        else:
            continue
        for name in names:
            first, _, rest = name.partition(".")
            if first == "seq2seq_zoo":
                own.add(rest)
            elif first not in sys.stdlib_module_names:
                others.add(first)
    return own, others


def unit(dotted: str) -> str:
    """The row of the table to which a module belongs: the folder or file directly in the package."""
    return dotted.split(".")[0]


def unit_of(module: Path) -> str:
    first = module.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "seq2seq_zoo" if first == "__init__" else first


def imported() -> Arrows:
    arrows: Arrows = {}
    for module in MODULES:
        own, others = imports(module)
        here = arrows.setdefault(unit_of(module), (set(), set()))
        here[0].update({unit(name) for name in own} - {unit_of(module)})
        here[1].update(others)
    return arrows


def documented() -> Arrows:
    """The table of arrows in docs/design.md. A row has a unit, its imports from the package and those from outside."""
    text = DESIGN.read_text(encoding="utf-8")
    table = text.split("<!-- arrows:begin -->")[1].split("<!-- arrows:end -->")[0]
    rows = [line.split("|")[1:-1] for line in table.strip().splitlines()[2:]]
    cells = [[re.findall(r"`([^`]+)`", cell) for cell in row] for row in rows]
    return {name: (set(own), set(others)) for (name,), own, others in cells}


def test_the_imports_are_those_of_the_design_page():
    code, page = imported(), documented()
    wrong = [name for name in {**code, **page} if code.get(name) != page.get(name)]
    assert not wrong, {name: f"imports {code.get(name)}, documented {page.get(name)}" for name in wrong}


def test_every_arrow_points_down():
    below: set[str] = set()
    for name, (own, _) in documented().items():
        assert own <= below, f"{name} imports what comes after it: {own - below}"
        below.add(name)


def test_no_mode_imports_another():
    from seq2seq_zoo.decoders import modes

    names = {mode.__module__.removeprefix("seq2seq_zoo.") for mode in modes.values()}
    for module in (PACKAGE / "decoders").glob("[!_]*.py"):
        assert not names - {f"decoders.{module.stem}"} & imports(module)[0], module


def test_two_files_depend_on_the_backend():
    dependent = {(unit_of(module), module.stem) for module in MODULES if imports(module)[1] & (BACKENDS - {"keras"})}
    # The formats of `export` need TensorFlow, whichever backend runs.
    assert {each for each in dependent if each[0] != "export"} == {("layers", "scan"), ("layers", "backend")}


@pytest.mark.parametrize("name", WITHOUT_BACKEND)
def test_no_backend_below_the_layers(name):
    own, others = imported()[name]
    assert not others & BACKENDS
    assert own <= set(WITHOUT_BACKEND)


def test_one_concept_one_file():
    assert not [module for module in MODULES if module.stem in ("common", "helpers", "misc", "util", "utils")]


def test_every_folder_is_packaged():
    root = DESIGN.parents[1]
    packaged = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    folders = {".".join(each.parent.relative_to(root).parts) for each in (root / "seq2seq_zoo").rglob("__init__.py")}
    assert set(packaged) == folders | {"seq2seq_zoo.suites"}


def test_presets_and_suites_are_reachable():
    from seq2seq_zoo.cli.list import KINDS

    assert "digits_to_words" in KINDS["presets"]()
    assert "default" in KINDS["suites"]()


def test_the_imports_of_the_command_line_need_no_backend(tmp_path):
    names = "seq2seq_zoo, seq2seq_zoo.config.reader, seq2seq_zoo.tasks, seq2seq_zoo.metrics.texts, seq2seq_zoo.cli"
    names += ", seq2seq_zoo.cli.ray_parts, seq2seq_zoo.runtime.directory"  # which nodes of Ray import
    code = f"import sys, {names}; print(*sorted({BACKENDS!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
