import json

import pytest

from seq2seq_zoo.data.vocabulary import Vocabulary


def test_ids_follow_code_points_and_not_the_order_of_the_texts():
    forwards = Vocabulary.build(["b a", "é Z 10 9"], " ")
    backwards = Vocabulary.build(["9 10 Z é", "a b"], " ")
    assert forwards == backwards
    assert forwards.tokens[4:] == ("10", "9", "Z", "a", "b", "é")
    assert len({0, forwards.start, forwards.end, forwards.unknown}) == 4


@pytest.mark.parametrize(
    ("separator", "text"), [("", "naïve 🦓 <end>"), (" ", "four hundred <end> and <pad>"), (";", "N;PL naïve; <end>")]
)
def test_decode_is_the_inverse_of_encode(separator, text):
    vocabulary = Vocabulary.build([text], separator)
    ids = vocabulary.encode(text)
    assert vocabulary.decode(ids) == text
    assert not {0, vocabulary.start, vocabulary.end, vocabulary.unknown} & set(ids)
    assert vocabulary.unknown_in(text) == []


def test_text_written_like_a_special_token_is_ordinary():
    vocabulary = Vocabulary.build(["a"], " ")
    assert vocabulary.encode("<end> <pad> <unk> a") == [vocabulary.unknown] * 3 + [4]


def test_unknown_tokens_are_listed_once_and_encoded_as_unknown():
    vocabulary = Vocabulary.build(["a b"], " ")
    assert vocabulary.unknown_in("c a d c") == ["c", "d"]
    assert vocabulary.encode("c a") == [vocabulary.unknown, 4]
    assert vocabulary.decode(vocabulary.encode("c a")) == "<unk> a"


def test_decoding_stops_at_the_end_and_skips_padding_and_start():
    vocabulary = Vocabulary.build(["abc"], "")
    assert vocabulary.decode([0, 0, 1, 4, 0, 5, 2, 6]) == "ab"
    assert vocabulary.decode([2, 4]) == ""


def test_special_tokens_may_have_any_ids():
    vocabulary = Vocabulary(["<pad>", "a", "<end>", "b", "<unk>", "<start>"], " ", start=5, end=2, unknown=4)
    assert vocabulary.encode("b a z") == [3, 1, 4]
    assert vocabulary.decode([5, 3, 1, 2, 3]) == "b a"


def test_config_round_trips_through_json():
    vocabulary = Vocabulary(["<pad>", "ä", "<s>", "</s>", "?"], "", start=2, end=3, unknown=4)
    again = Vocabulary.from_config(json.loads(json.dumps(vocabulary.get_config())))
    assert again == vocabulary
    assert again.encode("äö") == vocabulary.encode("äö")
    assert vocabulary != Vocabulary.build(["ä"], "")


def test_the_rarest_tokens_are_cut_independently_of_the_order_of_texts():
    texts = ["c a b", "b c", "d a c"]
    for order in (texts, texts[::-1]):
        assert Vocabulary.build(order, " ", most=2).tokens[4:] == ("a", "c")  # "b" is as frequent as "a"
    assert Vocabulary.build(texts, " ", most=9) == Vocabulary.build(texts, " ")


SPECIALS = ["<pad>", "<start>", "<end>", "<unk>"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            {"tokens": SPECIALS, "separator": ","},
            r"separator is '' \(characters\) or ' ' \(words\) or ';' \(features and characters\), got ','",
        ),
        (
            {"tokens": SPECIALS, "separator": "", "normalize": "NFC"},
            "normalize is nfc, nfd, nfkc, nfkd or none, got 'NFC'",
        ),
        ({"tokens": SPECIALS, "separator": "", "end": 1}, "four different ids, got .*'end': 1"),
        ({"tokens": SPECIALS, "separator": "", "start": 0}, "four different ids"),
        ({"tokens": SPECIALS[:3], "separator": ""}, "unknown id 3 has no token: the ids are 0 to 2"),
        ({"tokens": [*SPECIALS, "a", "b", "a"], "separator": ""}, "token 'a' has two ids, 4 and 6"),
        ({"tokens": [*SPECIALS, "ab"], "separator": ""}, r"'ab' \(id 4\) is not one token"),
        ({"tokens": [*SPECIALS, "a b"], "separator": " "}, r"'a b' \(id 4\) is not one token"),
        ({"tokens": [*SPECIALS, ""], "separator": " "}, r"'' \(id 4\) is not one token"),
        ({"tokens": [*SPECIALS, "PL"], "separator": ";"}, r"'PL' \(id 4\) is not one token"),
    ],
)
def test_invalid_arguments(arguments, words):
    with pytest.raises(ValueError, match=words):
        Vocabulary(**arguments)


