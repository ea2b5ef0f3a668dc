"""`seq2seq-zoo show`."""

import yaml

from cli.commands import PACKAGE, PRESETS, call, refused


def test_show_fills_in_and_changes():
    shown = yaml.safe_load(call("show", "copy", "--set", "decoder.mode=peek", "--set", "seed=7").stdout)
    assert shown["decoder"]["mode"] == "peek"
    assert shown["decoder"]["units"] == 64
    assert shown["training"]["batch_size"] == 64
    assert shown["seed"] == 7


def test_what_show_prints_is_the_same_configuration(folder):
    first = call("show", "digits_each").stdout
    (folder / "shown.yaml").write_text(first)
    assert call("show", "shown.yaml").stdout == first


def test_a_file_wins_over_a_preset_of_the_same_name(folder):
    (folder / "copy").write_text((PACKAGE / "presets" / "reverse.yaml").read_text())
    assert "name: reverse" in call("show", "copy").stdout
    (folder / "file").mkdir()
    assert "name: file" in call("show", "file").stdout


def test_show_refuses(folder):
    known = ", ".join(PRESETS)
    assert refused("show", "copi") == f"There is no file and no preset 'copi'. Did you mean 'copy'? Presets: {known}."
    assert refused("show", "copi.yaml") == "copi.yaml: there is no such file."
    (folder / "copy.yaml").write_text("task: {name: copy}\nencoder: {units: 4}\ndecoder: {mode: peak}\n")
    assert refused("show", "copy.yaml") == (
        "copy.yaml:3: decoder.mode: unknown decoder mode 'peak'. Did you mean 'peek'? "
        "Known: attention, basic, feedback, peek."
    )
