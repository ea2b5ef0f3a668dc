"""The pages of the records: the table of goals, the details of each row, and the plots."""

import statistics
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from bench import Record
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from tables import Ratio, best, mean_ratio, milliseconds, ratio, table

from seq2seq_zoo.figures import WIDTH, styled

Records = Mapping[str, Record]

MODES = ("basic", "feedback", "peek")
LOOPS = ("addons", "torch", "torch.compile")


class Goal(NamedTuple):
    """One goal and what was measured."""

    what: str
    against: str
    wanted: float
    measured: Ratio
    note: str = ""


def goals(records: Records) -> list[Goal]:
    """All goals that were measured."""
    return [goal for name, give in GOALS.items() if name in records for goal in give(records[name])]


def goals_table(processors: Mapping[str, Records]) -> list[str]:
    """A line for each goal, with the ratio of each processor; one that misses the goal is bold."""
    measured: dict[tuple[str, str, float], dict[str, Goal]] = {}
    for processor, records in processors.items():
        for goal in goals(records):
            measured.setdefault(goal[:3], {})[processor] = goal
    lines = [
        [
            what,
            against,
            f"\N{GREATER-THAN OR EQUAL TO} {wanted:g}",
            *(_judged(found[processor]) if processor in found else None for processor in processors),
        ]
        for (what, against, wanted), found in measured.items()
    ]
    return table(["what", "against", "goal", *processors], lines)


def _judged(goal: Goal) -> str:
    value, small = str(goal.measured).split(" ", 1)
    return f"{value if goal.measured.value >= goal.wanted else f'**{value}**'} {small}{goal.note}"


def details(records: Records) -> str:
    """The tables of all rows on one processor, as Markdown."""
    parts = []
    for name, (title, lines) in DETAILS.items():
        if name in records:
            parts += [f"## {title}", "", *lines(records[name]), ""]
    return "\n".join(parts)


def page(processors: Mapping[str, Records]) -> str:
    """The README of all processors."""
    pages = "\n".join(f"- [{processor}]({processor}/README.md)" for processor in processors)
    return f"""# Speed

A ratio is the peer's time over ours: above one, ours is faster. A ratio in bold misses its goal. The small print shows
the minimum and maximum: over the rounds for a single comparison, over the comparisons for the mean of several.
[benchmarks/README.md](../../README.md#speed) explains the rows and how they are measured.

{chr(10).join(goals_table(processors))}

All comparisons, with the versions and the machine:

{pages}
"""


def processor_page(records: Records) -> str:
    """The README of one processor, with all its comparisons."""
    machine = next(iter(records.values()))["machine"]
    heads = ["row", "measured", "minutes", "load before", "versions"]
    circumstances = [
        [
            f"[{name}]({name}.json)",
            record.get("date"),
            record["minutes"],
            f"{record['load_before']:.1f}",
            _versions(record),
        ]
        for name, record in records.items()
    ]
    curves = "\n![How the training step grows](curves.svg)\n" if "curves" in records else ""
    return f"""# Speed on {len(machine["used"])} cores: {machine["cpu"]}

The file of each row has the times of every round, the versions and the machine.

![The ratios of every comparison](ratios.svg)

{details(records)}{curves}
## Circumstances

The load is that of the minute before each row.

{chr(10).join(table(heads, circumstances))}
"""


def _versions(record: Record) -> str:
    """The packages of all environments, each once."""
    named = ("keras", "tensorflow", "tensorflow-addons", "torch", "jax", "yoyodyne")
    found = [
        f"{package} {version}"
        for versions in record["versions"].values()
        for package, version in versions.items()
        if package in named
    ]
    return ", ".join(dict.fromkeys(found))


# === Training steps ===


def cells(record: Record, **fields: Any) -> list[Record]:
    """The cells with these fields, in themselves or in their problem."""
    return [cell for cell in record["cells"] if all({**cell["problem"], **cell}.get(k) == v for k, v in fields.items())]


