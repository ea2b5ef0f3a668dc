"""`seq2seq-zoo init`."""

from cli.commands import PACKAGE, PRESETS, call, refused


def test_init_writes_the_preset_and_overwrites_nothing(folder):
    done = call("init", "copy")
    assert done.stderr == "Wrote copy.yaml. Train it with: seq2seq-zoo train copy.yaml\n"
    assert (folder / "copy.yaml").read_bytes() == (PACKAGE / "presets" / "copy.yaml").read_bytes()
    (folder / "copy.yaml").write_text("mine")
    message = "copy.yaml already exists and is not overwritten: give another name with --out."
    assert refused("init", "copy") == message
    assert (folder / "copy.yaml").read_text() == "mine"
    assert call("init", "copy", "--out", "my own.yaml").stderr.endswith("seq2seq-zoo train 'my own.yaml'\n")
    assert (folder / "my own.yaml").exists()


def test_init_refuses():
    known = ", ".join(PRESETS)
    assert refused("init", "cop") == f"Unknown preset 'cop'. Did you mean 'copy'? Presets: {known}."
    assert refused("init", "copy", "--out", "no/copy.yaml") == "no/copy.yaml: No such file or directory."
