"""`seq2seq-zoo data fetch`, from a server on this machine."""

import errno
import hashlib
import http.server
import re
import threading
import types
from pathlib import Path

import pytest

from cli.commands import call, refused
from seq2seq_zoo.data import published
from seq2seq_zoo.data.published import DataSet, data_sets

FILES = {"train/a.tsv": b"one\t1\n" * 50, "dev/b.tsv": b"two\t2\n"}


@pytest.fixture
def served(monkeypatch):
    """The data set `tiny`, whose server answers a path as `answers` says; the paths asked for are in `asked`."""

    answers, asked = dict(FILES), []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.removeprefix("/")
            asked.append(path)
            if path not in answers:
                return self.send_error(404)
            self.send_response(200)
            # The length is that of the published file: with less content, the connection is cut.
            self.send_header("Content-Length", str(max(len(FILES[path]), len(answers[path]))))
            self.end_headers()
            self.wfile.write(answers[path])

        def log_message(self, *arguments): ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    files = {path: {"bytes": len(each), "sha256": hashlib.sha256(each).hexdigest()} for path, each in FILES.items()}
    tiny = DataSet("Two files", "CC0, of our own", f"http://127.0.0.1:{server.server_port}", files)
    monkeypatch.setitem(data_sets(), "tiny", tiny)
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    monkeypatch.setenv("SEQ2SEQ_ZOO_DATA", "")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield types.SimpleNamespace(answers=answers, asked=asked)
    server.shutdown()
    server.server_close()


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def test_fetch_shows_licence_and_source_and_fills_the_cache(served):
    done = call("data", "fetch", "tiny")
    assert done.exit_code == 0
    assert done.stdout == "cache/seq2seq-zoo/tiny\n"
    assert done.stderr.splitlines() == [
        "Two files",
        "Licence: CC0, of our own",
        f"Source: {data_sets()['tiny'].url}",
        "2 files, 0.0 MB: fetched 2, all verified.",
    ]
    assert contents("cache") == {"a.tsv": FILES["train/a.tsv"], "b.tsv": FILES["dev/b.tsv"]}


def test_only_what_is_missing_or_changed_is_fetched(served):
    there = Path("here", "tiny")
    there.mkdir(parents=True)
    (there / "a.tsv").write_bytes(FILES["train/a.tsv"])
    (there / "b.tsv").write_bytes(b"half")
    done = call("data", "fetch", "tiny", "--data-dir", "here")
    assert (done.stdout, served.asked) == ("here/tiny\n", ["dev/b.tsv"])
    assert contents("here")["b.tsv"] == FILES["dev/b.tsv"]
    call("data", "fetch", "tiny", "--data-dir", "here")
    assert served.asked == ["dev/b.tsv"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"two\t3\n", "expected the SHA-256 {sha256}, got *: this is not the published file."),
        (b"two\t2\nthree\t3\n", "expected the SHA-256 {sha256}, got *: this is not the published file."),
        (b"two", "expected 6 bytes, got 3: the connection was cut, or the file has changed."),
        (None, "expected a file, got HTTP 404 Not Found."),
    ],
    ids=["checksum", "longer", "cut", "404"],
)
def test_a_file_that_is_not_the_published_one_is_not_kept(answer, words, served):
    if answer is None:
        del served.answers["dev/b.tsv"]
    else:
        served.answers["dev/b.tsv"] = answer
    described = data_sets()["tiny"]
    message = refused("data", "fetch", "tiny")
    expected = words.format(**described.files["dev/b.tsv"])
    assert re.sub("got [0-9a-f]{64}", "got *", message) == (
        f"{described.url}/dev/b.tsv: {expected} The same command continues with what is "
        "missing. A file that you put into cache/seq2seq-zoo/tiny yourself is verified and used."
    )
    assert contents("cache") == {"a.tsv": FILES["train/a.tsv"]}
    served.answers.update(FILES)
    assert call("data", "fetch", "tiny").exit_code == 0
    assert served.asked == ["train/a.tsv", "dev/b.tsv", "dev/b.tsv"]


def test_a_source_that_cannot_be_reached(served, monkeypatch):
    def nowhere(*arguments, **options):
        raise published.urllib.error.URLError(OSError(errno.ECONNREFUSED, "Connection refused"))

    monkeypatch.setattr(published.urllib.request, "urlopen", nowhere)
    assert "/train/a.tsv: cannot be read: Connection refused. The same command" in refused("data", "fetch", "tiny")
    assert contents("cache") == {}


def test_a_full_disk(served, monkeypatch):
    def full(path, content):
        with open(path, "wb") as file:
            file.write(content[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert refused("data", "fetch", "tiny") == (
        "cache/seq2seq-zoo/tiny/a.tsv: cannot be written: No space left on device. Make room or name another folder "
        "with --data-dir: the same command continues with what is missing."
    )
    assert contents("cache") == {}


def test_an_unknown_data_set():
    known = ", ".join(data_sets())
    assert refused("data", "fetch", "gp2") == f"Unknown data set 'gp2'. Did you mean 'g2p'? Data sets: {known}."


@pytest.mark.parametrize("name", list(data_sets()))
def test_every_description_has_a_commit_and_checksums(name):
    described = data_sets()[name]
    assert re.match(r"https://raw\.githubusercontent\.com/[\w-]+/[\w-]+/[0-9a-f]{40}/\w", described.url)
    assert re.match(r"\S.*, \S", described.licence)
    assert len({Path(path).name for path in described.files}) == len(described.files)
    for file in described.files.values():
        assert file["bytes"] > 0
        assert re.fullmatch("[0-9a-f]{64}", file["sha256"])
