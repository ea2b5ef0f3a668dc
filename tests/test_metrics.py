import itertools
import json

import pytest

from seq2seq_zoo.metrics.tokens import (
    by_length,
    by_position,
    edits,
    exact_match,
    nearest_references,
    token_accuracy,
    token_error_rate,
    token_metrics,
)

REFERENCES = [["a", "b", "c"], ["d"], []]


def test_correct_outputs_have_perfect_scores():
    assert token_metrics(REFERENCES, [list(row) for row in REFERENCES]) == {
        "exact_match": 1.0,
        "token_accuracy": 1.0,
        "token_error_rate": 0.0,
    }


@pytest.mark.parametrize(
    ("output", "accuracy", "errors"),
    [
        (["a", "b", "c"], 1, 0),
        (["a", "x", "c"], 3 / 4, 1 / 3),
        (["a", "b"], 2 / 4, 1 / 3),  # the third token and, after it, the end
        (["a", "b", "c", "c"], 3 / 4, 1 / 3),  # all but the end
        ([], 0, 1),
        (["b", "c"], 0, 1 / 3),  # one edit, but nothing in its place
        (["x"] * 7, 0, 7 / 3),
    ],
)
def test_metrics_of_one_row(output, accuracy, errors):
    assert token_accuracy([["a", "b", "c"]], [output]) == pytest.approx(accuracy)
    assert token_error_rate([["a", "b", "c"]], [output]) == pytest.approx(errors)
    assert exact_match([["a", "b", "c"]], [output]) == float(output == ["a", "b", "c"])


def test_token_metrics_weight_positions_not_rows():
    outputs = [["a", "b", "c"], ["x"], []]
    assert token_accuracy(REFERENCES, outputs) == pytest.approx((4 + 1 + 1) / (4 + 2 + 1))
    assert token_error_rate(REFERENCES, outputs) == pytest.approx(1 / 4)
    assert exact_match(REFERENCES, outputs) == pytest.approx(2 / 3)


def test_empty_references():
    assert (token_accuracy([[]], [[]]), token_error_rate([[]], [[]]), exact_match([[]], [[]])) == (1, 0, 1)
    assert (token_accuracy([[]], [["a", "b"]]), token_error_rate([[]], [["a", "b"]])) == (0, 2)


def test_a_token_of_several_characters_counts_as_one():
    assert token_error_rate([["twenty", "one"]], [["twenty", "two"]]) == 0.5
    assert exact_match([("a",)], [["a"]]) == 1


def test_the_order_of_rows_changes_nothing():
    outputs = [["a", "c"], ["d"], ["x"]]
    sources = [["1"], ["1", "2"], ["1"]]
    want = token_metrics(REFERENCES, outputs, sources)
    for order in itertools.permutations(range(3)):
        assert token_metrics(*[[rows[at] for at in order] for rows in (REFERENCES, outputs, sources)]) == want


def test_by_length_groups_rows_by_source_length_and_is_plain_json():
    rows = by_length([["1", "2"], ["1"], ["2"]], REFERENCES, [["a", "b", "c"], ["d"], ["x"]])
    assert rows == [
        {"length": 1, "count": 2, "exact_match": 0.5, "token_error_rate": 1.0},
        {"length": 2, "count": 1, "exact_match": 1.0, "token_error_rate": 0.0},
    ]
    assert json.loads(json.dumps(rows)) == rows
    assert token_metrics(REFERENCES, REFERENCES, [["1"]] * 3)["by_length"][0]["count"] == 3


def test_of_several_references_the_nearest_counts():
    references = [[["a", "b", "c"], ["d"], ["d", "e"]], [["a"], ["b"]], [[], ["a"]]]
    outputs = [["d", "e"], ["c"], ["x"]]
    assert nearest_references(references, outputs) == [["d", "e"], ["a"], []]  # the first of equally near ones
    nearest = token_metrics(nearest_references(references, outputs), outputs)
    assert nearest == {"exact_match": 1 / 3, "token_accuracy": 4 / 6, "token_error_rate": 2 / 3}
    one_each = [[row] for row in REFERENCES]
    assert nearest_references(one_each, outputs) == REFERENCES


@pytest.mark.parametrize("metric", [exact_match, nearest_references, token_accuracy, token_error_rate, token_metrics])
def test_no_rows_and_unequal_numbers_of_rows_are_errors(metric):
    with pytest.raises(ValueError, match="at least one row to measure, got none"):
        metric([], [])
    with pytest.raises(ValueError, match="as many outputs as references, got 2 and 1"):
        metric([["a"]], [["a"], ["b"]])


def test_positions_and_edits_add_up_to_the_rates():
    outputs = [["one", "one"], ["four", "six", "seven"], [], ["x", "y", "z"]]
    references = [["one", "two"], ["four", "five", "six", "seven"], ["a"], ["x", "z"]]
    rows = by_position(references, outputs)
    assert [row["count"] for row in rows] == [4, 4, 3, 1, 1]
    right = sum(row["token_accuracy"] * row["count"] for row in rows)
    assert right / 13 == pytest.approx(token_accuracy(references, outputs))
    found = edits(references, outputs)
    assert (found["inserted"], found["dropped"], found["substituted"]) == (1, 2, 1)
    assert found["confusions"] == [["two", "one", 1]]
    assert (1 + 2 + 1) / found["tokens"] == token_error_rate(references, outputs)


def test_by_length_needs_a_source_for_each():
    with pytest.raises(ValueError, match="as many sources as references, got 2 and 1"):
        by_length([["1"], ["2"]], [["a"]], [["a"]])
