"""What all tests share."""

import signal
import sys

import pytest
from browser import started_browser

# A shell that starts the tests in the background makes them, and every process that they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header():
    """The setting in which the tests differ from the product."""
    return "searches: step by step, not compiled, unless a test asks for it (fixture eager_searches)"


@pytest.fixture(scope="session", autouse=True)
def eager_searches():
    """Run searches and scores step by step: compiling each of their shapes would be most of the time of all tests.

    Tests of compiled searches undo this: they set `run_eagerly` of `Searcher` for a graph, and `use_xla` of
    `seq2seq_zoo.decoding.program` for XLA. Processes that a test starts run as users run them, with XLA.
    """
    # Not imported here: a test that needs no backend should not wait for one.
    program = sys.modules.get("seq2seq_zoo.decoding.program")
    with pytest.MonkeyPatch.context() as patch:
        if program is not None:
            patch.setattr(program, "use_xla", lambda: False)
            patch.setattr(program.Program, "run_eagerly", True)
        yield


@pytest.fixture(autouse=True)
def same_seed_for_every_test():
    """A test draws the same random numbers, whatever ran before it."""
    # Not imported here, for the same reason.
    if keras := sys.modules.get("keras"):
        keras.utils.set_random_seed(1)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A browser without a window, which finds no host but this one."""
    with started_browser(tmp_path_factory.mktemp("browser")) as driver:
        yield driver
