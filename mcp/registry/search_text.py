"""Words as the registry's search knows them: the same folding for what is stored in `Entry.search_text` and what is
asked. A word is found anywhere inside it, so that `weather` finds the tool `get_weather`."""

import re
from collections.abc import Iterable

from catalog import tokens

MAX_WORDS = 8  # of one search; what comes after is left out
MAX_QUERY_LENGTH = 100  # characters


def fold(text: str) -> str:
    """One form for what reads the same: NFC, no case, no accents, words a space apart."""
    return " ".join(tokens.fold(text).split())


def make_search_text(*, name: str, description: str, tool_names: Iterable[str]) -> str:
    """What `Entry.search_text` holds: a line for each text, so that no word runs across two of them."""
    return "\n".join(fold(text) for text in (name, description, *tool_names))


def split_words(query: str) -> list[str]:
    """What must all be found; empty when nothing was asked."""
    return list(dict.fromkeys(fold(query[:MAX_QUERY_LENGTH]).split()))[:MAX_WORDS]


def has_hangul(word: str) -> bool:
    return bool(re.search("[가-힣]", word))