def test_a_feature_is_no_character():
    vocabulary = Vocabulary.build(["N;PL Nuß", ";;N ;L", "L", " ab"], ";")
    assert vocabulary.tokens[4:] == tuple(sorted([*"Nuß;Lab", "N;", "PL;", "L;"]))
    assert vocabulary.split("N;PL N L") == ["N;", "PL;", "N", " ", "L"]
    assert vocabulary.unknown_in("SG;N x") == ["SG;", "x"]
    assert Vocabulary.from_config(vocabulary.get_config()) == vocabulary


def test_ids_without_tokens_and_invalid_configs():
    vocabulary = Vocabulary.build(["a"], "")
    for id in (5, -1):
        with pytest.raises(ValueError, match=f"id {id} has no token: the ids are 0 to 4"):
            vocabulary.decode([id])
    with pytest.raises(ValueError, match=r"no 'token'\. Did you mean 'tokens'"):
        Vocabulary.from_config({**vocabulary.get_config(), "token": []})
    with pytest.raises(ValueError, match="has no tokens, separator: expected tokens, "):
        Vocabulary.from_config({"start": 1, "end": 2, "unknown": 3})


def test_all_special_tokens_but_padding_are_optional():
    bare = Vocabulary(["<pad>", "a", "b"], "", start=None, end=None, unknown=None)
    assert bare.encode("ab") == [1, 2]
    assert bare.decode([1, 0, 2]) == "ab"
    assert Vocabulary.from_config(json.loads(json.dumps(bare.get_config()))) == bare
    with pytest.raises(
        ValueError, match=r"The token 'c' is not in this vocabulary, which has no id for unknown ones\."
    ):
        bare.encode("ac")


def test_an_endless_vocabulary_has_no_end_token():
    endless = Vocabulary.build(["a b", "b c"], " ", most=2, endless=True)
    assert endless.tokens == ("<pad>", "<start>", "<unk>", "a", "b")
    assert endless.end is None
    assert endless.encode("b c") == [4, endless.unknown]
    assert endless.decode([3, 4, 0, 4]) == "a b b"
    assert Vocabulary.from_config(endless.get_config()) == endless


@pytest.mark.parametrize(
    ("form", "tokens"),
    [("nfc", "ﬁé"), ("nfd", "ﬁe\u0301"), ("nfkc", "fié"), ("nfkd", "fie\u0301"), ("none", "ﬁe\u0301")],
)
def test_texts_are_split_in_a_normal_form_and_come_back_composed(form, tokens):
    vocabulary = Vocabulary.build(["ﬁe\u0301"], "", normalize=form)
    assert vocabulary.split("ﬁe\u0301") == list(tokens)
    again = Vocabulary.from_config(json.loads(json.dumps(vocabulary.get_config())))
    assert again == vocabulary
    assert again.normalize == form
    composed = again.decode(again.encode("ﬁé"))
    assert composed == {"none": "ﬁ<unk>", "nfkc": "fié", "nfkd": "fié"}.get(form, "ﬁé")
    assert again.unknown_in("ﬁé") == (["é"] if form == "none" else [])


def test_hangul_is_split_into_jamo_and_words_are_normalized_too():
    jamo = Vocabulary.build(["한국"], "", normalize="nfd")
    assert jamo.split("한국") == list("\u1112\u1161\u11ab\u1100\u116e\u11a8")
    assert jamo.decode(jamo.encode("국한")) == "국한"
    words = Vocabulary.build(["e\u0301té oui"], " ", normalize="nfc")
    assert words.tokens[4:] == ("oui", "été")


def test_a_vocabulary_saved_before_there_were_normal_forms_has_none():
    config = Vocabulary.build(["é"], "").get_config()
    assert config.pop("normalize") == "none"
    assert Vocabulary.from_config(config).unknown_in("e\u0301") == ["e", "\u0301"]
