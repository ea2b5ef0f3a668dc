"""Times of a series: one constant step, and the times that follow."""

import numpy as np
import pytest

from seq2seq_zoo.data.columns import Columns
from seq2seq_zoo.data.lines import DataFileError
from seq2seq_zoo.data.times import Step, constant_step, following


def columns(*texts):
    return Columns(np.empty((len(texts), 0)), {"when": list(texts)}, range(2, 2 + len(texts)))


def step_of(*texts, step=None):
    return constant_step("a.csv", "when", columns(*texts), step)


@pytest.mark.parametrize(
    ("texts", "step", "after"),
    [
        (["0", "1", "2"], Step(1, "number"), ["3", "4"]),
        (["0.1", "0.2", "0.30000000000000004"], Step(0.1, "number"), None),
        (["8", "10.5", "13"], Step(2.5, "number"), ["15.5", "18"]),
        (["1767225600000", "1767225601000"], Step(1000, "number"), ["1767225602000", "1767225603000"]),
        (["0.333", "0.667", "1"], Step(0.333, "number"), None),
        (["2026-01-30", "2026-01-31"], Step(86400, "seconds"), ["2026-02-01", "2026-02-02"]),
        (["20260130", "20260131"], Step(86400, "seconds"), ["20260201", "20260202"]),
        (["2026-01-31 23:00", "2026-02-01 00:00"], Step(3600, "seconds"), ["2026-02-01 01:00", "2026-02-01 02:00"]),
        (["2026-01-31T00:00:00", "2026-01-31T00:00:30"], Step(30, "seconds"), ["2026-01-31T00:01:00"]),
        (["2026-01-31T00:00Z", "2026-01-31T12:00Z"], Step(43200, "seconds"), ["2026-02-01T00:00Z"]),
        # The clocks go forward: an hour less on them, and another offset.
        (
            ["2026-03-29T01:00+01:00", "2026-03-29T03:00+02:00", "2026-03-29T04:00+02:00"],
            Step(3600, "seconds"),
            ["2026-03-29T05:00+02:00"],
        ),
        (["2026-01-01", "2026-02-01", "2026-03-01"], Step(1, "months"), ["2026-04-01", "2026-05-01"]),
        (["2026-10-15", "2027-01-15"], Step(3, "months"), ["2027-04-15", "2027-07-15"]),
        (["2023-12-31", "2024-01-31", "2024-02-29"], Step(1, "month ends"), ["2024-03-31", "2024-04-30"]),
        (["2024-02-29", "2025-02-28"], Step(12, "month ends"), ["2026-02-28", "2027-02-28", "2028-02-29"]),
        (["2026-02-01", "2026-03-01", "2026-03-29"], Step(28 * 86400, "seconds"), ["2026-04-26"]),
    ],
)
def test_steps_and_the_times_that_follow(texts, step, after):
    found = step_of(*texts)
    assert found.unit == step.unit
    assert found.size == pytest.approx(step.size)
    if after is not None:
        assert following(texts, found, len(after)) == after


def test_a_month_that_is_too_short():
    assert following(["2025-12-30"], Step(1, "months"), 2) == ["2026-01-30", "2026-02-28"]


HOURS = ["2026-01-01T00:00", "2026-01-01T01:00", "2026-01-01T02:00", "2026-01-01T03:00"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            HOURS[::-1],
            r"a\.csv, line 3: expected a time after '2026-01-01T03:00', that of the row before, found "
            r"'2026-01-01T02:00'\. Sort the file by 'when', oldest first, and keep one line for each time\.",
        ),
        ([*HOURS[:2], *HOURS[1:]], r"line 4: expected a time after '2026-01-01T01:00', .*, found '2026-01-01T01:00'"),
        (
            [HOURS[0], *HOURS[2:], "2026-01-01T04:00"],
            r"a\.csv, line 3: expected the time '2026-01-01T01:00', one step \(1:00:00\) after the row before, found "
            r"'2026-01-01T02:00'\. Add or remove lines, so that all steps are equal\.",
        ),
        (["0", "1", "2", "4"], r"line 5: expected the time '3', one step \(1\) after the row before, found '4'"),
        (["0", "1", "2", "2.5", "3.5"], r"line 5: expected the time '3', .* found '2.5'"),
        (
            ["2026-01-01", "2026-02-01", "2026-04-01", "2026-05-01"],
            r"line 4: expected the time '2026-03-01', one step \(1 month\) after the row before, found '2026-04-01'",
        ),
        (
            ["2026-01-01", "2026-02-01", "31.3.2026"],
            r"line 4: expected a time in column 'when', in ISO 8601 .*'31\.3\.",
        ),
        (["1", "1_0"], r"line 3: expected a time in column 'when'.*found '1_0'"),
        (["1", ""], r"line 3: expected a time in column 'when'.*found ''"),
        (["2026-01-01T00:00", "2026-01-01T01:00Z"], r"line 3: expected a time of the same kind as '2026-01-01T00:00'"),
        (["0", "2026-01-01T01:00Z"], r"line 3: expected a time of the same kind as '0' in line 2, found '2026"),
    ],
)
def test_the_offending_line_is_named(texts, message):
    with pytest.raises(DataFileError, match=message) as caught:
        step_of(*texts)
    assert "\n" not in str(caught.value)


def test_a_further_file_has_the_step_of_the_first():
    assert step_of(HOURS[0], step=Step(3600, "seconds")) == Step(3600, "seconds")
    with pytest.raises(DataFileError, match=r"line 3: expected the time '2026-01-02', one step \(1 day, 0:00:00\)"):
        step_of("2026-01-01", "2026-01-03", "2026-01-05", step=Step(86400, "seconds"))
    with pytest.raises(
        DataFileError, match=r"line 2: expected times with a step of 1:00:00, as in training, found '0'"
    ):
        step_of("0", "1", step=Step(3600, "seconds"))
