"""The report of a run, as a Markdown page and a self-contained HTML page."""

import itertools
import os
from collections.abc import Callable, Mapping
from itertools import groupby
from math import comb, isnan
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq_zoo.benchmark import plots
from seq2seq_zoo.benchmark.outputs import what_was_generated
from seq2seq_zoo.benchmark.page import (
    Inline,
    Piece,
    bullets,
    code,
    contents,
    detailed,
    fold,
    heading,
    mode,
    page,
    paragraph,
    picture,
    strong,
    table,
)
from seq2seq_zoo.benchmark.records import (
    FOLDER,
    Record,
    Results,
    export_records,
    read_results,
    touched_before_choice,
    values,
)
from seq2seq_zoo.benchmark.statistics import (
    Estimate,
    estimate,
    holm,
    ordering,
    paired_permutation_test,
    probability_of_improvement,
    separated,
)
from seq2seq_zoo.figures import styles
from seq2seq_zoo.metrics.metric import METRICS, Metric
from seq2seq_zoo.system.files import write

Question = dict[str, Any]

NOTHING = "\N{EN DASH}"
ENVIRONMENT, READING = "Environment", "How to read this"


def report(directory: str | os.PathLike[str]) -> list[Path]:
    """Write `report.html` and `report.md` (with `figures/`) into the directory of a run.

    Args:
        directory: the directory of the run, with `suite.json`, and `records/` or `records.jsonl`. If there is a
            `records/`, `records.jsonl` is written as well, so that suite, records and report can be published together.

    Returns:
        The files written: the HTML page, the Markdown page, and all others.

    Raises:
        RecordError: the records cannot be read.
    """
    directory = Path(directory)
    results = read_results(directory)
    made = page(_title(results), _pieces(results))
    files = {"report.html": made.html, "report.md": made.markdown, **made.files}
    (directory / "figures").mkdir(exist_ok=True)
    for name, content in files.items():
        write(directory / name, content)
    exported = [export_records(directory, results)] if (directory / FOLDER).is_dir() else []
    return [*(directory / name for name in files), *exported]


def _pieces(results: Results) -> list[Piece]:
    description = results.suite.get("description")
    touched = touched_before_choice(results)
    titles = ["At a glance", *(question["title"] for question in results.questions), READING, ENVIRONMENT]
    return [
        heading(1, _title(results)),
        *([paragraph(description)] if description else []),
        paragraph(_progress(results)),
        *([paragraph(f"Test was evaluated before the choices: {'; '.join(touched)}.")] if touched else []),
        contents(titles),
        *_glance(results),
        *(piece for question in results.questions for piece in _question(results, question)),
        *_how_to_read(results),
        *_environment(results),
    ]


# === Overview ===


def _title(results: Results) -> str:
    return results.suite.get("title") or results.suite["name"]


def _progress(results: Results) -> str:
    conditions, modes, seeds = len(results.conditions()), len(results.modes), len(results.suite["seeds"])
    failed = sum(record["status"] != "ok" for record in results.records)
    finished, expected = len(results.records) - failed, conditions * modes * seeds
    sizes = [_count(conditions, "condition"), _count(modes, "mode"), _count(seeds, "seed")]
    if results.suite.get("tune"):
        trials = sum(len(study["trials"]) for study in results.studies if study["status"] == "ok")
        sizes[-1] += f" after {_count(trials, 'trial')} on dev"
    parts = [" \N{MULTIPLICATION SIGN} ".join(sizes), f"{finished} of {_count(expected, 'cell')} finished"]
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{expected - finished - failed} not run yet"] if expected > finished + failed else []
    return ", ".join(parts) + "."