def shown(cell: Record, name: str) -> str | None:
    """The milliseconds of a contestant, if it took part."""
    return milliseconds(cell["seconds"][name]) if name in cell["seconds"] else None


def against(record: Record, *peers: str, own: str = "ours", **fields: Any) -> Ratio:
    """The geometric mean over cells of the best peer's time over ours."""
    chosen = [cell["seconds"] for cell in cells(record, **fields)]
    return mean_ratio([ratio(times, best(times, peers), own) for times in chosen])


def step_goals(record: Record) -> Iterator[Goal]:
    """The goals of the row `step`."""
    for cell, wanted in (("lstm", 1.15), ("gru", 1.15)):
        for mode in MODES:
            what, peer = f"training step in `fit`, {mode}, {cell}", f"torch nn.{cell.upper()}"
            if cell == "lstm" and cells(record, cell=cell, mode=mode, units=128):
                small = against(record, "torch", cell=cell, mode=mode, units=128)
                yield Goal(f"{what}, H = 128", peer, 1.0, small)
            yield Goal(what, peer, wanted, against(record, "torch", cell=cell, mode=mode))


def step_details(record: Record) -> list[str]:
    """The table of the row `step`."""
    heads = ["mode", "cell", "H", "T", "ours, ms", "torch, ms", "keras.layers, ms", "torch / ours", "keras / ours"]
    lines = [
        [
            *(cell["problem"][key] for key in ("mode", "cell", "units", "length")),
            *(shown(cell, name) for name in ("ours", "torch", "stock")),
            ratio(cell["seconds"], "torch"),
            ratio(cell["seconds"], "stock") if "stock" in cell["seconds"] else None,
        ]
        for cell in record["cells"]
    ]
    return table(heads, lines)


def attention_goals(record: Record) -> Iterator[Goal]:
    """The goals of the row `attention`."""
    peers = "the best of Addons, torch loop, torch.compile"
    if cells(record, units=128):
        yield Goal("training step in `fit`, attention, H = 128", peers, 1.1, against(record, *LOOPS, units=128))
    yield Goal("training step in `fit`, attention", peers, 1.4, against(record, *LOOPS))


def attention_details(record: Record) -> list[str]:
    """The table of the row `attention`."""
    return compared(record, ("units", "length"), LOOPS)


def compared(record: Record, varied: tuple[str, ...], peers: tuple[str, ...]) -> list[str]:
    """A line for each cell: the milliseconds of each contestant, and the best peer's time over ours."""
    names = [name for name in ("ours", "litert", *peers) if any(name in cell["seconds"] for cell in record["cells"])]
    lines = []
    for cell in record["cells"]:
        times, fields = cell["seconds"], {**cell["problem"], **cell}
        first = [fields.get(key) for key in varied]
        lines.append([*first, *(shown(cell, name) for name in names), ratio(times, best(times, peers))])
    heads = [{"units": "H", "length": "T"}.get(key, key) for key in varied]
    return table([*heads, *(f"{name}, ms" for name in names), "best peer / ours"], lines)


def order_details(record: Record) -> list[str]:
    """The table of the row `order`."""
    return compared(record, ("mode", "units", "arrangement"), ("torch",))


def busy_pairs(record: Record) -> Iterator[tuple[Record, Ratio, Ratio]]:
    """A problem, its ratio on quiet cores, and its ratio beside a busy process."""
    for quiet in cells(record, busy=False):
        (beside,) = (cell for cell in cells(record, busy=True) if cell["problem"] == quiet["problem"])
        yield quiet["problem"], ratio(quiet["seconds"], "torch"), ratio(beside["seconds"], "torch")


def busy_goals(record: Record) -> Iterator[Goal]:
    """The goals of the row `busy`."""
    shares = [Ratio(*[beside.value / quiet.value] * 3) for _, quiet, beside in busy_pairs(record)]
    yield Goal("torch / ours beside a busy core", "the same on quiet cores", 0.9, mean_ratio(shares))


