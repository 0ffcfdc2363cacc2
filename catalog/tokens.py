"""Words as the search index knows them: the same splitting for what is stored and for what is asked.

Korean writes spaces freely and glues particles on, so a run of Hangul becomes its overlapping pairs of syllables, with
the spaces inside the run taken out: 번역기 and 번역 기 are both 번역, 역기, 기. The last syllable stands alone, so that
every syllable begins a token and a search for one syllable is a search by prefix. Chinese characters and kana go the
same way. Letters and digits part, so that gpt4, GPT-4 and GPT 4 are the same.
"""

import re
import unicodedata
from dataclasses import dataclass

MAX_TOKEN_LENGTH = 64  # characters
MAX_WORDS = 12  # of one search; what comes after is left out
MIN_PREFIX_LENGTH = 3  # letters; a shorter Latin word is searched as it stands

_SYLLABLES = "가-힣㐀-䶿一-鿿ぁ-ゖァ-ヺー々"
_PART = re.compile(rf"(?P<syllables>[{_SYLLABLES}]+)|(?P<digits>\d+)|(?P<letters>[^\W\d_{_SYLLABLES}]+)")
_WORD = re.compile(r"[^\W_]+")
_SPACE_INSIDE = re.compile(rf"(?<=[{_SYLLABLES}])[ \t]+(?=[{_SYLLABLES}])")
_ACCENTS = re.compile("[\u0300-\u036f]")
_SPELLED = {"c++": " cpp ", "c#": " csharp ", "f#": " fsharp ", ".net": " dotnet "}
_SPELLED_PATTERN = re.compile(r"(?<![a-z0-9_])(?:c\+\+|[cf]#|\.net)(?![a-z0-9_+#])")


@dataclass(frozen=True, slots=True)
class Phrase:
    """Tokens that must follow each other; with `is_prefix` the last one may go on."""

    tokens: tuple[str, ...]
    is_prefix: bool = False

    @property
    def needle(self) -> str:
        """What to look for in stored tokens that have a space before and behind."""
        return f" {' '.join(self.tokens)}{'' if self.is_prefix else ' '}"


def fold(text: str) -> str:
    """One form for what reads the same: NFKC, no case, no accents on Latin letters."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    if not folded.isascii():
        folded = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", folded)))
    return _SPELLED_PATTERN.sub(lambda match: _SPELLED[match[0]], folded)


def tokenize(text: str) -> list[str]:
    """The tokens of a stored text, in order."""
    tokens = []
    for part in _PART.finditer(_SPACE_INSIDE.sub("", fold(text))):
        tokens += _split_part(part)
    return tokens


def parse_phrases(text: str) -> list[Phrase]:
    """What must all be found: one phrase for each word that was typed. Empty when nothing in it can be searched."""
    phrases = []
    for word in _WORD.findall(fold(text)):
        parts = list(_PART.finditer(word))
        if not parts:
            continue
        *before, last = parts
        tokens = [token for part in before for token in _split_part(part)]
        final = _split_part(last)
        if last.lastgroup == "syllables":
            is_prefix = len(final) == 1
            tokens += final if is_prefix else final[:-1]  # the last syllable begins whatever follows it in a text
        else:
            is_prefix = last.lastgroup == "letters" and len(final[0]) >= MIN_PREFIX_LENGTH
            tokens += final
        phrases.append(Phrase(tuple(tokens), is_prefix))
    return list(dict.fromkeys(phrases))[:MAX_WORDS]


def _split_part(part: re.Match) -> list[str]:
    text = part[0]
    if part.lastgroup != "syllables":
        return [text[:MAX_TOKEN_LENGTH]]
    return [text[i : i + 2] for i in range(len(text))]