def glance_table(results: Results) -> Piece:
    """The scores of all modes in all conditions: the first table of a report."""
    rows: list[list[Inline]] = []
    for question in results.questions:
        rows.append([strong(question["title"])])
        for x in values(question):
            label = plots.condition(question, x) if question["x"] else "all test pairs"
            estimates = _estimates(results, question, x)
            rows.append([label, *_scores(estimates, METRICS[question["metric"]], len(results.suite["seeds"]))])
    names = {question["metric"] for question in results.questions}
    # A mean over conditions is comparable only if every mode has a score in all of them.
    complete = [
        (question, x)
        for question, x in results.conditions()
        if all(e.runs for e in _estimates(results, question, x).values())
    ]
    if len(names) == 1 and len(complete) > 1:
        together = {name: estimate(*(results.scores(q, x, name) for q, x in complete)) for name in results.modes}
        which = (
            "all conditions" if len(complete) == len(results.conditions()) else f"{len(complete)} complete conditions"
        )
        most = max(e.runs for e in together.values())
        rows += [[strong("All questions together")], [which, *_scores(together, METRICS[min(names)], most)]]
    return table(["", *_heads(results)], rows)


def _glance(results: Results) -> list[Piece]:
    names = {question["metric"] for question in results.questions}
    title = METRICS[min(names)].title if len(names) == 1 else "The score of each question"
    note = (
        f"{_sentence(title)}, on the test split, of free-running greedy generation: interquartile mean over the seeds "
        "and its 95 % bootstrap interval. Bold: the best mode, and every mode whose interval overlaps the best mode's."
    )
    pieces = [heading(2, "At a glance"), glance_table(results), paragraph(note, small=True)]
    strata = [
        (question, x)
        for question, x in results.conditions()
        if all(results.scores({**question, "metric": "exact_match"}, x, name) for name in results.modes)
    ]
    if len(strata) > 1:
        caption = (
            "Performance profile: the share of the runs of a mode with at least a certain exact match on test, in the "
            f"mean over {len(strata)} conditions, with its 95 % interval as a band. If one curve is above another "
            "everywhere, its mode is better at every score."
        )
        figure = plots.profiles(results, strata)
        pieces.append(picture("profile", figure, caption, "share of runs of each mode above each exact match"))
    return pieces


def _scores(estimates: Mapping[str, Estimate], metric: Metric, expected: int) -> list[Inline]:
    """A row of scores: of several modes the leaders in bold, with the number of runs where some are missing."""
    found = [e for e in estimates.values() if e.runs]
    if not found:
        return [NOTHING] * len(estimates)
    best = (max if metric.higher_is_better else min)(found, key=lambda e: e.value)

    def leads(e: Estimate) -> bool:
        if len(estimates) == 1:
            return False
        return e.value == best.value or not (isnan(e.low) or isnan(best.low) or separated(e, best))

    return [_score(e, metric, bold=leads(e), expected=expected) if e.runs else NOTHING for e in estimates.values()]


def _score(e: Estimate, metric: Metric, bold: bool = False, expected: int = 0) -> Piece:
    value, low, high = (_number(metric, end) for end in (e.value, e.low, e.high))
    interval = "" if isnan(e.low) else f"{low}\N{EN DASH}{high}"
    return detailed(strong(value) if bold else value, interval, f"n={e.runs}" if e.runs < expected else "")


# === One question ===


def _question(results: Results, question: Question) -> list[Piece]:
    name, metric = question["name"], METRICS[question["metric"]]
    pieces = [heading(2, question["title"]), *([paragraph(question["why"])] if question.get("why") else [])]
    tuned = _tuned(results, question)
    if not any(results.runs(name, x, each) for x in values(question) for each in results.modes):
        none = paragraph("No cell of this question has finished yet.")
        return [*pieces, none, *_failures(results, question), *tuned]
    by_length = picture(
        f"{name}-length",
        plots.against_length(results, question),
        "Interquartile mean over the seeds, with its 95 % interval as a band.",
        "score of each mode against source length",
    )
    if question["curve"] == "x" and question["x"]:
        alt = f"{metric.label} of each mode against {question['x']['label']}"
        caption = "Interquartile mean over the seeds, with its 95 % interval as a bar and a band."
        pieces.append(picture(f"{name}-x", plots.against_x(results, question), caption, alt))
    elif question["curve"] == "length":
        pieces.append(by_length)
    pieces += _published(question)
    tables = [(x, _measures(results, question, x)) for x in values(question)]
    several = [fold(plots.condition(question, x), made) for x, made in tables if question["x"]]
    pieces += [heading(3, "Findings"), bullets(_findings(results, question)), *_differences(results, question)]
    pieces += [heading(3, "All measures"), *(several or [made for _, made in tables])]
    pieces += [*_failures(results, question), *tuned]
    if question["curve"] != "length":
        pieces += [heading(3, "By source length"), by_length]
    curves = picture(
        f"{name}-learning",
        plots.learning_curves(results, question),
        "Scores of generated outputs on the dev split after each epoch. A run that stopped early keeps its last score "
        "until the longest run of its mode ends.",
        "exact match on dev of each mode against epochs and seconds",
    )
    pieces += [heading(3, "Learning curves"), curves]
    return [*pieces, *what_was_generated(results, question)]


