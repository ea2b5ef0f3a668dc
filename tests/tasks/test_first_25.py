import numpy as np

from seq2seq_zoo.data.padding import pad
from seq2seq_zoo.tasks.first_25 import First25

# '1' is 1, '10' to '19' follow, then '2', '20' to '25', '3' to '9'; the words from 26 on.
SOURCES = [[1, 12, 19, 20, 21], [22, 23, 24, 25, 2], [3, 4, 5, 6, 7], [8, 9, 10, 11, 13], [14, 15, 16, 17, 18]]
WORDS = """
    eight eighteen eleven fifteen five four fourteen nine nineteen one seven seventeen six sixteen ten thirteen three
    twelve twenty twenty_five twenty_four twenty_one twenty_three twenty_two two
"""


def test_golden_arrays():
    data = First25().load()
    for split in ("train", "dev", "test"):
        sources, targets = zip(*data.encode(split), strict=True)
        np.testing.assert_array_equal(pad(sources, side=data.source_padding), SOURCES)
        np.testing.assert_array_equal(
            pad(targets),
            [
                [35, 50, 42, 31, 30],
                [38, 36, 26, 33, 40],
                [28, 43, 41, 32, 29],
                [39, 37, 27, 34, 44],
                [47, 49, 48, 46, 45],
            ],
        )
    assert data.source_padding == "left"


def test_vocabulary_is_shared_and_sorted_as_text():
    data = First25().load()
    assert data.source == data.target
    tokens = data.source.tokens
    assert len(tokens) == 54
    assert (data.source.start, data.source.end, data.source.unknown) == (51, 52, 53)
    assert [tokens[id] for id in (1, 2, 12, 18, 25)] == ["1", "10", "2", "25", "9"]
    assert list(tokens[26:51]) == WORDS.split()


def test_without_special_tokens_there_are_51_ids_as_in_the_original():
    bare = First25(specials=False).load()
    assert bare.source.tokens == First25().load().source.tokens[:51]
    assert (bare.source.start, bare.end, bare.source.unknown) == (None, None, None)
    assert bare.encode("train") == First25().load().encode("train")


def test_the_five_pairs():
    pairs = First25().load().splits["train"]
    assert len(pairs) == 5
    assert pairs[0] == ("1 2 3 4 5", "one two three four five")
    assert pairs[4][1] == "twenty_one twenty_two twenty_three twenty_four twenty_five"
