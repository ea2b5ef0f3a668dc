"""Files at URLs, such as s3://bucket/file, by fsspec."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class RemoteFileError(ValueError):
    """A file at a URL that cannot be read or written: which one, what was found, and what to do next."""


def is_url(path: str) -> bool:
    """Whether a path is a URL.

    Example:

    >>> is_url("s3://bucket/words.txt"), is_url("words.txt")
    (True, False)
    """
    return "://" in path


@contextlib.contextmanager
def local_copy(url: str) -> Iterator[Path]:
    """A copy of a file with the same name, which is deleted after the block.

    Raises:
        RemoteFileError: the file cannot be read, or a package that reads it is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="seq2seq-zoo-") as folder:
        copy = Path(folder, name_of(url))
        with _errors(url):
            system, path = _open(url)
            system.get_file(path, str(copy))
        yield copy


def send(path: Path, url: str) -> None:
    """Copy a file to a URL.

    Raises:
        RemoteFileError: the file cannot be written. It remains here.
    """
    with _errors(url, f" The file is complete, and still here: {path}."):
        system, remote = _open(url)
        system.put_file(str(path), remote)


def exists(url: str) -> bool:
    """Whether there is a file at a URL.

    Raises:
        RemoteFileError: this cannot be found out.
    """
    with _errors(url):
        system, path = _open(url)
        return system.exists(path)


def name_of(url: str) -> str:
    """The name of a file, without its folders.

    Example:

    >>> name_of("s3://bucket/lists/words.txt")
    'words.txt'
    """
    return url.rstrip("/").rpartition("/")[2]


def _open(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it."""
    import fsspec

    return fsspec.core.url_to_fs(url)


@contextlib.contextmanager
def _errors(url: str, more: str = "") -> Iterator[None]:
    """Turn what fsspec and its file systems raise, which may be anything, into one line."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise RemoteFileError(
            f"{url} needs the package {error.name}, which is not installed. Run: pip install {error.name}.{more}"
        ) from None
    except FileNotFoundError:
        raise RemoteFileError(f"{url}: no such file. Check the URL.{more}") from None
    except Exception as error:
        found = " ".join(str(error).split()) or type(error).__name__
        raise RemoteFileError(f"{url}: cannot be read or written: {found.rstrip('.')}.{more}") from None
