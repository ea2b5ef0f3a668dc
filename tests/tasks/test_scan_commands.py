"""SCAN's commands, actions and splits."""

import re
from pathlib import Path

import pytest

from seq2seq_zoo.tasks.scan import Scan, commands

PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "scan"


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published files of SCAN are not here")
def test_commands_and_actions_are_the_published_ones():
    files = [PUBLISHED / f"tasks_{split}_simple.txt" for split in ("train", "test")]
    lines = [line for file in files for line in file.read_text().splitlines()]
    published = dict(re.fullmatch("IN: (.*) OUT: (.*)", line).groups() for line in lines)
    assert {command: " ".join(actions) for command, actions in commands()} == published


def test_the_length_split_has_short_sequences_in_train_and_long_ones_in_test():
    splits = Scan(split="length").load().splits
    longest = {split: max(len(target.split()) for _, target in pairs) for split, pairs in splits.items()}
    assert longest == {"train": 22, "dev": 22, "test": 48}
    assert min(len(target.split()) for _, target in splits["test"]) == 24
    assert {split: len(pairs) for split, pairs in splits.items()} == {"train": 16_590, "dev": 400, "test": 3_920}


def test_test_has_every_other_command_and_dev_does_not_depend_on_the_size_of_train():
    small, large = Scan(train_size=209).load().splits, Scan(train_size=3_345).load().splits
    assert sum(map(len, small.values())) == sum(map(len, large.values())) == 20_910
    assert small["dev"] == large["dev"]
    assert large["train"][:209] == small["train"]


@pytest.mark.parametrize(("split", "count"), [("simple", 20_909), ("length", 16_990)])
def test_too_many_pairs_are_refused(split, count):
    message = f"Asked for 30400 pairs for train and dev together, but the split '{split}' has only {count} for them."
    with pytest.raises(ValueError, match=re.escape(message)):
        Scan(split=split, train_size=30_000).load()
