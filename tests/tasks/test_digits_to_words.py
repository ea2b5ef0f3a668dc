import pytest

from seq2seq_zoo.tasks.digits_to_words import DigitsToWords, spell

FEW = {"train_size": 60, "dev_size": 10, "test_size": 10}


def test_whole_spells_one_integer():
    data = DigitsToWords(high=999, **FEW).load()
    for pairs in data.splits.values():
        for source, target in pairs:
            assert target.split() == spell(int(source.replace(" ", "")))
            assert source == "0" or not source.startswith("0")
    assert spell(407) == ["four", "hundred", "and", "seven"]
    assert spell(1_000_121) == ["one", "million", "one", "hundred", "and", "twenty", "one"]


def test_each_writes_every_number_as_one_word():
    data = DigitsToWords("each", max_length=4, **FEW).load()
    for pairs in data.splits.values():
        for source, target in pairs:
            assert 1 <= len(source.split()) <= 4
            assert target.split() == ["_".join(spell(int(number))) for number in source.split()]
    assert data.target.unknown_in("seven twenty_one three") == []
    assert len(data.source) == len(data.target) == 4 + 100


@pytest.mark.parametrize("arguments", [{"high": 12345}, {"form": "each", "low": 3, "high": 30}])
def test_vocabularies_do_not_depend_on_the_seed(arguments):
    first, second = (DigitsToWords(**arguments, **FEW, seed=seed).load() for seed in (1, 2))
    assert first.splits != second.splits
    assert (first.source, first.target) == (second.source, second.target)


def test_the_vocabulary_has_every_word_of_the_range():
    # Drawn from two digits only, so that "thousand" is not there by luck.
    data = DigitsToWords(high=20_500, max_length=2, **FEW).load()
    every = {word for number in range(20_501) for word in spell(number)}
    assert set(data.target.tokens[4:]) == every


def test_numbers_up_to_the_millions_have_no_unknown_word():
    target = DigitsToWords(high=5_000_000, **FEW).load().target
    for number in range(0, 5_000_000, 7919):
        assert target.unknown_in(" ".join(spell(number))) == []


@pytest.mark.parametrize("form", ["whole", "each"])
def test_train_max_length_keeps_longer_sources_for_test(form):
    data = DigitsToWords(form, max_length=6, train_max_length=3, **FEW).load()
    lengths = {split: {len(source.split()) for source, _ in pairs} for split, pairs in data.splits.items()}
    assert lengths["train"] == {1, 2, 3}
    assert lengths["dev"] <= {1, 2, 3}
    assert lengths["test"] == {4, 5, 6}


def test_numbers_respect_low_high_and_lengths():
    data = DigitsToWords(low=50, high=2345, min_length=3, **FEW).load()
    numbers = [int(source.replace(" ", "")) for pairs in data.splits.values() for source, _ in pairs]
    assert min(numbers) >= 100
    assert max(numbers) <= 2345
    assert all(len(str(number)) in (3, 4) for number in numbers)
    assert len(DigitsToWords(low=5, high=104, train_size=80, dev_size=10, test_size=10).load().splits["train"]) == 80


def test_every_length_has_its_share():
    data = DigitsToWords(train_size=600, dev_size=60, test_size=60).load()
    lengths = [len(source.split()) for source, _ in data.splits["test"]]
    assert all(lengths.count(length) >= 9 for length in range(2, 7))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"language": "eng"}, "Unknown language 'eng'. Did you mean 'en'"),
        ({"form": "hole"}, "`form` must be 'whole' or 'each', got 'hole'. Did you mean 'whole'"),
        ({"low": 5, "high": 4}, "`low` must be at most `high`, got 5 and 4"),
        ({"low": -1}, "`low` must be an integer of at least 0"),
        ({"min_length": 7}, "No source has 7 to 6 digits with numbers from 0 to 999999"),
        ({"form": "each", "min_length": 3, "max_length": 2}, "No source has 3 to 2 numbers"),
        ({"train_size": 0}, "`train_size` must be an integer of at least 1, got 0"),
    ],
)
def test_invalid_arguments(arguments, words):
    with pytest.raises(ValueError, match=words):
        DigitsToWords(**arguments)


def test_more_pairs_than_numbers():
    with pytest.raises(ValueError, match=r"Asked for 101 pairs .* but only 100 exist .*train_size"):
        DigitsToWords(high=99, train_size=81, dev_size=10, test_size=10).load()


def test_a_number_without_words_in_a_language():
    with pytest.raises(ValueError, match=r"num2words cannot spell .* Lower `high`"):
        spell(10**12, "en_IN")
