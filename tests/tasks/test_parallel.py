import re

import pytest

from seq2seq_zoo.tasks.delimited import Delimited
from seq2seq_zoo.tasks.parallel import Parallel


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"dev_fraction": 0.3, "seed": 1},
        {"source_tokens": "words", "target_tokens": "words", "max_tokens": 5, "shared_vocabulary": True},
    ],
)
def test_two_files_give_the_same_data_as_one_with_tabs(write, arguments, lists):
    pairs = [(f"{n % 20}  {n}", f"{n} é") for n in range(60)]
    sources, targets = (write(name, *column) for name, column in zip("st", zip(*pairs, strict=True), strict=True))
    parallel = Parallel(sources, targets, **arguments).load()
    delimited = Delimited(write("both", *map("\t".join, pairs)), **arguments).load()
    assert lists(parallel) == lists(delimited)
    assert (parallel.source, parallel.target) == (delimited.source, delimited.target)


def test_each_split_may_have_its_own_files(write, lists):
    a, b, c, d = write("a", "a", "b"), write("b", "x", "y"), write("c", "c"), write("d", "z")
    data = Parallel(a, b, dev_source=c, dev_target=d, test_source=d, test_target=c).load()
    assert lists(data) == {"train": [("a", "x"), ("b", "y")], "dev": [("c", "z")], "test": [("z", "c")]}
    assert (data.source.tokens[4:], data.target.tokens[4:]) == (("a", "b"), ("x", "y"))


@pytest.mark.parametrize("shared", [False, True])
def test_vocabularies_keep_the_most_frequent_tokens_and_may_be_shared(write, shared):
    source, target = write("a", "the cat the", "the dog a"), write("b", "a a", "a b b dog")
    words = {"source_tokens": "words", "target_tokens": "words"}
    data = Parallel(
        source, target, source, target, source, target, max_tokens=2, shared_vocabulary=shared, **words
    ).load()
    if shared:
        assert data.source is data.target
        assert data.source.tokens[4:] == ("a", "the")
    else:
        assert data.source.tokens[4:] == ("a", "the")
        assert data.target.tokens[4:] == ("a", "b")
    assert data.encode("train")[0] == ([5, data.source.unknown, 5], [4, 4])


def test_invalid_arguments(write):
    a, b = write("a", "a", "b"), write("b", "a")
    with pytest.raises(ValueError, match=re.escape(f"Unpaired lines: {a} has 2 and {b} has 1.")):
        Parallel(a, b).load()
    with pytest.raises(ValueError, match="dev_source and dev_target belong together: give both or neither"):
        Parallel(a, a, dev_source=b)
    with pytest.raises(ValueError, match="shared_vocabulary needs the same tokens on both sides, got source_tokens c"):
        Parallel(a, a, target_tokens="words", shared_vocabulary=True)
