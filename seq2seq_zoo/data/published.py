"""Published data sets: fetched from their sources at a fixed commit, verified, and kept outside the project."""

import contextlib
import functools
import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from seq2seq_zoo.config.messages import nearest
from seq2seq_zoo.config.registry import UnknownNameError
from seq2seq_zoo.data.lines import DataFileError
from seq2seq_zoo.system.files import write

TIMEOUT = 60.0
"""Seconds without an answer after which a source counts as unreachable."""


@dataclass(frozen=True)
class DataSet:
    """A published data set, as `published.yaml` describes it.

    Args:
        title: what the data are, with the publication.
        licence: the licence, and where it is stated.
        url: the address at the source, with the commit, to which the paths of the files are relative.
        files: `bytes` and `sha256` of each file by its path at the source. Its local name is the last part of the path.
    """

    title: str
    licence: str
    url: str
    files: Mapping[str, Mapping[str, Any]]


@functools.cache
def data_sets() -> dict[str, DataSet]:
    """All published data sets by name."""
    described = yaml.safe_load(Path(__file__).with_name("published.yaml").read_text(encoding="utf-8"))
    return {name: DataSet(**description) for name, description in described.items()}


def data_set(name: str) -> DataSet:
    """A published data set.

    Raises:
        UnknownNameError: there is none of that name.
    """
    known = data_sets()
    if name not in known:
        raise UnknownNameError(f"Unknown data set '{name}'.{nearest(name, known)} Data sets: {', '.join(known)}.")
    return known[name]


def folder_of(name: str) -> Path:
    """The folder of a data set, in `$SEQ2SEQ_ZOO_DATA` or in the user's cache, whether or not it exists."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "seq2seq-zoo")
    return Path(os.environ.get("SEQ2SEQ_ZOO_DATA") or cache, name)


def missing(name: str) -> list[str]:
    """The files of a data set, by their paths at the source, that its folder lacks or has with another content."""
    folder = folder_of(name)
    return [path for path, file in data_set(name).files.items() if _digest(folder / Path(path).name) != file["sha256"]]


def require(name: str) -> Path:
    """The folder of a data set, whose files are all there.

    Raises:
        DataFileError: a file is missing or has another content.
    """
    folder, lacking = folder_of(name), missing(name)
    if lacking:
        raise DataFileError(
            f"{folder}: expected the data set '{name}', found {len(lacking)} of its {len(data_set(name).files)} files "
            f"missing or changed, such as {Path(lacking[0]).name}. Run 'seq2seq-zoo data fetch {name}', or name the "
            f"folder that contains '{name}' with --data-dir."
        )
    return folder


@contextlib.contextmanager
def paths_in(name: str | None) -> Iterator[None]:
    """Resolve the relative paths of a block in the folder of a data set; with `None`, in the current folder as always.

    Any option of a task may be a path, so the process changes to that folder for the block.

    Raises:
        DataFileError: a file of the data set is missing or has another content.
    """
    with contextlib.nullcontext() if name is None else contextlib.chdir(require(name)):
        yield


def fetch(name: str, path: str) -> None:
    """Get one file of a data set from its source. It appears in the folder when all of it is there and verified.

    Args:
        name: of the data set.
        path: of the file, at the source.

    Raises:
        DataFileError: the source cannot be reached, does not send the published file, or it cannot be written.
    """
    described = data_set(name)
    file, url, here = described.files[path], f"{described.url}/{path}", folder_of(name) / Path(path).name
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as response:
            content = response.read(file["bytes"] + 1)  # one more, so that a longer file is noticed
    except urllib.error.HTTPError as error:
        error.close()
        raise _refused(here, f"{url}: expected a file, got HTTP {error.code} {error.reason}.") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise _refused(here, f"{url}: cannot be read: {getattr(reason, 'strerror', None) or reason}.") from None
    if len(content) < file["bytes"]:
        found = (
            f"expected {file['bytes']:,} bytes, got {len(content):,}: the connection was cut, or the file has changed."
        )
        raise _refused(here, f"{url}: {found}")
    if (digest := hashlib.sha256(content).hexdigest()) != file["sha256"]:
        found = f"expected the SHA-256 {file['sha256']}, got {digest}: this is not the published file."
        raise _refused(here, f"{url}: {found}")
    try:
        write(here, content)
    except OSError as error:
        raise DataFileError(
            f"{here}: cannot be written: {error.strerror or error}. Make room or name another folder with --data-dir: "
            "the same command continues with what is missing."
        ) from None


def _refused(here: Path, problem: str) -> DataFileError:
    return DataFileError(
        f"{problem} The same command continues with what is missing. A file that you put into {here.parent} yourself "
        "is verified and used."
    )


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