def _published(question: Question) -> list[Piece]:
    lines = []
    for each in question.get("published") or ():
        figures = each["value"]
        if isinstance(figures, list):
            pairs = zip(values(question), figures, strict=True)
            figures = ", ".join(f"{plots.number(x)} {figure}" for x, figure in pairs if figure is not None)
        lines.append("; ".join(filter(None, [f"{each['label']}: {figures}", each["source"], each["caveat"]])))
    return [heading(3, "Published"), bullets(lines)] if lines else []


def _findings(results: Results, question: Question) -> list[str]:
    """What the intervals show, with neighbouring conditions of the same result in one line."""
    findings = [(x, _finding(_estimates(results, question, x), METRICS[question["metric"]])) for x in values(question)]
    lines = []
    for text, group in groupby(findings, key=lambda item: item[1]):
        shown = [plots.number(x) for x, _ in group]
        # Numbers have commas as thousands separators, so a list of them would be ambiguous.
        several = f"{shown[0]} to {shown[-1]}" if plots.numeric(question) and len(shown) > 1 else ", ".join(shown)
        lines.append(f"{question['x']['label']} {several}: {text}" if question["x"] else text)
    if question["curve"] == "length" and question["metric"] == "exact_match":
        lines += [_half(results, question, x) for x in values(question)]
    return [_sentence(line) for line in lines]


def _finding(estimates: Mapping[str, Estimate], metric: Metric) -> str:
    found = {name: e for name, e in estimates.items() if e.runs}
    ranked = dict(sorted(found.items(), key=lambda item: item[1].value, reverse=metric.higher_is_better))
    listed = ", ".join(f"{name} {_number(metric, e.value)}" for name, e in ranked.items())
    if not ranked:
        return "no run has finished yet."
    if len(ranked) == 1:
        return f"there is only one mode, so no comparison: {listed}."
    if sum(not isnan(e.low) for e in ranked.values()) < 2:
        return f"one seed gives no interval, so this order may be due to chance: {listed}."
    order = ordering(ranked, metric.higher_is_better)
    return f"intervals separate: {order}." if order else f"no two intervals separate: {listed}."


