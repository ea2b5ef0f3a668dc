"""How right token sequences are: pure functions over lists of tokens."""

from collections.abc import Sequence
from typing import Any

from rapidfuzz.distance import Levenshtein

Rows = Sequence[Sequence[str]]


_END = object()  # equal to no token


def exact_match(references: Rows, outputs: Rows) -> float:
    """The share of rows whose output is the reference, token for token.

    Args:
        references: the right tokens of each row, without padding and end.
        outputs: the tokens that came out, the same way.

    Returns:
        From 0 to 1, higher is better.

    Raises:
        ValueError: no rows, or not as many outputs as references.

    Example:

    >>> exact_match([["one", "two"], []], [["one", "one"], []])
    0.5
    """
    require_pairs(references, outputs)
    return sum(list(r) == list(o) for r, o in zip(references, outputs, strict=True)) / len(references)


def token_accuracy(references: Rows, outputs: Rows) -> float:
    """The share of the references' positions at which the output has the same token.

    A reference of n tokens has n + 1 positions: its tokens and the end after them. So an output that goes on too long
    is wrong at one position, and one that stops early is wrong from there on. Padding is no position. Every position of
    all rows counts alike.

    Args:
        references: the right tokens of each row, without padding and end.
        outputs: the tokens that came out, the same way.

    Returns:
        From 0 to 1, higher is better.

    Raises:
        ValueError: no rows, or not as many outputs as references.

    Example:

    >>> token_accuracy([["one", "two", "three"]], [["one", "one", "three", "four"]])
    0.5
    """
    require_pairs(references, outputs)
    right = sum(
        expected == got
        for reference, output in zip(references, outputs, strict=True)
        # The shorter of the two ends the comparison: what is left of the reference is then wrong.
        for expected, got in zip([*reference, _END], [*output, _END], strict=False)
    )
    return right / sum(len(reference) + 1 for reference in references)


def token_error_rate(references: Rows, outputs: Rows) -> float:
    """Insertions, deletions and replacements that mend all outputs, over the number of tokens of all references.

    Where every reference is empty, that number is taken as one.

    Args:
        references: the right tokens of each row, without padding and end.
        outputs: the tokens that came out, the same way.

    Returns:
        From 0, lower is better; above 1 where outputs are longer than references.

    Raises:
        ValueError: no rows, or not as many outputs as references.

    Example:

    >>> token_error_rate([["one", "two"], ["three", "four"]], [["two"], ["three", "four"]])
    0.25
    """
    require_pairs(references, outputs)
    edits = sum(Levenshtein.distance(r, o) for r, o in zip(references, outputs, strict=True))
    return edits / max(1, sum(map(len, references)))


def by_length(sources: Rows, references: Rows, outputs: Rows) -> list[dict[str, Any]]:
    """Exact match and error rate apart for each length of source, shortest first.

    Args:
        sources: the tokens of each source.
        references: the right tokens of each row, without padding and end.
        outputs: the tokens that came out, the same way.

    Returns:
        For each length its `length`, `count` of rows, `exact_match` and `token_error_rate`.

    Raises:
        ValueError: no rows, or not as many of one as of another.

    Example:

    >>> by_length([["4"], ["4", "0"]], [["four"], ["forty"]], [["four"], ["four"]])[1]
    {'length': 2, 'count': 1, 'exact_match': 0.0, 'token_error_rate': 1.0}
    """
    require_pairs(references, outputs)
    if len(sources) != len(references):
        raise ValueError(f"Expected as many sources as references, got {len(sources)} and {len(references)}.")
    groups: dict[int, tuple[list[Sequence[str]], list[Sequence[str]]]] = {}
    for source, reference, output in zip(sources, references, outputs, strict=True):
        chosen = groups.setdefault(len(source), ([], []))
        chosen[0].append(reference)
        chosen[1].append(output)
    return [
        {
            "length": length,
            "count": len(group[0]),
            "exact_match": exact_match(*group),
            "token_error_rate": token_error_rate(*group),
        }
        for length, group in sorted(groups.items())
    ]


def token_metrics(references: Rows, outputs: Rows, sources: Rows | None = None) -> dict[str, Any]:
    """Every metric by its name, as plain JSON; `by_length` only where the sources are given.

    Args:
        references: the right tokens of each row, without padding and end.
        outputs: the tokens that came out, the same way.
        sources: the tokens of each source.

    Raises:
        ValueError: no rows, or not as many of one as of another.

    Example:

    >>> token_metrics([["four"]], [["four"]])
    {'exact_match': 1.0, 'token_accuracy': 1.0, 'token_error_rate': 0.0}
    """
    rates = {metric.__name__: metric(references, outputs) for metric in (exact_match, token_accuracy, token_error_rate)}
    return rates if sources is None else {**rates, "by_length": by_length(sources, references, outputs)}


def accuracy(references: Rows, outputs: Rows) -> float:
    """The share of labels that are right, where each row has as many as its reference.

    Args:
        references: the right labels of each row.
        outputs: the labels that came out.

    Returns:
        From 0 to 1, higher is better.

    Raises:
        ValueError: no rows, not as many outputs as references, or not as many labels in a row.

    Example:

    >>> accuracy([["noun", "verb"], ["noun"]], [["noun", "noun"], ["noun"]]) == 2 / 3
    True
    """
    require_pairs(references, outputs)
    right = [r == o for rows in zip(references, outputs, strict=True) for r, o in zip(*rows, strict=True)]
    return sum(right) / len(right)


def require_pairs(references: Sequence[Any], outputs: Sequence[Any]) -> None:
    """Refuse to measure nothing, or rows that are not as many as their references.

    Raises:
        ValueError: no rows, or not as many outputs as references.
    """
    if len(references) != len(outputs):
        raise ValueError(f"Expected as many outputs as references, got {len(outputs)} and {len(references)}.")
    if not len(references):
        raise ValueError("Expected at least one row to measure, got none.")
