"""ARPAbet with stress, as the CMU Pronouncing Dictionary writes it, and the International Phonetic Alphabet (IPA)."""

from seq2seq_zoo.config.messages import nearest, shown

VOWELS = {
    "AA": "ɑ",
    "AE": "æ",
    "AH": "ʌ",
    "AO": "ɔ",
    "AW": "aʊ",
    "AY": "aɪ",
    "EH": "ɛ",
    "ER": "ɝ",
    "EY": "eɪ",
    "IH": "ɪ",
    "IY": "i",
    "OW": "oʊ",
    "OY": "ɔɪ",
    "UH": "ʊ",
    "UW": "u",
}
CONSONANTS = {
    "B": "b",
    "CH": "tʃ",
    "D": "d",
    "DH": "ð",
    "F": "f",
    "G": "ɡ",
    "HH": "h",
    "JH": "dʒ",
    "K": "k",
    "L": "l",
    "M": "m",
    "N": "n",
    "NG": "ŋ",
    "P": "p",
    "R": "ɹ",
    "S": "s",
    "SH": "ʃ",
    "T": "t",
    "TH": "θ",
    "V": "v",
    "W": "w",
    "Y": "j",
    "Z": "z",
    "ZH": "ʒ",
}
STRESS = {"0": "", "1": "ˈ", "2": "ˌ"}
"""The IPA mark of each digit of stress."""
UNSTRESSED = {"AH0": "ə", "ER0": "ɚ"}
"""Vowels that IPA writes in another way when they have no stress."""

IPA = {
    **{vowel + digit: mark + sign for vowel, sign in VOWELS.items() for digit, mark in STRESS.items()},
    **CONSONANTS,
    **UNSTRESSED,
}
"""Each sound of ARPAbet with stress in IPA: no two are the same, so the table can be read in both directions."""
ARPABET = {ipa: sound for sound, ipa in IPA.items()}
"""The same in the other direction."""


def to_ipa(sounds: str) -> str:
    """A pronunciation in IPA. `to_arpabet` gives exactly `sounds` back.

    One sound stays one token. The mark of stress stands directly before the vowel, because ARPAbet says which vowel is
    stressed, and not where its syllable begins. Tokens are separated by spaces: without them, "t ʃ" ("courtship") and
    "tʃ" ("church") are the same text. `.replace(" ", "")` joins them where this is of no matter.

    Args:
        sounds: ARPAbet with the stress of each vowel, separated by spaces.

    Raises:
        ValueError: a sound is none of ARPAbet with stress.

    Example:

    >>> to_ipa("Z OW0 AA1 L AH0 JH IY0"), to_ipa("B ER1 D"), to_ipa("F AA1 DH ER0")
    ('z oʊ ˈɑ l ə dʒ i', 'b ˈɝ d', 'f ˈɑ ð ɚ')
    """
    return _converted(sounds, IPA, "ARPAbet with stress, such as 'Z UW1'")


def to_arpabet(ipa: str) -> str:
    """A pronunciation from `to_ipa` in ARPAbet.

    Raises:
        ValueError: a token is none that `to_ipa` writes.

    Example:

    >>> to_arpabet("z oʊ ˈɑ l ə dʒ i")
    'Z OW0 AA1 L AH0 JH IY0'
    """
    return _converted(ipa, ARPABET, "IPA as to_ipa writes it, such as 'z ˈu'")


def _converted(text: str, table: dict[str, str], expected: str) -> str:
    try:
        return " ".join([table[token] for token in text.split()])
    except KeyError as error:
        (token,) = error.args
        raise ValueError(f"Expected {expected}, found {shown(token)}.{nearest(token, table)}") from None
