"""The times of a series' steps: their check, and the times that follow."""

import calendar
import datetime
import itertools
import math
import os
import re
import statistics
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from seq2seq_zoo.data.columns import COMMA_SEPARATED, Columns
from seq2seq_zoo.data.lines import DataFileError

TOLERANCE = 0.01
"""By what share two steps may differ: times are rounded when they are written."""


class Step(NamedTuple):
    """The constant difference between the times of a series."""

    size: float
    unit: Literal["number", "seconds", "months", "month ends"]
    """What is counted; `number` if times are numbers, `month ends` if each is on the last day of its month."""

    def after(self, time: Any, count: int = 1) -> Any:
        """The time some steps after another one."""
        if self.unit == "number":
            return time + count * Decimal(repr(self.size))
        if self.unit == "seconds":
            return time + count * datetime.timedelta(seconds=self.size)
        years, month = divmod(time.month - 1 + count * int(self.size), 12)
        last = calendar.monthrange(time.year + years, month + 1)[1]
        day = last if self.unit == "month ends" else min(time.day, last)
        return time.replace(year=time.year + years, month=month + 1, day=day)

    def separates(self, earlier: Any, later: Any) -> bool:
        """Whether two times are one step apart."""
        if self.size <= 0:
            return False
        if self.unit in ("months", "month ends"):
            return self.after(earlier) == later
        return math.isclose(_difference(earlier, later), self.size, rel_tol=TOLERANCE)

    def __str__(self) -> str:
        if self.unit == "number":
            return f"{self.size:g}"
        if self.unit == "seconds":
            return str(datetime.timedelta(seconds=self.size))
        return f"{self.size:g} month{'s' * (self.size != 1)}"


def constant_step(path: str | os.PathLike[str], name: str, columns: Columns, step: Step | None = None) -> Step:
    """The constant step of a column of times.

    Times are numbers, or in ISO 8601. A step may be a number of months.

    Args:
        path: the file, for error messages.
        name: the column.
        columns: the texts of this column, among others.
        step: the step that the times must have; by default the most frequent one of the column.

    Raises:
        DataFileError: a text is no time; the times do not increase, or not by one constant step.
    """
    texts, line_numbers = columns.texts[name], columns.line_numbers
    times: list[Any] = []
    for number, text in zip(line_numbers, texts, strict=True):
        try:
            times.append(_parse(text))
        except ValueError:
            raise DataFileError(
                f"{path}, line {number}: expected a time in column '{name}', in ISO 8601 such as 2026-01-31T12:00 or "
                f"as a number, found '{text}'. Fix it, or leave out the option `time`."
            ) from None
        if _kind(times[-1]) != _kind(times[0]):
            raise DataFileError(
                f"{path}, line {number}: expected a time of the same kind as '{texts[0]}' in line {line_numbers[0]}, "
                f"found '{text}'. Write all times in the same way."
            )
    if step is None:
        step = _most_frequent_step(times)
    elif (step.unit == "number") != isinstance(times[0], Decimal):
        raise DataFileError(
            f"{path}, line {line_numbers[0]}: expected times with a step of {step}, as in training, found "
            f"'{texts[0]}'. Write the times as in the file of training."
        )
    pairs = list(itertools.pairwise(times))
    for row, (earlier, later) in enumerate(pairs, start=1):
        if later <= earlier:
            raise DataFileError(
                f"{path}, line {line_numbers[row]}: expected a time after '{texts[row - 1]}', that of the row before, "
                f"found '{texts[row]}'. Sort the file by '{name}', oldest first, and keep one line for each time."
            )
    for row, (earlier, later) in enumerate(pairs, start=1):
        if not step.separates(earlier, later):
            (expected,) = following(texts[:row], step, 1)
            raise DataFileError(
                f"{path}, line {line_numbers[row]}: expected the time '{expected}', one step ({step}) after the row "
                f"before, found '{texts[row]}'. Add or remove lines, so that all steps are equal."
            )
    return step


def following(texts: Sequence[str], step: Step, count: int) -> list[str]:
    """The next times after those of some texts, written as the last of these are.

    Example:

    >>> following(["2026-02-28", "2026-03-31"], Step(1, "month ends"), 2)
    ['2026-04-30', '2026-05-31']
    """
    times = [_parse(text) for text in texts[-2:]]
    next_times = [step.after(times[-1], number) for number in range(1, count + 1)]

    def fits(style: Callable[[Any], str]) -> bool:
        as_before = [style(time) for time in times] == list(texts[-2:])
        return as_before and all(_parse(style(time)) == time for time in next_times)

    styles = [_plain] if isinstance(times[-1], Decimal) else _STYLES
    style = next(filter(fits, styles), styles[-1])
    return [style(time) for time in next_times]


def _parse(text: str) -> Any:
    """The time of a text: a `Decimal`, which keeps all digits of a number, or a `datetime`."""
    is_number = not math.isnan(COMMA_SEPARATED.number(text))
    if is_number and not re.fullmatch("[0-9]{8}", text):
        return Decimal(text)
    try:
        return datetime.datetime.fromisoformat(text)  # 20260131 is a date
    except ValueError:
        if is_number:
            return Decimal(text)
        raise


def _kind(time: Any) -> tuple[bool, bool]:
    """What two times must have in common to be compared."""
    return isinstance(time, Decimal), getattr(time, "tzinfo", None) is None


def _difference(earlier: Any, later: Any) -> float:
    difference = later - earlier
    return difference.total_seconds() if isinstance(difference, datetime.timedelta) else float(difference)


def _most_frequent_step(times: Sequence[Any]) -> Step:
    """The step between most of the times."""
    pairs = list(itertools.pairwise(times))
    if not pairs:
        return Step(1, "number")
    size = statistics.median_low(_difference(*pair) for pair in pairs)
    if isinstance(times[0], Decimal):
        return Step(size, "number")
    months = statistics.median_low(12 * (b.year - a.year) + b.month - a.month for a, b in pairs)
    steps = Step(months, "month ends"), Step(months, "months"), Step(size, "seconds")
    return max(steps, key=lambda step: sum(step.separates(*pair) for pair in pairs))


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _iso_styles() -> list[Callable[[datetime.datetime], str]]:
    """The ways to write a time that `following` knows, the one that leaves out nothing last."""

    def iso(separator: str, precision: str, utc: str) -> Callable[[datetime.datetime], str]:
        return lambda time: time.isoformat(separator, precision).replace("+00:00", utc)

    choices = itertools.product(" T", ("minutes", "seconds", "milliseconds", "auto"), ("Z", "+00:00"))
    dates = [lambda time: time.date().isoformat(), lambda time: f"{time:%Y%m%d}"]
    return [*dates, *itertools.starmap(iso, choices)]


_STYLES = _iso_styles()
