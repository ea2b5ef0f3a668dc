"""Metrics of token sequences: pure functions over lists of tokens."""

import functools
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rapidfuzz.distance import Levenshtein

Rows = Sequence[Sequence[str]]

_END = object()  # equal to no token


def nearest_references(references: Sequence[Rows], outputs: Rows) -> Rows:
    """Of several references, the one with the smallest edit distance to the output; the first of equally near ones.

    Args:
        references: for each row its references, each of which is right: the target tokens without padding and end.
        outputs: the generated tokens of each row, without padding and end.

    Returns:
        One reference for each row. The metrics below compare the outputs with them.

    Raises:
        ValueError: there are no rows, or not as many outputs as rows of references.

    Example:

    >>> nearest_references([[["T", "AH"], ["T", "UW"]]], [["T", "UW", "Z"]])
    [['T', 'UW']]
    """
    require_pairs(references, outputs)
    return [
        min(row, key=functools.partial(Levenshtein.distance, output))
        for row, output in zip(references, outputs, strict=True)
    ]


def exact_match(references: Rows, outputs: Rows) -> float:
    """The share of rows whose output equals its reference.

    Args:
        references: the target tokens of each row, without padding and end.
        outputs: the generated tokens of each row, without padding and end.

    Returns:
        From 0 to 1, higher is better.

    Raises:
        ValueError: there are no rows, or not as many outputs as references.

    Example:

    >>> exact_match([["one", "two"], []], [["one", "one"], []])
    0.5
    """
    require_pairs(references, outputs)
    return sum(list(r) == list(o) for r, o in zip(references, outputs, strict=True)) / len(references)


def token_accuracy(references: Rows, outputs: Rows) -> float:
    """The share of positions in the references at which the output has the same token.

    A reference of n tokens has n + 1 positions: its tokens and the end. An output that is too long is thus wrong at the
    position of the end; one that is too short is wrong from its own end on. All positions of all rows have the same
    weight.

    Arguments and errors are those of `exact_match`.

    Returns:
        From 0 to 1, higher is better.

    Example:

    >>> token_accuracy([["one", "two", "three"]], [["one", "one", "three", "four"]])
    0.5
    """
    require_pairs(references, outputs)
    correct = sum(
        expected == got
        for reference, output in zip(references, outputs, strict=True)
        # Not strict: positions beyond a shorter output are wrong, and those beyond the reference do not count.
        for expected, got in zip([*reference, _END], [*output, _END], strict=False)
    )
    return correct / sum(len(reference) + 1 for reference in references)


def token_error_rate(references: Rows, outputs: Rows) -> float:
    """The edit distance between outputs and references, divided by the number of tokens in the references.

    The distance counts insertions, deletions and substitutions of tokens, summed over all rows. If all references are
    empty, it is divided by one.

    Arguments and errors are those of `exact_match`.

    Returns:
        From 0, lower is better; above 1 is possible, since outputs may be longer than their references.

    Example:

    >>> token_error_rate([["one", "two"], ["three", "four"]], [["two"], ["three", "four"]])
    0.25
    """
    require_pairs(references, outputs)
    edits = sum(Levenshtein.distance(r, o) for r, o in zip(references, outputs, strict=True))
    return edits / max(1, sum(map(len, references)))


def by_length(sources: Rows, references: Rows, outputs: Rows) -> list[dict[str, Any]]:
    """Exact match and token error rate for each source length, shortest first.

    Arguments are those of `exact_match`, and:

    Args:
        sources: the tokens of each source.

    Returns:
        For each length its `length`, the `count` of rows, `exact_match` and `token_error_rate`.

    Raises:
        ValueError: there are no rows, or the numbers of sources, references and outputs differ.

    Example:

    >>> by_length([["4"], ["4", "0"]], [["four"], ["forty"]], [["four"], ["four"]])[1]
    {'length': 2, 'count': 1, 'exact_match': 0.0, 'token_error_rate': 1.0}
    """
    require_pairs(references, outputs)
    if len(sources) != len(references):
        raise ValueError(f"Expected as many sources as references, got {len(sources)} and {len(references)}.")
    groups: dict[int, tuple[list[Sequence[str]], list[Sequence[str]]]] = {}
    for source, reference, output in zip(sources, references, outputs, strict=True):
        group = groups.setdefault(len(source), ([], []))
        group[0].append(reference)
        group[1].append(output)
    return [
        {
            "length": length,
            "count": len(group[0]),
            "exact_match": exact_match(*group),
            "token_error_rate": token_error_rate(*group),
        }
        for length, group in sorted(groups.items())
    ]


