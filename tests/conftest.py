"""What all tests share."""

import signal
import sys

import pytest

# A shell that starts the tests in the background has them ignore Ctrl-C, and every process that they start as well.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def same_chance_for_every_test():
    """Whatever ran before, a test draws the same numbers."""
    # Not by importing it: a test that needs no backend should not wait for one.
    if keras := sys.modules.get("keras"):
        keras.utils.set_random_seed(1)


def pytest_collection_finish():
    """Searches are not compiled by XLA, which takes longer than all else here, but where a test says so."""
    if generation := sys.modules.get("seq2seq_zoo.models.text_model"):
        generation.use_xla = lambda: False