def busy_details(record: Record) -> list[str]:
    """The table of the row `busy`."""
    return table(
        ["mode", "cell", "H", "torch / ours, quiet", "torch / ours, beside a busy core"],
        [
            [*(problem[key] for key in ("mode", "cell", "units")), quiet, beside]
            for problem, quiet, beside in busy_pairs(record)
        ],
    )


def roof_seconds(cell: Record) -> float:
    """The seconds of the matrix products of a step, each in the faster library, by the median."""
    rounds = cell["products"].values()
    return sum(
        count * min(statistics.median(each[shape] for each in library) for library in rounds)
        for shape, count in cell["counts"].items()
    )


def roof_share(cell: Record) -> Ratio:
    """The share of the time of a step that its matrix products alone would take."""
    products, times = roof_seconds(cell), cell["seconds"]["ours"]
    return Ratio(products / statistics.median(times), products / max(times), products / min(times))


def roof_goals(record: Record) -> Iterator[Goal]:
    """The goals of the row `roof`."""
    for mode in (*MODES, "attention"):
        share = mean_ratio([roof_share(cell) for cell in cells(record, mode=mode)])
        yield Goal(
            f"share of the matrix products' time, {mode}, H = 256", "the faster of TensorFlow, torch", 0.8, share
        )


def roof_details(record: Record) -> list[str]:
    """The table of the row `roof`."""
    lines = []
    for cell in record["cells"]:
        operations = sum(2 * count * _volume(shape) for shape, count in cell["counts"].items())
        products = roof_seconds(cell)
        rate = f"{operations / products / 1e9:.0f}"
        values = [f"{operations / 1e9:.1f}", rate, milliseconds([products]), milliseconds(cell["seconds"]["ours"])]
        lines.append([cell["problem"]["mode"], cell["problem"]["length"], *values, roof_share(cell)])
    return table(["mode", "T", "GFLOP", "products, GFLOP/s", "products, ms", "step, ms", "share"], lines)


def _volume(shape: str) -> int:
    m, k, n = map(int, shape.split("x"))
    return m * k * n


def sampling_details(record: Record) -> list[str]:
    """The table of the row `sampling`."""
    names = {
        None: "the target (teacher forcing)",
        0.5: "either, with probability 0.5",
        0.0: "its output (free running)",
    }
    lines = []
    for cell in record["cells"]:
        teacher_forced = cells(record, mode=cell["problem"]["mode"], sampling=None)[0]["seconds"]["ours"]
        times = {"ours": teacher_forced, "this": cell["seconds"]["ours"]}
        reads = names[cell["problem"]["sampling"]]
        lines.append([cell["problem"]["mode"], reads, milliseconds(times["this"]), ratio(times, "this")])
    return table(["mode", "a step reads", "step, ms", "times teacher forcing"], lines)


def bfloat16_details(record: Record) -> list[str]:
    """The table of the row `bfloat16`."""
    lines = []
    for cell in cells(record, policy="float32"):
        mode, units = cell["problem"]["mode"], cell["problem"]["units"]
        (half,) = cells(record, mode=mode, units=units, policy="mixed_bfloat16")
        times = {"float32": cell["seconds"]["ours"], "ours": half["seconds"]["ours"]}
        lines.append([mode, units, *(milliseconds(each) for each in times.values()), ratio(times, "float32")])
    return table(["mode", "H", "float32, ms", "mixed_bfloat16, ms", "float32 / bfloat16"], lines)


def backends_goals(record: Record) -> Iterator[Goal]:
    """The goals of the row `backends`."""
    for cell in record["cells"]:
        what = f"training step in `fit`, feedback, {cell['problem']['cell']}, on {cell['backend']}"
        yield Goal(what, "keras.layers there", 1.0, ratio(cell["seconds"], "stock"))


def backends_details(record: Record) -> list[str]:
    """The table of the row `backends`."""
    return compared(record, ("backend", "cell", "units", "length"), ("stock",))


