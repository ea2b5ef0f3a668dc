"""The part of a report about what the models generated: errors, attention and examples."""

from typing import Any

from seq2seq_zoo.benchmark import plots
from seq2seq_zoo.benchmark.page import (
    Inline,
    Piece,
    difference,
    heading,
    marks,
    mode,
    paragraph,
    picture,
    strong,
    table,
    tokens,
)
from seq2seq_zoo.benchmark.records import Results, values
from seq2seq_zoo.benchmark.statistics import estimate
from seq2seq_zoo.figures import attention_map, styles

EXAMPLES = 3  # of each question


def what_was_generated(results: Results, question: dict[str, Any]) -> list[Piece]:
    """The sections about the outputs of a question's runs, as far as the records have them.

    Args:
        results: the results.
        question: one of the questions of its suite.
    """
    return [*_errors(results, question), *_attention(results, question), *_examples(results, question)]


def _errors(results: Results, question: dict[str, Any]) -> list[Piece]:
    """Where the tokens are wrong, and how."""
    name = question["name"]
    recorded = [run for x in values(question) for each in results.modes for run in results.runs(name, x, each)]
    if not any("edits" in run for run in recorded):  # as in results of versions that did not record them
        return []
    chosen = styles(results.modes)
    rows: list[list[Inline]] = []
    for x in values(question):
        if question["x"]:
            rows.append([strong(plots.condition(question, x))])
        for each in results.modes:
            runs = [run["edits"] for run in results.runs(name, x, each) if "edits" in run]
            if not runs:
                continue
            rates = [
                estimate([100 * run[kind] / max(1, run["tokens"]) for run in runs]).value
                for kind in ("inserted", "dropped", "substituted")
            ]
            confusions = (f"{expected} → {got} ({count:,})" for expected, got, count in runs[0]["confusions"][:3])
            rows.append([mode(each, chosen[each]), *(f"{rate:.2f}" for rate in rates), ", ".join(confusions)])
    note = (
        "Tokens inserted, dropped and substituted for each 100 tokens of the references, by the fewest edits: the "
        "interquartile mean over the seeds. The commonest substitutions are those of the first seed, with their counts."
    )
    position = picture(
        f"{name}-position",
        plots.against_position(results, question),
        "Share of right tokens at each position of the reference, interquartile mean over the seeds. An output that "
        "lacks one token is wrong from there on.",
        "token accuracy of each mode against the position in the reference",
    )
    head: list[Inline] = ["", "inserted", "dropped", "substituted", "commonest substitutions"]
    return [heading(3, "Errors"), paragraph(note, small=True), table(head, rows, wordy=True), position]


def _attention(results: Results, question: dict[str, Any]) -> list[Piece]:
    pieces = []
    for name in results.modes:
        shown = [
            (x, run)
            for x in _by_spread(results, question)
            for run in results.runs(question["name"], x, name)
            if run.get("attention")
        ]
        for x, run in shown[:1]:
            where = f", {plots.condition(question, x)}" if question["x"] else ""
            caption = (
                f"{name}, seed {run['seed']}{where}. A row shows the attention of one output token over the source."
            )
            alt = f"attention weights of {name} on {' '.join(run['attention']['source'])}"
            file = f"{question['name']}-attention-{name}"
            figure = attention_map(*(run["attention"][key] for key in ("source", "output", "weights")))
            pieces.append(picture(file, figure, caption, alt))
    return [heading(3, "Attention"), *pieces] if pieces else []


def _examples(results: Results, question: dict[str, Any]) -> list[Piece]:
    chosen = styles(results.modes)
    for x in _by_spread(results, question):
        outputs = {
            name: {(tuple(e["source"]), tuple(e["reference"])): tuple(e["output"]) for e in run.get("examples", [])}
            for name in results.modes
            for run in results.runs(question["name"], x, name)[:1]
        }
        first = next(iter(outputs.values()), {})
        # Pairs on which the modes disagree are the most informative.
        agree = {
            pair: len({found[pair] == pair[1] for found in outputs.values()}) == 1
            for pair in first
            if all(pair in found for found in outputs.values())
        }
        tables = [
            table(
                [strong("source"), tokens(pair[0])],
                [
                    [strong("reference"), tokens(pair[1])],
                    *([mode(name, chosen[name]), difference(pair[1], found[pair])] for name, found in outputs.items()),
                ],
                wordy=True,
            )
            for pair in sorted(agree, key=lambda pair: agree[pair])[:EXAMPLES]
        ]
        if tables:
            where = f" ({plots.condition(question, x)})" if question["x"] else ""
            note = (
                f"Test pairs{where}, starting with those on which the modes disagree. Each mode is shown "
                "with its first finished seed."
            )
            return [heading(3, "Examples"), paragraph(note, small=True), marks(), *tables]
    return []


def _by_spread(results: Results, question: dict[str, Any]) -> list[Any]:
    """The values of x, sorted by the spread of the modes' scores, widest first."""

    def spread(x: Any) -> float:
        found = [estimate(scores).value for name in results.modes if (scores := results.scores(question, x, name))]
        return max(found) - min(found) if found else -1.0

    return sorted(values(question), key=spread, reverse=True)
