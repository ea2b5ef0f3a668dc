"""The display of a running benchmark: a table of scores, the progress of each worker, and the time left."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

from seq2seq_zoo.benchmark.records import Record, values
from seq2seq_zoo.benchmark.studies import number_of_trials
from seq2seq_zoo.benchmark.suite import Cell, Suite
from seq2seq_zoo.metrics.metric import METRICS

RUNNING = "▸"


class Board:
    """The state of a run, updated by the runner and displayed by rich.

    Args:
        suite: the suite that runs.
        records: the records of the cells that finished in earlier runs.
    """

    def __init__(self, suite: Suite, records: Sequence[Record]):
        self._suite = suite
        self._records = {record["id"]: record for record in records}
        self._running: dict[str, _Running] = {}
        self._since = time.monotonic()

    def start(self, cell: Cell, worker: int) -> None:
        """A worker has started a cell."""
        self._running[cell["id"]] = _Running(cell, worker)

    def progress(self, identity: str, progress: dict[str, Any]) -> None:
        """A running cell has reported its progress."""
        self._running[identity].progress = progress

    def end(self, record: Record) -> None:
        """A cell has finished or failed."""
        del self._running[record["id"]]
        self._records[record["id"]] = record

    def seconds(self, identity: str) -> float:
        """The seconds since a running cell started."""
        return self._running[identity].seconds

    @property
    def finished(self) -> list[Record]:
        """The records of finished cells."""
        return [record for record in list(self._records.values()) if record["status"] == "ok"]

    @property
    def failed(self) -> list[Record]:
        """The records of failed cells."""
        return [record for record in list(self._records.values()) if record["status"] != "ok"]

    def remaining(self) -> float | None:
        """The estimated seconds left, from finished cells that are similar; `None` before the first one."""
        durations = [
            (record, record["seconds"]["cell"] / _trainings(record))
            for record in self.finished
            if "cell" in record["seconds"]
        ]
        if not durations:
            return None

        def expected(cell: Cell) -> float:
            for keys in (("question", "x", "mode"), ("question", "x"), ("question",), ()):
                similar = [seconds for record, seconds in durations if all(record[key] == cell[key] for key in keys)]
                if similar:
                    return _trainings(cell) * sum(similar) / len(similar)
            raise AssertionError("with no keys, every finished cell is similar")

        running = list(self._running.values())
        started = {*self._records, *(each.cell["id"] for each in running)}
        left = sum(expected(cell) for cell in self._suite.cells if cell["id"] not in started)
        left += sum(max(0.0, expected(each.cell) - each.seconds) for each in running)
        return left / max(1, len(running))

    def status(self) -> str:
        """One line: cells finished, time elapsed, time left."""
        done, failed = len(self.finished), len(self.failed)
        parts = [f"{done} of {len(self._suite.cells)} cells finished"]
        parts += [f"{failed} failed"] if failed else []
        parts += [f"{duration(time.monotonic() - self._since)} elapsed"]
        left = self.remaining()
        if done + failed < len(self._suite.cells):
            parts += ["time left not known yet" if left is None else f"about {duration(left)} left"]
        return ", ".join(parts)

    def line(self, record: Record) -> str:
        """One line about a cell that has just ended, for an output that is no terminal."""
        if record["status"] != "ok":
            return f"{record['id']}: failed: {record['reason']}"
        if "tune" in record:
            score = f"{len(record['trials'])} trials, the best has {_best(record)} on dev"
        else:
            metric = next(each["metric"] for each in self._suite.questions if each["name"] == record["question"])
            score = f"{METRICS[metric].label} {_mean(metric, [record])}"
        return f"{record['id']}: {score}, {duration(record['seconds']['cell'])}; {self.status()}"

    def table(self, height: int | None = None) -> Table:
        """A row for each question and value of x, a column for each mode: finished seeds and their mean score.

        Args:
            height: the greatest number of rows; finished rows at the top are left out first.
        """
        rows = list(self._rows())
        hidden = 0
        if height is not None:
            while len(rows) - hidden > height and not rows[hidden][1]:
                hidden += 1
        table = Table(title=self._suite.title or self._suite.name, box=None, title_justify="left", padding=(0, 2, 0, 0))
        if hidden:
            table.caption = f"{hidden} finished rows above"
        for header in ("question", "x"):
            table.add_column(header)
        for mode in self._suite.modes:
            table.add_column(mode, justify="right")
        for cells, _ in rows[hidden:]:
            table.add_row(*cells)
        return table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        running = sorted(self._running.values(), key=lambda each: each.worker)
        # Five lines are for title, header, caption and status, and one spare.
        yield self.table(height=console.height - len(running) - 5)
        for each in running:
            yield Text(each.line(), style="dim", no_wrap=True, overflow="ellipsis")
        yield Text(self.status(), style="bold")

    def _rows(self) -> Iterator[tuple[list[Text], bool]]:
        """Each row, and whether some of its cells have not ended."""
        cells: dict[tuple[Any, ...], list[Cell]] = {}
        for cell in self._suite.cells:
            cells.setdefault((cell["question"], cell["x"], cell["mode"]), []).append(cell)
        for question in self._suite.questions:
            name = question["name"]
            for index, x in enumerate(values(question)):
                groups = [cells[name, x, mode] for mode in self._suite.modes]
                first = [Text("" if index else name), Text("" if x is None else str(x))]
                unfinished = any(cell["id"] not in self._records for group in groups for cell in group)
                yield [*first, *(self._entry(group, question["metric"]) for group in groups)], unfinished

    def _entry(self, cells: list[Cell], metric: str) -> Text:
        running = any(cell["id"] in self._running for cell in cells)
        studies, cells = [cell for cell in cells if "tune" in cell], [cell for cell in cells if "tune" not in cell]
        if any(self._records.get(cell["id"], {"status": ""})["status"] != "ok" for cell in studies):
            failed = any(cell["id"] in self._records for cell in studies)
            state = Text("failed", style="red") if failed else Text("tuning", style="cyan" if running else "dim")
            return Text(" ").join([*([Text(RUNNING, style="cyan")] if running else []), state])
        records = [self._records[cell["id"]] for cell in cells if cell["id"] in self._records]
        finished = [record for record in records if record["status"] == "ok"]
        parts = []
        if running:
            parts.append((RUNNING, "cyan"))
        if finished:
            parts.append((_mean(metric, finished), ""))
        if len(finished) < len(records):
            parts.append((f"{len(records) - len(finished)} failed", "red"))
        parts.append((f"{len(finished)}/{len(cells)}", "dim"))
        return Text(" ").join(Text(text, style=style) for text, style in parts)


class _Running:
    def __init__(self, cell: Cell, worker: int):
        self.cell = cell
        self.worker = worker
        self.progress: dict[str, Any] = {}
        self._since = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._since

    def line(self) -> str:
        progress = self.progress
        trial = f"trial {progress['trial']} of {progress['trials']}, " if "trial" in progress else ""
        epoch = f"epoch {progress['epoch']} of {progress['epochs']}" if "epoch" in progress else "starting"
        return f"worker {self.worker}: {self.cell['id']}, {trial}{epoch}, {duration(self.seconds)}"


def duration(seconds: float) -> str:
    """A duration as text.

    Example:

    >>> duration(4.2), duration(83), duration(4040)
    ('4 s', '1 min 23 s', '1 h 7 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _trainings(cell: Cell) -> int:
    """How many trainings a cell consists of."""
    return number_of_trials(cell["tune"]) if "tune" in cell else 1


def _best(study: Record) -> str:
    """The dev score of the setting that a study has chosen."""
    metric = METRICS[study["metric"]]
    return f"{metric.label} {metric.shown(study['trials'][study['chosen']]['score'])}"


def _mean(metric: str, records: list[Record]) -> str:
    scores = [record["metrics"][metric] for record in records if record["metrics"].get(metric) is not None]
    if not scores:
        return "none"
    mean = METRICS[metric].scale * sum(scores) / len(scores)
    return f"{mean:.1f} %" if METRICS[metric].percent else f"{mean:.2f}"
