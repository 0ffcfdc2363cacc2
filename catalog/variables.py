"""Placeholders in prompt texts: what a person fills in before the text is used."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

_VARIABLE = re.compile(r"\{\{[ \t]{0,9}([^{}\r\n]{1,60}?)[ \t]{0,9}\}\}")


@dataclass(frozen=True)
class Variable:
    """default: what stands in when nobody fills it in; None where a value is needed."""

    name: str
    default: str | None = None


def find_variables(text: str) -> list[Variable]:
    """Each name once, in order of appearance."""
    names = (unicodedata.normalize("NFC", name) for name in _VARIABLE.findall(text))
    return [Variable(name) for name in dict.fromkeys(names) if name.strip()]


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with these values in place. They are plain: what looks like a placeholder in one stays as it is."""
    return _VARIABLE.sub(lambda found: values.get(unicodedata.normalize("NFC", found[1]), found[0]), text)
