"""The presets that come with the package."""

import re

import pytest
import yaml

from cli.commands import PACKAGE, PRESETS
from seq2seq_zoo.config.options import options_of


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_says_what_it_is_for_and_only_what_differs(name):
    from seq2seq_zoo.config.reader import read
    from seq2seq_zoo.experiment import factory
    from seq2seq_zoo.layers.encoder import Encoder
    from seq2seq_zoo.training.training import Training

    path = PACKAGE / "presets" / f"{name}.yaml"
    text = path.read_text()
    assert re.match(r"# \S.{20,110}\n", text)
    given = yaml.safe_load(text)
    if given["encoder"] is None:
        assert given["decoder"]["mode"] == "feedback"  # with nothing to read but its own output
    elif given["decoder"] is not None:
        assert re.search(r"\n  mode: \w+ # the line to change: basic, feedback, peek, attention\n", text)
    read(path, factory.schema)
    decoder = factory.modes[(given["decoder"] or {"mode": "basic"})["mode"]]
    for section, target in (("encoder", Encoder), ("decoder", decoder), ("training", Training)):
        defaults = {key: option.default for key, option in options_of(target).items() if not option.required}
        assert not [key for key, value in (given[section] or {}).items() if key in defaults and value == defaults[key]]


@pytest.mark.parametrize("mode", ["attention", "basic", "feedback", "peek"])
@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_takes_every_mode(name, mode):
    from seq2seq_zoo.config.reader import read
    from seq2seq_zoo.experiment import factory

    path = PACKAGE / "presets" / f"{name}.yaml"
    if read(path, factory.schema)["decoder"] is not None:
        read(path, factory.schema, [f"decoder.mode={mode}"])
