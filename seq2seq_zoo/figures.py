"""Figures: their style and file formats, the colours of modes, fonts for any token, trajectories, and attention maps.

Figures use DejaVu Sans, which comes with matplotlib. A character that it lacks is drawn in an installed font that has
it. If there is none, its code point is written instead.
"""

import functools
import io
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec

import matplotlib
import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure
from matplotlib.font_manager import FontEntry, FontProperties, findfont, findSystemFonts, fontManager, get_font
from matplotlib.font_manager import weight_dict as WEIGHTS

WIDTH = 5.0  # inches: as wide as a phone's screen, where letters of 10 points then keep their size
FEATURES = 6  # the greatest number of real-valued features in one figure
BLUE = "#0072B2"
INK = "#24292f"  # the colour of everything but the data; in HTML, the page's text colour replaces it
FONT = "DejaVu Sans"  # comes with matplotlib, so that figures look the same everywhere
STYLE: dict[Any, Any] = {
    "font.family": FONT,
    "font.size": 10,
    "text.parse_math": False,  # a token may be a dollar sign
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": INK,
    "grid.alpha": 0.15,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.5,
    "svg.fonttype": "path",
    "svg.hashsalt": "seq2seq_zoo",  # the same figure gives the same file
}
# The options of each file format: no date and no version, so that the same figure gives the same file.
FORMATS: dict[str, dict[str, Any]] = {
    "png": {"dpi": 200, "metadata": {"Software": None}},
    "svg": {"metadata": {"Date": None, "Creator": None}},
    "pdf": {"metadata": {"CreationDate": None}},
}

Arguments = ParamSpec("Arguments")


