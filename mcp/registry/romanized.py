"""Hangul in Latin letters, a syllable at a time: enough to find a command by typing how its name sounds.

Source: Revised Romanization of Korean (2000), the letters of transliteration without the changes between syllables.
"""

import unicodedata

_LETTERS = """
g kk n d tt r m b pp s ss - j jj ch k t p h
a ae ya yae eo e yeo ye o wa wae oe yo u wo we wi yu eu ui i
- k k k n n n t l k m l l l p l m p p t t ng t t k t p t
"""
_INITIALS, _VOWELS, _FINALS = (line.split() for line in _LETTERS.strip().splitlines())
_FIRST, _LAST = 0xAC00, 0xD7A3


def romanize(text: str) -> str:
    """Other characters stay as they are."""
    return "".join(map(_romanize_syllable, unicodedata.normalize("NFC", text)))


def _romanize_syllable(character: str) -> str:
    place = ord(character) - _FIRST
    if not 0 <= place <= _LAST - _FIRST:
        return character
    rest, final = divmod(place, len(_FINALS))
    initial, vowel = divmod(rest, len(_VOWELS))
    return (_INITIALS[initial] + _VOWELS[vowel] + _FINALS[final]).replace("-", "")
