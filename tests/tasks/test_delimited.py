import re

import pytest

from seq2seq_zoo.tasks import tasks
from seq2seq_zoo.tasks.delimited import Delimited


def test_one_file_is_split_by_source(write, lists):
    path = write("pairs.tsv", *(f"{n % 20}\t{n}" for n in range(60)))  # three targets for each source
    data = Delimited(path, dev_fraction=0.2, test_fraction=0.3).load()
    assert {split: len(pairs) for split, pairs in data.splits.items()} == {"train": 30, "dev": 12, "test": 18}
    sources = [{source for source, _ in pairs} for pairs in data.splits.values()]
    assert len(set.union(*sources)) == sum(map(len, sources)) == 20
    assert lists(data) == lists(Delimited(path, dev_fraction=0.2, test_fraction=0.3).load())
    assert lists(data) != lists(Delimited(path, dev_fraction=0.2, test_fraction=0.3, seed=1).load())


def test_all_targets_of_a_source_on_lines_and_in_columns_are_right(write, lists):
    train = write("a", "a\tx\ty", "b\tx", "a\tz", "a\t\t", "b\t\ty\t \tçz")
    data = Delimited(train, train, train, references=True).load()
    assert lists(data)["train"] == [
        *[("a", "x"), ("a", "y"), ("b", "x"), ("a", "z"), ("a", "")],
        *[("b", ""), ("b", "y"), ("b", "çz")],
    ]
    assert data.answers("dev") == [("a", ["x", "y", "z", ""]), ("b", ["x", "", "y", "çz"])]
    assert data.target.tokens[4:] == ("x", "y", "z", "ç")
    two = write("b", "a\tx", "b\tx", "a\tz")
    assert Delimited(two, two, two).load().answers("dev") == [("a", ["x"]), ("b", ["x"]), ("a", ["z"])]
    with pytest.raises(ValueError, match=re.escape(f"{train}, line 1: expected two columns of UTF-8 text")):
        Delimited(train, train, train).load()
    one = write("c", "a\tb", "a")
    with pytest.raises(ValueError, match=r"line 2: expected at least 2 columns of UTF-8 text, found 1 column\."):
        Delimited(one, one, one, references=True).load()


def test_with_references_each_source_is_in_one_split(write):
    data = Delimited(write("a", *(f"{n % 20}\t{n}\t{-n}" for n in range(60))), references=True).load()
    answers = {split: data.answers(split) for split in data.splits}
    assert {split: len(rows) for split, rows in answers.items()} == {"train": 16, "dev": 2, "test": 2}
    assert len({source for rows in answers.values() for source, _ in rows}) == 20
    assert {len(targets) for rows in answers.values() for _, targets in rows} == {6}
    assert data.size("train") == 6 * 16  # each target is a pair to train on


def test_splits_with_their_own_files_are_not_drawn_from(write, lists):
    train, dev, test = write("a", "a\tb", "c\td"), write("b", "c\tz"), write("c", "q\tr")
    data = Delimited(train, dev, test).load()
    assert lists(data) == {"train": [("a", "b"), ("c", "d")], "dev": [("c", "z")], "test": [("q", "r")]}
    # What only dev and test have stays unknown.
    assert (data.source.tokens[4:], data.target.tokens[4:]) == (("a", "c"), ("b", "d"))


def test_only_test_has_a_file(write):
    train, test = write("a", *(f"{n}\tx" for n in range(10))), write("b", "77\ty")
    data = Delimited(train, test=test).load()
    assert {split: len(pairs) for split, pairs in data.splits.items()} == {"train": 9, "dev": 1, "test": 1}
    assert list(data.splits["test"]) == [("77", "y")]


def test_sources_of_words_and_targets_of_characters(write):
    path = write("a", "  ab  cd \tx  yz ")
    data = Delimited(path, path, path, source_tokens="words").load()
    assert list(data.splits["train"]) == [("ab cd", "x  yz ")]
    assert data.source.tokens[4:] == ("ab", "cd")
    assert data.target.tokens[4:] == (" ", "x", "y", "z")


