"""Words and their pronunciations."""

import pytest

from seq2seq_zoo.data.arpabet import to_ipa
from seq2seq_zoo.tasks.pronunciation import Pronunciation, stem


@pytest.fixture(scope="module")
def splits():
    return Pronunciation(dev_size=500, test_size=1_000).load().splits


def test_no_inflection_of_a_test_word_is_in_train(splits):
    families = {split: {stem(word) for word, _ in pairs} for split, pairs in splits.items()}
    assert not families["test"] & (families["train"] | families["dev"])
    assert not families["dev"] & families["train"]
    sizes = {split: len({word for word, _ in pairs}) for split, pairs in splits.items()}
    assert 490 < sizes["dev"] <= 500
    assert 990 < sizes["test"] <= 1_000
    assert sizes["train"] > 100_000


def test_words_that_the_dictionary_got_lately_are_left_out(splits):
    words = {word for pairs in splits.values() for word, _ in pairs}
    assert "walk" in words
    assert "covfefe" not in words
    kept = {word for pairs in Pronunciation(recent=True).load().splits.values() for word, _ in pairs}
    assert len(kept - words) > 1_572
    assert words < kept


def test_without_stress_equal_pronunciations_are_one():
    pairs = [pair for split in Pronunciation(stress=False).load().splits.values() for pair in split]
    assert not any(character.isdigit() for _, target in pairs for character in target)
    assert len(pairs) == len(set(pairs))


def test_ipa_is_the_same_data_in_another_alphabet(splits):
    data = Pronunciation(alphabet="ipa", dev_size=500, test_size=1_000).load()
    assert data.splits == {split: [(word, to_ipa(sounds)) for word, sounds in pairs] for split, pairs in splits.items()}
    without_stress = Pronunciation(alphabet="ipa", stress=False, dev_size=500, test_size=1_000).load()
    assert any(("above", "ə b ʌ v") in pairs for pairs in without_stress.splits.values())
    assert not any(mark in token for token in without_stress.target.ordinary for mark in "ˈˌ012")
