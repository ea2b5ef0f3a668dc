"""Draws docs/images/MODE.svg: three unrolled steps of each mode, what they read in the mode's colour.

`python docs/_site/draw_modes.py` writes them anew. Everything else is drawn alike, so that only what differs differs.
"""

from pathlib import Path

from seq2seq_zoo.figures import OURS

IMAGES = Path(__file__).parents[1] / "images"
WIDTH, EDGE = 484, 16
INDEX = "₁₂₃"
SOURCE, OUTPUT = ("4", "0", "7"), ("four", "hundred", "and")
WEIGHTS = ((0.9, 0.06, 0.04), (0.8, 0.12, 0.08), (0.1, 0.6, 0.3))  # a step's attention weights

ENCODER, DECODER = (22, 66, 110), (202, 318, 434)  # centres of the columns
TOP, MIDDLE, LAST, CONTEXT, BUS = 38, 112, 184, 222, 266  # of the rows: output, state, last output, source, its line
READS = {
    "basic": ("c at every step, never its own output", False, "c"),
    "feedback": ("its own last output; the source only at the start", True, None),
    "peek": ("its own last output, and c at every step", True, "c"),
    "attention": ("its own last output, and attends to H", True, "H"),
}

STYLE = """
text{{font:14px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;text-anchor:middle;fill:#24292f}}
.small{{font-size:12px;fill:#59636e}}.word{{font-size:13px}}
.box{{fill:#59636e;fill-opacity:.08;stroke:#59636e;stroke-width:1.2}}
.line{{fill:none;stroke:#59636e;stroke-width:1.4}}
.read{{fill:{color};fill-opacity:.2;stroke:{color};stroke-width:1.6}}
.way{{fill:none;stroke:{color};stroke-width:2.2;stroke-linejoin:round}}
.ask{{stroke-dasharray:4 3}}
.group{{fill:none;stroke:#59636e;stroke-width:1;stroke-dasharray:2 3}}
.tip{{fill:#59636e}}.end{{fill:{color}}}
@media(prefers-color-scheme:dark){{text{{fill:#e6edf3}}.small{{fill:#9da7b3}}.box,.line,.group{{stroke:#9da7b3}}
.box,.tip{{fill:#9da7b3}}}}
"""


def box(x: float, y: float, width: float, height: float, text: str = "", kind: str = "box", round_: float = 6) -> str:
    """A box around its centre, and what it says."""
    shape = f'<rect class="{kind}" x="{x - width / 2:g}" y="{y - height / 2:g}" width="{width}" height="{height}"'
    words = f'<text class="{"word" if round_ > 6 else "name"}" x="{x}" y="{y + 5:g}">{text}</text>' if text else ""
    return f'{shape} rx="{round_:g}"/>{words}'


def way(path: str, kind: str = "way", tip: bool = True) -> str:
    """A line, with a tip if it leads into something."""
    marker = f' marker-end="url(#{"tip" if kind == "line" else "end"})"' if tip else ""
    return f'<path class="{kind}" d="{path}"{marker}/>'


