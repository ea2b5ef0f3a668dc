import numpy as np
import pytest

from seq2seq_zoo.data.mapped import Mapped
from seq2seq_zoo.data.padding import Batches, few_shapes, pad

END = 2


def test_pad_on_the_right_and_on_the_left():
    rows = [[5, 6], [], [7]]
    right, left = pad(rows), pad(rows, 3, "left")
    assert right.dtype == left.dtype == np.int32
    assert right.tolist() == [[5, 6], [0, 0], [7, 0]]
    assert left.tolist() == [[0, 5, 6], [0, 0, 0], [0, 0, 7]]
    assert pad([], 3).shape == (0, 3)


def test_pad_rejects_rows_that_are_too_long_and_unknown_sides():
    with pytest.raises(ValueError, match="row of 2 ids does not fit in 1"):
        pad([[5, 6]], 1)
    with pytest.raises(ValueError, match="'right' or 'left', got 'rigth'"):
        pad([[5]], side="rigth")  # type: ignore[arg-type]


def pairs(count: int):
    random = np.random.default_rng(0)
    # The first id of each row names the row.
    sources = [[100 + row, *[7] * int(random.integers(0, 9))] for row in range(count)]
    targets = [[100 + row] * int(random.integers(1, 6)) for row in range(count)]
    return list(zip(sources, targets, strict=True))


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("buckets", [1, 3, 100])
@pytest.mark.parametrize(("count", "batch_size"), [(23, 4), (8, 4), (3, 5), (1, 1)])
def test_batches_hold_every_row_once_and_have_the_listed_shapes(count, batch_size, buckets, side):
    sources, targets = zip(*pairs(count), strict=True)
    batches = Batches(pairs(count), END, batch_size, side, buckets)
    assert 1 <= len(batches.shapes) <= min(buckets, count)
    assert batches.shapes[-1] == (max(map(len, sources)), max(map(len, targets)) + 1)

    plans = {"in order": [(s, t) for _, s, t in batches.in_order()], "shuffled": batches.epoch(1, 1)}
    for plan in plans.values():
        assert len(plan) == len(batches)
        seen = []
        for source, target in plan:
            assert source.dtype == target.dtype == np.int32
            assert len(source) == len(target) == batch_size
            assert (source.shape[1], target.shape[1]) in batches.shapes
            for source_row, target_row in zip(source.tolist(), target.tolist(), strict=True):
                if not any(target_row):
                    assert not any(source_row)
                    continue
                row = target_row[0] - 100
                seen.append(row)
                padding = [0] * (len(source_row) - len(sources[row]))
                assert source_row == (sources[row] + padding if side == "right" else padding + sources[row])
                assert target_row == [*targets[row], END, *[0] * (len(target_row) - len(targets[row]) - 1)]
        assert sorted(seen) == list(range(count))


def test_batches_in_order_list_the_rows_that_they_hold():
    for rows, source, target in Batches(pairs(11), END, 4, buckets=2).in_order():
        assert (source[: len(rows), 0] - 100).tolist() == rows.tolist()
        assert not source[len(rows) :].any()
        assert not target[len(rows) :].any()
    rows = np.concatenate([rows for rows, _, _ in Batches(pairs(11), END, 4).in_order()])
    assert rows.tolist() == list(range(11))


def test_an_epoch_depends_only_on_seed_and_number():
    batches = Batches(pairs(40), END, 4, buckets=2)
    again = Batches(pairs(40), END, 4, buckets=2)
    again.epoch(5, 6)

    def flat(plan):
        return [source.tolist() for source, _ in plan]

    assert flat(batches.epoch(1, 2)) == flat(again.epoch(1, 2))
    different = [flat(batches.epoch(*key)) for key in [(1, 2), (1, 3), (2, 2), (2, 1)]]
    assert all(a != b for at, a in enumerate(different) for b in different[:at])
    assert {len(plan) for plan in different} == {len(batches)}


