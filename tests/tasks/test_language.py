import itertools
import re

import numpy as np
import pytest

from seq2seq_zoo.data.stream import in_windows
from seq2seq_zoo.tasks.language import Language
from seq2seq_zoo.tasks.melodies import SCALE, Melodies

LINES = [f"n{n} {n}  é" for n in range(40)]


def test_lines_are_targets_without_sources(write, lists):
    data = Language(write("a", *LINES, "", "n1 1  é")).load()
    assert not data.has_sources
    assert data.end == data.target.end
    splits = lists(data)
    assert {source for pairs in splits.values() for source, _ in pairs} == {""}
    texts = {split: [text for _, text in pairs] for split, pairs in splits.items()}
    assert sorted(itertools.chain(*texts.values())) == sorted([*LINES, "n1 1  é"])
    # A text that comes twice is in one split.
    assert not any({*a} & {*b} for a, b in itertools.combinations(texts.values(), 2))
    assert data.target.tokens[4:] == tuple(sorted({*"".join(texts["train"])}))
    assert data.encode("train")[0] == ([], data.target.encode(texts["train"][0]))
    assert (data.counted, data.size("dev")) == ("texts", 4)


def test_words_with_a_limited_vocabulary(write, lists):
    text = write("a", "the  cat the", "the dog")
    data = Language(text, text, text, tokens="words", max_tokens=1).load()
    assert lists(data)["dev"] == [("", "the cat the"), ("", "the dog")]
    assert data.encode("train")[0] == ([], [4, data.target.unknown, 4])


@pytest.mark.parametrize("tokens", ["characters", "words"])
def test_a_stream_is_split_into_three_consecutive_parts(write, tokens):
    data = Language(write("a", *LINES, ""), tokens=tokens, window=5, dev_fraction=0.2).load()
    ((_, train),), ((_, dev),), ((_, test),) = data.splits.values()
    whole = "\n".join(LINES) + "\n"
    if tokens == "words":
        assert " ".join([train, dev, test]) == " ".join(whole.split())
        assert "\n" not in data.target.tokens
    else:
        assert train + dev + test == whole
        assert "\n" in data.target.tokens
    count = len(data.target.split(whole))
    sizes = [data.size(split) for split in ("train", "dev", "test")]
    assert sizes == [count - sum(sizes[1:]), round(0.2 * count), round(0.1 * count)]
    assert (data.counted, data.window, data.end, data.has_sources) == ("tokens", 5, None, False)
    ((source, ids),) = data.encode("train")
    assert source == []
    assert data.target.decode(ids) == train
    assert (in_windows(ids, 2, 5) != 0).sum() == sizes[0]


def test_the_splits_of_a_stream_may_have_their_own_files(write):
    data = Language(write("a", "a b"), write("b", "c"), write("c", "d", "e"), window=2).load()
    assert {split: text for split, [(_, text)] in data.splits.items()} == {
        "train": "a b\n",
        "dev": "c\n",
        "test": "d\ne\n",
    }
    assert data.target.tokens[3:] == ("\n", " ", "a", "b")


def test_texts_may_have_a_greatest_length(write, lists):
    text = write("a", "ab", "abc", "abcd")
    data = Language(text, text, text, max_target_tokens=3).load()
    assert lists(data)["train"] == [("", "ab"), ("", "abc")]
    assert data.too_long == 3
    with pytest.raises(
        ValueError, match=r"^`max_source_tokens` is for sources, and a language model has none: set max"
    ):
        Language(text, max_source_tokens=3)
    with pytest.raises(ValueError, match=r"^`max_target_tokens` is for lines, and a stream is one text: leave it out"):
        Language(text, window=2, max_target_tokens=3)


def test_an_empty_file_is_an_error(write):
    path = write("a", "", "")
    with pytest.raises(
        ValueError, match=re.escape(f"{path} has no texts (bad lines skipped: 0): expected one on each")
    ):
        Language(path).load()
    with pytest.raises(ValueError, match=re.escape(f"{path} is empty (bad lines skipped: 0): expected a text.")):
        Language(path, window=3).load()


@pytest.mark.parametrize("motif", [1, 4])
def test_a_melody_is_a_motif_transposed_repeated_and_resolved(motif):
    task = Melodies(motif)
    exist = len(SCALE) * 4 ** (motif - 1)
    melodies = {task.melody(number) for number in range(exist)}
    assert len(melodies) == exist  # all as likely: so their entropy is log(exist)
    for melody in melodies:
        degrees = np.array([SCALE.index(int(note)) for note in melody.split()])
        assert len(degrees) == 3 * motif + 1
        first, second, third, home = np.split(degrees, [motif, 2 * motif, 3 * motif])
        assert set((np.diff(first) % 7).tolist()) <= {1, 2, 5, 6}
        assert ((second - first) % 7 == 1).all()
        assert (third == first).all()
        assert home.tolist() == [0]
    assert task.best_perplexity == pytest.approx(exist ** (1 / (3 * motif + 2)))
