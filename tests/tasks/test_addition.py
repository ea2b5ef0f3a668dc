import pytest

from seq2seq_zoo.metrics.tokens import exact_match, token_accuracy
from seq2seq_zoo.tasks.addition import Addition

FEW = {"train_size": 60, "dev_size": 10, "test_size": 10}


def numbers(query):
    return [int(number) for number in query.split("+")]


@pytest.mark.parametrize("blanks", [True, False])
@pytest.mark.parametrize("reverse", [True, False])
@pytest.mark.parametrize("digits", [2, 3])
def test_the_target_is_the_sum(digits, reverse, blanks):
    data = Addition(digits=digits, reverse=reverse, blanks=blanks, **FEW).load()
    for pairs in data.splits.values():
        for query, target in pairs:
            forwards = query[::-1] if reverse else query
            assert sum(numbers(forwards)) == int(target)
            if blanks:
                assert (len(query), len(target)) == (2 * digits + 1, digits + 1)
                # What is written has its blanks on the right, before it is turned round.
                assert not forwards.startswith(" ")
                assert not target.startswith(" ")
            else:
                assert " " not in query + target
    assert data.source is data.target
    assert "".join(data.source.tokens[4:]) == " " * blanks + "+0123456789"


def test_reverse_and_blanks_do_not_change_the_numbers_drawn():
    as_drawn = Addition(reverse=False, blanks=False, **FEW).load().splits
    for split, pairs in Addition(**FEW).load().splits.items():
        assert [query[::-1].strip() for query, _ in pairs] == [query for query, _ in as_drawn[split]]


def test_each_unordered_pair_of_numbers_occurs_once():
    data = Addition(digits=1, train_size=45, dev_size=5, test_size=5).load()
    queries = [query for pairs in data.splits.values() for query, _ in pairs]
    assert {frozenset(numbers(query)) for query in queries} == {frozenset((a, b)) for a in range(10) for b in range(10)}
    assert len(queries) == 55


def test_lengths_of_numbers_are_uniform():
    # Nine in ten of all numbers up to 6 digits have 6, but only a sixth of those drawn, less those that begin with 0.
    data = Addition(digits=6, reverse=False, blanks=False, train_size=400, dev_size=1, test_size=1).load()
    lengths = [len(str(number)) for query, _ in data.splits["train"] for number in numbers(query)]
    assert lengths.count(6) / len(lengths) == pytest.approx(0.9 / 6, abs=0.04)
    assert set(lengths) == {1, 2, 3, 4, 5, 6}


def test_every_split_has_numbers_of_every_length():
    # The first that are drawn are mostly short: were they one split, the others would have none.
    for pairs in Addition().load().splits.values():
        assert {len(str(number)) for query, _ in pairs for number in numbers(query[::-1])} == {1, 2}


def test_token_accuracy_is_the_originals_accuracy_plus_the_end():
    targets = [Addition().pair(*numbers)[1] for numbers in [(5, 7), (60, 61), (1, 1)]]
    outputs = ["13 ", "121", "2  "]
    places = [
        expected == got for pair in zip(targets, outputs, strict=True) for expected, got in zip(*pair, strict=True)
    ]
    own = sum(places) / len(places)  # characters in their places, blanks among them
    assert token_accuracy(targets, outputs) == pytest.approx((3 * own + 1) / 4)
    assert exact_match(targets, outputs) == pytest.approx(2 / 3)


def test_more_pairs_than_exist():
    with pytest.raises(ValueError, match=r"Asked for 56 pairs .* but only 55 exist with up to 1 digits.*train_size"):
        Addition(digits=1, train_size=46, dev_size=5, test_size=5).load()
