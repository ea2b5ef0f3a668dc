"""ARPAbet and IPA."""

import pytest

from seq2seq_zoo.data.arpabet import IPA, to_arpabet, to_ipa
from seq2seq_zoo.tasks.pronunciation import read_dictionary


def test_every_pronunciation_of_the_dictionary_survives_the_way_to_ipa_and_back():
    listed = [sounds for pronunciations in read_dictionary().values() for sounds in pronunciations]
    assert {sound for sounds in listed for sound in sounds.split()} == set(IPA)
    assert [to_arpabet(to_ipa(sounds)) for sounds in listed] == listed


def test_stress_stands_before_the_vowel_and_changes_two_vowels():
    assert to_ipa("AH0 AH1 AH2 ER0 ER1 ER2 OW0 OW1 OW2") == "ə ˈʌ ˌʌ ɚ ˈɝ ˌɝ oʊ ˈoʊ ˌoʊ"


def test_what_is_not_arpabet_or_ipa_is_named():
    with pytest.raises(ValueError, match=r"^Expected ARPAbet with stress, such as 'Z UW1', found 'UW'\. Did you mean"):
        to_ipa("Z UW")
    with pytest.raises(ValueError, match=r"^Expected IPA as to_ipa writes it, such as 'z ˈu', found 'zˈu'\."):
        to_arpabet("zˈu")
