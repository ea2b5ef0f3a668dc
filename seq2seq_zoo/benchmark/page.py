"""Pieces of a page, each as GitHub Markdown and as HTML. All escaping happens here."""

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from matplotlib.figure import Figure
from rapidfuzz.distance import Levenshtein

from seq2seq_zoo.benchmark import plots
from seq2seq_zoo.figures import WIDTH, Style


@dataclass(frozen=True)
class Piece:
    """A part of a page.

    Args:
        markdown: the source for the Markdown page.
        html: the source for the HTML page.
        files: the contents of the files that the Markdown page needs, by path.
    """

    markdown: str
    html: str
    files: dict[str, bytes] = field(default_factory=dict)


Inline = str | Piece


def plain(text: Inline) -> Piece:
    """Text, escaped for both languages. A piece is returned unchanged.

    Example:

    >>> plain("a*b <script>").markdown, plain("a*b <script>").html
    ('a\\\\*b \\\\<script>', 'a*b &lt;script&gt;')
    """
    if isinstance(text, Piece):
        return text
    escaped = re.sub(r"([\\`*\[\]<|~]|(?<!\w)_|_(?!\w))", r"\\\1", " ".join(text.split()))
    return Piece(escaped, html.escape(text))


def _line(text: str) -> str:
    """Markdown at the start of a line, where more characters must be escaped."""
    return re.sub(r"^(\d*)([>#+.)-])", r"\1\\\2", text)


# === Within a line ===


def strong(text: Inline) -> Piece:
    """Emphasised text."""
    inner = plain(text)
    return Piece(f"**{inner.markdown}**", f"<strong>{inner.html}</strong>")


def mode(name: str, style: Style) -> Piece:
    """The name of a mode; in HTML with its marker of the figures."""
    inner = plain(name)
    marker = f'<i style="color:{style.color}">{style.glyph}</i>'
    return Piece(inner.markdown, f'<span class="mode">{marker} {inner.html}</span>')


def detailed(value: Inline, *details: str) -> Piece:
    """A number with details in small print; empty details are left out."""
    inner, shown = plain(value), [detail for detail in details if detail]
    small = f" <sub>{plain(' '.join(shown)).markdown}</sub>" if shown else ""
    return Piece(inner.markdown + small, inner.html + "".join(f"<small>{html.escape(s)}</small>" for s in shown))


def tokens(text: Sequence[str]) -> Piece:
    """The tokens of a text."""
    shown = " ".join(map(_visible, text)) or "∅"
    return Piece(_verbatim(shown), f'<span class="tokens">{html.escape(shown)}</span>')


def difference(reference: Sequence[str], output: Sequence[str]) -> Piece:
    """An output aligned with its reference, token by token. Errors are marked by shape, not by colour alone.

    Example:

    >>> difference(["six", "hundred", "and", "one"], ["six", "hundred", "two"]).markdown
    '✗ `six hundred [-and-]{+two+} [-one-]`'
    """
    # Tokens as numbers: rapidfuzz treats a character and its code point as equal.
    ids = {token: i for i, token in enumerate(sorted({*reference, *output}))}
    marked, tagged = [], []
    for step in Levenshtein.opcodes([ids[s] for s in reference], [ids[s] for s in output]):
        expected = [_visible(s) for s in reference[step.src_start : step.src_end]]
        found = [_visible(s) for s in output[step.dest_start : step.dest_end]]
        if step.tag == "equal":
            marked += found
            tagged += [html.escape(s) for s in found]
            continue
        missing, extra = [f"[-{s}-]" for s in expected], [f"{{+{s}+}}" for s in found]
        struck = [f"<del>{html.escape(s)}</del>" for s in expected]
        added = [f"<ins>{html.escape(s)}</ins>" for s in found]
        paired = step.tag == "replace"
        marked += [a + b for a, b in zip(missing, extra, strict=True)] if paired else missing + extra
        tagged += [f"{a}\N{THIN SPACE}{b}" for a, b in zip(struck, added, strict=True)] if paired else struck + added
    mark, kind = ("✓", "right") if list(reference) == list(output) else ("✗", "wrong")
    return Piece(
        f"{mark} {_verbatim(' '.join(marked) or '∅')}",
        f'<b class="{kind}">{mark}</b> <span class="tokens">{" ".join(tagged) or "∅"}</span>',
    )


def _visible(token: str) -> str:
    return re.sub(r"\s", "␣", token) or "∅"


def _verbatim(text: str) -> str:
    """Inline code, with backticks and the bars of tables escaped."""
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", "\\|")


# === On lines of their own ===


def heading(level: int, text: str) -> Piece:
    """A heading. `contents` links to headings of the second level."""
    inner = plain(text)
    anchor = f' id="{_anchor(text)}"' if level == 2 else ""
    return Piece(f"{'#' * level} {inner.markdown}", f"<h{level}{anchor}>{inner.html}</h{level}>")


def contents(titles: Iterable[str]) -> Piece:
    """Links to the headings of the second level, in HTML only: GitHub adds its own."""
    links = "".join(f'<a href="#{_anchor(title)}">{html.escape(title)}</a>' for title in titles)
    return Piece("", f"<nav>{links}</nav>")


