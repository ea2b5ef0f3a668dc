"""What a file of pairs looks like, for the error message if it is read as something else."""

import itertools
import json
import os
import re
from collections.abc import Sequence

from seq2seq_zoo.data.lines import split_lines
from seq2seq_zoo.data.records import CHARACTERS, BadRecord, Format, Quoted, Tabs

SAMPLE = 20
"""How many lines at the start of a file are looked at."""

HEADER_WORDS = re.compile(
    "(source|src|input|target|tgt|trg|output|lemma|form|feature|feat|tag|word|text|sentence|pronunciation|pron|phoneme"
    "|ipa|transcription|label|question|answer)s?",
    re.IGNORECASE,
)
"""Common names of columns of pairs."""

_FEATURES = re.compile(r"[A-Z0-9][^\s;]*(;[^\s;]+)+")
_SEPARATED = {" ||| ": "sed 's/ ||| /\\t/g'", "|": "tr '|' '\\t'"}
"""What else separates columns, and the command that puts a tab there."""


def option(name: str, value: object) -> str:
    """An option of reading pairs, as it is written in a configuration and on the command line."""
    shown = str(value).lower() if isinstance(value, bool) else value
    return f"`{name}: {shown}` (--read {name}={shown})"


def other_kind(path: str | os.PathLike[str], read_as: Format, two_columns: bool) -> str:
    """What a file looks like if not what it is read as, and what to do. Empty if that is not clear.

    Args:
        path: the file.
        read_as: the format as which it is read.
        two_columns: whether it is expected to have just two columns.
    """
    lines = (line.decode(errors="replace").rstrip() for _, line in split_lines(path, read_as.open))
    sample = list(itertools.islice(filter(None, lines), SAMPLE))
    if not sample or read_as.named:
        return "Write one JSON object on each line." if sample and sample[0].startswith("[") else ""
    if all(map(_is_object, sample)):
        return "It looks like JSON Lines: let its name end with .jsonl."
    if all(re.match("IN: .* OUT: ", line) for line in sample):
        return (
            "It looks like a file of SCAN: use the task `scan`, or set source_tokens and target_tokens to words and "
            "convert it with: sed 's/^IN: //; s/ OUT: /\\t/'."
        )
    as_tabs = {"tab": Tabs()} if isinstance(read_as, Quoted) else {}
    formats = {**as_tabs, "comma": Quoted("comma"), "semicolon": Quoted("semicolon")}
    if _width([record.split(_delimiter(read_as)) for record in sample]) < 2:
        for name, other in formats.items():
            if _width(_cells(sample, other)) > 1:
                return f"It looks like columns with a {name} between them: set {option('delimiter', name)}."
        for between, command in _SEPARATED.items():
            if _width([line.split(between) for line in sample]) > 1:
                return f"It looks like columns with '{between.strip()}' between them: convert it with: {command}."
        return ""
    cells = _cells(sample, read_as)
    width = _width(cells)
    if not two_columns or width < 3:
        return ""
    for column, target in ((3, ""), (2, f" and {option('target', 3)}")):
        if all(_FEATURES.fullmatch(row[column - 1]) for row in cells):
            return (
                f"It looks like UniMorph, with features in column {column}: set {option('features', column)}{target}."
            )
    return (
        f"It has {width} columns: choose, such as {option('source', 1)} and {option('target', width)}; or set "
        "`references: true` (evaluate --references) if all after the first are right targets."
    )


def _delimiter(read_as: Format) -> str:
    return CHARACTERS[read_as.delimiter if isinstance(read_as, Quoted) else "tab"]


def _cells(sample: Sequence[str], read_as: Format) -> list[Sequence[str]]:
    try:
        return [list(read_as.values(line)) for line in sample]
    except (BadRecord, ValueError):
        return []


def _width(rows: Sequence[Sequence[str]]) -> int:
    """The number of columns, if all rows have the same number; else 0."""
    widths = set(map(len, rows))
    return widths.pop() if len(widths) == 1 else 0


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