def _differences(results: Results, question: Question) -> list[Piece]:
    """A row for each two modes: how probably one is better, and whether the test sources tell them apart."""
    metric, xs = METRICS[question["metric"]], values(question)
    sign = 1 if metric.higher_is_better else -1
    scores = {
        name: [[sign * score for score in results.scores(question, x, name)] for x in xs] for name in results.modes
    }
    complete = {name: found for name, found in scores.items() if all(found)}
    ranked = sorted(complete, key=lambda name: -sum(estimate(each).value for each in complete[name]))
    pairs = [
        pair if probability_of_improvement(complete[pair[1]], complete[pair[0]]).value >= 0.5 else pair[::-1]
        for pair in itertools.combinations(ranked, 2)
    ]
    if not pairs:
        return []
    tests = {
        (pair, index): p
        for pair in pairs
        for index, x in enumerate(xs)
        if question["metric"] == "exact_match" and (p := _test(results, question["name"], x, *pair)) is not None
    }
    if not tests and len(results.suite["seeds"]) < 2:
        return []
    corrected = dict(zip(tests, holm(list(tests.values())), strict=True))
    rows: list[list[Inline]] = []
    for pair in pairs:
        e = probability_of_improvement(complete[pair[1]], complete[pair[0]])
        found = [corrected.get((pair, index)) for index in range(len(xs))]
        shown = [NOTHING if p is None else strong(_p(p)) if p < 0.05 else _p(p) for p in found]
        interval = "" if isnan(e.low) else f"{100 * e.low:.0f}\N{EN DASH}{100 * e.high:.0f}"
        chance = detailed(f"{100 * e.value:.0f}", interval)
        rows.append([f"{pair[0]} over {pair[1]}", chance, *(shown if tests else [])])
    heads = [f"p, {plots.number(x)}" if question["x"] else "p" for x in xs] if tests else []
    note = "Probability that a run of the first mode scores better than one of the second; 50 % is no difference."
    seeds = len(results.suite["seeds"])
    if seeds <= 3:
        note += f" With {_count(seeds, 'seed')}, it rests on {_count(seeds**2, 'pair')} of runs in a condition."
    if tests:
        note += (
            " p: exact paired permutation test over the test sources, with the mean of the seeds for each, corrected "
            f"for the {_count(len(tests), 'comparison')} of this table (Holm); bold below 0.05. It holds for other "
            "sources of this kind, and says nothing about other seeds."
        )
    header: list[Inline] = ["", "probability of improvement, %", *heads]
    return [heading(3, "Differences"), table(header, rows), paragraph(note, small=True)]


def _test(results: Results, question: str, x: Any, first: str, second: str) -> float | None:
    """The p-value of a difference between two modes; `None` if the records do not say which sources were right."""
    one, other = (results.right(question, x, name) for name in (first, second))
    seeds = sorted(set(one) & set(other))
    if not seeds:
        return None
    return paired_permutation_test(*(np.array([side[seed] for seed in seeds]) for side in (one, other)))


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _half(results: Results, question: Question, x: Any) -> str:
    """The shortest source length at which each mode gets less than half of the test pairs right."""
    parts = []
    for name in results.modes:
        scores = results.along("length", question, x, name, "exact_match")
        means = {length: estimate(found).value for length, found in scores.items()}
        below = [length for length, mean in means.items() if mean < 0.5]
        if means:
            parts.append(f"{name} {below[0] if below else f'none (longest: {max(means)})'}")
    where = f"{plots.condition(question, x)}; " if question["x"] else ""
    return f"{where}shortest source length with an exact match below 50 %: {', '.join(parts)}."


def _measures(results: Results, question: Question, x: Any) -> Piece:
    runs = {name: results.runs(question["name"], x, name) for name in results.modes}

    def row(label: str, pick: Callable[[Record], Any], show: Callable[[Estimate], Inline]) -> list[Inline]:
        found = [[value for run in of_mode if (value := pick(run)) is not None] for of_mode in runs.values()]
        return [label, *(show(estimate(scores)) if scores else NOTHING for scores in found)]

    def metric_row(name: str, metric: Metric) -> list[Inline]:
        # Other numbers than percentages are too wide for a phone together with their intervals.
        def show(e: Estimate) -> Inline:
            return _score(e, metric) if metric.percent else _number(metric, e.value)

        return row(metric.title, lambda run: run["metrics"].get(name), show)

    def goal_row(label: str, key: str) -> list[Inline]:
        cells: list[Inline] = [label]
        for of_mode in runs.values():
            reached = [run["to_99"][key] for run in of_mode if run.get("to_99")]
            share = f"{len(reached)} of {len(of_mode)}" if len(reached) < len(of_mode) else ""
            cells.append(detailed(_short(estimate(reached).value) if reached else NOTHING, share))
        return cells

    seeds = len(results.suite["seeds"])
    all_runs = [run for of_mode in runs.values() for run in of_mode]
    return table(
        ["", *_heads(results)],
        [
            *(metric_row(name, METRICS[name]) for name in METRICS if any(name in run["metrics"] for run in all_runs)),
            row("parameters", lambda run: run.get("parameters"), lambda e: f"{e.value:,.0f}"),
            row("training, s", lambda run: run.get("seconds", {}).get("training"), lambda e: _short(e.value)),
            goal_row("epochs to 99 % (dev)", "epochs"),
            goal_row("seconds to 99 % (dev)", "seconds"),
            row(
                "generation, tokens/s",
                lambda run: run.get("generation", {}).get("tokens_per_second"),
                lambda e: _short(e.value),
            ),
            row("peak memory, MiB", lambda run: run.get("peak_memory_mb"), lambda e: f"{e.value:,.0f}"),
            ["runs finished", *(f"{len(of_mode)} of {seeds}" for of_mode in runs.values())],
        ],
    )