def bucket_times(record: Record) -> dict[int, list[float]]:
    """The seconds of an epoch by the number of buckets."""
    return {cell["problem"]["buckets"]: cell["seconds"]["ours"] for cell in record["cells"]}


def buckets_goals(record: Record) -> Iterator[Goal]:
    """The goals of the row `buckets`."""
    times = {str(count): each for count, each in bucket_times(record).items()}
    yield Goal("an epoch of unequal lengths, 6 buckets", "one bucket", 1.3, ratio(times, "1", "6"))


def buckets_details(record: Record) -> list[str]:
    """The table of the row `buckets`."""
    times = {str(count): each for count, each in bucket_times(record).items()}
    lines = [[count, f"{statistics.median(each):.2f}", ratio(times, "1", count)] for count, each in times.items()]
    return table(["buckets", "seconds an epoch", "times faster"], lines)


def curves_details(record: Record) -> list[str]:
    """The table of the row `curves`."""
    lines = []
    for cell in record["cells"]:
        times, varied = cell["seconds"], cell["varied"]
        what = [
            cell["problem"]["mode"],
            varied,
            f"{cell['problem'][varied]:,}",
            shown(cell, "ours"),
            shown(cell, "torch"),
        ]
        lines.append([*what, ratio(times, "torch") if "torch" in times else None])
    return table(["mode", "varied", "", "ours, ms", "torch, ms", "torch / ours"], lines)


# === Searches ===


def greedy_goals(record: Record) -> Iterator[Goal]:
    """The goals of the row `greedy`."""
    peers = "the best of Addons, torch, torch.compile"
    yield Goal("greedy, batch 64", peers, 1.5, against(record, *LOOPS, batch=64))
    yield Goal("greedy, batch 1, in process", peers, 2.5, against(record, *LOOPS, batch=1))
    yield Goal("greedy, batch 1, exported LiteRT", peers, 5.0, against(record, *LOOPS, own="litert", batch=1))


def greedy_details(record: Record) -> list[str]:
    """The table of the row `greedy`."""
    return compared(record, ("units", "batch"), LOOPS)


def beam_goals(record: Record) -> Iterator[Goal]:
    """The goals of the row `beam`."""
    peer = "Addons' BeamSearchDecoder"
    yield Goal("beam 5, batch 64, full length", peer, 1.2, against(record, "addons", kind="full length"))
    yield Goal("beam 5, batch 64, trained, real lengths", peer, 2.5, against(record, "addons", kind="trained"))


def beam_details(record: Record) -> list[str]:
    """The table of the row `beam`."""
    return compared(record, ("units", "kind"), ("addons",))


# === Whole processes ===


def reached(run: Record) -> float:
    """Seconds to 99 % exact match; infinite if it was not reached."""
    return next((each["seconds"] for each in run["epochs"] if each["exact_match"] >= 0.99), float("inf"))


def whole_times(record: Record) -> dict[str, list[float]]:
    """The seconds of each seed, by contestant."""
    times: dict[str, list[float]] = {}
    for run in record["runs"]:
        times.setdefault(run["who"], []).append(reached(run))
    return times


def whole_goals(record: Record) -> Iterator[Goal]:
    """The goals of the row `whole`."""
    times = whole_times(record)
    what = "time to 99 % dev exact match on digits_to_words, attention"
    yield Goal(what, "the best of torch and Addons", 1.1, ratio(times, best(times, ("torch", "addons"))))


def whole_details(record: Record) -> list[str]:
    """The table of the row `whole`."""
    lines = []
    for run in record["runs"]:
        epochs = run["epochs"]
        first, each = epochs[0]["seconds"], None
        if len(epochs) > 1:
            each = f"{(epochs[-1]['seconds'] - first) / (len(epochs) - 1):.2f}"
        lines.append([run["who"], run["seed"], f"{reached(run):.1f}", len(epochs), f"{first:.1f}", each])
    heads = [
        "library",
        "seed",
        "seconds to 99 %",
        "epochs",
        "seconds to the end of the first",
        "seconds of a later epoch",
    ]
    return table(heads, lines)


