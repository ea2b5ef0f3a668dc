import tracemalloc

import numpy as np
import pytest

from seq2seq_zoo.data import lines
from seq2seq_zoo.data import pairs as module
from seq2seq_zoo.data.delimited import read_pairs
from seq2seq_zoo.data.mapped import Mapped

ROWS = [("é" * (n % 7), f"{n}  {n}") for n in range(50)]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("\ufeff" + "".join(f"{source}\t{target}\r\n\n" for source, target in ROWS), encoding="utf-8")
    return path


@pytest.mark.parametrize("block", [1, 40, 2**20])
def test_iteration_indices_slices_and_arrays_of_rows_give_the_pairs_of_the_file(path, block, monkeypatch):
    for file in (lines, module):
        monkeypatch.setattr(file, "BLOCK", block)
    pairs, _ = read_pairs(path)
    assert list(pairs) == [pairs[row] for row in range(len(pairs))] == ROWS
    assert pairs[-1] == ROWS[-1]
    assert list(pairs[3:9:2]) == ROWS[3:9:2]
    rows = np.array([0, 7, 49])
    assert list(pairs[rows]) == [ROWS[row] for row in rows]
    assert list(pairs[rows][1:]) == [ROWS[7], ROWS[49]]


def test_words_have_one_space_between_them(path):
    assert read_pairs(path, separators=(" ", " "))[0][5] == ("ééééé", "5 5")


def test_a_pair_takes_less_than_24_bytes_of_memory(tmp_path):
    path = tmp_path / "long.tsv"
    path.write_text(f"{'a' * 500}\t{'b' * 500}\n" * 10_000)
    tracemalloc.start()
    pairs, _ = read_pairs(path)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(pairs) == 10_000
    assert kept < 24 * 10_000


def test_pairs_still_read_the_original_file_after_it_is_replaced(path, tmp_path):
    pairs, _ = read_pairs(path)
    (tmp_path / "new").write_text("other\tpairs\n")
    (tmp_path / "new").replace(path)
    assert list(pairs) == ROWS


def test_mapped_computes_an_item_on_access():
    made = []
    lazy = Mapped(lambda number: made.append(number) or -number, range(1000))
    assert (len(lazy), made) == (1000, [])
    assert (lazy[-1], list(lazy[2:4]), made) == (-999, [-2, -3], [999, 2, 3])
