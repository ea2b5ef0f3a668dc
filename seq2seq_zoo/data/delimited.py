"""Pairs from one file with a source and a target in each record: tab-separated, CSV, JSON Lines or Parquet."""

import array
import dataclasses
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq_zoo.config.messages import nearest, shown
from seq2seq_zoo.config.options import OptionError, Positive
from seq2seq_zoo.data.hints import HEADER_WORDS, option, other_kind
from seq2seq_zoo.data.lines import DataFileError, Lines, bad_line
from seq2seq_zoo.data.pairs import Pairs
from seq2seq_zoo.data.records import BadRecord, Delimiter, Parquet, Quoted, format_of, no_column
from seq2seq_zoo.data.vocabulary import FEATURES

Column = Positive | str
"""The number of a column, counted from 1, or its name."""

Check = Callable[[str, str], tuple[str, str] | None]
"""Takes a source and a target. Returns what was expected and what was found where they differ, else `None`."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where sources and targets are in a file. The arguments are the options of the task `file` with the same names.

    Args:
        source: the column of the sources.
        target: the column of the targets.
        features: the column of the features that precede each source.
        header: whether the first line has the names of the columns.
        delimiter: what separates the cells of a line.

    Raises:
        OptionError: a column has a name, but the first line is said to have none.
    """

    source: Column | None = None
    target: Column | None = None
    features: Column | None = None
    header: bool | None = None
    delimiter: Delimiter | None = None

    def __post_init__(self) -> None:
        by_name = [column for column in (self.source, self.target, self.features) if isinstance(column, str)]
        if by_name and self.header is False:
            raise OptionError(("header",), f"must be true or left out, since '{by_name[0]}' is the name of a column.")

    def columns(self, named: bool, with_target: bool = True) -> dict[str, Column]:
        """The columns to read, by what is in them.

        Args:
            named: whether every value in the file has a name.
            with_target: whether targets are read.
        """
        columns = {
            "source": self.source or ("source" if named else 1),
            "target": (self.target or ("target" if named else 2)) if with_target else None,
            "features": self.features,
        }
        return {role: column for role, column in columns.items() if column is not None}

    @property
    def has_header(self) -> bool:
        """Whether the first line of a file of cells has the names of the columns."""
        if self.header is None:
            return any(isinstance(column, str) for column in self.columns(named=False).values())
        return self.header

    @property
    def is_plain(self) -> bool:
        """Whether no column is chosen, so that a file of cells has just two, the source and the target."""
        return (self.source, self.target, self.features) == (None, None, None)


