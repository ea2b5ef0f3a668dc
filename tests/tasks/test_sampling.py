from collections import Counter

import pytest

from seq2seq_zoo.tasks.sampling import sample

SIZES = {"train": 40, "dev": 10, "test": 10}


def lengths(drawn):
    return Counter(length for length, _ in drawn)


@pytest.mark.parametrize("draw", ["by_length", "uniform"])
@pytest.mark.parametrize(
    ("spaces", "limit"),
    [
        ({1: (10, 1), 2: (90, 1), 3: (900, 1)}, None),
        ({1: (10, 1), 2: (90, 1), 3: (900, 1)}, 2),
        ({length: (100, length) for length in range(1, 31)}, None),
        ({length: (100, length) for length in range(1, 31)}, 20),
        ({1: (60, 1)}, None),  # all there are
        ({length: (1, length) for length in range(1, 101)}, None),  # one token: one source of each length
    ],
)
def test_splits_are_disjoint_full_and_within_the_space(spaces, limit, draw):
    splits = sample(spaces, SIZES, 3, draw, limit)
    assert {split: len(drawn) for split, drawn in splits.items()} == SIZES
    everything = [drawn for split in splits.values() for drawn in split]
    assert len(set(everything)) == len(everything)
    for length, row in everything:
        base, columns = spaces[length]
        assert len(row) == columns
        assert all(0 <= index < base for index in row)
    if limit is not None:
        assert max(lengths(splits["train"] + splits["dev"])) <= limit < min(lengths(splits["test"]))


def test_every_possible_source_can_be_drawn():
    splits = sample({1: (3, 1), 2: (3, 2)}, {"train": 8, "dev": 2, "test": 2}, 0)
    everything = {row for split in splits.values() for _, row in split}
    assert everything == {(a,) for a in range(3)} | {(a, b) for a in range(3) for b in range(3)}


def test_a_source_drawn_twice_counts_once():
    # More than are listed, and enough of them that some come up again.
    drawn = sample({1: (2**20 + 1, 1)}, {"train": 9000, "dev": 1, "test": 1}, 0)["train"]
    assert len(set(drawn)) == len(drawn) == 9000


def test_by_length_draws_equal_shares_and_uniform_proportional_ones():
    spaces = {1: (10, 1), 2: (90, 1), 3: (900, 1), 4: (9000, 1)}
    sizes = {"train": 1000, "dev": 200, "test": 200}
    alike = sample(spaces, sizes, 0)
    # A tenth of the scarce lengths at most, so that train has most of them.
    assert lengths(alike["test"]) == {1: 1, 2: 9, 3: 90, 4: 100}
    assert lengths(alike["dev"])[1] == 1
    assert lengths(alike["train"])[1] == 8
    assert lengths(alike["train"])[2] >= 72
    assert abs(lengths(alike["train"])[3] - lengths(alike["train"])[4]) <= 1
    uniform = sample(spaces, sizes, 0, "uniform")
    assert lengths(uniform["train"])[4] == pytest.approx(900, abs=2)
    assert lengths(uniform["train"])[3] == pytest.approx(90, abs=2)


def test_balanced_repeats_short_sources_in_train_and_asks_none_of_them():
    spaces = {1: (10, 1), 2: (90, 1), 3: (900, 1), 4: (9000, 1)}
    splits = sample(spaces, {"train": 1000, "dev": 200, "test": 200}, 0, "balanced")
    assert lengths(splits["train"]) == {1: 250, 2: 250, 3: 250, 4: 250}
    assert lengths(splits["test"]) == {3: 90, 4: 110}
    assert lengths(splits["dev"]) == {3: 81, 4: 119}
    assert set(Counter(row for length, row in splits["train"] if length == 1).values()) == {25}
    assert {row for length, row in splits["train"] if length == 2} == {(index,) for index in range(90)}
    assert not set(splits["train"]) & {*splits["dev"], *splits["test"]}


def test_balanced_needs_a_length_that_it_need_not_repeat():
    with pytest.raises(ValueError, match=r"^`draw`: balanced repeats all sources to fill a train_size of 40"):
        sample({1: (10, 1), 2: (9, 1)}, SIZES, 0, "balanced")
    besides = (
        r"^Asked for 80 pairs for train, dev and test together, besides those of length 1, all in train, but only 60"
    )
    with pytest.raises(ValueError, match=besides):
        sample({1: (10, 1), 2: (60, 1)}, {"train": 80, "dev": 20, "test": 20}, 0, "balanced")


def test_dev_and_test_do_not_depend_on_the_size_of_train():
    spaces = {length: (10, length) for length in range(1, 8)}
    few = sample(spaces, {"train": 50, "dev": 60, "test": 70}, 5)
    many = sample(spaces, {"train": 500, "dev": 60, "test": 70}, 5)
    assert few["test"] == many["test"]
    assert few["dev"] == many["dev"]
    assert set(few["train"]) < set(many["train"])


def test_different_seeds_give_different_splits():
    spaces = {3: (10, 3)}
    assert sample(spaces, SIZES, 0) != sample(spaces, SIZES, 1)


def test_the_draw_is_the_same_on_every_machine():
    # Lengths 1 and 2 are listed and shuffled, length 9 is drawn row by row.
    splits = sample({1: (10, 1), 2: (10, 2), 9: (10, 9)}, {"train": 3, "dev": 1, "test": 2}, 0)
    assert splits == {
        "train": [(9, (7, 7, 6, 9, 0, 1, 5, 6, 3)), (1, (9,)), (2, (8, 8))],
        "dev": [(9, (9, 6, 1, 6, 3, 5, 3, 3, 5))],
        "test": [(2, (7, 5)), (9, (2, 5, 2, 9, 4, 2, 4, 6, 7))],
    }


@pytest.mark.parametrize(
    ("sizes", "limit", "words"),
    [
        ({"train": 80, "dev": 10, "test": 11}, None, "101 pairs for train, dev and test together, but only 100 exist"),
        ({"train": 10, "dev": 1, "test": 1}, 1, "11 pairs for train and dev together, but only 10 exist"),
        ({"train": 5, "dev": 1, "test": 91}, 1, r"91 pairs for test, but only 90 exist \(lengths 2 to 2\)"),
        ({"train": 5, "dev": 1, "test": 1}, 2, "lengths for train and for test, got 2 with the lengths 1 to 2"),
    ],
)
def test_more_sources_than_exist(sizes, limit, words):
    with pytest.raises(ValueError, match=words):
        sample({1: (10, 1), 2: (90, 1)}, sizes, 0, train_max_length=limit)
