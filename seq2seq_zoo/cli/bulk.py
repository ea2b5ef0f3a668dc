"""`seq2seq-zoo predict --out`: the outputs for a large file, block by block, by several processes."""

import collections
import concurrent.futures
import contextlib
import dataclasses
import functools
import hashlib
import importlib.metadata
import itertools
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq_zoo.cli.answers import PARQUET, Answers, Counts, Wanted, to_parquet
from seq2seq_zoo.cli.models import open_model, outputs_values
from seq2seq_zoo.cli.shared import UsageError
from seq2seq_zoo.data.vocabulary import Vocabulary
from seq2seq_zoo.system.environment import cores, environment
from seq2seq_zoo.system.model_file import find_model
from seq2seq_zoo.system.partial import partial_file

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

LINES = 1 << 18
"""The largest number of texts of a block."""
PART = 1 << 12
"""The largest number of different texts that a process answers at once."""
CHARACTERS = 1 << 24
"""A block ends with the text that reaches this number of characters, so that it always fits into memory."""
AHEAD = 4
"""How many parts are ready for each process, so that it never waits for the next block."""

Batches = Iterable[tuple[list[str], int]]
"""Texts of a file, with the number of bytes up to their end."""
Part = tuple[list[str], list[int], int]
"""Texts, how often each occurs, and the number of texts before them."""
Answer = tuple[list[list[str]], dict[str, Any]]
"""The lines for each text of a part, and their `Counts` as JSON."""


class WorkerError(RuntimeError):
    """A worker process ended."""


def write_outputs(
    path: Path,
    out: Path,
    wanted: Wanted,
    workers: int | None,
    read: Callable[[dict[str, Any]], contextlib.AbstractContextManager[tuple[Batches, Callable[[int, int], None]]]],
    executor: str = "local",
    address: str | None = None,
) -> Counts:
    """Write the outputs for all texts of a file, or those that an earlier process has not written.

    Texts are answered in blocks. In a block, a text that occurs several times is searched once, unless the search is
    random, and texts of similar length are searched together. Each block is answered for itself, with one thread. So
    the file is the same, to the last byte, with any number of workers, and if it was continued.

    Args:
        path: of the model, or an exported directory.
        out: the file, which is not overwritten.
        wanted: which outputs, in which form.
        workers: number of processes, or of actors on Ray; one for each core by default.
        read: from an `Answers.description` to a context with the texts and a function, which is called with the numbers
            of texts and of bytes after each block.
        executor: `local`, or `ray` for actors that hold the exported graph.
        address: of the Ray cluster.

    Returns:
        What to report.

    Raises:
        PartialFileError: the output exists, or belongs to another run.
        UsageError: the texts differ from those of the outputs that exist already.
        WorkerError: a worker process ended.
    """
    run = {
        "model": _checksum(path),
        "options": dataclasses.asdict(wanted),
        "block": [LINES, CHARACTERS, PART],
        "backend": _backend(path, executor),
        "versions": environment()["versions"],
    }
    convert = {"convert": to_parquet} if out.suffix == PARQUET else {}
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(partial_file(out, run, **convert))
        description, answer_all = stack.enter_context(_answering(path, wanted, workers, executor, address))
        batches, on_progress = stack.enter_context(read(description))
        blocks, counts = _Blocks(batches, description), Counts(description)
        if file.state:
            counts.add_json(file.state["counts"])
            if not blocks.skip(file.state["texts"], file.state["checksum"]):
                raise UsageError(
                    f"{out}: the first {file.state['texts']:,} texts are no longer those whose outputs are in "
                    f"{out}.partial. Restore the --file, or delete the folder to begin anew."
                )
        found: list[list[str]] = []
        for lines, more in answer_all(blocks.parts()):
            found += lines
            counts.add_json(more)
            if len(found) == len(blocks.begun[0].distinct):
                block = blocks.begun.popleft()
                content = block.joined(found, wanted)
                file.append(content, {"texts": block.stop, "checksum": block.checksum, "counts": counts.to_json()})
                on_progress(block.stop, block.size)
                found = []
    return counts


@dataclasses.dataclass(frozen=True)
class _Block:
    texts: list[str]
    distinct: list[str]
    """The texts that are searched, in this order."""
    first: int
    """The number of texts before the block."""
    size: int
    """The number of bytes up to its end."""
    checksum: str
    """That of all texts up to its end."""

    @property
    def stop(self) -> int:
        return self.first + len(self.texts)

    def joined(self, found: list[list[str]], wanted: Wanted) -> bytes:
        """The content of the file, from the lines for each of the texts that were searched."""
        if self.distinct is not self.texts:
            lines_for = dict(zip(self.distinct, found, strict=True))
            found = [lines_for[text] for text in self.texts]
        numbered = itertools.starmap(wanted.number, enumerate(found, start=self.first + 1))
        return "".join(f"{line}\n" for line in itertools.chain.from_iterable(numbered)).encode()