def test_bad_lines_raise_or_are_counted_over_all_files(write):
    train, dev = write("a", "a\tb", "bad"), write("b", "worse", "c\td")
    with pytest.raises(ValueError, match=re.escape(f"{train}, line 2: expected two columns")):
        Delimited(train, dev, dev).load()
    assert Delimited(train, dev, dev, skip_bad_lines=True).load().skipped == 3


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        ({"max_source_tokens": 2}, {"a b\tcd", "a\tcdef"}),
        ({"max_target_tokens": 3}, {"a b\tcd", "a b c\tc"}),
        ({"max_source_tokens": 2, "max_target_tokens": 3}, {"a b\tcd"}),
    ],
)
def test_pairs_that_are_too_long_are_left_out_of_all_splits_and_counted(write, lists, limits, kept):
    lines = ["a b\tcd", "a b c\tc", "a\tcdef"]
    train, dev = write("a", *lines), write("b", *lines)
    data = Delimited(train, dev, dev, source_tokens="words", **limits).load()
    for pairs in lists(data).values():
        assert {"\t".join(pair) for pair in pairs} == kept
    assert data.too_long == 3 * (3 - len(kept))
    assert data.skipped == 0
    assert max(data.lengths("train")[:, 0]) == max(len(line.split("\t")[0].split()) for line in kept)


def test_dev_and_test_are_drawn_from_the_pairs_that_are_not_too_long(write, lists):
    path = write("a", *(f"{n}\t{'x' * n}" for n in range(1, 31)))
    data = Delimited(path, max_target_tokens=20).load()
    assert sorted(int(source) for pairs in lists(data).values() for source, _ in pairs) == [*range(1, 21)]
    assert data.too_long == 10
    assert Delimited(path).load().too_long == 0


def test_a_file_without_a_short_enough_pair_is_an_error(write):
    path = write("a", "aaa\tbb", "aa\tbbb")
    with pytest.raises(ValueError, match=re.escape(f"{path} has no pair as short as max_source_tokens (1): raise")):
        Delimited(path, max_source_tokens=1).load()


def test_too_few_sources_to_split(write):
    path = write("a", "a\tb", "c\td", "a\te")
    with pytest.raises(ValueError, match=r"too few different sources \(2\) to draw dev and test and have some left"):
        Delimited(path).load()
    with pytest.raises(ValueError, match="dev_fraction and test_fraction must leave some to train on"):
        Delimited(path, dev_fraction=0.5, test_fraction=0.5)


def test_given_splits_that_share_sources_with_train_are_counted(write):
    train = write("a", *(f"{n}\tx" for n in range(10)))
    dev, test = write("b", "7\tx", "8\ty", "8\tz", "new\tx"), write("c", "newer\tx")
    assert Delimited(train, dev, test).load().notes == ["dev: 3 of its 4 sources are in train, too"]
    assert Delimited(train, test=dev).load().notes[0].startswith("test: ")
    assert Delimited(train).load().notes == []


def test_shared_texts_of_language_models_are_counted(write):
    train, dev, test = write("a", "one", "two", "three"), write("b", "two", "four"), write("c", "five")
    (note,) = tasks.create("language", train=train, dev=dev, test=test).load().notes
    assert note == "dev: 1 of its 2 texts are in train, too"


def test_each_side_has_its_normal_form(write, lists):
    path = write("a", "한é\te\u0301", "한e\u0301\té é")
    default, mapped = (
        Delimited(path, path, path, **options).load() for options in ({}, {"normalize": {"source": "nfd"}})
    )
    assert (default.source.tokens[4:], default.target.tokens[4:]) == (("é", "한"), (" ", "é"))
    assert (mapped.source.tokens[4:], mapped.target) == (tuple("e\u0301\u1112\u1161\u11ab"), default.target)
    assert mapped.lengths("train").tolist() == [[5, 1], [5, 3]]
    assert Delimited(path, path, path, normalize={"source": "nfd"}, max_target_tokens=2).load().too_long == 3
    raw = Delimited(path, path, path, normalize="none").load()
    assert raw.target.tokens[4:] == (" ", "e", "é", "\u0301")
    assert list(raw.splits["train"]) == list(mapped.splits["train"])  # texts remain as they are in the file
    both = Delimited(path, path, path, references=True).load()
    assert both.answers("dev") == [("한é", ["e\u0301", "é é"])]  # one source
    assert len(raw.answers("dev")) == 2


