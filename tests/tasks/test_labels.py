import re

import pytest

from seq2seq_zoo.tasks.autoencode import Autoencode
from seq2seq_zoo.tasks.labels import Labels


def test_one_label_for_a_text_or_one_for_each_of_its_tokens(write, lists):
    one = write("one", "so good\tgood", "not  good\t bad ")
    data = Labels(one, one, one).load()
    assert data.targets == "label"
    assert lists(data)["train"] == [("so good", "good"), ("not good", "bad")]
    assert (data.source.ordinary, data.target.ordinary) == (("good", "not", "so"), ("bad", "good"))
    assert list(data.encode("train")) == [([6, 4], [5]), ([5, 4], [4])]
    each = write("each", "ab\tup down", "a\tup")
    data = Labels(each, each, each, of="tokens", tokens="characters").load()
    assert (data.targets, data.target.ordinary) == ("steps", ("down", "up"))
    assert [len(source) == len(target) for source, target in data.encode("train")] == [True, True]


def test_further_texts_extend_the_vocabulary_of_texts_but_not_of_labels(write):
    labelled, bigger = write("a", "x y\tgood", "z\tbad"), write("b", "x q q", "q r")
    assert Labels(labelled, labelled, labelled, vocabulary=bigger).load().source.ordinary == ("q", "r", "x", "y", "z")
    data = Labels(labelled, labelled, labelled, vocabulary=bigger, max_tokens=2).load()
    assert (data.source.ordinary, data.target.ordinary) == (("q", "x"), ("bad", "good"))


@pytest.mark.parametrize(
    ("arguments", "line", "message"),
    [
        ({}, "c d\tvery good", "expected one label without white space after the tab, found 2 labels."),
        ({}, "c d\t ", "expected one label without white space after the tab, found 0 labels."),
        ({"of": "tokens"}, "c d\tx", "expected a label for each token, found 2 tokens and 1 label."),
        (
            {"of": "tokens", "tokens": "characters"},
            "cd\tx",
            "expected a label for each token, found 2 tokens and 1",
        ),
        ({}, "c d", "expected two columns of UTF-8 text with one tab between them, found 1 column."),
    ],
)
def test_bad_lines_raise_or_are_counted(write, arguments, line, message):
    path = write("a", "a\tb", line)
    with pytest.raises(ValueError, match=re.escape(f"{path}, line 2: {message}")):
        Labels(path, path, path, **arguments).load()
    assert Labels(path, path, path, skip_bad_lines=True, **arguments).load().skipped == 3


def test_a_text_is_its_own_target_with_one_vocabulary(write, lists, tmp_path):
    path = write("a", "one  two", "", "three")
    data = Autoencode(path, path, path).load()
    assert lists(data)["train"] == [("one two", "one two"), ("three", "three")]
    assert data.source is data.target
    with pytest.raises(ValueError, match=re.escape("b has no texts (bad lines skipped: 0): expected one on each line")):
        Autoencode(write("b", "", " ")).load()
    (tmp_path / "c").write_bytes(b"a\n\xff\n")
    with pytest.raises(ValueError, match=r"c, line 2: expected UTF-8 text, found the byte 0xff, which is not UTF-8"):
        Autoencode(str(tmp_path / "c")).load()
    path = str(tmp_path / "c")
    assert Autoencode(path, path, path, skip_bad_lines=True).load().skipped == 3


def test_texts_and_labels_have_the_columns_of_any_file(write, lists):
    path = write("a.csv", "label,text", 'good,"not bad, at all"', "bad,bad")
    data = Labels(path, path, path, source="text", target="label").load()
    assert lists(data)["train"] == [("not bad, at all", "good"), ("bad", "bad")]
