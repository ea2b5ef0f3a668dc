"""Records on disk: one file for each cell, written atomically; and the results of a suite, read from them."""

import base64
import json
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from seq2seq_zoo.metrics.metric import METRICS
from seq2seq_zoo.system.files import write

Record = dict[str, Any]

SUITE = "suite.json"
FOLDER = "records"
EXPORT = "records.jsonl"
REQUIRED = ("id", "question", "x", "mode", "seed", "status")


class RecordError(ValueError):
    """A run directory that cannot be read: which file, what is wrong with it, and what to do next."""


@dataclass(frozen=True)
class Results:
    """A suite and its records, in the order of the suite.

    Args:
        suite: the resolved suite.
        records: the records of finished and failed cells.
        studies: the records of finished and failed studies, in a suite that tunes.
    """

    suite: dict[str, Any]
    records: list[Record]
    studies: list[Record] = field(default_factory=list)

    @property
    def questions(self) -> list[dict[str, Any]]:
        """The questions of the suite."""
        return self.suite["questions"]

    @property
    def modes(self) -> list[str]:
        """The modes of the suite."""
        return self.suite["modes"]

    def conditions(self) -> list[tuple[dict[str, Any], Any]]:
        """Every question with each of its values of x, or with `None` if it varies nothing."""
        return [(question, x) for question in self.questions for x in values(question)]

    def cells(self, question: str, x: Any, mode: str) -> list[Record]:
        """The records of one condition and mode, one for each seed, including failed ones."""
        return [
            record
            for record in self.records
            if (record["question"], record["x"], record["mode"]) == (question, x, mode)
        ]

    def runs(self, question: str, x: Any, mode: str) -> list[Record]:
        """The records of one condition and mode that finished, one for each seed."""
        return [record for record in self.cells(question, x, mode) if record["status"] == "ok"]

    def study(self, question: str, x: Any, mode: str) -> Record | None:
        """The finished study of one condition and mode, if there is one."""
        for record in self.studies:
            if (record["question"], record["x"], record["mode"], record["status"]) == (question, x, mode, "ok"):
                return record
        return None

    def scores(self, question: dict[str, Any], x: Any, mode: str) -> list[float]:
        """The metric of the question on test, one number for each seed."""
        found = [record["metrics"].get(question["metric"]) for record in self.runs(question["name"], x, mode)]
        return [score for score in found if score is not None]

    def right(self, question: str, x: Any, mode: str) -> dict[int, np.ndarray]:
        """Which test sources each run got right, by its seed. Runs recorded without this are left out."""
        runs = self.runs(question, x, mode)
        return {run["seed"]: unpack_bits(run["right"]) for run in runs if "right" in run}

    def along(
        self, axis: Literal["length", "position"], question: dict[str, Any], x: Any, mode: str, metric: str
    ) -> dict[int, list[float]]:
        """Scores on test by source length or by position, in order, one number for each seed that has pairs there."""
        found: dict[int, list[float]] = {}
        for record in self.runs(question["name"], x, mode):
            for entry in record.get(f"by_{axis}", []):
                if entry[metric] is not None:
                    found.setdefault(entry[axis], []).append(entry[metric])
        return dict(sorted(found.items()))


def values(question: dict[str, Any]) -> list[Any]:
    """The values of the x of a question; a single `None` if it varies nothing."""
    return question["x"]["values"] if question["x"] else [None]


def pack_bits(bits: Iterable[bool]) -> str:
    """Truth values as one short text: their number, and in base64 eight of them a byte.

    Example:

    >>> pack_bits([True, False, True]), unpack_bits(pack_bits([True, False, True])).tolist()
    ('3:oA==', [True, False, True])
    """
    found = np.fromiter(bits, bool)
    return f"{len(found)}:{base64.b64encode(np.packbits(found).tobytes()).decode()}"


def unpack_bits(text: str) -> np.ndarray:
    """The truth values of a text by `pack_bits`."""
    count, _, packed = text.partition(":")
    return np.unpackbits(np.frombuffer(base64.b64decode(packed), np.uint8), count=int(count)).astype(bool)


def touched_before_choice(results: Results) -> list[str]:
    """The cells whose test was evaluated before their study had chosen their setting, or with another setting.

    A record is written when its cell ends, and a cell that is not a study ends with its evaluation on test.

    Returns:
        A line for each of these cells; none in a suite that does not tune.
    """
    studies = {study["id"]: study for study in results.studies if study["status"] == "ok"}
    lines = []
    for record in results.records:
        if "study" not in record or record["status"] != "ok":
            continue
        study = studies.get(record["study"])
        if study is None:
            lines.append(f"{record['id']}: its study '{record['study']}' has no record")
        elif record["config"] != {**study["chosen_config"], "seed": record["seed"]}:
            lines.append(f"{record['id']}: its setting is not the one that its study has chosen")
        elif record["when"] < study["when"]:
            lines.append(f"{record['id']}: tested at {record['when']}, and its study ended at {study['when']}")
    return lines


