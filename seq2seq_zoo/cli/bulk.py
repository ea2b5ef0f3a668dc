"""`seq2seq-zoo predict --out`: the outputs for a large file, block by block, by several processes."""

import collections
import concurrent.futures
import contextlib
import dataclasses
import functools
import hashlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq_zoo.cli.answers import Answers, Counts, Wanted
from seq2seq_zoo.cli.models import load_model
from seq2seq_zoo.cli.shared import UsageError
from seq2seq_zoo.system.environment import environment
from seq2seq_zoo.system.model_file import find_model
from seq2seq_zoo.system.partial import partial_file

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

LINES = 1 << 18
"""The largest number of texts of a block."""
CHARACTERS = 1 << 24
"""A block ends with the text that reaches this number of characters, so that it always fits into memory."""
AHEAD = 2
"""How many blocks for each process are read before the first of them is written."""

Batches = Iterable[tuple[list[str], int]]
"""Texts of a file, with the number of bytes up to their end."""
Block = tuple[list[str], int]
"""Texts, and the number of texts before them."""
Answer = tuple[bytes, dict[str, Any]]
"""The lines for a block, and their `Counts` as JSON."""


class WorkerError(RuntimeError):
    """A worker process ended."""


def write_outputs(
    path: Path,
    out: Path,
    wanted: Wanted,
    workers: int,
    read: Callable[[dict[str, Any]], contextlib.AbstractContextManager[tuple[Batches, Callable[[int, int], None]]]],
) -> Counts:
    """Write the outputs for all texts of a file, or those that an earlier process has not written.

    Each block is answered for itself, with one thread. So the file is the same, to the last byte, with any number of
    workers, and if it was continued.

    Args:
        path: of the model.
        out: the file, which is not overwritten.
        wanted: which outputs, in which form.
        workers: number of processes.
        read: from an `Answers.description` to a context with the texts and a function, which is called with the numbers
            of texts and of bytes after each block.

    Returns:
        What to report.

    Raises:
        PartialFileError: the output exists, or belongs to another run.
        UsageError: the texts differ from those of the outputs that exist already.
        WorkerError: a worker process ended.
    """
    run = {
        "model": _checksum(find_model(path)),
        "options": dataclasses.asdict(wanted),
        "block": [LINES, CHARACTERS],
        "backend": os.environ.get("KERAS_BACKEND") or "tensorflow",
        "versions": environment()["versions"],
    }
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(partial_file(out, run))
        description, answer_all = stack.enter_context(_answering(path, wanted, workers))
        batches, on_progress = stack.enter_context(read(description))
        blocks, counts = _Blocks(batches), Counts(description)
        if file.state:
            counts.add_json(file.state["counts"])
            if not blocks.skip(file.state["texts"], file.state["checksum"]):
                raise UsageError(
                    f"{out}: the first {file.state['texts']:,} texts are no longer those whose outputs are in "
                    f"{out}.partial. Restore the --file, or delete the folder to begin anew."
                )
        for lines, more in answer_all(blocks):
            texts, size, checksum = blocks.ends.popleft()
            counts.add_json(more)
            file.append(lines, {"texts": texts, "checksum": checksum, "counts": counts.to_json()})
            on_progress(texts, size)
    return counts


class _Blocks:
    """The blocks of a file.

    Args:
        batches: the texts.

    Attributes:
        ends: for each block since the last look: the number of texts up to its end, that of bytes, and the checksum of
            the texts.
    """

    def __init__(self, batches: Batches):
        self.ends: collections.deque[tuple[int, int, str]] = collections.deque()
        self._blocks = self._cut(batches)
        self._checksum = hashlib.sha256()
        self._texts = 0

    def __iter__(self) -> Iterator[Block]:
        return self._blocks

    def skip(self, texts: int, checksum: str) -> bool:
        """Leave out the first texts, which must be whole blocks.

        Returns:
            Whether they have the checksum.
        """
        for _ in self._blocks:
            number, _, found = self.ends.popleft()
            if number >= texts:
                return (number, found) == (texts, checksum)
        return False

    def _cut(self, batches: Batches) -> Iterator[Block]:
        block: list[str] = []
        characters = size = 0
        for texts, size in batches:
            for text in texts:
                block.append(text)
                characters += len(text)
                if len(block) == LINES or characters >= CHARACTERS:
                    yield self._end(block, size)
                    block, characters = [], 0
        if block:
            yield self._end(block, size)

    def _end(self, block: list[str], size: int) -> Block:
        first = self._texts
        self._texts += len(block)
        self._checksum.update("".join(f"{text}\n" for text in block).encode(errors="surrogatepass"))
        self.ends.append((self._texts, size, self._checksum.hexdigest()))
        return block, first


def _checksum(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# === Processes ===


@contextlib.contextmanager
def _answering(
    path: Path, wanted: Wanted, workers: int
) -> Iterator[tuple[dict[str, Any], Callable[[Iterable[Block]], Iterable[Answer]]]]:
    """The description of a model, and a function that answers blocks in their order, by some processes."""
    # Products on several threads add up in another order, so the outputs would depend on the number of threads.
    threads = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    os.environ.update(dict.fromkeys(threads, "1"))
    if workers == 1:
        answers = _open(path, wanted)
        yield answers.description(), lambda blocks: (_answer(answers, *block) for block in blocks)
        return
    reader, writer = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("spawn")  # a fork has the locks of threads that it lacks
    with concurrent.futures.ProcessPoolExecutor(workers, context, _end_with, (reader,)) as pool:

        def answer_all(blocks: Iterable[Block]) -> Generator[Answer]:
            waiting: collections.deque[concurrent.futures.Future[Answer]] = collections.deque()
            for block in blocks:
                waiting.append(pool.submit(_answer_there, path, wanted, *block))
                if len(waiting) == AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

        try:
            # As many as there are workers, so that all begin at once to load the model.
            descriptions = [pool.submit(_describe_there, path, wanted) for _ in range(workers)]
            yield descriptions[0].result(), answer_all
        except BrokenProcessPool:
            raise WorkerError(
                "A worker process ended, perhaps out of memory. The same command continues behind the last whole "
                "block; --workers sets the number of processes."
            ) from None
        finally:
            writer.close()  # which ends the workers, whatever they are doing
            pool.shutdown(wait=True, cancel_futures=True)
            reader.close()


def _end_with(reader: "Connection") -> None:
    """Let this worker process end as soon as its parent wants it to, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the parent, too

    def wait() -> None:
        with contextlib.suppress(EOFError, OSError):
            reader.recv()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _open(path: Path, wanted: Wanted) -> Answers:
    model = load_model(path)
    if model.readout.vocabulary_size is None:
        raise UsageError(f"{path} outputs real values: give it a --file without --out.")
    return Answers(model, path, wanted)


def _answer(answers: Answers, texts: list[str], first: int) -> Answer:
    lines, counts = answers.block(texts, first)
    return lines, counts.to_json()


# In a worker process:

_open_once = functools.cache(_open)


def _describe_there(path: Path, wanted: Wanted) -> dict[str, Any]:
    with _one_type_of_error():
        return _open_once(path, wanted).description()


def _answer_there(path: Path, wanted: Wanted, texts: list[str], first: int) -> Answer:
    with _one_type_of_error():
        return _answer(_open_once(path, wanted), texts, first)


@contextlib.contextmanager
def _one_type_of_error() -> Iterator[None]:
    """Turn errors of the user into one that can travel from process to process."""
    try:
        yield
    except ValueError as error:
        if type(error).__module__.partition(".")[0] != "seq2seq_zoo":
            raise
        raise UsageError(str(error)) from None
