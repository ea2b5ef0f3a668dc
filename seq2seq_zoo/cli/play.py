"""`seq2seq-zoo play`: a page with models in the browser."""

import contextlib
import functools
import os
import tempfile
import webbrowser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated

import typer

from seq2seq_zoo.cli.page import write_page
from seq2seq_zoo.cli.shared import ModelPaths, UsageError, app, examples, note
from seq2seq_zoo.system.interrupt import interruptible
from seq2seq_zoo.system.model_file import ZOO, find_model, located

PLAYED = tuple(f"{ZOO}digits_to_words-{mode}" for mode in ("basic", "feedback", "peek", "attention"))
"""The models that are played with if none are given."""
HOST = "127.0.0.1"
"""This machine alone: nobody else can reach the page."""


class _Files(SimpleHTTPRequestHandler):
    """Serves the files of a page, and prints nothing."""

    def guess_type(self, path: str | os.PathLike[str]) -> str:
        """The type of a file. Browsers run a script only as such, whatever this system calls it."""
        return "text/javascript" if str(path).endswith(".js") else super().guess_type(path)

    def end_headers(self) -> None:
        """Let browsers ask again, since the next page at this address may have other models."""
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@app.command(
    epilog=examples(
        "seq2seq-zoo play",
        "seq2seq-zoo play zoo:words_to_digits",
        "seq2seq-zoo play runs/copy-basic-1 runs/copy-attention-1 --port 8000 --no-browser",
    )
)
def play(
    model_paths: ModelPaths = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port on this machine; a free one if 0.", metavar="N")
    ] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Whether to open the browser.")] = True,
) -> None:
    """Try models in the browser: one with its likeliest outputs and its attention, or several side by side, step by
    step. Without models, the four of the zoo that write numbers in words.

    A server on this machine alone gives out the page that 'export --format web' writes. Ctrl-C ends it.
    """
    paths = model_paths or [located(name) for name in PLAYED]
    for path in paths:
        find_model(path)
    with tempfile.TemporaryDirectory(prefix="seq2seq-zoo-") as folder, _server(port, Path(folder, "page")) as server:
        note(f"Exporting {len(paths)} model{'s' * (len(paths) > 1)} for the browser: a few seconds each …")
        with interruptible():  # TensorFlow swallows some interrupts
            write_page(paths, Path(folder, "page"))
        address = f"http://{HOST}:{server.server_port}/"
        with contextlib.suppress(KeyboardInterrupt):  # the usual end, so no error
            print(address, flush=True)
            note("Ctrl-C ends this.")
            if browser:
                webbrowser.open(address)
            server.serve_forever()


def _server(port: int, folder: Path) -> ThreadingHTTPServer:
    """A server of a folder's files on a port, which is taken before anything slow is done.

    Raises:
        UsageError: another program has the port.
    """
    try:
        return ThreadingHTTPServer((HOST, port), functools.partial(_Files, directory=str(folder)))
    except OSError as error:
        raise UsageError(f"--port {port}: {error.strerror}. Leave --port out for a free one.") from None