def drawing(mode: str) -> str:
    """A mode's drawing, as SVG."""
    reads, feeds_back, source = READS[mode]
    parts = []
    # The encoder, and the way of its last states into the decoder's first.
    for place, (x, token) in enumerate(zip(ENCODER, SOURCE, strict=True)):
        seen = source == "H" or (source == "c" and place == 2)
        parts.append(box(x, MIDDLE, 32, 32, f"H{INDEX[place]}", "read" if seen else "box"))
        parts.append(f'<text x="{x}" y="{LAST + 5}">{token}</text>')
        parts.append(way(f"M{x} {LAST - 12}V{MIDDLE + 21}", "line"))
        if place:
            parts.append(way(f"M{x - 28} {MIDDLE}h8", "line"))
    start = "way" if mode == "feedback" else "line"
    parts.append(way(f"M{ENCODER[-1] + 16} {MIDDLE}H{DECODER[0] - 28}", start))
    parts.append(f'<text class="small" x="{ENCODER[1]}" y="{MIDDLE - 26}">encoder</text>')
    parts.append(f'<text class="small" x="{ENCODER[-1] + 40}" y="{MIDDLE - 8}">bridge</text>')
    # The source, at every step.
    if source:
        left = ENCODER[2] + 11  # beside the arrow of the last symbol
        taps = [x + 11 for x in ENCODER] if source == "H" else [left]
        parts += [way(f"M{x} {MIDDLE + 17}V{BUS}", tip=False) for x in taps]
        parts.append(way(f"M{taps[0]} {BUS}H{DECODER[-1]}", tip=False))
        parts.append(f'<text class="small" x="{left + 22}" y="{BUS - 7}">{source}</text>')
    for step, (x, word) in enumerate(zip(DECODER, OUTPUT, strict=True)):
        parts.append(box(x, (LAST + CONTEXT) / 2, 72, 76, kind="group", round_=8))
        parts.append(way(f"M{x} {LAST - 19}V{MIDDLE + 21}", "line"))
        parts.append(f'<text class="small" x="{x + 14}" y="{LAST - 26}">x{INDEX[step]}</text>')
        parts.append(box(x, MIDDLE, 48, 34, f"s{INDEX[step]}"))
        parts.append(way(f"M{x} {MIDDLE - 17}V{TOP + 17}", "line"))
        parts.append(box(x, TOP, 68, 28, word, round_=14))
        if step:
            parts.append(way(f"M{x - 92} {MIDDLE}H{x - 28}", "line"))
        if feeds_back:
            last = OUTPUT[step - 1] if step else "start"
            if step:
                parts.append(way(f"M{x - 82} {TOP}h20q10 0 10 10V{LAST - 10}q0 10 10 10h6"))
            parts.append(box(x, LAST, 62, 26, last, "read", 13))
        if source == "c":
            parts += [way(f"M{x} {BUS}V{CONTEXT + 17}"), box(x, CONTEXT, 62, 26, "c", "read")]
        if source == "H":
            parts.append(way(f"M{x} {BUS}V{CONTEXT + 17}"))
            asks = x - 62
            parts.append(f'<circle class="end" cx="{asks}" cy="{MIDDLE}" r="3"/>')
            parts.append(way(f"M{asks} {MIDDLE}V{CONTEXT - 8}q0 8 8 8h19", "way ask"))
            for place, weight in enumerate(WEIGHTS[step]):
                cell = f'x="{x - 31 + 62 / 3 * place:.1f}" y="{CONTEXT - 13}" width="20.7" height="26"'
                parts.append(f'<rect class="end" {cell} fill-opacity="{weight}"/>')
            parts.append(box(x, CONTEXT, 62, 26, kind="way", round_=3))
            # The readout reads what was found, too.
            parts.append(way(f"M{x + 31} {CONTEXT}h4q7 0 7 -7V{TOP + 38}q0 -14 -10 -20"))
    tips = "".join(
        f'<marker id="{name}" viewBox="0 0 8 8" refX="4" refY="4" markerWidth="8" markerHeight="8" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path class="{name}" d="M0 0L8 4L0 8z"/></marker>'
        for name in ("tip", "end")
    )
    height = (BUS if source else CONTEXT + 28) + 10 - EDGE
    size = f'width="{WIDTH}" height="{height}" viewBox="0 {EDGE} {WIDTH} {height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    title = f"<title>{mode}: a step reads {reads}</title>"
    style = f"<style>{STYLE.format(color=OURS[mode].color)}</style>"
    return "\n".join([head, title, style, f"<defs>{tips}</defs>", *parts, "</svg>\n"])


if __name__ == "__main__":
    for each in READS:
        (IMAGES / f"{each}.svg").write_text(drawing(each), encoding="utf-8")