def icelandic_goals(record: Record) -> Iterator[Goal]:
    """The goals of the row `icelandic`."""
    totals = {name: [record[name]["fit"] + record[name]["predict"]] for name in ("ours", "yoyodyne")}
    wer = [f"{record[name]['wer']['test']:.1f}" for name in totals]
    note = f" (test WER {wer[0]} and {wer[1]})"
    yield Goal("Icelandic pronunciation, the whole command", "yoyodyne 0.5.27", 2.5, ratio(totals, "yoyodyne"), note)


def icelandic_details(record: Record) -> list[str]:
    """The table of the row `icelandic`."""
    lines = []
    for name in ("ours", "yoyodyne"):
        each = record[name]
        values = [f"{each['fit']:.0f}", f"{each['predict']:.0f}", f"{1000 * each['fit'] / record['steps']:.0f}"]
        lines.append([name, *values, *(f"{each['wer'][split]:.1f}" for split in ("dev", "test"))])
    return table(["library", "training, s", "prediction, s", "ms a step", "dev WER", "test WER"], lines)


def memory_goals(record: Record) -> Iterator[Goal]:
    """The goals of the row `memory`."""
    for mode in (*MODES, "attention"):
        ratios = []
        for cell in cells(record, mode=mode):
            ours, torch = (cell["memory"][name] for name in ("ours", "torch"))
            value = (torch["peak"] - torch["imports"]) / (ours["peak"] - ours["imports"])
            ratios.append(Ratio(value, value, value))
        what = f"peak memory above the imports, {mode}, H = 256"
        yield Goal(what, "torch", 1.0, mean_ratio(ratios))


def memory_details(record: Record) -> list[str]:
    """The table of the row `memory`."""
    lines = []
    for cell in record["cells"]:
        values = []
        for name in ("ours", "torch"):
            each = cell["memory"][name]
            values += [each["imports"] >> 20, (each["peak"] - each["imports"]) >> 20, each["peak"] >> 20]
        lines.append([cell["problem"]["mode"], cell["problem"]["length"], *values])
    heads = [f"{name}: {what}, MiB" for name in ("ours", "torch") for what in ("imports", "above", "peak")]
    return table(["mode", "T", *heads], lines)


def lines_goals(record: Record) -> Iterator[Goal]:
    """The goals of the row `lines`."""
    most = record["cells"][-1]
    share = (2 << 30) / most["peak_memory"]
    yield Goal(f"peak memory of training on {most['lines']:,} lines", "2 GiB", 1.0, Ratio(share, share, share))


def lines_details(record: Record) -> list[str]:
    """The table of the row `lines`."""
    lines = []
    for cell in record["cells"]:
        file, peak = (f"{cell[key] / 2**20:.0f}" for key in ("bytes", "peak_memory"))
        lines.append([f"{cell['lines']:,}", file, peak, f"{cell['took']:.0f}"])
    return table(["lines", "MiB of file", "peak memory, MiB", "whole process, s"], lines)


def compile_details(record: Record) -> list[str]:
    """The table of the row `compile`."""
    names = ("ours", "empty cache", "full cache", "torch")
    heads = ["mode", *(f"{name}, s" for name in names), "of that, imports of ours, s"]
    lines = []
    for cell in record["cells"]:
        seconds = cell["started_and_stepped"]
        values = [f"{seconds[name][1]:.1f}" for name in names]
        lines.append([cell["problem"]["mode"], *values, f"{seconds['ours'][0]:.1f}"])
    return table(heads, lines)


GOALS: dict[str, Callable[[Record], Iterator[Goal]]] = {
    "step": step_goals,
    "attention": attention_goals,
    "busy": busy_goals,
    "roof": roof_goals,
    "greedy": greedy_goals,
    "beam": beam_goals,
    "whole": whole_goals,
    "icelandic": icelandic_goals,
    "buckets": buckets_goals,
    "memory": memory_goals,
    "lines": lines_goals,
    "backends": backends_goals,
}

