"""What the site needs beside its theme. The pages stay as GitHub shows them; this is done to them on the way.

- A quotation (`python source="module:Class.name"`) gets its source as its title.
- Equations (`math` fences, `$...$`, and both dollar and backtick) become MathML, which browsers draw by themselves.
- Links to files that are not part of the site lead to the repository.
- CHANGELOG.md and CONTRIBUTING.md, which stand beside docs/, are pages.
- The first page has, in place of a picture, the page of `seq2seq-zoo play` itself.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from markdown import Markdown
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from seq2seq_zoo.cli.page import write_page
from seq2seq_zoo.cli.play import PLAYED
from seq2seq_zoo.system.model_file import located

ROOT = Path(__file__).parents[2]
REPOSITORY = "https://github.com/seq2seq-zoo/seq2seq_zoo"
PAGES = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
"""Pages that stand elsewhere in the repository, and where the site has them."""
PLAY = re.compile(r"<!-- play -->\n.*?<!-- end -->\n", re.DOTALL)
PLAYING = """\
<iframe id="play" src="play/" title="Four models side by side, step by step"></iframe>
<script>
  // As high as its content, whatever that becomes.
  document.getElementById("play").addEventListener("load", ({ target }) => {
    const content = target.contentDocument.querySelector("main");
    new ResizeObserver(() => (target.style.height = `${content.offsetHeight}px`)).observe(content);
  });
</script>

Everything runs in your browser, <a href="play/">also on a page of its own</a>, or on your machine: `seq2seq-zoo play`
([the zoo](zoo.md#play)).
"""
"""What the first page has in place of a picture."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the equations to what Markdown knows."""
    config.markdown_extensions.append(Equations())
    fences = config.mdx_configs.setdefault("pymdownx.superfences", {})
    fences["custom_fences"] = [{"name": "math", "class": "math", "format": block_equation}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that stand elsewhere."""
    for name, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Give quotations their title, links their target, and the first page the whole width."""
    if PLAY.search(markdown):
        markdown = PLAY.sub(PLAYING, markdown)
        page.meta["hide"] = ["navigation", "toc"]
    markdown = re.sub(r'^```(\w+) source="([^"]*)"', r'```\1 title="\2"', markdown, flags=re.MULTILINE)
    here = page.file.src_uri
    original = next((name for name, each in PAGES.items() if each == here), f"docs/{here}")

    def target(link: re.Match[str]) -> str:
        path, mark, anchor = link[1].partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(original), path))
        inside = PAGES.get(path, path if path.startswith("docs/_site/") else path.removeprefix("docs/"))
        if inside != path:
            return posixpath.relpath(inside, posixpath.dirname(here) or ".") + mark + anchor
        return f"{REPOSITORY}/{'tree' if (ROOT / path).is_dir() else 'blob'}/main/{path}{mark}{anchor}"

    return re.sub(r"(?<=\]\()(?![a-z]+:|#)([^)\s]+)", target, markdown)


def on_post_build(config: MkDocsConfig) -> None:
    """Write the page that the first page shows."""
    write_page([located(name) for name in PLAYED], Path(config.site_dir, "play"))


# === Equations ===


def mathml(equation: str, display: str) -> str:
    """An equation as MathML. What is `aligned` on GitHub is an `align*` to the converter."""
    return convert(equation.strip().replace("{aligned}", "{align*}"), display=display)


def block_equation(source: str, *_: Any, **__: Any) -> str:
    """What a `math` fence becomes."""
    return f'<div class="math">{mathml(source, "block")}</div>'


class InlineEquation(InlineProcessor):
    """An equation within a line."""

    def handleMatch(self, m: re.Match[str], data: str) -> Any:
        """Called by Markdown for each match of the pattern."""
        return self.md.htmlStash.store(mathml(m[1], "inline")), m.start(0), m.end(0)


class Equations(Extension):
    """Equations within lines: with backticks before code is looked for, without them after it."""

    def extendMarkdown(self, md: Markdown) -> None:
        """Called by Markdown when it loads its extensions."""
        md.inlinePatterns.register(InlineEquation(r"\$`([^`]+)`\$", md), "equation", 195)
        plain = r"(?<![\w\\$])\$(?![\s$])([^$\n]+?)(?<!\s)\$(?![\w$])"
        md.inlinePatterns.register(InlineEquation(plain, md), "plain equation", 185)
