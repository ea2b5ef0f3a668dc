"""What holds for every suite that comes with the package."""

import functools
import json
import unicodedata

import pytest

from seq2seq_zoo.benchmark.suite import read_suite
from seq2seq_zoo.cli.shared import suites
from seq2seq_zoo.data.published import missing, paths_in
from seq2seq_zoo.experiment import factory


def normalized(text):
    """A text without what people would not call a difference: case, compatibility forms and white space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


@pytest.mark.parametrize("name", suites())
def test_no_test_source_is_in_train(name):
    suite = read_suite(suites()[name], factory.schema, factory.modes, match=list)
    if suite.data is not None and missing(suite.data):
        pytest.skip(f"published data, which no test fetches: run seq2seq-zoo data fetch {suite.data}")
    for task in {json.dumps(cell["config"]["task"], sort_keys=True) for cell in suite.cells}:
        assert in_both(task, suite.data) == set(), task


@functools.cache
def in_both(task, data):
    """The sources of test that are in train; suites share tasks."""
    with paths_in(data):
        splits = factory.make_task({"task": json.loads(task)}).load().splits
        test, train = ({normalized(source) for source, _ in splits[split]} for split in ("test", "train"))
    assert test
    return test & train