def _anchor(title: str) -> str:
    return re.sub(r"\W+", "-", title.lower()).strip("-")


def paragraph(text: Inline, small: bool = False) -> Piece:
    """A paragraph, in normal or small print."""
    inner = plain(text)
    return Piece(_line(inner.markdown), f'<p class="small">{inner.html}</p>' if small else f"<p>{inner.html}</p>")


def marks() -> Piece:
    """The legend of `difference`."""
    substitution = "for a substitution."
    markdown = f"Marks: `[-missing-]`, `{{+extra+}}`, and `[-expected-]{{+generated+}}` {substitution}"
    tagged = (
        "Marks: <del>missing</del>, <ins>extra</ins>, and <del>expected</del>\N{THIN SPACE}<ins>generated</ins> "
        f"{substitution}"
    )
    return paragraph(Piece(markdown, tagged), small=True)


def bullets(items: Iterable[str]) -> Piece:
    """A list."""
    inner = [plain(item) for item in items]
    listed = "".join(f"<li>{item.html}</li>" for item in inner)
    return Piece("\n".join(f"- {_line(item.markdown)}" for item in inner), f"<ul>{listed}</ul>")


def code(text: str) -> Piece:
    """A shell command."""
    return Piece(f"```sh\n{text}\n```", f"<pre>{html.escape(text)}</pre>")


def table(header: Sequence[Inline], rows: Sequence[Sequence[Inline]], wordy: bool = False) -> Piece:
    """A table whose first column names its rows. A table that is wider than the screen scrolls by itself.

    Args:
        header: the header row; HTML has none if all its cells are empty.
        rows: the rows; a row of one cell is a title for the rows below it.
        wordy: whether the cells hold text, which wraps, instead of numbers.
    """
    head, *body = ([plain(cell) for cell in row] for row in (header, *rows))
    rule = " | ".join(["---", *(["---" if wordy else "--:"] * (len(head) - 1))])
    lines = [" | ".join([*(cell.markdown for cell in row), *[""] * (len(head) - len(row))]) for row in (head, *body)]

    def html_row(row: list[Piece]) -> str:
        if len(row) == 1:
            return f'<tr class="title"><th colspan="{len(head)}">{row[0].html}</th></tr>'
        return f'<tr><th scope="row">{row[0].html}</th>{"".join(f"<td>{cell.html}</td>" for cell in row[1:])}</tr>'

    first = "".join(f"<th>{cell.html}</th>" for cell in head)
    first = f"<thead><tr>{first}</tr></thead>" if any(header) else ""
    kind = "words" if wordy else "numbers"
    return Piece(
        "\n".join(f"| {line} |" for line in (lines[0], rule, *lines[1:])),
        f'<div class="scroll"><table class="{kind}">{first}<tbody>{"".join(map(html_row, body))}</tbody></table></div>',
    )


def picture(name: str, figure: Figure, caption: str, alt: str) -> Piece:
    """A figure: a PNG file for the Markdown page, inline SVG in the HTML page.

    Args:
        name: the name of the file, without folder and suffix.
        figure: the figure.
        caption: the text below the figure.
        alt: the text in place of the figure, for readers who cannot see it.
    """
    name = re.sub(r"[^\w-]+", "_", name)
    path, below, alternative = f"figures/{name}.png", plain(caption), plain(alt)
    png, svg = plots.render(figure)
    # All figures of a page share one namespace of ids. Small figures have letters of the same size as large ones.
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    share = min(1.0, figure.get_figwidth() / WIDTH)
    width = f"width:{100 * share:.0f}%;max-width:{40 * share:.1f}rem"
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{alternative.html}" style="{width}"', 1)
    return Piece(
        f"![{alternative.markdown}]({path})\n\n{below.markdown}",
        f"<figure>{svg}<figcaption>{below.html}</figcaption></figure>",
        {path: png},
    )


def fold(title: str, *pieces: Piece) -> Piece:
    """Pieces that are hidden until their title is clicked."""
    head = f"<details><summary>{html.escape(title)}</summary>"
    return Piece(
        "\n\n".join([head, *(piece.markdown for piece in pieces), "</details>"]),
        f"{head}{''.join(piece.html for piece in pieces)}</details>",
        {path: content for piece in pieces for path, content in piece.files.items()},
    )


def page(title: str, pieces: Sequence[Piece]) -> Piece:
    """All pieces as a whole Markdown page and a whole HTML page, and the files that they need."""
    return Piece(
        "\n\n".join(piece.markdown for piece in pieces if piece.markdown) + "\n",
        PAGE.substitute(title=html.escape(title), style=STYLE, body="\n".join(piece.html for piece in pieces)),
        {path: content for piece in pieces for path, content in piece.files.items()},
    )


STYLE = Path(__file__).with_name("page.css").read_text(encoding="utf-8")

PAGE = Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
$style</style>
</head>
<body>
<main>
$body
</main>
</body>
</html>
""")
