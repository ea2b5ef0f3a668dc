"""A worker process: reads cells as JSON lines from standard input, runs one after another, writes events as JSON lines.

An event has `event` and the `id` of its cell: `progress` with `progress` while a cell runs, then either `finished` with
`result` or `failed` with `reason`. The last two also have `environment`. If the cell has `asks`, the next line after an
event `progress` is the answer to it.
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
    """Run cells until standard input is closed, which also happens when the parent process ends.

    Args:
        cell_function: `module:function`, imported with the first cell. It is called with a cell and a function that
            reports progress (it returns the answer, if the cell asks), and returns the measured fields as plain JSON.
    """
    source, events = _private_streams()
    messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(source, messages), daemon=True).start()
    while True:
        cell = messages.get()
        print(f"--- {cell['id']}", file=sys.stderr, flush=True)
        _run(cell_function, cell, messages, events)


def _run(cell_function: str, cell: dict[str, Any], messages: "queue.SimpleQueue[Any]", events: TextIO) -> None:
    def send(event: str, **fields: Any) -> None:
        for path, number in _not_finite(fields):
            raise ValueError(f"{path.partition('.')[2]} is {number}")
        events.write(json.dumps({"event": event, "id": cell["id"], **fields}) + "\n")
        events.flush()

    def report(progress: dict[str, Any]) -> Any:
        send("progress", progress=progress)
        return messages.get() if "asks" in cell else None

    try:
        result = pkgutil.resolve_name(cell_function)(cell, report)
        send("finished", result=result, environment=environment())
    except Exception as error:
        traceback.print_exc()
        words = " ".join(str(error).split())
        reason = f"{type(error).__name__}: {words}" if words else type(error).__name__
        send("failed", reason=reason, environment=environment())


def _private_streams() -> tuple[TextIO, TextIO]:
    """Private copies of standard input and output. All other code reads nothing, and prints to the log."""
    source = os.fdopen(os.dup(0), encoding="utf-8")
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return source, events


def _read(source: TextIO, messages: "queue.SimpleQueue[Any]") -> None:
    for line in source:
        messages.put(json.loads(line))
    # The parent has closed the stream or is gone: exit at once, even during a training.
    os._exit(0)


def _not_finite(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """All values NaN and infinity, which JSON does not have, with their dotted paths."""
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