def test_no_source_is_in_two_splits_in_two_forms(write):
    data = Delimited(write("a", *(f"{n}é\tx\n{n}e\u0301\ty" for n in range(20)))).load()
    assert {split: len(pairs) for split, pairs in data.splits.items()} == {"train": 32, "dev": 4, "test": 4}
    given = Delimited(write("b", "é\tx", "a\ty"), write("c", "e\u0301\tx"), write("d", "b\tx")).load()
    assert given.notes == ["dev: 1 of its 1 sources are in train, too"]


def test_normal_forms_that_are_refused(write):
    with pytest.raises(ValueError, match=r"`normalize` must be 'nfc' or .* or a mapping of 'source' or 'target', got"):
        Delimited("a", normalize={"sauce": "nfc"})
    with pytest.raises(ValueError, match="Did you mean 'nfkd'"):
        Delimited("a", normalize="nfkdd")
    different = {"normalize": {"source": "nfd"}}
    for name, options in (("file", {"shared_vocabulary": True}), ("autoencode", {}), ("language", {})):
        with pytest.raises(ValueError, match="`normalize` must be one form for both sides"):
            tasks.create(name, train="a", **different, **options)


def test_language_models_and_labels_have_normal_forms(write, lists):
    text = write("a", *("e\u0301" * n for n in range(1, 6)))
    assert tasks.create("language", train=text).load().target.tokens[4:] == ("é",)
    stream = tasks.create("language", train=text, window=2).load()
    assert stream.target.tokens[3:] == ("\n", "é")
    assert stream.size("train") + stream.size("dev") + stream.size("test") == 15 + 5
    labelled = write("b", *(f"e\u0301 {n}\tX Y" for n in range(9)))
    assert "é" in tasks.create("labels", train=labelled, of="tokens").load().source.tokens
    with pytest.raises(ValueError, match="expected a label for each token, found 3 tokens and 4 labels"):
        tasks.create("labels", train=write("c", "ae\u0301b\tX X X X"), of="tokens", tokens="characters").load()


def test_unimorph_files_have_features_as_tokens_of_their_own(write, lists):
    path = write("deu", *(f"{lemma}\t{lemma}e\tN;{case};PL" for lemma in ("Nuss", "Tag") for case in ("NOM", "GEN")))
    data = Delimited(path, path, path, features=3).load()
    assert lists(data)["train"][0] == ("N;NOM;PL Nuss", "Nusse")
    assert {"N;", "NOM;", "GEN;", "PL;", "N", "T"} < set(data.source.tokens)
    assert data.target.tokens[4:] == tuple(sorted(set("NussTage")))
    assert data.source.tokens_of(data.encode("train")[0][0]) == ["N;", "NOM;", "PL;", *"Nuss"]
    assert max(data.lengths("train")[:, 0]) == 7
    assert Delimited(path, path, path, features=3, max_source_tokens=6).load().too_long == 6
    words = Delimited(path, path, path, features=3, source_tokens="words").load()
    assert lists(words)["train"][0] == ("N NOM PL Nuss", "Nusse")
    with pytest.raises(ValueError, match="`shared_vocabulary`: needs the same tokens on both sides"):
        Delimited(path, features=3, shared_vocabulary=True)


def test_each_split_may_have_a_format_of_its_own(write, lists):
    train, dev = write("a.csv", "id,word,ipa", '1,"a,b",x'), write("b.jsonl", '{"word": "c", "ipa": "y"}')
    data = Delimited(train, dev, write("c.tsv", "ipa\tword", "z\td"), source="word", target="ipa").load()
    assert lists(data) == {"train": [("a,b", "x")], "dev": [("c", "y")], "test": [("d", "z")]}
    with pytest.raises(ValueError, match="`source` must be an integer of at least 1 or text or null, got 0"):
        Delimited(train, source=0)
