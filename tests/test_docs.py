"""README and docs are true: their examples run, their files and commands are valid, and their links have targets.

The blocks of a page run from top to bottom, in one namespace and one empty folder.

- `python` runs. A `text` block directly after it is what it prints.
- `python source="module:Class.name"` is a quotation from the package and must be verbatim.
- A block of any language with `title="name"` is a file: it is written, not run.
- `yaml` is a configuration or a suite, or some of its sections, and must be valid.
- Every `seq2seq-zoo` in `console` and `bash` must be a valid command. Quick commands run, and their output in a
  `console` block must be correct.

`python tests/test_docs.py` regenerates the tables of options.
"""

import contextlib
import doctest
import importlib
import inspect
import io
import os
import pkgutil
import re
import shlex
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

import seq2seq_zoo
from seq2seq_zoo.config.options import Option, options_of

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NOTES = [ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"]  # no examples, but links
MODULES = ["seq2seq_zoo", *(each.name for each in pkgutil.walk_packages(seq2seq_zoo.__path__, "seq2seq_zoo."))]

FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
QUICK = {"list", "init", "show", "schema"}


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    language: str
    text: str
    line: int
    title: str | None
    source: str | None


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    assert text.count("```") == 2 * len(FENCE.findall(text)), f"{page}: a fence is not closed or not at the margin"

    def attribute(name: str, info: str) -> str | None:
        found = re.search(rf'{name}="([^"]*)"', info)
        return found and found[1]

    return [
        Block(
            match[1],
            match[3],
            text.count("\n", 0, match.start()) + 1,
            attribute("title", match[2]),
            attribute("source", match[2]),
        )
        for match in FENCE.finditer(text)
    ]


def pages_with(*languages: str) -> list[Any]:
    return [pytest.param(page, id=page.name) for page in PAGES if {b.language for b in blocks(page)} & set(languages)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, on the path like an installed package. The registries contain only our own entries,
    and forget what a test registers."""
    from seq2seq_zoo.decoders import modes
    from seq2seq_zoo.decoding import searches
    from seq2seq_zoo.export import formats
    from seq2seq_zoo.layers.attention import attentions
    from seq2seq_zoo.layers.bridge import bridges
    from seq2seq_zoo.layers.cells import cells
    from seq2seq_zoo.layers.readouts.readout import readouts
    from seq2seq_zoo.layers.schedules import schedules
    from seq2seq_zoo.tasks import tasks

    for registry in (modes, formats, attentions, bridges, cells, readouts, schedules, searches, tasks):
        ours = {name: entry for name, entry in registry.items() if entry.__module__.startswith("seq2seq_zoo.")}
        monkeypatch.setattr(registry, "_entries", ours)
        monkeypatch.setattr(registry, "_entry_points_loaded", registry.group is None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


# === Examples ===


@pytest.mark.parametrize("page", pages_with("python", "console", "bash"))
def test_the_examples_of_a_page_run(page, folder):
    run(blocks(page), page, folder)
    if page.name == "extending.md":
        an_installed_package_adds_its_mode(folder)


def run(found: list[Block], page: Path, folder: Path) -> None:
    namespace: dict[str, Any] = {"__name__": f"examples_of_{page.stem.lower()}"}
    sys.modules[namespace["__name__"]] = type(sys)(namespace["__name__"])  # classes defined there know their module
    for block, following in zip(found, [*found[1:], None], strict=True):
        if block.title:
            write(folder / block.title, block.text)
        elif block.language == "python" and not block.source:
            printed = run_python(block, page, namespace)
            if following and following.language == "text":
                assert printed.rstrip() == following.text.rstrip(), f"{page}:{following.line}"
        elif block.language in ("console", "bash"):
            run_commands(block, page)


def run_python(block: Block, page: Path, namespace: dict[str, Any]) -> str:
    code = compile("\n" * block.line + block.text, str(page), "exec")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, namespace)
    return printed.getvalue()


def write(path: Path, text: str) -> None:
    """Write a file of a page. A pyproject.toml also gets the metadata that make its package an installed one."""
    path.write_text(text, encoding="utf-8")
    if path.name == "pyproject.toml":
        project = tomllib.loads(text)["project"]
        metadata = path.parent / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        metadata.mkdir()
        header = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        (metadata / "METADATA").write_text(header)
        groups = [
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
            for group, entries in project["entry-points"].items()
        ]
        (metadata / "entry_points.txt").write_text("\n".join(groups))


def an_installed_package_adds_its_mode(folder: Path) -> None:
    """After the examples, another process finds the registered mode through the entry point alone."""
    code = """
        from seq2seq_zoo.config import reader
        from seq2seq_zoo.experiment import factory
        from seq2seq_zoo import load
        print(reader.read("mean.yaml", factory.schema)["decoder"]["mode"], type(load("mean.keras").decoder).__name__)
    """
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["mean", "MeanDecoder"], done.stderr


def test_a_custom_mode_is_short():
    """A promise of docs/extending.md."""
    (mode,) = [block for block in blocks(ROOT / "docs" / "extending.md") if block.title == "mean_mode.py"]
    assert len(mode.text.splitlines()) < 25


@pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in PAGES])
def test_quotations_are_verbatim(page):
    for block in blocks(page):
        if block.source:
            quoted = pkgutil.resolve_name(block.source)
            if isinstance(quoted, property):
                quoted = quoted.fget
            assert block.text.rstrip() == textwrap.dedent(inspect.getsource(quoted)).rstrip(), f"{page}:{block.line}"


# === Commands ===


def commands(block: Block) -> Iterator[tuple[list[str], str]]:
    """The arguments of each `seq2seq-zoo` in a block, and its output in the block."""
    prompt = "$ " if block.language == "console" else ""
    found: list[tuple[str, list[str]]] = []
    for line in re.sub(r"\\\n\s*", "", block.text).splitlines():
        if line.startswith(prompt) and not line.startswith("#"):
            found.append((line.removeprefix(prompt), []))
        elif prompt and found:
            found[-1][1].append(line)
    for line, output in found:
        for part in line.split("&&"):
            part = re.split(r"[|<>]", part.split(" #")[0])[-1 if "|" in part else 0]
            words = shlex.split(part)
            if words and words[0] == "seq2seq-zoo":
                yield words[1:], "\n".join(output)


def run_commands(block: Block, page: Path) -> None:
    from typer.testing import CliRunner

    from seq2seq_zoo.cli import app

    for arguments, shown in commands(block):
        if arguments[0] in QUICK:
            done = CliRunner().invoke(app, arguments)
            assert done.exit_code == 0, f"{page}:{block.line}: {' '.join(arguments)}: {done.output}"
            if shown.strip():
                assert done.stdout.rstrip() == shown.rstrip(), f"{page}:{block.line}"


@pytest.mark.parametrize("page", pages_with("console", "bash"))
def test_every_command_is_valid(page, folder):
    import typer

    from seq2seq_zoo.cli import app

    group = typer.main.get_command(app)
    for block in blocks(page):
        if block.title:
            write(folder / block.title, block.text)
    for block in blocks(page):
        for arguments in [each for each, _ in commands(block)] if block.language in ("console", "bash") else []:
            with group.make_context("seq2seq-zoo", list(arguments), resilient_parsing=True) as context:
                assert arguments[0] in group.commands, f"{page}:{block.line}: no command {arguments[0]}"
                command = group.commands[arguments[0]]
                rest = [each for each in arguments[1:] if each != "--help"]
                command.make_context(arguments[0], rest, parent=context)


# === Configurations ===


BASE = {
    "task": {"name": "copy"},
    "encoder": {"units": 8},
    "decoder": {"mode": "basic", "units": 8},
}


@pytest.mark.parametrize("page", pages_with("yaml"))
def test_every_configuration_is_valid(page, folder):
    from seq2seq_zoo.benchmark.suite import read_suite
    from seq2seq_zoo.benchmark.tuning import SEARCH
    from seq2seq_zoo.config import reader
    from seq2seq_zoo.config.schema import Schema
    from seq2seq_zoo.config.space import resolve_space
    from seq2seq_zoo.experiment import factory

    importlib.import_module("seq2seq_zoo.decoders")
    for block in blocks(page):
        if block.title:
            write(folder / block.title, block.text)
    for block in [block for block in blocks(page) if block.language == "yaml"]:
        given = yaml.safe_load(block.text)
        path = folder / "block.yaml"
        if "questions" in given:
            path.write_text(block.text)
            read_suite(path, factory.schema, factory.modes, match=lambda configs: configs)
        elif "search" in given:
            path.write_text(block.text)
            resolve_space(reader.read(path, Schema({"search": SEARCH}))["search"], BASE, factory.schema)
        elif {"task", "encoder", "decoder"} <= set(given):
            path.write_text(block.text)
            reader.read(path, factory.schema)
        else:
            sections = {**BASE, **given}
            if "decoder" in given and "mode" not in given["decoder"]:
                sections["decoder"] = {**BASE["decoder"], **given["decoder"]}
            if "decoder" in given and "units" not in given["decoder"]:
                sections["decoder"] = {"units": 8, **sections["decoder"]}
            path.write_text(yaml.safe_dump(sections))
            reader.read(path, factory.schema)


# === Tables of options ===


def table(options: Mapping[str, Option]) -> str:
    def row(option: Option) -> str:
        default = "must be given" if option.required else f"`{config_value(option.default)}`"
        cells = [f"`{option.name}`", option.expected, default, option.description]
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

    header = ["| option | takes | default | meaning |", "| --- | --- | --- | --- |"]
    return "\n".join([*header, *map(row, options.values())])


def config_value(value: Any) -> str:
    return yaml.safe_dump(list(value) if isinstance(value, tuple) else value, default_flow_style=True).split("\n")[0]


def tables() -> dict[str, str]:
    """Every table of options, by the name in the marks of the pages."""
    from seq2seq_zoo.benchmark.studies import Tune
    from seq2seq_zoo.benchmark.suite import Plan, Published, Question, X
    from seq2seq_zoo.config.space import Range
    from seq2seq_zoo.decoding import Search, searches
    from seq2seq_zoo.experiment import factory
    from seq2seq_zoo.layers.readouts.readout import readouts
    from seq2seq_zoo.layers.readouts.real_values import RealValues
    from seq2seq_zoo.layers.schedules import schedules
    from seq2seq_zoo.tasks import tasks

    sections = factory.schema.sections
    by_mode = {name: sections["decoder"].options(name) for name in factory.modes}
    shared = by_mode["basic"]
    found = {
        **{key: table(sections[key].options) for key in ("encoder", "encoder_only", "pretrained", "training")},
        "decoder": table(shared),
        **{key: table({key: sections[key]}) for key in ("metrics", "seed")},
        "plan": table(options_of(Plan)),
        "question": table(options_of(Question)),
        "published": table(options_of(Published)),
        "x": table(options_of(X)),
        "tune": table(options_of(Tune)),
        "range": table(options_of(Range)),
        "models": models(),
    }
    found |= {
        f"decoder {name}": table({key: option for key, option in options.items() if key not in shared})
        for name, options in by_mode.items()
        if set(options) - set(shared)
    }
    found["search"] = table(options_of(Search))
    found |= {
        f"search {name}": table(
            {key: option for key, option in options_of(entry).items() if key not in options_of(Search)}
        )
        for name, entry in searches.items()
        if set(options_of(entry)) - set(options_of(Search))
    }
    values = {
        name: options_of(entry, exclude={"size", "mask_value"})
        for name, entry in readouts.items()
        if issubclass(entry, RealValues)
    }
    found |= {f"readout {name}": table(options) for name, options in values.items() if options}
    found |= {f"task {name}": table(options_of(entry)) for name, entry in tasks.items() if options_of(entry)}
    found |= {f"schedule {name}": table(options_of(entry)) for name, entry in schedules.items()}
    return found


def models() -> str:
    """The models that come with the package."""
    from seq2seq_zoo.experiment.card import about, scores
    from seq2seq_zoo.system.model_file import BEST, zoo

    lines = ["| model | what it does | right answers | megabytes |", "| --- | --- | --: | --: |"]
    for name, directory in zoo().items():
        size = (directory / BEST).stat().st_size / 1e6
        lines.append(f"| `{name}` | {about(directory)['title']} | {scores(directory)['exact_match']} | {size:.1f} |")
    return "\n".join(lines)


MARKED = re.compile(r"(<!-- options: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_tables(page: Path) -> str:
    made = tables()
    return MARKED.sub(lambda match: f"{match[1]}\n{made[match[2]]}\n\n{match[3]}", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in PAGES])
def test_the_tables_of_options_agree_with_the_signatures(page, folder):
    assert page.read_text(encoding="utf-8") == with_tables(page), "Run: python tests/test_docs.py"


def test_every_option_has_its_table(folder):
    marked = {match[2] for page in PAGES for match in MARKED.finditer(page.read_text(encoding="utf-8"))}
    assert marked == set(tables())


# === Links ===


@pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in [*PAGES, *NOTES]])
def test_every_link_has_a_target(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        other = (page.parent / name).resolve() if name else page
        assert other.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors(other), f"{page.name}: {target}"


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_index_links_to_every_page():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert not [page.name for page in PAGES[1:] if page.name != "index.md" and f"({page.name})" not in index]


def test_the_readme_has_one_place_for_its_measured_table():
    readme = PAGES[0].read_text(encoding="utf-8")
    assert readme.count("<!-- results:begin -->") == readme.count("<!-- results:end -->") == 1


@pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in PAGES])
def test_every_test_named_on_a_page_exists(page):
    for file, name in re.findall(r"`([\w/]+\.py)::(\w+)`", page.read_text(encoding="utf-8")):
        assert f"def {name}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), f"{page.name}: {file}::{name}"


# === Recorded results ===

RESULTS = re.compile(r"<!-- results:begin -->(.*?)<!-- results:end -->", re.DOTALL)
RECORDS = ROOT / "benchmarks" / "results"
SUITES = ("default", "default_copied", "tuned", "ablations", "ablations_attention")


@pytest.fixture(scope="module")
def recorded():
    """The rows of all tables made from the records of suites, and the tables that other scripts made from theirs."""
    from seq2seq_zoo.benchmark.records import read_results
    from seq2seq_zoo.benchmark.report import glance_table
    from seq2seq_zoo.benchmark.statistics import estimate

    suites = [glance_table(read_results(RECORDS / name)).markdown for name in SUITES]
    rows = "\n".join(suites).splitlines()
    whole = read_results(RECORDS / "whole")
    (question,) = whole.questions
    scores = [[100 * score for score in whole.scores(question, None, mode)] for mode in whole.modes]
    epochs = [[run["to_99"]["epochs"] for run in whole.runs(question["name"], None, mode)] for mode in whole.modes]
    for label, values, digits in (
        ("exact match on test, %, mean of three seeds", [estimate(each).value for each in scores], 2),
        ("the worst seed", [min(each) for each in scores], 2),
        ("epochs until 99 % on dev, mean", [estimate(each).value for each in epochs], 1),
    ):
        rows.append(f"| {label} | {' | '.join(f'{value:.{digits}f}' for value in values)} |")
    rows.append(f"| with ample data | {' | '.join(whole.modes)} |")
    for name in ("decoding", "pronunciation"):
        rows += (RECORDS / name / "tables.md").read_text(encoding="utf-8").splitlines()
    return rows


@pytest.mark.parametrize(
    "page", [pytest.param(page, id=page.name) for page in PAGES if RESULTS.search(page.read_text(encoding="utf-8"))]
)
def test_every_figure_between_the_marks_of_results_is_that_of_its_record(page, recorded):
    text = "".join(RESULTS.findall(page.read_text(encoding="utf-8")))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    rules = [row for row in rows if not row.strip("|-: ")]
    assert [row for row in rows if row not in recorded and row not in rules] == []
    if not rows:  # prose about the suites
        figures = re.findall(r"\d+\.\d+(?= %)", text)
        assert figures
        assert [figure for figure in figures if figure not in "".join(recorded)] == []


# === Docstrings ===


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name, folder):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert not failed


if __name__ == "__main__":
    for each in PAGES:
        each.write_text(with_tables(each), encoding="utf-8")
