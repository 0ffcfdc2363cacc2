"""What the public may read of a text that is for sale: its beginning, and how much more there is."""

import unicodedata
from dataclasses import dataclass

from catalog.placeholders import cut_before_placeholder

MAX_SHOWN_LENGTH = 300  # characters
SHOWN_SHARE = 5  # at most one part in so many
CELLS_IN_ROW = 20  # as on Korean manuscript paper

_JOINERS = {"\u200d", "\ufe0e", "\ufe0f", "\u20e3"}  # they bind a character to the one before


@dataclass(frozen=True, slots=True)
class Preview:
    """`hidden_lines` counts lines that are not blank; `hidden_cells` is rounded up to whole rows of 20, so that it does
    not give the exact length away."""

    shown: str
    hidden_lines: int
    hidden_cells: int


def public_preview(text: str) -> Preview:
    """The beginning of `text`: never more than its first fifth, never more than 300 characters.

    It ends at a line or a word where one ends in its second half, never inside what may be a placeholder.
    """
    shown = _cut_kindly(text, min(MAX_SHOWN_LENGTH, len(text) // SHOWN_SHARE))
    hidden = text[len(shown) :].strip()
    return Preview(
        shown=shown,
        hidden_lines=sum(1 for line in hidden.splitlines() if line.strip()),
        hidden_cells=-(-len(hidden) // CELLS_IN_ROW) * CELLS_IN_ROW,
    )


def _cut_kindly(text: str, length: int) -> str:
    length = cut_before_placeholder(text, length)
    while 0 < length < len(text) and (
        unicodedata.combining(text[length]) or _JOINERS & {text[length], text[length - 1]}
    ):
        length -= 1
    shown = text[:length]
    if not text[length : length + 1].isspace():
        cut = max(shown.rfind("\n"), shown.rfind(" "))
        shown = shown[:cut] if cut > length // 2 else shown
    return shown.rstrip()