def _failures(results: Results, question: Question) -> list[Piece]:
    chosen = styles(results.modes)
    records = [*results.studies, *results.records]
    failed = [r for r in records if r["question"] == question["name"] and r["status"] != "ok"]
    rows: list[list[Inline]] = [
        [
            mode(record["mode"], chosen[record["mode"]]),
            *([plots.number(record["x"])] if question["x"] else []),
            "tuning" if "tune" in record else str(record["seed"]),
            record.get("reason") or "no reason recorded",
        ]
        for record in failed
    ]
    header: list[Inline] = ["mode", *([question["x"]["label"]] if question["x"] else []), "seed", "reason"]
    return [heading(3, "Failed cells"), table(header, rows, wordy=True)] if rows else []


def _tuned(results: Results, question: Question) -> list[Piece]:
    """The studies of a question: the expected best score, the chosen settings and the importance of each option."""
    found = {x: {name: results.study(question["name"], x, name) for name in results.modes} for x in values(question)}
    if not any(study for studies in found.values() for study in studies.values()):
        return []
    expected = picture(
        f"{question['name']}-trials",
        plots.expected_scores(results, question),
        "Expected best dev score of n trials that are drawn from all trials of a mode.",
        "expected best dev score of each mode against the number of trials",
    )
    tables = [(plots.condition(question, x) if question["x"] else "", _settings(results, s)) for x, s in found.items()]
    note = (
        "The chosen setting of each mode and, in small print, the importance of each option, in percent of all: how "
        "much it decides whether a trial is among the best."
    )
    shown = [fold(title, made) if title else made for title, made in tables]
    return [heading(3, "Tuning"), expected, *shown, paragraph(note, small=True)]


def _settings(results: Results, studies: Mapping[str, Record | None]) -> Piece:
    """The chosen settings of one condition, a column for each mode."""

    def row(label: str, show: Callable[[Record], Inline]) -> list[Inline]:
        return [label, *(NOTHING if study is None else show(study) for study in studies.values())]

    def setting(study: Record, key: str) -> Inline:
        value, share = study["trials"][study["chosen"]]["params"][key], study["importance"].get(key)
        shown = _short(value) if isinstance(value, float) else str(value)
        return detailed(shown, "" if share is None else f"{share:.0%}")

    def score(study: Record) -> str:
        return _number(METRICS[study["metric"]], study["trials"][study["chosen"]]["score"])

    def trials(study: Record) -> Inline:
        states = [trial["state"] for trial in study["trials"]]
        details = [f"{states.count(state)} {state}" for state in ("pruned", "failed") if state in states]
        return detailed(str(len(states)), ", ".join(details))

    some = next((study for study in studies.values() if study is not None), None)
    keys = [] if some is None else some["tune"]["space"]
    title = "" if some is None else METRICS[some["metric"]].title
    return table(
        ["", *_heads(results)],
        [
            *(row(key, lambda study, key=key: setting(study, key)) for key in keys),
            row(f"{title} (dev)", score),
            row("trials", trials),
        ],
    )


# === Explanations ===


