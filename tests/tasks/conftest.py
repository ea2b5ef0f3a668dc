"""What the tests of tasks that read files share."""

import pytest


@pytest.fixture
def write(tmp_path):
    """Writes a file of lines, and says where."""

    def write(name: str, *lines: str) -> str:
        path = tmp_path / name
        path.write_text("\n".join(lines), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def lists():
    """The pairs of each split, read."""
    return lambda data: {split: list(pairs) for split, pairs in data.splits.items()}
