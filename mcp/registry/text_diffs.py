"""What changed between two texts, in pieces that a page can mark.

What both begin and end with is kept, all between is taken as exchanged: linear in their length, whatever they hold.
"""

import json
import re
from contextlib import suppress
from dataclasses import dataclass

from mcp.foreign_text import clean_text

MAX_LENGTH = 4_000  # characters of each text
CONTEXT = 3  # lines, or a dozen words, of what stayed
_WORD = re.compile(r"\s+|[^\s]+")


@dataclass(frozen=True)
class Piece:
    """kind: `same`, `gone` or `new`."""

    kind: str
    text: str


def diff_texts(before: str, after: str) -> list[Piece]:
    """By words."""
    old, new = clean_text(before, MAX_LENGTH), clean_text(after, MAX_LENGTH)
    return _diff(_WORD.findall(old), _WORD.findall(new), context=CONTEXT * 8, gap=" … ")


def diff_schemas(before: str, after: str) -> list[Piece]:
    """By lines, indented; what is no JSON is shown as it is."""
    old, new = _indent(before).splitlines(keepends=True), _indent(after).splitlines(keepends=True)
    return _diff(old, new, context=CONTEXT, gap="…\n")


def _indent(text: str) -> str:
    with suppress(ValueError, RecursionError):
        text = json.dumps(json.loads(text), ensure_ascii=False, indent=2, sort_keys=True)
    return f"{clean_text(text, MAX_LENGTH)}\n" if text else ""


def _diff(old: list[str], new: list[str], *, context: int, gap: str) -> list[Piece]:
    head = _count_same(old, new)
    tail = _count_same(old[head:][::-1], new[head:][::-1])
    before, after = old[:head], old[len(old) - tail :]
    pieces = [
        Piece("same", f"{gap if len(before) > context else ''}{''.join(before[-context:])}"),
        Piece("gone", "".join(old[head : len(old) - tail])),
        Piece("new", "".join(new[head : len(new) - tail])),
        Piece("same", f"{''.join(after[:context])}{gap if len(after) > context else ''}"),
    ]
    return [piece for piece in pieces if piece.text]


def _count_same(old: list[str], new: list[str]) -> int:
    for number, (one, other) in enumerate(zip(old, new, strict=False)):
        if one != other:
            return number
    return min(len(old), len(new))
