"""The tables and the plot, of the records that are there."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bench import Record
from tables import Ratio, best, mean_ratio, milliseconds, ratio, table

Records = Mapping[str, Record]

MODES = ("basic", "feedback", "peek")


def cells(record: Record, **fields: Any) -> list[Record]:
    """The cells whose problem has these fields."""
    return [cell for cell in record["cells"] if all(cell["problem"].get(key) == fields[key] for key in fields)]


def against(record: Record, *peers: str, own: str = "ours", **fields: Any) -> Ratio:
    """The geometric mean over cells of the ratio to the best of the peers."""
    chosen = [cell["seconds"] for cell in cells(record, **fields)]
    return mean_ratio([ratio(times, best(times, peers), own) for times in chosen])


# === The goals ===


def goals(records: Records) -> list[str]:
    """The table of what was asked for, as far as it was measured."""
    lines = []
    for name, give in GOALS.items():
        if name in records:
            for what, peer, goal, value in give(records[name]):
                met = "yes" if float(value.value if isinstance(value, Ratio) else value) >= goal else "**no**"
                shown = str(value) if isinstance(value, Ratio) else f"{value:.2f}"
                lines.append([what, peer, f"\N{GREATER-THAN OR EQUAL TO} {goal:g}", shown, met])
    return table(["what", "against", "goal", "measured", "met"], lines)


Goal = tuple[str, str, float, Any]


def step_goals(record: Record) -> Iterator[Goal]:
    """Of the row `step`."""
    for cell, peer, goal in (("lstm", "torch nn.LSTM", 1.15), ("gru", "torch nn.GRU", 1.0)):
        for mode in MODES:
            if cells(record, cell=cell, mode=mode):
                what = f"training step in fit, {mode}, {cell}"
                if cell == "lstm":
                    yield f"{what}, H=128", peer, 1.0, against(record, "torch", cell=cell, mode=mode, units=128)
                yield what, peer, goal, against(record, "torch", cell=cell, mode=mode)


def attention_goals(record: Record) -> Iterator[Goal]:
    """Of the row `attention`."""
    peers = ("addons", "torch", "torch.compile")
    yield "training step in fit, attention", "the best of Addons, torch, torch.compile", 1.4, against(record, *peers)


GOALS: dict[str, Callable[[Record], Iterator[Goal]]] = {"step": step_goals, "attention": attention_goals}


# === The details ===


def compared(record: Record, varied: tuple[str, ...], peers: tuple[str, ...], own: str = "ours") -> list[str]:
    """A line for each cell: milliseconds of each contestant, and the ratios."""
    lines = []
    for cell in record["cells"]:
        times = cell["seconds"]
        names = [name for name in times if name in peers]
        lines.append(
            [
                *(cell["problem"].get(key) for key in varied),
                *(milliseconds(times[name]) if name in times else None for name in (own, *peers)),
                ratio(times, best(times, names), own),
            ]
        )
    return table([*varied, *(f"{name}, ms" for name in (own, *peers)), "ratio"], lines)


def step_details(record: Record) -> list[str]:
    """Of the row `step`."""
    lines = [
        [
            *(cell["problem"][key] for key in ("mode", "cell", "units", "length")),
            *(milliseconds(cell["seconds"][name]) for name in ("ours", "torch", "stock")),
            ratio(cell["seconds"], "torch"),
            ratio(cell["seconds"], "stock"),
        ]
        for cell in record["cells"]
    ]
    heads = ["mode", "cell", "H", "T", "ours, ms", "torch, ms", "keras.layers, ms", "torch / ours", "keras / ours"]
    return table(heads, lines)


def attention_details(record: Record) -> list[str]:
    """Of the row `attention`."""
    return compared(record, ("units", "length"), ("addons", "torch", "torch.compile"))


DETAILS: dict[str, tuple[str, Callable[[Record], list[str]]]] = {
    "step": ("Training step: basic, feedback, peek", step_details),
    "attention": ("Training step: attention", attention_details),
}


def tables(records: Records) -> str:
    """All tables as Markdown."""
    parts = [*goals(records)]
    for name, (title, details) in DETAILS.items():
        if name in records:
            parts += ["", f"## {title}", "", *details(records[name])]
    return "\n".join(parts) + "\n"