def by_position(references: Rows, outputs: Rows) -> list[dict[str, Any]]:
    """Token accuracy at each position of the references, the first position first.

    The end of a reference is a position too, as in `token_accuracy`. Arguments and errors are those of `exact_match`.

    Returns:
        For each position, counted from 1, its `position`, the `count` of references that reach it, and
        `token_accuracy`.

    Example:

    >>> by_position([["one", "two"], ["one"]], [["one", "one"], ["one"]])[1]
    {'position': 2, 'count': 2, 'token_accuracy': 0.5}
    """
    require_pairs(references, outputs)
    counts: Counter[int] = Counter()
    right: Counter[int] = Counter()
    for reference, output in zip(references, outputs, strict=True):
        pairs = zip([*reference, _END], [*output, _END], strict=False)
        counts.update(range(1, len(reference) + 2))
        right.update(position for position, (expected, got) in enumerate(pairs, 1) if expected == got)
    return [
        {"position": position, "count": count, "token_accuracy": right[position] / count}
        for position, count in sorted(counts.items())
    ]


def edits(references: Rows, outputs: Rows) -> dict[str, Any]:
    """What is wrong in the outputs: the edits that turn references into them, as few as possible.

    Arguments and errors are those of `exact_match`.

    Returns:
        How many tokens were `inserted`, `dropped` and `substituted`, and the `tokens` of all references; and
        `confusions`, the ten commonest substitutions as `[expected, generated, count]`.

    Example:

    >>> edits([["one", "two"]], [["ten", "two", "and"]])
    {'inserted': 1, 'dropped': 0, 'substituted': 1, 'tokens': 2, 'confusions': [['one', 'ten', 1]]}
    """
    require_pairs(references, outputs)
    names = {"insert": "inserted", "delete": "dropped", "replace": "substituted"}
    counts: Counter[str] = Counter()
    confusions: Counter[tuple[str, str]] = Counter()
    for reference, output in zip(references, outputs, strict=True):
        for edit in Levenshtein.editops(reference, output):
            counts[names[edit.tag]] += 1
            if edit.tag == "replace":
                confusions[reference[edit.src_pos], output[edit.dest_pos]] += 1
    commonest = sorted(confusions.items(), key=lambda item: (-item[1], item[0]))[:10]
    return {
        **{name: counts[name] for name in names.values()},
        "tokens": sum(map(len, references)),
        "confusions": [[expected, got, count] for (expected, got), count in commonest],
    }


BREAKDOWNS = ("by_length", "by_position", "edits")
"""What `token_metrics` gives beside numbers, if it is given the sources."""


def token_metrics(references: Rows, outputs: Rows, sources: Rows | None = None) -> dict[str, Any]:
    """The metrics of generated tokens by their names, as plain JSON; with the `BREAKDOWNS` if sources are given.

    Arguments and errors are those of `by_length`.

    Example:

    >>> token_metrics([["four"]], [["four"]])
    {'exact_match': 1.0, 'token_accuracy': 1.0, 'token_error_rate': 0.0}
    """
    rates = {metric.__name__: metric(references, outputs) for metric in (exact_match, token_accuracy, token_error_rate)}
    if sources is None:
        return rates
    return {
        **rates,
        "by_length": by_length(sources, references, outputs),
        "by_position": by_position(references, outputs),
        "edits": edits(references, outputs),
    }


def accuracy(references: Rows, outputs: Rows) -> float:
    """The share of correct labels, where each row has as many labels as its reference.

    Arguments are those of `exact_match`.

    Returns:
        From 0 to 1, higher is better.

    Raises:
        ValueError: as `exact_match`; or a row has not as many labels as its reference.

    Example:

    >>> accuracy([["noun", "verb"], ["noun"]], [["noun", "noun"], ["noun"]]) == 2 / 3
    True
    """
    require_pairs(references, outputs)
    correct = [r == o for rows in zip(references, outputs, strict=True) for r, o in zip(*rows, strict=True)]
    return sum(correct) / len(correct)


def require_pairs(references: Sequence[Any], outputs: Sequence[Any]) -> None:
    """Check that there are rows, and as many outputs as references.

    Raises:
        ValueError: there are no rows, or not as many outputs as references.
    """
    if len(references) != len(outputs):
        raise ValueError(f"Expected as many outputs as references, got {len(outputs)} and {len(references)}.")
    if not len(references):
        raise ValueError("Expected at least one row to measure, got none.")