def _how_to_read(results: Results) -> list[Piece]:
    interval = (
        "Interval: 95 % percentile bootstrap, which resamples the seeds within each condition. It describes these "
        "seeds, and is too narrow if there are few of them."
    )
    seeds = len(results.suite["seeds"])
    if 2 <= seeds <= 3:
        # The probability that all of one of two samples from the same distribution lie above the other.
        chance = round(100 * 2 / comb(2 * seeds, seeds))
        interval += (
            f" With {seeds} seeds, it is the range from the worst to the best, and two modes that are in truth equal "
            f"separate by chance in about {chance} cases of 100."
        )
    lines = [
        "Interquartile mean: the mean of the middle half of the runs. With three seeds or fewer, it is the plain mean.",
        interval,
        "a > b: every value in the interval of a is better than every value in that of b. Names separated by a comma "
        "have overlapping intervals. In a > b > c, a is better than c as well.",
        "To 99 %: epochs and seconds until the exact match of generated outputs on dev first reached 99 %, and how "
        "many runs reached it, if not all.",
        "Perplexity is computed with teacher forcing: the model reads the target up to each token. All other scores "
        "are of generated outputs.",
    ]
    if results.suite.get("tune"):
        lines += _how_to_read_tuning(results.suite["tune"])
    return [heading(2, READING), bullets(lines)]


def _how_to_read_tuning(tune: Mapping[str, Any]) -> list[str]:
    curve = (
        "Expected best dev score after n trials: the mean of the best of n draws, with replacement, from the scores of "
        "all trials (Dodge et al. 2019, arXiv:1909.03004)."
    )
    reasons = []
    if tune["sampler"] == "tpe":
        reasons.append("the sampler tpe chooses later trials by the scores of earlier ones")
    if tune["pruner"] != "none":
        reasons.append(f"a trial that the pruner {tune['pruner']} stops counts with its best score until then")
    if reasons:
        curve += (
            f" The estimate is meant for independent trials that run to their end. Here, {' and '.join(reasons)}: the "
            "curve describes these trials in random order, and not a random search."
        )
    return [
        f"Tuning: for each condition, each mode has the same number of trials, at most {tune['trials']}, in the same "
        "space and with the same seeds. Only dev decides. Then the chosen setting is trained with the suite's seeds.",
        curve,
        "A trial that failed before its first score counts as the worst of its mode.",
        "Importance: Optuna's PED-ANOVA (arXiv:2304.10255) of the trials that ran to their end. It is rough if they "
        "are few. It is missing for fewer than five, and if all have the same score.",
    ]


def _environment(results: Results) -> list[Piece]:
    facts: dict[str, list[str]] = {}
    for record in results.records:
        described = {**record.get("machine", {}), **record.get("versions", {})}
        for key, value in described.items():
            for name, fact in value.items() if isinstance(value, dict) else [(key, value)]:
                if (text := _fact(name, fact)) not in facts.setdefault(name, []):
                    facts[name].append(text)
    rows: list[list[Inline]] = [[name, " / ".join(texts)] for name, texts in sorted(facts.items())]
    when = sorted(record["when"] for record in results.records if record.get("when"))
    rows += [["finished", when[0] if when[0] == when[-1] else f"{when[0]} to {when[-1]}"]] if when else []
    commands = sorted({record["command"] for record in results.records if record.get("command")})
    pieces = [heading(2, ENVIRONMENT), *([table(["", ""], rows, wordy=True)] if rows else [])]
    pieces += [paragraph("The command that produced the records:"), code("\n".join(commands))] if commands else []
    return [
        *pieces,
        paragraph("The command that makes this report from the records, in their directory:"),
        code("seq2seq-zoo report ."),
    ]


def _fact(name: str, value: Any) -> str:
    if name == "memory" and isinstance(value, int):
        return f"{value / 2**30:.0f} GiB"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "unknown" if value is None else str(value)


# === Shared ===


def _estimates(results: Results, question: Question, x: Any) -> dict[str, Estimate]:
    return {name: estimate(results.scores(question, x, name)) for name in results.modes}


def _heads(results: Results) -> list[Inline]:
    chosen = styles(results.modes)
    return [mode(name, chosen[name]) for name in results.modes]


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _number(metric: Metric, value: float) -> str:
    return f"{100 * value:.1f}" if metric.percent else f"{value:.3f}" if value < 10 else _short(value)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
