"""A worker process: takes cells as JSON lines on standard input, runs one after another, answers in JSON lines.

An answer has `event` and the cell's `id`: `progress` with `progress` while a cell runs, then either `finished` with
`result` or `failed` with `reason`, both of them with `environment`.
"""

import json
import math
import os
import pkgutil
import queue
import sys
import threading
import traceback
from collections.abc import Iterator
from typing import Any, TextIO

from seq2seq_zoo.system.environment import environment


def main(cell_function: str) -> None:
    """Run cells until standard input closes, which is also how a worker learns that its parent is gone.

    Args:
        cell_function: `module:function`, imported with the first cell; called with the cell and a function that
            reports progress, it returns the measured fields as plain JSON.
    """
    source, answers = _private_streams()
    cells: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(source, cells), daemon=True).start()
    while True:
        cell = cells.get()
        print(f"--- {cell['id']}", file=sys.stderr, flush=True)
        _run(cell_function, cell, answers)


def _run(cell_function: str, cell: dict[str, Any], answers: TextIO) -> None:
    def answer(event: str, **fields: Any) -> None:
        for path, number in _not_finite(fields):
            raise ValueError(f"{path.partition('.')[2]} is {number}")
        answers.write(json.dumps({"event": event, "id": cell["id"], **fields}) + "\n")
        answers.flush()

    try:
        result = pkgutil.resolve_name(cell_function)(cell, lambda progress: answer("progress", progress=progress))
        answer("finished", result=result, environment=environment())
    except Exception as error:
        traceback.print_exc()
        words = " ".join(str(error).split())
        reason = f"{type(error).__name__}: {words}" if words else type(error).__name__
        answer("failed", reason=reason, environment=environment())


def _private_streams() -> tuple[TextIO, TextIO]:
    """Keep the protocol's two streams to ourselves: who else reads gets nothing, what else is printed is logged."""
    source = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return source, answers


def _read(source: TextIO, cells: "queue.SimpleQueue[dict[str, Any]]") -> None:
    for line in source:
        cells.put(json.loads(line))
    # Nobody waits for an answer any more: leave at once, in the middle of a training if need be.
    os._exit(0)


def _not_finite(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Every NaN and infinity, which JSON does not have, with the dotted path to it."""
    if isinstance(value, float) and not math.isfinite(value):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _not_finite(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _not_finite(inner, f"{path}.{index}")


if __name__ == "__main__":
    main(sys.argv[1])