DETAILS: dict[str, tuple[str, Callable[[Record], list[str]]]] = {
    "step": ("Training step: basic, feedback, peek", step_details),
    "attention": ("Training step: attention", attention_details),
    "order": ("The order of measurement, T = 12", order_details),
    "busy": ("Beside another process that keeps one of the two cores busy, T = 12", busy_details),
    "roof": ("The share of matrix products in a step, H = 256", roof_details),
    "greedy": ("Greedy search of 20 steps", greedy_details),
    "beam": ("Beam search, 5 hypotheses, batch 64", beam_details),
    "whole": ("A whole run: digits to words, attention", whole_details),
    "icelandic": ("A whole run: Icelandic pronunciation", icelandic_details),
    "buckets": ("Unequal lengths: 20,000 words of CMUdict, attention, H = 128", buckets_details),
    "sampling": ("Scheduled sampling and free running in training, H = 256, T = 12", sampling_details),
    "memory": ("Memory of a training process, H = 256", memory_details),
    "lines": ("Memory of training on a large file, 64 units, 200 updates", lines_details),
    "compile": ("From the start of a process to its first step, H = 128, T = 12", compile_details),
    "bfloat16": ("Mixed precision, T = 12", bfloat16_details),
    "backends": ("Other backends", backends_details),
    "curves": ("Growth of the training step around H = 128, T = 12, batch 64, vocabulary 64, depth 1", curves_details),
}


# === Plots ===


@styled
def ratios_figure(records: Records) -> Figure:
    """A point for each measured ratio, and a line for its goal."""
    shown_goals = goals(records)
    figure = Figure(figsize=(WIDTH * 1.6, 0.8 + 0.28 * len(shown_goals)), layout="constrained")
    axes = figure.add_subplot()
    for place, goal in enumerate(shown_goals):
        color = "#0072B2" if goal.measured.value >= goal.wanted else "#D55E00"
        axes.plot([goal.measured.low, goal.measured.high], [place, place], color=color, alpha=0.5)
        axes.plot(goal.measured.value, place, "o", color=color)
        axes.plot(goal.wanted, place, "|", color="black", markersize=12)
    axes.set_yticks(range(len(shown_goals)), [goal.what.replace("`", "") for goal in shown_goals])
    axes.invert_yaxis()
    axes.set_xscale("log")
    marks = [0.25, 0.5, 1, 2, 4, 8]
    axes.set_xticks(marks, [f"{mark:g}" for mark in marks])
    axes.minorticks_off()
    axes.set_xlabel("times as fast as the peer; the goal is the black line")
    return figure


@styled
def curves_figure(record: Record) -> Figure:
    """The milliseconds of a step against each size."""
    varied = list(dict.fromkeys(cell["varied"] for cell in record["cells"]))
    figure = Figure(figsize=(WIDTH * 1.8, 1.4 * len(varied) + 3), layout="constrained")
    grid = figure.subplots((len(varied) + 1) // 2, 2).flat
    names = {"length": "T", "units": "H"}
    for axes, key in zip(grid, varied, strict=False):
        for mode, color in (("feedback", "#0072B2"), ("attention", "#D55E00")):
            for name, style in (("ours", "-o"), ("torch", "--s")):
                chosen = [cell for cell in cells(record, varied=key, mode=mode) if name in cell["seconds"]]
                if chosen:
                    sizes = [cell["problem"][key] for cell in chosen]
                    times = [1000 * statistics.median(cell["seconds"][name]) for cell in chosen]
                    axes.loglog(sizes, times, style, color=color, label=f"{mode}, {name}")
        axes.set_xticks(sizes, [f"{size // 1000}k" if size >= 1000 else str(size) for size in sizes])
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
        axes.set_xlabel(names.get(key, key))
        axes.set_ylabel("ms a step")
    next(iter(figure.axes)).legend(fontsize=8)
    for axes in list(figure.axes)[len(varied) :]:
        axes.remove()
    return figure