def test_an_epoch_mixes_rows_and_batches():
    batches = Batches([([row], [1]) for row in range(1, 41)], END, 4)
    rows = [source.ravel().tolist() for source, _ in batches.epoch(1, 1)]
    assert all(max(batch) - min(batch) > 3 for batch in rows)
    # Two buckets of five batches each do not come one after the other.
    two = Batches([([7] * (1 + (row >= 20)), [1]) for row in range(40)], END, 4, buckets=2)
    widths = [source.shape[1] for source, _ in two.epoch(1, 1)]
    assert sorted(widths) == [1] * 5 + [2] * 5 != widths


def test_buckets_give_short_pairs_short_shapes():
    batches = Batches([([7], [8])] * 6 + [([7] * 9, [8] * 4)] * 6, END, 3, buckets=2)
    assert batches.shapes == [(1, 2), (9, 5)]
    assert [source.shape for _, source, _ in batches.in_order()] == [(3, 1)] * 2 + [(3, 9)] * 2


def test_empty_rows_still_have_a_position():
    batches = Batches([([], []), ([], [])], END, 2)
    (_, source, target), *_ = batches.in_order()
    assert source.tolist() == [[0], [0]]
    assert target.tolist() == [[END], [END]]


def test_pairs_are_read_once_for_their_lengths_and_then_batch_by_batch():
    rows = pairs(23)
    asked = []
    lazy = Mapped(lambda row: asked.append(row) or rows[row], range(23))
    batches = Batches(lazy, END, 4, buckets=2)
    assert asked == list(range(23))
    asked.clear()
    epoch = batches.epoch(1, 1)
    assert asked == []
    source, _ = epoch[3]
    assert (source[: len(asked), 0] - 100).tolist() == asked


def test_a_part_reads_only_its_rows_of_a_batch():
    rows = pairs(9)
    vectors = [tuple(np.array(side, np.float32)[:, None] for side in pair) for pair in rows]
    for data, end in ((rows, END), (vectors, None)):
        read = []
        lazy = Mapped(lambda row, data=data, read=read: read.append(row) or data[row], range(9))
        first, second = (Batches(lazy, end, 4, part=part).epoch(1, 0) for part in (slice(0, 2), slice(2, 4)))
        read.clear()
        # One of the three batches has a single row: its second part is filling.
        for sides in zip(Batches(data, end, 4).epoch(1, 0), first, second, strict=True):
            for whole, *parts in zip(*sides, strict=True):
                np.testing.assert_array_equal(np.concatenate(parts), whole)
        assert len(read) == len(rows) + 1  # a row shows what kind the filling is of


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([], END, 2), "at least one pair"),
        (([([7], [8])], END, 0), "batch_size and buckets of at least 1, got 0 and 1"),
    ],
)
def test_batches_reject_invalid_arguments(arguments, words):
    with pytest.raises(ValueError, match=words):
        Batches(*arguments)


@pytest.mark.parametrize("batch_size", [1, 3, 8, 64])
@pytest.mark.parametrize("count", [1, 7, 30])
def test_few_shapes_hold_every_row_once_in_full_batches(count, batch_size):
    columns = [list(column) for column in zip(*pairs(count), strict=True)]
    columns[0][0] = [100] * 70
    seen, shapes = [], set()
    for rows, arrays in few_shapes(columns, batch_size):
        shapes.add(tuple(array.shape for array in arrays))
        for column, array in zip(columns, arrays, strict=True):
            assert len(array) == min(batch_size, 1 << (count - 1).bit_length())
            assert array.shape[1] in (8, 16, 128)
            assert array[: len(rows)].tolist() == pad([column[row] for row in rows], array.shape[1]).tolist()
            assert not array[len(rows) :].any()
        seen += rows
    assert sorted(seen) == list(range(count))
    assert len(shapes) <= 3


def test_few_shapes_of_no_rows_and_of_an_empty_row():
    assert list(few_shapes([[], []], 4)) == []
    ((rows, (ids,)),) = few_shapes([[[]]], 1)
    assert (rows, ids.tolist()) == ([0], [[0] * 8])


def test_few_shapes_reject_invalid_arguments():
    with pytest.raises(ValueError, match=r"Expected a batch_size of at least 1, got 0\."):
        list(few_shapes([[[5]]], 0))
    with pytest.raises(ValueError, match="zip"):
        list(few_shapes([[[5]], []], 4))