def trial_scores(study: Record) -> list[float]:
    """The dev score of each trial of a study. One that failed before its first score counts as the worst of the others.

    Example:

    >>> trials = [{"score": 0.5}, {"score": None}, {"score": 0.25}]
    >>> trial_scores({"metric": "exact_match", "trials": trials})
    [0.5, 0.25, 0.25]
    """
    worst = min if METRICS[study["metric"]].higher_is_better else max
    known = [trial["score"] for trial in study["trials"] if trial["score"] is not None]
    return [worst(known) if trial["score"] is None else trial["score"] for trial in study["trials"]]


def write_record(directory: str | os.PathLike[str], record: Record) -> Path:
    """Write the record of a cell as one line of JSON, atomically.

    Numbers that JSON does not have (NaN, infinity) become null.

    Args:
        directory: the directory of the run.
        record: the record; its `id` names the file.

    Returns:
        The path of the file.
    """
    path = Path(directory, FOLDER, f"{record['id']}.json")
    write(path, _line(record))
    return path


def read_records(directory: str | os.PathLike[str]) -> list[Record]:
    """All records of a run, from its folder `records` if it has one, else from its `records.jsonl`; none is no error.

    Raises:
        RecordError: a file holds no valid record.
    """
    folder, export = Path(directory, FOLDER), Path(directory, EXPORT)
    if folder.is_dir():
        again = "Delete it and run the benchmark again: only this cell is repeated."
        return [_parse(path.read_bytes(), str(path), again) for path in sorted(folder.glob("*.json"))]
    if not export.is_file():
        return []
    records: dict[str, Record] = {}
    for number, line in enumerate(export.read_bytes().splitlines(), 1):
        where = f"{export} line {number}"
        record = _parse(line, where, "Copy the file again from its origin, or delete the line.")
        if records.setdefault(record["id"], record) is not record:
            raise RecordError(
                f"{where}: expected each cell once, found '{record['id']}' again. Delete one of the lines."
            )
    return list(records.values())


def read_results(directory: str | os.PathLike[str]) -> Results:
    """The suite of a run with all its records.

    Raises:
        RecordError: there is no suite, a file is invalid, or a record belongs to another suite.
    """
    path = Path(directory, SUITE)
    if not path.is_file():
        raise RecordError(
            f"{Path(directory)}: expected the directory of a benchmark run, with {SUITE} and {FOLDER}/ or {EXPORT} "
            f"in it, found no {SUITE}. Name a directory that 'seq2seq-zoo benchmark' has made."
        )
    suite = _json(
        path.read_bytes(), str(path), "Run the benchmark again: it writes the file again and keeps finished cells."
    )
    conditions = {question["name"]: values(question) for question in suite["questions"]}
    records = read_records(directory)
    for record in records:
        known = record["question"] in conditions and record["x"] in conditions[record["question"]]
        if not (known and record["mode"] in suite["modes"]):
            raise RecordError(
                f"{path}: expected a suite with every recorded cell, found none with cell '{record['id']}' (question "
                f"'{record['question']}', x {record['x']}, mode '{record['mode']}'). The record comes from another "
                f"suite: delete it, or restore the {SUITE} that belongs to it."
            )

    def position(record: Record) -> tuple[int, int, int, int]:
        questions = list(conditions)
        return (
            questions.index(record["question"]),
            conditions[record["question"]].index(record["x"]),
            suite["modes"].index(record["mode"]),
            record["seed"],
        )

    ordered = sorted(records, key=position)
    studies = [record for record in ordered if "tune" in record]
    return Results(suite, [record for record in ordered if "tune" not in record], studies)


def export_records(directory: str | os.PathLike[str], results: Results) -> Path:
    """Write all records to one `records.jsonl`. With `suite.json`, it is sufficient to make the report.

    Returns:
        The path of the file.
    """
    path = Path(directory, EXPORT)
    write(path, "".join(map(_line, [*results.studies, *results.records])))
    return path


def _line(record: Record) -> str:
    return json.dumps(_finite(record), ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _json(content: bytes, where: str, next_step: str) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RecordError(f"{where}: expected one JSON object, found invalid JSON ({error}). {next_step}") from None
    if not isinstance(found, dict):
        raise RecordError(f"{where}: expected one JSON object, found {type(found).__name__}. {next_step}")
    return found


def _parse(content: bytes, where: str, next_step: str) -> Record:
    record = _json(content, where, next_step)
    missing = [key for key in REQUIRED if key not in record]
    result = "trials" if "tune" in record else "metrics"
    missing += [result] if record.get("status") == "ok" and result not in record else []
    if missing:
        raise RecordError(
            f"{where}: expected the record of a cell, found one without {', '.join(missing)}. {next_step}"
        )
    return record