class _Blocks:
    """The blocks of a file.

    Args:
        batches: the texts.
        description: see `Answers.description`.

    Attributes:
        begun: the blocks of the parts so far, until they are taken.
    """

    def __init__(self, batches: Batches, description: dict[str, Any]):
        self.begun: collections.deque[_Block] = collections.deque()
        self._split = None
        if not description["is_random"]:
            self._split = Vocabulary.from_config(description["vocabulary"]).split
        self._blocks = self._cut(batches)
        self._checksum = hashlib.sha256()
        self._stop = 0

    def skip(self, texts: int, checksum: str) -> bool:
        """Leave out the first texts, which must be whole blocks.

        Returns:
            Whether they have the checksum.
        """
        for block in self._blocks:
            if block.stop >= texts:
                return (block.stop, block.checksum) == (texts, checksum)
        return False

    def parts(self) -> Iterator[Part]:
        """The parts of all blocks."""
        for block in self._blocks:
            self.begun.append(block)
            times = Counter(block.texts)
            for start in range(0, len(block.distinct), PART):
                texts = block.distinct[start : start + PART]
                single = block.distinct is block.texts
                yield texts, [1 if single else times[text] for text in texts], block.first + start

    def _cut(self, batches: Batches) -> Iterator[_Block]:
        texts: list[str] = []
        characters = size = 0
        for batch, size in batches:
            for text in batch:
                texts.append(text)
                characters += len(text)
                if len(texts) == LINES or characters >= CHARACTERS:
                    yield self._block(texts, size)
                    texts, characters = [], 0
        if texts:
            yield self._block(texts, size)

    def _block(self, texts: list[str], size: int) -> _Block:
        self._checksum.update("".join(f"{text}\n" for text in texts).encode(errors="surrogatepass"))
        distinct, split = texts, self._split
        if split is not None:
            distinct = sorted(dict.fromkeys(texts), key=lambda text: len(split(text)))
        first, self._stop = self._stop, self._stop + len(texts)
        return _Block(texts, distinct, first, size, self._checksum.hexdigest())


def _checksum(path: Path) -> str:
    from seq2seq_zoo.runtime.directory import checksum_of, is_exported

    if is_exported(path):
        return checksum_of(path)
    with open(find_model(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _backend(path: Path, executor: str) -> str:
    """What computes the outputs."""
    from seq2seq_zoo.runtime.directory import RUNTIMES, graph_of, is_exported

    if not is_exported(path) and executor == "local":
        return os.environ.get("KERAS_BACKEND") or "tensorflow"
    package = RUNTIMES[graph_of(path) if is_exported(path) else "search.onnx"].package
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        raise UsageError(
            f"{path} needs the package {package}, which is not installed here. Run: pip install {package}."
        ) from None


# === Processes ===


@contextlib.contextmanager
def _answering(
    path: Path, wanted: Wanted, workers: int | None, executor: str, address: str | None
) -> Iterator[tuple[dict[str, Any], Callable[[Iterable[Part]], Iterable[Answer]]]]:
    """The description of a model, and a function that answers parts in their order, by some processes."""
    if executor == "ray":
        from seq2seq_zoo.cli.ray_parts import answering_on_ray

        with answering_on_ray(path, wanted, workers, address) as answering:
            yield answering
        return
    workers = workers or cores()
    # Products on several threads add up in another order, so the outputs would depend on the number of threads.
    threads = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    os.environ.update(dict.fromkeys(threads, "1"))
    if workers == 1:
        answers = _open(path, wanted)
        yield answers.description(), lambda parts: (_answer(answers, *part) for part in parts)
        return
    reader, writer = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("spawn")  # a fork has the locks of threads that it lacks
    with concurrent.futures.ProcessPoolExecutor(workers, context, _end_with, (reader,)) as pool:

        def answer_all(parts: Iterable[Part]) -> Generator[Answer]:
            waiting: collections.deque[concurrent.futures.Future[Answer]] = collections.deque()
            for part in parts:
                waiting.append(pool.submit(_answer_there, path, wanted, *part))
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
    model = open_model(path)
    if outputs_values(model):
        raise UsageError(f"{path} outputs real values: give it a --file without --out.")
    return Answers(model, path, wanted)


def _answer(answers: Answers, texts: list[str], times: list[int], first: int) -> Answer:
    lines, counts = answers.part(texts, times, first)
    return lines, counts.to_json()


# In a worker process:

_open_once = functools.cache(_open)


def _describe_there(path: Path, wanted: Wanted) -> dict[str, Any]:
    with _one_type_of_error():
        return _open_once(path, wanted).description()


def _answer_there(path: Path, wanted: Wanted, texts: list[str], times: list[int], first: int) -> Answer:
    with _one_type_of_error():
        return _answer(_open_once(path, wanted), texts, times, first)


@contextlib.contextmanager
def _one_type_of_error() -> Iterator[None]:
    """Turn errors of the user into one that can travel from process to process."""
    try:
        yield
    except ValueError as error:
        if type(error).__module__.partition(".")[0] != "seq2seq_zoo":
            raise
        raise UsageError(str(error)) from None
