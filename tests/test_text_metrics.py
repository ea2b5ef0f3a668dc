import math
import random
import sys
from collections import Counter

import pytest
from rouge_score.rouge_scorer import RougeScorer

from seq2seq_zoo.config.registry import UnknownNameError
from seq2seq_zoo.metrics.metric import METRICS
from seq2seq_zoo.metrics.texts import TextMetricError, text_metrics

REFERENCES = [list("abcdefg"), list("abab"), list("hgfedcba"), list("xyz")]
OUTPUTS = [list("abcdfg"), list("abababa"), list("hgfedcab"), []]


def score(name, references=REFERENCES, outputs=OUTPUTS):
    return text_metrics.create(name)([[reference] for reference in references], outputs)


@pytest.fixture(params=text_metrics)
def name(request):
    return request.param


def test_correct_outputs_score_one_and_disjoint_ones_zero(name):
    assert score(name, REFERENCES, REFERENCES) == pytest.approx(1)
    assert score(name, REFERENCES, [["1"] * 8] * 4) == pytest.approx(0, abs=0.01)  # sacrebleu smoothes
    assert score(name, [["a"]], [[]]) == score(name, [[]], [["a"]]) == 0
    assert 0.4 < score(name) < 0.95


def test_scores_depend_neither_on_the_order_of_rows_nor_on_token_names(name):
    assert score(name, REFERENCES[::-1], OUTPUTS[::-1]) == pytest.approx(score(name))
    # One Chinese character for each letter, which chrF counts as well as any.
    renamed = [[[chr(ord("一") + ord(token)) for token in row] for row in rows] for rows in (REFERENCES, OUTPUTS)]
    assert score(name, *renamed) == pytest.approx(score(name))


@pytest.mark.parametrize("name", sorted(set(text_metrics) - {"chrf"}))  # which is of characters
@pytest.mark.parametrize("tokens", [["TAG_DATE", "东京", "下", "雨", "了"], [" ", "\t", "a b", "。", "."]])
def test_a_token_with_white_space_or_punctuation_counts_as_one(name, tokens):
    numbers = {letter: tokens[number % 5] for number, letter in enumerate("abcdefghxyz")}
    letters = {tokens[number]: "abcde"[number] for number in range(5)}
    renamed = [[[numbers[letter] for letter in row] for row in rows] for rows in (REFERENCES, OUTPUTS)]
    plain = [[[letters[token] for token in row] for row in rows] for rows in renamed]
    assert score(name, *renamed) == pytest.approx(score(name, *plain))


def test_of_several_references_each_is_right(name):
    metric = text_metrics.create(name)
    several = [[other, row] for row, other in zip(REFERENCES, REFERENCES[::-1], strict=True)]
    assert metric(several, REFERENCES) == metric(several, REFERENCES[::-1]) == pytest.approx(1)
    assert metric([[row, row] for row in REFERENCES], OUTPUTS) == pytest.approx(score(name))
    # The rows may have different numbers of references.
    ragged = [[row, ["1"] * len(row)] if number % 2 else [row] for number, row in enumerate(REFERENCES)]
    assert metric(ragged, OUTPUTS) == pytest.approx(score(name))


def test_no_rows_and_unequal_numbers_of_rows_are_errors(name):
    with pytest.raises(ValueError, match="at least one row to measure, got none"):
        score(name, [], [])
    with pytest.raises(ValueError, match="as many outputs as references, got 2 and 1"):
        score(name, [["a"]], [["a"], ["b"]])


def test_every_metric_has_a_label():
    assert set(text_metrics) <= set(METRICS)
    assert all(METRICS[name].higher_is_better for name in text_metrics)


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match=r"Unknown metric 'blue'. Did you mean 'bleu'\? Known: bleu, chrf,"):
        text_metrics.create("blue")


@pytest.mark.parametrize("name", ["bleu", "chrf"])
def test_a_metric_without_its_package_names_the_package_to_install(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    message = rf"The metric {name} needs the package sacrebleu: pip install 'seq2seq-zoo\[text-metrics\]'\."
    with pytest.raises(TextMetricError, match=message):
        text_metrics.create(name)
    assert score("rouge_l") > 0


# === Each against another way to compute it ===


def test_bleu_is_the_geometric_mean_of_precisions_with_a_brevity_penalty():
    outputs = [row[:-1] for row in REFERENCES]
    precisions = []
    for n in range(1, 5):
        expected, generated = (
            [Counter(tuple(row[i : i + n]) for i in range(len(row) - n + 1)) for row in rows]
            for rows in (REFERENCES, outputs)
        )
        shared = sum((r & s).total() for r, s in zip(expected, generated, strict=True))
        precisions.append(shared / sum(s.total() for s in generated))
    expected, generated = (sum(map(len, rows)) for rows in (REFERENCES, outputs))
    want = math.exp(sum(map(math.log, precisions)) / 4 + min(0, 1 - expected / generated))
    assert score("bleu", REFERENCES, outputs) == pytest.approx(want)


def test_chrf_does_not_depend_on_segmentation():
    pieces = [["".join(row[:2]), " ".join(row[2:])] for row in OUTPUTS]
    assert score("chrf", REFERENCES, pieces) == pytest.approx(score("chrf"))


class OurTokens:
    """rouge-score asks a tokenizer for the tokens of a text."""

    def tokenize(self, text):
        return text.split()


@pytest.mark.parametrize(("name", "theirs"), [("rouge_1", "rouge1"), ("rouge_2", "rouge2"), ("rouge_l", "rougeL")])
def test_rouge_agrees_with_rouge_score_on_the_same_tokens(name, theirs):
    chance = random.Random(0)
    rows = [chance.choices(["我", "今天", "TAG_DATE", "a"], k=chance.randrange(9)) for _ in range(200)]
    scorer = RougeScorer([theirs], tokenizer=OurTokens())
    want = [scorer.score(" ".join(r), " ".join(o))[theirs].fmeasure for r, o in zip(rows, rows[::-1], strict=True)]
    assert score(name, rows, rows[::-1]) == pytest.approx(sum(want) / len(want))
    several = [*zip(rows, rows[1:], rows[2:], strict=False)]
    want = [
        scorer.score_multi([" ".join(r) for r in references], " ".join(o))[theirs].fmeasure
        for references, o in zip(several, rows[3:], strict=False)
    ]
    assert text_metrics.create(name)(several[: len(want)], rows[3:]) == pytest.approx(sum(want) / len(want))


@pytest.mark.parametrize("name", ["bleu", "chrf"])
def test_several_references_agree_with_sacrebleu_on_texts(name):
    import sacrebleu

    outputs = ["the cat sat on a mat today", "it rains in the old town"]
    first = ["the cat sat on the mat today", "rain falls in the old town"]
    second = ["a cat was sitting on a mat", "it is raining in the town"]
    theirs = getattr(sacrebleu, f"corpus_{name}")(outputs, [first, second]).score / 100
    references = [[one.split(), two.split()] for one, two in zip(first, second, strict=True)]
    assert text_metrics.create(name)(references, [output.split() for output in outputs]) == pytest.approx(theirs)
