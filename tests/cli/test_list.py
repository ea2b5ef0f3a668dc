"""`seq2seq-zoo list`."""

import re

from cli.commands import PRESETS, call, refused
from seq2seq_zoo.cli.list import KINDS
from seq2seq_zoo.cli.shared import FORMATS, SEARCHES


def test_one_kind_is_listed_one_entry_a_line():
    lines = call("list", "modes").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["attention", "basic", "feedback", "peek"]
    assert all(len(line.split()) > 3 for line in lines)
    assert [line.split()[0] for line in call("list", "presets").stdout.splitlines()] == PRESETS
    assert "\ndefault  " in call("list", "suites").stdout


def test_all_kinds_are_listed():
    found = call("list").stdout
    assert re.findall(r"^(\w+):$", found, re.MULTILINE) == list(KINDS)
    for name in ("  gru ", "  scaled_dot ", "  dense ", "  inverse_sigmoid ", "  digits_to_words ", "  first_25 "):
        assert f"\n{name}" in found


def test_names_that_are_checked_before_the_registries_are_imported_are_all_of_them():
    for kind, names in (("searches", SEARCHES), ("formats", FORMATS)):
        assert [line.split()[0] for line in call("list", kind).stdout.splitlines()] == list(names)


def test_an_unknown_kind_is_refused():
    kinds = "modes, cells, attentions, bridges, schedules, searches, formats, trackers, tasks, metrics, presets, suites"
    assert refused("list", "mode") == f"Unknown kind 'mode'. Did you mean 'modes'? Kinds: {kinds}, data, models."
