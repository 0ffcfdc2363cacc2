"""Where a text quotes code in the way of Markdown: fenced blocks and `spans`."""

import re
from bisect import bisect_right

_FENCE = re.compile(r"^[ \t]{0,9}(`{3,20}|~{3,20})[ \t]*([^\n`]*)$", re.MULTILINE)
_SPAN = re.compile(r"`[^`\n]+`")
# Signs of code in a block whose language nobody named.
_CODE = re.compile(
    r"[;{(]\r?\n|=>|\)\s?\{|\$\(|^[ \t]{0,9}(?:def|class|import|export|const|let|var|echo|curl|#!|\$) ", re.M
)
_PROSE = {"text", "txt", "md", "markdown", "plaintext", "prompt"}  # languages of fences that hold no code


def find_code(text: str) -> list[tuple[int, int]]:
    """Start and end of each stretch of code, in order, none overlapping. Linear in the text."""
    blocks = _find_blocks(text)
    found, done = [], 0
    for start, end, is_code in [*blocks, (len(text), len(text), False)]:
        found += [span.span() for span in _SPAN.finditer(text, done, start)]
        if is_code:
            found.append((start, end))
        done = end
    return found


def is_inside(stretches: list[tuple[int, int]], position: int) -> bool:
    at = bisect_right(stretches, (position, float("inf"))) - 1
    return at >= 0 and stretches[at][0] <= position < stretches[at][1]


def _find_blocks(text: str) -> list[tuple[int, int, bool]]:
    """Fenced blocks with their fences. One that is never closed reaches to the end."""
    blocks, opened = [], None
    for fence in _FENCE.finditer(text):
        mark, language = fence[1], fence[2].strip().casefold()
        if opened is None:
            opened = (fence.start(), mark, language.split(" ")[0])
        elif mark[0] == opened[1][0] and len(mark) >= len(opened[1]) and not language:
            blocks.append((opened[0], fence.end(), _is_code(opened[2], text, opened[0], fence.end())))
            opened = None
    if opened is not None:
        blocks.append((opened[0], len(text), _is_code(opened[2], text, opened[0], len(text))))
    return blocks


def _is_code(language: str, text: str, start: int, end: int) -> bool:
    return language not in _PROSE if language else bool(_CODE.search(text, start, end))
