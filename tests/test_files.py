import os

import pytest

from seq2seq_zoo.system.files import atomic_path, write


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write(path, "old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    write(path, "old")
    with pytest.raises(TypeError), atomic_path(path) as draft:
        draft.write_text("ne") / ""  # not a number
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_are_made_and_lone_surrogates_survive(tmp_path):
    write(tmp_path / "a" / "b", "caf\u00e9 \udcff")
    assert (tmp_path / "a" / "b").read_bytes() == "caf\u00e9 ".encode() + b"\\udcff"