def styled(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Decorate a function so that it draws in this module's style, whatever the user's matplotlib settings.

    Example:

    >>> @styled
    ... def a_line():
    ...     figure = Figure()
    ...     figure.add_subplot().plot([1, 2])
    ...     return figure
    """

    @functools.wraps(draw)
    def drawn(*arguments: Arguments.args, **options: Arguments.kwargs) -> Figure:
        with matplotlib.rc_context(STYLE):
            return draw(*arguments, **options)

    return drawn


def image(figure: Figure, format: str = "png", transparent: bool = False) -> bytes:
    """The bytes of an image file of a figure.

    Args:
        figure: the figure.
        format: `png`, `svg` or `pdf`.
        transparent: whether the background is transparent instead of white.

    Raises:
        ValueError: the format is unknown.

    Example:

    >>> image(attention_map(["a", "b"], ["c"], [[0.2, 0.8]]))[:4]
    b'\\x89PNG'
    """
    if format not in FORMATS:
        raise ValueError(f"Expected one of the formats {', '.join(FORMATS)}, got {format!r}.")
    background: dict[str, Any] = {"transparent": True} if transparent else {"facecolor": "white"}
    file = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(file, format=format, **FORMATS[format], **background)
    return file.getvalue()


# === Modes ===


@dataclass(frozen=True)
class Style:
    """The colour and marker of a mode.

    Args:
        color: a colour of the colour-blind-safe palette of Okabe and Ito.
        marker: the marker, by its name in matplotlib.
        glyph: the same marker as a character.
    """

    color: str
    marker: str
    glyph: str


OURS = {
    "basic": Style("#E69F00", "s", "■"),
    "feedback": Style("#009E73", "^", "▲"),
    "peek": Style("#CC79A7", "D", "◆"),
    "attention": Style("#0072B2", "o", "●"),
}
FURTHER = [
    Style(color, marker, glyph)
    for marker, glyph in (("v", "▼"), ("P", "✚"), ("X", "✖"), ("*", "★"), ("<", "◀"), (">", "▶"))
    for color in ("#D55E00", "#56B4E9", "#999999")
]


def styles(modes: Iterable[str]) -> dict[str, Style]:
    """The colour and marker of each mode: fixed for our four, derived from the name for all others.

    Example:

    >>> styles(["peek", "my_mode"])["peek"].color
    '#CC79A7'
    """
    modes = list(modes)
    chosen = {mode: OURS[mode] for mode in modes if mode in OURS}
    for mode in sorted(set(modes) - set(OURS)):
        start = zlib.crc32(mode.encode()) % len(FURTHER)
        rotated = FURTHER[start:] + FURTHER[:start]
        colors = {style.color for style in chosen.values()}
        free = [style for style in rotated if style not in chosen.values()]
        # A colour of its own if one is left, else a marker of its own.
        chosen[mode] = next((style for style in free if style.color not in colors), (free or rotated)[0])
    return chosen


# === Tokens ===

# The font family that draws each character, "" if none does. A cache: a search through all fonts may take seconds.
_families: dict[str, str] = {}


def printable(token: str) -> str:
    """A token as it is shown in figures: characters that no font draws, or that are invisible, as code points.

    Example:

    >>> printable("é"), printable(" "), printable("\\t"), printable("")
    ('é', '␣', 'U+0009', '∅')
    """
    if not token:
        return "∅"
    found = _find([token])
    visible = any(map(_visible, token))
    return "".join(
        "␣" if character == " " else character if found[character] and visible else f"U+{ord(character):04X}"
        for character in token
    )


def families(texts: Iterable[str]) -> list[str]:
    """The font families that draw texts, for matplotlib's `fontfamily`, which takes the first that has a character.

    Example:

    >>> families(["a", "é"])
    ['DejaVu Sans']
    """
    return list(dict.fromkeys([FONT, *filter(None, _find(texts).values())]))


def undrawable(texts: Iterable[str]) -> str:
    """The distinct characters of texts that no installed font can draw.

    Example:

    >>> undrawable(["a", "é", "\\t"])
    ''
    """
    return "".join(character for character, family in _find(texts).items() if not family and _visible(character))


def _visible(character: str) -> bool:
    """Whether a character has a shape: control, format, separator, surrogate and private-use characters have none."""
    category = unicodedata.category(character)
    return category[0] not in "CZ" or category == "Cn"  # unassigned here, but a font may be newer than this Python


def _find(texts: Iterable[str]) -> dict[str, str]:
    """The font family of each distinct character, in the order of the texts; "" if no font draws it."""
    characters = dict.fromkeys("".join(texts))
    if new := characters.keys() - _families.keys():
        common = _charmap()
        found = {character: FONT if ord(character) in common else "" for character in new}
        missing = {character for character in new if not found[character] and _visible(character)}
        for family, path in _fonts() if missing else ():
            # A family may have several files. `findfont` returns the one that matplotlib will draw with.
            if _drawn(path, missing) and (drawn := _drawn(findfont(FontProperties(family=[family])), missing)):
                found.update(dict.fromkeys(drawn, family))
                missing -= drawn
                if not missing:
                    break
        _families.update(found)
    return {character: _families[character] for character in characters}


@functools.cache
def _charmap() -> frozenset[int]:
    return frozenset(get_font(findfont(FONT)).get_charmap())


def _drawn(path: str, characters: set[str]) -> set[str]:
    """The characters that a font file draws."""
    try:
        font = get_font(path)
        charmap = font.get_charmap()
        # Colour fonts, such as those of emoji, have no outlines, and matplotlib would draw nothing.
        return {each for each in characters if ord(each) in charmap and font.load_char(ord(each)).width}
    except (OSError, RuntimeError):  # the file is gone, or FreeType cannot read it
        return set()


def _fonts() -> Iterator[tuple[str, str]]:
    """Font families and a file of each: those that matplotlib lists, then those installed since it made the list."""
    known = list(fontManager.ttflist)
    yield from _best(known)
    for path in sorted(set(findSystemFonts()) - {entry.fname for entry in known}):
        try:
            fontManager.addfont(path)
        except Exception:  # a broken font may raise anything; matplotlib catches it in the same way
            continue
    yield from _best(fontManager.ttflist[len(known) :])


def _best(entries: list[FontEntry]) -> Iterator[tuple[str, str]]:
    """Each font family once, with its plainest font; plain families first."""

    def fanciness(entry: FontEntry) -> tuple[Any, ...]:
        weight = WEIGHTS.get(entry.weight, 400) if isinstance(entry.weight, str) else entry.weight
        shape = (entry.style, entry.variant, entry.stretch)
        # Of a font with regional variants of Chinese characters, the simplified ones first.
        regional = not entry.name.endswith(" SC")
        return (
            shape != ("normal", "normal", "normal"),
            abs(weight - 400),
            "Sans" not in entry.name,
            regional,
            entry.name,
        )

    best: dict[str, str] = {}
    for entry in sorted(entries, key=fanciness):
        # A last-resort font draws a box for every character.
        if "lastresort" not in entry.name.replace(" ", "").lower():
            best.setdefault(entry.name, entry.fname)
    yield from best.items()


# === Real values ===


@styled
def trajectories(
    names: Sequence[str],
    targets: Sequence[np.ndarray],
    outputs: Sequence[np.ndarray],
    pasts: Sequence[np.ndarray | None],
    quantiles: Sequence[Sequence[np.ndarray]],
) -> Figure:
    """Targets and outputs over time: one column of axes for each row, with one axes for each feature.

    Args:
        names: the names of the features; the first `FEATURES` are drawn.
        targets: the target values of each row, `(time, features)`.
        outputs: the predicted values of each row, `(time, features)`.
        pasts: the history before each target, `(time, features)`, or `None`.
        quantiles: the predicted quantiles of each row, `(time, features)` each; their range is shaded.

    Example:

    >>> line = np.arange(5.0)[:, None]
    >>> figure = trajectories(["height"], [line, line], [line + 1, line - 1], [None, line], [[], [line, line + 2]])
    >>> len(figure.axes), figure.axes[0].get_ylabel()
    (2, 'height')
    """
    names = names[:FEATURES]
    figure = Figure(figsize=(3 * len(targets), 0.6 + 1.5 * len(names)), layout="constrained")
    grid = figure.subplots(len(names), len(targets), squeeze=False, sharex="col", sharey="row")
    for column, target, output, past, levels in zip(grid.T, targets, outputs, pasts, quantiles, strict=True):
        time = np.arange(len(target))
        for feature, axes in enumerate(column):
            if past is not None:
                axes.plot(np.arange(-len(past), 0), past[:, feature], color=INK, linewidth=1, alpha=0.5)
            axes.plot(time, target[:, feature], color=INK, linewidth=1.2, label="target")
            axes.plot(time, output[:, feature], color=BLUE, linewidth=1.2, label="output")
            if levels:
                low, high = (each(levels, axis=0)[:, feature] for each in (np.min, np.max))
                axes.fill_between(time, low, high, color=BLUE, alpha=0.2, linewidth=0, label="quantiles")
        column[-1].set_xlabel("step")
    for axes, name in zip(grid[:, 0], names, strict=True):
        axes.set_ylabel(_short(name), fontfamily=families([name]))
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=3)
    return figure


# === Attention ===


@styled
def attention_map(source: Sequence[str], output: Sequence[str], weights: Any) -> Figure:
    """Attention weights as a heatmap: a column for each source token, a row for each output token.

    Args:
        source: the tokens of the source.
        output: the tokens of the output. To give the end a row, append a name for it.
        weights: the attention weights, from 0 to 1, of shape `(len(output), len(source))`.

    Returns:
        A figure of square cells. It is at most `WIDTH` wide unless the tokens would then be too small to read.

    Raises:
        ValueError: the shape of `weights` is wrong.

    Example:

    >>> figure = attention_map(["a", "b"], ["b", "a", "end"], [[0, 1], [1, 0], [0.5, 0.5]])
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['b', 'a', 'end']
    """
    weights, shape = np.asarray(weights, float), (len(output), len(source))
    if weights.shape != shape and (weights.size or 0 not in shape):
        raise ValueError(f"Expected weights of shape {shape}, a row for each output token, got {weights.shape}.")
    fonts = families([*source, *output])
    columns, rows = ([_short(printable(token)) for token in tokens] for tokens in (source, output))
    across, down = (max(map(_letters, tokens), default=0) for tokens in (columns, rows))
    # All sizes are in inches. At 10 points, a letter is about 0.085 wide; 1.3 is for axis labels and colour bar.
    # Letters of 5 points need cells of 0.08. A figure of more than 50 inches would be too large an image.
    cell = max(0.08, min(0.34, (WIDTH - 1.3 - 0.06 * down) / max(1, len(columns))))
    widest = WIDTH if cell > 0.08 else 50.0
    cell = min(cell, 50 / max(1, *shape))
    size = max(5.0, min(10.0, 50 * cell))
    letter = 0.0085 * size
    upright = max(map(len, columns), default=0) <= 2 and cell > 0.2 and letter * across <= cell
    width = cell * len(columns) + letter * down + 1.3
    height = cell * len(rows) + (0.2 if upright else letter * across) + 0.5
    figure = Figure(figsize=(min(widest, max(2.0, width)), max(1.6, height)), layout="compressed")
    axes = figure.add_subplot()
    # From transparent to the blue of the attention mode: readable on light and on dark pages.
    shades = LinearSegmentedColormap.from_list("weight", [to_rgba(BLUE, 0.0), to_rgba(BLUE, 1.0)])
    cells = (
        weights if weights.size else np.zeros([max(1, tokens) for tokens in shape])
    )  # an image needs at least one cell
    shown = axes.imshow(cells, cmap=shades, vmin=0, vmax=1, aspect="equal", interpolation="nearest")
    axes.set_xticks(range(len(columns)), columns, fontsize=size, fontfamily=fonts, rotation=0 if upright else 90)
    axes.set_yticks(range(len(rows)), rows, fontsize=size, fontfamily=fonts)
    axes.set_xlabel("source")
    axes.set_ylabel("output")
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(True)
    axes.spines[:].set_alpha(0.4)
    bar = figure.colorbar(shown, ax=axes, fraction=0.05, aspect=20, pad=0.03, ticks=[0, 0.5, 1])
    # A centred label that is longer than the colour bar would stick out of the figure.
    bar.set_label("attention weight", fontsize=9, loc="center" if cell * len(rows) > 1.1 else "top")
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_alpha(0.4)
    return figure


def _letters(text: str) -> float:
    """The width of a text in Latin letters."""
    return sum(
        0 if unicodedata.combining(character) else 1.65 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def _short(text: str) -> str:
    """A text, shortened so that it leaves room for the map."""
    return text if len(text) <= 24 else f"{text[:23]}…"
