import re

import pytest

from seq2seq_zoo.data.words import read_words
from seq2seq_zoo.tasks.pig_latin import PigLatin

ALL = {"dev_size": 1, "test_size": 1}


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("other", "otheryay"),
        ("book", "ookbay"),
        ("street", "eetstray"),
        ("queen", "ueenqay"),
        ("yellow", "ellowyay"),
        ("style", "estylay"),  # y is a consonant
        ("my", "myay"),
        ("a", "ayay"),
    ],
)
def test_words_in_pig_latin(word, answer):
    assert PigLatin.target(word) == answer


def test_the_built_in_words_are_distinct_and_of_every_kind(lists):
    data = PigLatin().load()
    pairs = [pair for split in lists(data).values() for pair in split]
    assert len({word for word, _ in pairs}) == len(pairs) > 300
    assert all(target == PigLatin.target(word) for word, target in pairs)
    assert data.skipped == 0
    # Words of every kind that the rule tells apart, in all splits.
    for split in lists(data).values():
        assert {word[0] in "aeiou" for word, _ in split} == {True, False}
    assert "".join(data.source.tokens[4:]) == "abcdefghijklmnopqrstuvwxyz"


def test_words_from_a_file(write, lists):
    path = write("words", "\ufeffApple", "", "  pear ", "APPLE", "fig", "plum")
    data = PigLatin(path, **ALL).load()
    assert sorted(pair for split in lists(data).values() for pair in split) == [
        ("apple", "appleyay"),
        ("fig", "igfay"),
        ("pear", "earpay"),
        ("plum", "umplay"),
    ]


def test_test_does_not_depend_on_the_size_of_train(write, lists):
    path = write("words", *(first + second for first in "abcdefghij" for second in "aeiou"))
    few, all_ = (lists(PigLatin(path, size, dev_size=5, test_size=5).load()) for size in (7, None))
    assert {split: len(pairs) for split, pairs in all_.items()} == {"train": 40, "dev": 5, "test": 5}
    assert (few["dev"], few["test"], len(few["train"])) == (all_["dev"], all_["test"], 7)


@pytest.mark.parametrize(
    ("line", "found"), [("ice cream", "found 2 words"), ("don't", "found 'don't'"), ("café", "found 'café'")]
)
def test_a_bad_line_raises_or_is_counted(write, line, found):
    path = write("words", "apple", line, "pear", "fig")
    message = f"{path}, line 2: expected one word of the letters a to z, {found}. Fix the line, or skip and count"
    with pytest.raises(ValueError, match=re.escape(message)):
        PigLatin(path, **ALL).load()
    assert PigLatin(path, **ALL, skip_bad_lines=True).load().skipped == 1


def test_missing_undecodable_empty_and_short_files(write, tmp_path):
    with pytest.raises(ValueError, match=re.escape(f"Cannot read the data file '{tmp_path / 'none'}': No such file")):
        PigLatin(str(tmp_path / "none")).load()
    (tmp_path / "latin").write_bytes(b"apple\n\xff\n")
    with pytest.raises(ValueError, match=r"line 2: .* found the byte 0xff, which is not UTF-8"):
        read_words(tmp_path / "latin")
    with pytest.raises(ValueError, match=r"has no words \(bad lines skipped: 1\): expected one on each line"):
        read_words(write("empty", "", "two words", ""), skip_bad_lines=True)
    with pytest.raises(ValueError, match=r"Asked for 151 pairs .* but only 2 exist"):
        PigLatin(write("few", "a", "b")).load()
