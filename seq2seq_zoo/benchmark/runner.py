"""Run a suite: skip finished cells, give the others to an executor, and record each cell as soon as it ends."""

import contextlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.live import Live

from seq2seq_zoo.benchmark.board import Board
from seq2seq_zoo.benchmark.executor import Event, Executor
from seq2seq_zoo.benchmark.records import FOLDER, SUITE, Record, RecordError, read_records, write_record
from seq2seq_zoo.benchmark.report import report
from seq2seq_zoo.benchmark.suite import Cell, Suite
from seq2seq_zoo.data.published import require
from seq2seq_zoo.system.files import write
from seq2seq_zoo.system.interrupt import postponed

REPLACED = "replaced"
STUDIES = "studies"


def run(
    suite: Suite,
    directory: str | os.PathLike[str],
    executor: Executor,
    console: Console | None = None,
    command: str | None = None,
) -> int:
    """Run every cell of a suite that has not finished yet, then write the report.

    Finished cells are never run again. Failed cells run again at the next start: most failures are due to the machine,
    such as too little memory. A cell whose configuration has changed is another cell: the record of the old one moves
    to `replaced/`, and back if the suite has that configuration again.

    In a suite that tunes, the studies run first, and continue after their last finished trial. Then the other cells are
    trained with the settings that the studies have chosen.

    Args:
        suite: the suite.
        directory: the directory for records and report: a new one, or that of an earlier run of this suite.
        executor: runs the cells.
        console: shows the progress, in a live table on a terminal, else line by line.
        command: the command that repeats the run, for the records.

    Returns:
        The exit code: 0; 1 if a cell failed; 130 after Ctrl-C.

    Raises:
        RecordError: the directory holds anything else.
        DataFileError: the published data that the suite needs are not there.
    """
    if suite.data is not None:
        require(suite.data)
    console = console or Console()
    directory = Path(directory)
    _claim(directory, suite)
    _sort_records(directory, {cell["id"] for cell in suite.cells})
    board = Board(suite, [record for record in read_records(directory) if record["status"] == "ok"])
    studies = [cell for cell in suite.cells if "tune" in cell]
    live = Live(board, console=console, refresh_per_second=2, transient=True) if console.is_terminal else None
    try:
        with live or contextlib.nullcontext():
            _run_cells(studies, directory, executor, board, console, live, command)
            _run_cells(_chosen_cells(suite, board.finished), directory, executor, board, console, live, command)
        if live is not None:
            console.print(board.table())
    except KeyboardInterrupt:
        _say(
            console,
            f"Stopped: {board.status()}. The records are in {directory}. The same command resumes the run.",
        )
        return 130
    page, *_ = report(directory)
    for record in board.failed:
        _say(console, board.line(record))
    _say(console, f"{board.status()}. Report: {page}")
    if board.failed:
        _say(console, "The same command runs the failed cells again.")
    return 1 if board.failed else 0


def _chosen_cells(suite: Suite, finished: list[Record]) -> list[Cell]:
    """All cells but the studies, with the settings that finished studies have chosen. Cells of other studies wait."""
    chosen = {record["id"]: record["chosen_config"] for record in finished if "chosen_config" in record}
    return [
        {**cell, "config": {**chosen[cell["study"]], "seed": cell["seed"]}} if "study" in cell else cell
        for cell in suite.cells
        if "tune" not in cell and cell.get("study") in {None, *chosen}
    ]


def _run_cells(
    cells: list[Cell],
    directory: Path,
    executor: Executor,
    board: Board,
    console: Console,
    live: Live | None,
    command: str | None,
) -> None:
    """Run the cells that have not finished."""
    finished = {record["id"]: record["config"] for record in board.finished}

    def is_done(cell: Cell) -> bool:
        # A study that was repeated may have chosen another setting.
        return cell["id"] in finished and ("study" not in cell or finished[cell["id"]] == cell["config"])

    by_id = {cell["id"]: cell for cell in cells if not is_done(cell)}
    waiting = [_with_journal(cell, directory) for cell in by_id.values()]
    with contextlib.closing(executor.run(waiting, directory)) as events:
        for event in events:
            with postponed():  # a record is written, counted and shown, or none of it
                identity = event["id"]
                if event["event"] == "started":
                    board.start(by_id[identity], event["worker"])
                elif event["event"] == "progress":
                    journal = event["progress"].pop("journal", None)
                    if journal is not None:
                        write(_journal(directory, identity), "".join(json.dumps(entry) + "\n" for entry in journal))
                    board.progress(identity, event["progress"])
                else:
                    record = _record(by_id[identity], event, board.seconds(identity), command)
                    write_record(directory, record)
                    board.end(record)
                    if live is None:
                        _say(console, board.line(record))
                if live is not None and event["event"] != "progress":
                    live.refresh()


def _record(cell: Cell, event: Event, seconds: float, command: str | None) -> Record:
    result = event.get("result", {})
    return {
        **cell,
        **({"status": "ok"} if event["event"] == "finished" else {"status": "failed", "reason": event["reason"]}),
        **event.get("environment", {}),
        **({} if command is None else {"command": command}),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        **result,
        "seconds": {**result.get("seconds", {}), "cell": round(seconds, 3)},
    }


def _journal(directory: Path, identity: str) -> Path:
    """The trials of a study so far, as a journal of Optuna."""
    return directory / STUDIES / f"{identity}.jsonl"


def _with_journal(cell: Cell, directory: Path) -> Cell:
    """A study with its trials so far. Any other cell is returned unchanged."""
    path = _journal(directory, cell["id"])
    if "tune" not in cell or not path.is_file():
        return cell
    return {**cell, "journal": [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]}


def _claim(directory: Path, suite: Suite) -> None:
    """Write the suite to the directory, unless that belongs to something else."""
    path = directory / SUITE
    if path.is_file():
        try:
            held = json.loads(path.read_bytes())["name"]
        except (ValueError, KeyError, TypeError):
            raise RecordError(f"{path}: expected a suite, found something else. Name another directory.") from None
        if held != suite.name:
            raise RecordError(
                f"{path}: expected the suite '{suite.name}', found '{held}'. Each suite needs a directory of its own: "
                "name another."
            )
    elif directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise RecordError(f"{directory}: expected a new or empty directory, or one with {SUITE} in it. Name another.")
    write(path, json.dumps(suite.document(), ensure_ascii=False, indent=1) + "\n")


def _sort_records(directory: Path, wanted: set[str]) -> None:
    """Move records of cells that are not in the suite to `replaced/`, and records of its cells back from there."""
    folder, aside = directory / FOLDER, directory / REPLACED
    folder.mkdir(exist_ok=True)
    for path in list(aside.glob("*.json")):
        if path.stem in wanted:
            path.replace(folder / path.name)
    for path in list(folder.glob("*.json")):
        if path.stem not in wanted:
            aside.mkdir(exist_ok=True)
            path.replace(aside / path.name)


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
