"""A file that is written block by block, and goes on where it stopped if the process is killed."""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from seq2seq_zoo.system.files import write

CONTENT, STATE = "content", "state.json"


class PartialFileError(ValueError):
    """A file that cannot be begun or continued: what was expected, what was found, and what to do next."""


class PartialFile:
    """What `partial_file` yields.

    Args:
        folder: the folder of the partial file.
        run: what the file depends on.
        content: the open file, at its end.
        state: the state that was given with the last whole block; empty if there is none.
    """

    def __init__(self, folder: Path, run: Mapping[str, Any], content: BinaryIO, state: dict[str, Any]):
        self._folder = folder
        self._run = run
        self._content = content
        self.state = state

    def append(self, block: bytes, state: dict[str, Any]) -> None:
        """Add a block.

        Args:
            block: the bytes.
            state: plain JSON from which a later process can go on behind this block.
        """
        self._content.write(block)
        self._content.flush()
        os.fsync(self._content.fileno())  # the state is never ahead of the content
        _write_state(self._folder, self._run, self._content.tell(), state)
        self.state = state


@contextlib.contextmanager
def partial_file(
    path: str | os.PathLike[str], run: Mapping[str, Any], convert: Callable[[Path], Path] = lambda content: content
) -> Iterator[PartialFile]:
    """A file to append blocks to. It becomes `path` when the block of the `with` statement succeeds.

    Until then it is in the folder `PATH.partial`. If that exists, it must be of the same run, and is continued behind
    its last whole block.

    Args:
        path: of the final file, which must not exist.
        run: what the content depends on, as plain JSON: only an equal run continues the file.
        convert: writes the final file beside the whole content, and returns its path.

    Raises:
        PartialFileError: the file exists, the folder is of another run, or another process writes it.

    Example:

    >>> path = Path(tempfile.mkdtemp()) / "lines.txt"
    >>> with contextlib.suppress(KeyboardInterrupt), partial_file(path, {"of": "words"}) as file:
    ...     file.append(b"one\\n", {"lines": 1})
    ...     raise KeyboardInterrupt
    >>> path.exists()
    False
    >>> with partial_file(path, {"of": "words"}) as file:
    ...     file.append(b"two\\n", {"lines": file.state["lines"] + 1})
    >>> path.read_text()
    'one\\ntwo\\n'
    """
    path = Path(path)
    folder = path.with_name(f"{path.name}.partial")
    _require_absent(path)
    run = json.loads(json.dumps(run))
    if not folder.exists():
        _create(folder, run)
    found = _read_state(folder, run)
    with open(folder / CONTENT, "r+b") as content:
        _lock(content, folder)
        content.truncate(found["bytes"])
        content.seek(found["bytes"])
        yield PartialFile(folder, run, content, found["state"])
        _require_absent(path)
        os.replace(convert(folder / CONTENT), path)
    shutil.rmtree(folder)


def _require_absent(path: Path) -> None:
    if path.exists():
        raise PartialFileError(f"{path} already exists and is not overwritten: give another name with --out.")


def _create(folder: Path, run: Mapping[str, Any]) -> None:
    """Create the folder of an empty file."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    (draft / CONTENT).touch()
    _write_state(draft, run, 0, {})
    os.replace(draft, folder)


def _write_state(folder: Path, run: Mapping[str, Any], size: int, state: dict[str, Any]) -> None:
    write(folder / STATE, json.dumps({"run": run, "bytes": size, "state": state}, indent=1) + "\n")


def _read_state(folder: Path, run: Mapping[str, Any]) -> dict[str, Any]:
    """The number of whole bytes and the state of a partial file of the same run."""
    anew = "Delete it to begin anew, or give another name with --out."
    try:
        found = json.loads((folder / STATE).read_text(encoding="utf-8"))
        began, whole = found["run"], (folder / CONTENT).stat().st_size >= found["bytes"]
    except (OSError, ValueError, KeyError, TypeError):
        began, whole = {}, False
    if not whole:
        raise PartialFileError(f"{folder}: expected an output that can be continued, found something else. {anew}")
    for key in {**run, **began}:
        if began.get(key) != run.get(key):
            raise PartialFileError(
                f"{folder}: expected an output of this run, found one with another {key}: {_brief(began.get(key))}, "
                f"not {_brief(run.get(key))}. {anew}"
            )
    return found


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _lock(content: BinaryIO, folder: Path) -> None:
    """Hold the file alone. The system releases it even if the process is killed."""
    try:
        import fcntl
    except ImportError:  # Windows, where other processes stay unknown
        return
    try:
        fcntl.flock(content, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise PartialFileError(f"{folder}: another process writes it. Wait until it has finished.") from None
