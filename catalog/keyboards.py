"""What was typed with the wrong keyboard layout: `qjsdur` is 번역, `ㅠㅣㅐㅎ` is blog.

Layout: KS X 5002, the two-set keyboard (두벌식).
"""

import re
import unicodedata

_KEYS = "rRseEfaqQtTdwWczxvgkoiOjpuPhynbml"
_JAMO = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎㅏㅐㅑㅒㅓㅔㅕㅖㅗㅛㅜㅠㅡㅣ"
_TO_JAMO = dict(zip(_KEYS, _JAMO, strict=True))
_TO_KEY = dict(zip(_JAMO, _KEYS, strict=True))
_INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_FINALS = ["", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"]
_PAIRS = {
    **{"ㅗㅏ": "ㅘ", "ㅗㅐ": "ㅙ", "ㅗㅣ": "ㅚ", "ㅜㅓ": "ㅝ", "ㅜㅔ": "ㅞ", "ㅜㅣ": "ㅟ", "ㅡㅣ": "ㅢ"},
    **{"ㄱㅅ": "ㄳ", "ㄴㅈ": "ㄵ", "ㄴㅎ": "ㄶ", "ㄹㄱ": "ㄺ", "ㄹㅁ": "ㄻ", "ㄹㅂ": "ㄼ", "ㄹㅅ": "ㄽ", "ㄹㅌ": "ㄾ"},
    **{"ㄹㅍ": "ㄿ", "ㄹㅎ": "ㅀ", "ㅂㅅ": "ㅄ"},
}
_PARTS = {pair: parts for parts, pair in _PAIRS.items()}
_FINAL_PAIRS = {pair for pair in _PARTS if pair in _FINALS}

# Initial, vowel, and a final only where no vowel follows its last consonant: that one begins the next syllable.
_VOWEL = "(?:ㅗ[ㅏㅐㅣ]?|ㅜ[ㅓㅔㅣ]?|ㅡㅣ?|[ㅏㅐㅑㅒㅓㅔㅕㅖㅛㅠㅣ])"
_FINAL = "(?:ㄱㅅ|ㄴ[ㅈㅎ]|ㄹ[ㄱㅁㅂㅅㅌㅍㅎ]|ㅂㅅ|[ㄱㄲㄴㄷㄹㅁㅂㅅㅆㅇㅈㅊㅋㅌㅍㅎ])"
_SYLLABLE = re.compile(f"([{_INITIALS}])({_VOWEL})({_FINAL}(?![ㅏ-ㅣ]))?")


def swap_keyboard(text: str) -> str:
    """`text` as the other layout would have written it; empty where that makes no sense."""
    text = unicodedata.normalize("NFC", text)
    if re.search("[가-힣ㄱ-ㅣ]", text):
        swapped = "".join(map(_to_keys, text))
        return "" if re.search("[가-힣ㄱ-ㅣ]", swapped) else swapped.lower()
    swapped = _compose("".join(_TO_JAMO.get(c) or _TO_JAMO.get(c.lower(), c) for c in text))
    return swapped if re.search("[가-힣]", swapped) and not re.search("[ㄱ-ㅣ]", swapped) else ""


def _to_keys(character: str) -> str:
    """The keys that write a syllable or a single jamo; anything else stays."""
    jamo = character
    if "가" <= character <= "힣":
        rest, final = divmod(ord(character) - ord("가"), 28)
        initial, vowel = divmod(rest, 21)
        jamo = _INITIALS[initial] + _VOWELS[vowel] + _FINALS[final]
    return "".join(_TO_KEY.get(part, part) for single in jamo for part in _PARTS.get(single, single))


def _compose(jamo: str) -> str:
    return _SYLLABLE.sub(lambda match: _join_syllable(*match.groups()), jamo)


def _join_syllable(initial: str, vowel: str, final: str | None) -> str:
    place = _INITIALS.index(initial) * 21 + _VOWELS.index(_PAIRS.get(vowel, vowel))
    return chr(ord("가") + place * 28 + _FINALS.index(_PAIRS.get(final, final) if final else ""))
