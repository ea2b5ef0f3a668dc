"""Files that are written block by block, and continued."""

import contextlib
import json
from pathlib import Path

import pytest

from seq2seq_zoo.system.partial import PartialFileError, partial_file

RUN = {"model": "a", "options": {"search": "greedy", "sizes": (1, 2)}}


def begun(path, blocks=1):
    """Begin a file, and stop before it is complete."""
    with contextlib.suppress(KeyboardInterrupt), partial_file(path, RUN) as file:
        for number in range(1, blocks + 1):
            file.append(f"{number}\n".encode(), {"blocks": number})
        raise KeyboardInterrupt
    return path.with_name(f"{path.name}.partial")


def refusal(path, run=RUN):
    with pytest.raises(PartialFileError) as caught, partial_file(path, run):
        pass
    return str(caught.value).replace(str(path.parent), "")


def test_a_file_goes_on_behind_its_last_whole_block(tmp_path):
    path = tmp_path / "new" / "out.txt"
    folder = begun(path, 2)
    assert not path.exists()
    with (folder / "content").open("ab") as content:
        content.write(b"half a bl")  # killed while it wrote
    with partial_file(path, RUN) as file:
        assert file.state == {"blocks": 2}
        file.append(b"3\n", {"blocks": 3})
    assert path.read_text() == "1\n2\n3\n"
    assert list(path.parent.iterdir()) == [path]


def test_nothing_else_is_overwritten(tmp_path):
    path = tmp_path / "out.txt"
    anew = "Delete it to begin anew, or give another name with --out."
    folder = begun(path)
    before = (folder / "content").read_bytes(), (folder / "state.json").read_bytes()
    assert refusal(path, {**RUN, "model": "b"}) == (
        f'/out.txt.partial: expected an output of this run, found one with another model: "a", not "b". {anew}'
    )
    with partial_file(path, RUN) as file:
        assert refusal(path) == "/out.txt.partial: another process writes it. Wait until it has finished."
        file.append(b"", {})
        Path(file._folder, "content").rename(tmp_path / "kept")
        (folder / "content").write_bytes(before[0])
    path.unlink()
    for state in ("", "[]", "{}", json.dumps({"run": RUN, "bytes": 99, "state": {}})):
        folder.mkdir()
        (folder / "content").touch()
        (folder / "state.json").write_text(state)
        assert refusal(path) == (
            f"/out.txt.partial: expected an output that can be continued, found something else. {anew}"
        )
        for each in folder.iterdir():
            each.unlink()
        folder.rmdir()
    path.write_text("mine")
    assert refusal(path) == "/out.txt already exists and is not overwritten: give another name with --out."
    assert path.read_text() == "mine"
