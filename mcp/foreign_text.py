"""Texts of somebody else's server, made fit to be stored and shown.

Templates still escape them, isolate their direction (`<bdi>`, `dir="auto"`) and say whose they are.
"""

import re
import unicodedata

_UNSHOWN = {"Cc", "Cf", "Cs"}  # controls, formats (bidirectional ones among them), halves of surrogate pairs
_KEPT = "\n\t\u200c\u200d"  # emoji and some scripts need the joiners
_FILLERS = "\u115f\u1160\u3164\uffa0"  # Hangul letters that look like nothing
_LINE_END = re.compile("\r\n?|[\u0085\u2028\u2029]")
_BLANK_LINES = re.compile(r"\n[^\S\n]*(?:\n[^\S\n]*){2,}")


def clean_line(text: object, length: int) -> str:
    """One line of at most `length` characters, ending in an ellipsis where it was cut. What is no text gives none."""
    return _cut(" ".join(_clean(text, length).split()), length)


def clean_text(text: object, length: int) -> str:
    """The same with its lines kept, and at most one blank line between two."""
    return _cut(_BLANK_LINES.sub("\n\n", _clean(text, length)).strip(), length)


def _clean(text: object, length: int) -> str:
    if not isinstance(text, str):
        return ""
    lines = _LINE_END.sub("\n", text[: 4 * length + 1000])  # no work for what would be cut anyway
    return "".join(character for character in lines if _is_shown(character))


def _is_shown(character: str) -> bool:
    return character in _KEPT or (unicodedata.category(character) not in _UNSHOWN and character not in _FILLERS)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"
