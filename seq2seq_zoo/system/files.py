"""Files that are written completely or not at all."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path to write to. It becomes `path` when the block succeeds, and is deleted when the block fails.

    Args:
        path: of the final file. Its folder is created if needed, and an existing file is replaced.

    Example:

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic_path(folder / "a.txt") as draft:
    ...     _ = draft.write_text("all of it")
    >>> [file.name for file in folder.iterdir()]
    ['a.txt']
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Keras and matplotlib infer the format from the suffix, so the draft has the same one.
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        draft = Path(folder) / path.name
        yield draft
        with draft.open("rb") as file:
            os.fsync(file.fileno())  # otherwise a power cut could leave an empty file
        os.replace(draft, path)


def write(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a file as `atomic_path` does. Text becomes UTF-8, with lone surrogates (undecodable bytes) as escapes."""
    with atomic_path(path) as draft:
        draft.write_bytes(content.encode(errors="backslashreplace") if isinstance(content, str) else content)


@contextlib.contextmanager
def shared_lock(path: str | os.PathLike[str], alone: Callable[[], object]) -> Iterator[None]:
    """Hold a file for the block, together with other processes. The system releases it even if the process is killed.

    Args:
        path: of the file, which is created if needed.
        alone: called first if no other process holds the file. Others wait until it returns.
    """
    try:
        import fcntl
    except ImportError:  # Windows, where other processes stay unknown
        yield
        return
    with open(path, "a") as file:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone()
        fcntl.flock(file, fcntl.LOCK_SH)
        yield
