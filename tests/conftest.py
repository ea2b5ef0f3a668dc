"""What all tests share."""

import sys

import pytest


@pytest.fixture(autouse=True)
def same_chance_for_every_test():
    """Whatever ran before, a test draws the same numbers."""
    # Not by importing it: a test that needs no backend should not wait for one.
    if keras := sys.modules.get("keras"):
        keras.utils.set_random_seed(1)