class Records:
    """The records of a file: the position of each, and its source and target.

    Args:
        path: the file.
        layout: where sources and targets are in it.
        skip_bad_lines: whether to leave out and count bad records instead of raising an error.
        separators: how sources and targets are split into tokens, as in `Vocabulary`.
        check: a further check of each source and target.
        with_target: whether there are targets. If not, the texts of a record are its source alone.
        references: whether columns after the second are further targets, if no column is chosen. The texts of a record
            are then its source and all targets.

    Attributes:
        skipped: the number of bad records left out so far.

    Raises:
        DataFileError: a column has a number and not a name, or the reverse, where the file needs the other, or two
            columns are the same; on iteration: the file cannot be read or has no such column; the first bad record,
            unless bad ones are skipped.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        layout: Layout,
        skip_bad_lines: bool = False,
        separators: tuple[str, str] = ("", ""),
        check: Check = lambda source, target: None,
        with_target: bool = True,
        references: bool = False,
    ):
        self.path = path
        self.skipped = 0
        self._layout = layout
        self._skip_bad_lines = skip_bad_lines
        self._separators = separators
        self._check = check
        self._format = format_of(path, layout.delimiter)
        self._columns = layout.columns(self._format.named, with_target)
        self._format.columns = [str(column) for column in self._columns.values()]
        self.open = self._format.open
        self._advice = "" if with_target else f"Fix the {self._format.unit}."
        self._names: list[str] | None = None
        self._has_references = references and layout.is_plain and with_target and not self._format.named
        self._width = 2 if layout.is_plain and with_target and not references else None
        self._positions = {role: column - 1 for role, column in self._columns.items() if isinstance(column, int)}
        if self._format.named and self._positions:
            role = next(iter(self._positions))
            raise DataFileError(
                f"{path}: its values have names, but {role} is the number {self._columns[role]}: set "
                f"{option(role, 'NAME')}."
            )
        roles: dict[Column, str] = {}
        for role, column in self._columns.items():
            if column in roles:
                both = f"{roles[column]} and {role} are both read from column {column}"
                raise DataFileError(f"{path}: {both}: set {option(role, 'OTHER')}.")
            roles[column] = role

    def __iter__(self) -> Iterator[tuple[int, int, Sequence[str]]]:
        quoted = isinstance(self._format, Quoted)
        lines = Lines(self.path, self._skip_bad_lines, self._expected, None, quoted, self.open, self._advice)
        has_header = self._layout.has_header and not self._format.named
        bad = 0
        for count, (number, start, stop, text) in enumerate(self._format.records(lines)):
            if has_header and not count:
                self._read_names(number, text)
                continue
            try:
                values = self._values(text)
                texts = self._texts(values)
                if len(texts) > 1 and (wrong := self._check(*texts[:2])):
                    raise BadRecord(*wrong)
            except BadRecord as error:
                if not self._skip_bad_lines:
                    advice = error.advice or self.hint or self._advice
                    raise bad_line(self.path, number, error.expected, error.found, advice, self._format.unit) from None
                bad += 1
            else:
                if not count:
                    self._refuse_names(number, values)
                yield start, stop, texts
            self.skipped = bad + lines.skipped
        self.skipped = bad + lines.skipped

    def peek(self) -> None:
        """Read the first record. Parquet is not read, since all of it would be."""
        if isinstance(self._format, Parquet):
            Path(self.path).open("rb").close()
        else:
            next(iter(self), None)

    def parse(self, contents: Sequence[bytes]) -> Sequence[str]:
        """The texts of a record, from its bytes."""
        return self._texts(self._values(contents[0].decode()))

    @property
    def hint(self) -> str:
        """What the file looks like if it is not what it is read as, and what to do."""
        return other_kind(self.path, self._format, self._layout.is_plain)

    @property
    def _expected(self) -> str:
        """What a record should be."""
        if self._format.named:
            return self._format.expected
        if self._names is not None:
            return f"{_counted(len(self._names))}, as many as line 1 has names"
        if self._width is not None:
            return f"two columns of UTF-8 text with one {self._format.delimiter} between them"
        least = max(self._positions.values(), default=0) + 1
        return f"at least {_counted(least)} of UTF-8 text"

    def _values(self, text: str) -> Mapping[str, str]:
        """The values of a record, by what is in them."""
        values = self._format.values(text)
        if isinstance(values, Mapping):
            return {role: _value(values, role, str(name)) for role, name in self._columns.items()}
        positions = self._positions
        if len(values) <= max(positions.values()) or len(values) != (self._width or len(values)):
            raise BadRecord(self._expected, _counted(len(values)))
        further = (
            {f"target {place}": value for place, value in enumerate(values[2:], 2)} if self._has_references else {}
        )
        return {role: values[position] for role, position in positions.items()} | further

    def _texts(self, values: Mapping[str, str]) -> Sequence[str]:
        """The source, with its features, and the targets."""
        source = values["source"]
        if "features" in values:
            features = [feature for feature in re.split(r"[;\s]+", values["features"]) if feature]
            between = " " if self._separators[0] == " " else FEATURES
            source = f"{between.join(features)} {source}"
        return (source, *(value for role, value in values.items() if role.startswith("target")))

    def _read_names(self, number: int, text: str) -> None:
        """Find the columns in a line with their names."""
        names = [name.strip() for name in self._format.values(text)]
        place = f"{self.path}, line {number}"
        for role, column in self._columns.items():
            if isinstance(column, int) and column > len(names):
                raise DataFileError(f"{place}: there is no column {column} for {role}. Columns: {', '.join(names)}.")
            if isinstance(column, str):
                if column not in names:
                    raise no_column(place, column, names, f" {self.hint}".rstrip())
                if names.count(column) > 1:
                    raise DataFileError(f"{place}: two columns are named '{column}': set {option(role, 'NUMBER')}.")
                self._positions[role] = names.index(column)
        if self._width is not None and len(names) != self._width:
            hint = f"{option('source', names[0])} and {option('target', names[-1])}"
            raise DataFileError(
                f"{place}: expected two names of columns, found {', '.join(names)}: choose, such as {hint}."
            )
        self._names, self._width = names, len(names)

    def _refuse_names(self, number: int, values: Mapping[str, str]) -> None:
        """Refuse a first line that looks like the names of the columns but is read as a pair."""
        if self._format.named or self._layout.has_header or self._layout.header is not None:
            return
        if all(HEADER_WORDS.fullmatch(value.strip()) for value in values.values()):
            raise DataFileError(
                f"{self.path}, line {number} looks like the names of the columns ({', '.join(values.values())}): set "
                f"{option('header', True)}, or {option('header', False)} if it is a pair."
            )


def read_pairs(
    path: str | os.PathLike[str],
    skip_bad_lines: bool = False,
    separators: tuple[str, str] = ("", ""),
    check: Check = lambda source, target: None,
    layout: Layout = Layout(),
    references: bool = False,
) -> tuple[Pairs, int]:
    """The pairs of a file with a source and a target in each record.

    The file is UTF-8, with or without byte-order marks, and may be compressed with gzip. Blank lines are ignored. All
    records are checked, but none is kept in memory: see `Pairs`. The ending of the file's name tells how it is
    written: see `format_of`.

    Args:
        path: the file.
        skip_bad_lines: whether to leave out and count bad lines instead of raising an error.
        separators: how sources and targets are split into tokens, as in `Vocabulary`.
        check: a further check of each source and target.
        layout: where sources and targets are in the file.
        references: whether columns after the second are further targets, if no column is chosen. Each of them, if it is
            not empty, makes a pair with the source.

    Returns:
        The pairs, and the number of lines left out.

    Raises:
        DataFileError: the file cannot be read, or has no such column or no pairs; the first bad line, unless bad lines
            are skipped.
    """
    spans, places = array.array("q"), array.array("i")
    records = Records(path, layout, skip_bad_lines, separators, check, references=references)
    for start, stop, (_, *targets) in records:
        for place, target in enumerate(targets):
            if target.strip() or not place:
                spans.extend((start, stop))
                if references:
                    places.append(place)
    if not spans:
        raise DataFileError(
            f"{path} has no pairs (bad lines skipped: {records.skipped}): expected a source and a target on each line. "
            f"{records.hint}".rstrip()
        )
    positions = np.frombuffer(spans, np.int64).reshape(-1, 1, 2)
    chosen = np.frombuffer(places, np.int32) if references else None
    return Pairs([path], positions, separators, records.parse, records.open, chosen), records.skipped


def _value(values: Mapping[str, Any], role: str, name: str) -> str:
    """The text under a name, or under names of nested values with a dot between them."""
    value: Any = values
    for key in [name] if name in values else name.split("."):
        if not isinstance(value, Mapping) or key not in value:
            known = list(value) if isinstance(value, Mapping) else []
            raise BadRecord(
                f"a value named '{name}'",
                f"only {', '.join(known) or 'none'}",
                f"Set {option(role, 'NAME')}.{nearest(key, known)}",
            )
        value = value[key]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise BadRecord(f"text as '{name}'", "null" if value is None else shown(value))
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadRecord(f"text as '{name}'", "half of a surrogate pair") from None
    return value


def _counted(columns: int) -> str:
    return f"{columns} column{'s' * (columns != 1)}"
