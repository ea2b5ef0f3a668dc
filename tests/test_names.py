"""The terms of the field: retired words come back neither in the names of the package nor in the prose of the docs."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import seq2seq_zoo

PACKAGE = Path(seq2seq_zoo.__file__).parent
ROOT = Path(__file__).parents[1]
MODULES = [pytest.param(path, id=str(path.relative_to(PACKAGE))) for path in sorted(PACKAGE.rglob("*.py"))]
PAGES = [pytest.param(path, id=path.name) for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))]

NAMES = {
    "looks?": "attend, attention",
    "told": "previous_targets, use_target, prefix or on_epoch",
    "(?<!teacher_)forced": "teacher_forced",
    "free(?!_running)": "free_running",
    "symbols?": "token",
    "hand_on": "project_feedback",
    "carries": "feeds_back_features",
    "fed_back": "feedback",
    "by_hand": "custom_gradient",
    "usual": "default, standard",
    "worth_it": "pays_off",
    "labeller": "EncoderOnly",
    "nothing": "NoEncoder",
    "compared": "ReadoutLossModel",
    "settle": "set_default_width",
    "read_forced": "training_outputs",
    "asks_for_xla": "use_xla",
    "steer": "apply_constraints",
    "said": "output, generated",
    "decided": "finished",
    "covers": "needs_attention",
    "remembers": "needs_history",
    "judged?(_by)?": "evaluate, monitorable_metrics",
    "foreseen": "predicted, teacher_forced_metrics",
}
"""What replaces each retired part of a name: of functions, classes, arguments, attributes and fields."""

FUNCTIONS = {"given": "a noun or a verb", "whole": "atomic_path"}
"""The same for whole names of functions."""

FOLDERS = {"layers/gradients": {"of_.*": "d_..."}, "layers/readouts": {"choose": "predict"}}
"""The same for functions in one folder."""

PROSE = {
    "symbols?": "token",
    "told": "given, reported; for teacher forcing, reads the target",
    "by hand": "custom gradient",
    "(?<!teacher-)forced pass": "teacher-forced pass",
    "free pass": "free-running pass",
    "free runs?": "free running",
}
"""What replaces each retired term in prose."""


def names(module: Path) -> Iterator[tuple[int, str, bool]]:
    """Every name that a module defines or uses as an attribute: its line, the name, and whether it is a function's."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name, isinstance(node, ast.FunctionDef)
        elif isinstance(node, ast.arg | ast.keyword) and node.arg:
            yield node.lineno, node.arg, False
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr, False
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.lineno, node.target.id, False


def replacements(name: str) -> list[str]:
    """What to use in place of the retired parts of a name."""
    snake_case = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return [instead for part, instead in NAMES.items() if re.search(rf"(?<![^_]){part}(?![^_])", snake_case)]


def retired(module: Path) -> Iterator[str]:
    functions = FUNCTIONS | FOLDERS.get(module.parent.relative_to(PACKAGE).as_posix(), {})
    for line, name, is_function in names(module):
        found = replacements(name)
        if is_function:
            found += [instead for pattern, instead in functions.items() if re.fullmatch(pattern, name)]
        for instead in found:
            yield f"{module.relative_to(PACKAGE.parent)}:{line}: `{name}`: use {instead}"


@pytest.mark.parametrize("module", MODULES)
def test_no_retired_names(module):
    assert not (found := sorted(set(retired(module)))), "\n".join(found)


def prose(page: Path) -> str:
    """A page whose code, equations and link targets are blank, with as many lines as before."""
    text = page.read_text(encoding="utf-8")
    for pattern in (r"^```.*?^```$", r"<!--.*?-->", r"`[^`\n]*`", r"\$\$.*?\$\$", r"\$[^$\n]*\$", r"\]\([^)\s]*\)"):
        text = re.sub(pattern, lambda match: "\n" * match[0].count("\n"), text, flags=re.MULTILINE | re.DOTALL)
    return text


@pytest.mark.parametrize("page", PAGES)
def test_no_retired_terms_in_prose(page):
    found = [
        f"{page.relative_to(ROOT)}:{number}: '{match[0]}': use {instead}"
        for number, line in enumerate(prose(page).splitlines(), start=1)
        for pattern, instead in PROSE.items()
        for match in re.finditer(rf"\b(?:{pattern})\b", line, re.IGNORECASE)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", ["looks_before", "_forced", "free", "Symbols", "Nothing", "judged_by"])
def test_a_name_with_a_retired_part_has_a_replacement(name):
    assert replacements(name)


@pytest.mark.parametrize("name", ["EmbeddingLookup", "_teacher_forced", "free_running", "symbolic"])
def test_a_word_that_contains_a_retired_one_is_allowed(name):
    assert not replacements(name)
