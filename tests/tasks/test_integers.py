import pytest

from seq2seq_zoo.tasks.integers import Integers

FEW = {"train_size": 60, "dev_size": 10, "test_size": 10}


def rows(data):
    """Source and target of every pair, as integers."""
    return [
        tuple([int(token) for token in text.split()] for text in pair)
        for pairs in data.splits.values()
        for pair in pairs
    ]


@pytest.mark.parametrize(
    ("pattern", "source", "target"),
    [
        ("sorted", [2, 0, 5, 5, 1], [0, 1, 2, 5, 5]),
        ("reversed", [2, 0, 5, 5, 1], [1, 5, 5, 0, 2]),
        ("maxmin_dup", [2, 0, 5, 5, 1], [5, 0, 5, 5, 1]),  # the 2 is lost
        ("maxmin_dup", [0, 7], [7, 0]),
        ("maxmin_dup", [3], [3]),
    ],
)
def test_patterns(pattern, source, target):
    task = Integers(pattern, **FEW)
    assert task.target(source) == target
    assert all(task.target(source) == target for source, target in rows(task.load()))


def test_integers_are_uniform_including_the_largest():
    # In the original it never did.
    drawn = [number for source, _ in rows(Integers(high=4, min_length=6, train_size=500).load()) for number in source]
    assert [drawn.count(number) / len(drawn) for number in range(5)] == pytest.approx([0.2] * 5, abs=0.03)
    assert Integers(high=12, **FEW).load().source.unknown_in("0 12 13") == ["13"]


def test_train_max_length_keeps_longer_rows_for_test():
    data = Integers(min_length=3, max_length=6, train_max_length=3, **FEW).load()
    lengths = {split: {len(source.split()) for source, _ in pairs} for split, pairs in data.splits.items()}
    assert lengths == {"train": {3}, "dev": {3}, "test": {4, 5, 6}}


def test_output_length_cuts_targets():
    cut = rows(Integers(output_length=3, **FEW).load())
    assert cut == [(source, target[:3]) for source, target in rows(Integers(**FEW).load())]


def test_invalid_arguments():
    with pytest.raises(ValueError, match=r"`pattern` must be .* got 'sort'. Did you mean 'sorted'"):
        Integers("sort")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="`min_length` must be at most `max_length`, got 11 and 10"):
        Integers(min_length=11)
    with pytest.raises(ValueError, match=r"Asked for 80 pairs .* but only 30 exist"):
        Integers(high=4, max_length=2, **FEW).load()
