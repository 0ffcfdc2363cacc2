"""What in a text is a placeholder, and what only looks like one. Everybody else asks `catalog.variables`.

Double braces say it plainly and nearly always count. The other forms are also how code, JSON, Markdown, LaTeX and
shells write, so they count only where nothing speaks for those. The rules were found with 897 prompts that people
published: docs/decisions/0029-placeholders.md.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from catalog.code_spans import find_code, is_inside

MAX_NAME_LENGTH = 60
MAX_DEFAULT_LENGTH = 200
MAX_PLACEHOLDER_LENGTH = MAX_NAME_LENGTH + MAX_DEFAULT_LENGTH + 20  # with braces and spaces
MAX_CANDIDATES = 20_000  # brackets and braces looked at in one text

# Every pattern stops at the next opening character, so that a text of any kind is read in linear time.
_INSIDE = MAX_PLACEHOLDER_LENGTH - 10
_CANDIDATE = re.compile(
    rf"(?P<double>\{{\{{(?P<d>[^{{}}\r\n]{{1,{_INSIDE}}})\}}\}})"
    rf"|(?P<dollar>\$\{{(?P<s>[^{{}}\r\n]{{1,{_INSIDE}}})\}})"
    rf"|(?P<hash>\#\{{(?P<h>[^{{}}\r\n]{{1,{_INSIDE}}})\}})"
    rf"|(?P<brace>\{{(?P<b>[^{{}}\[\]\r\n]{{1,{_INSIDE}}})\}})"
    rf"|(?P<bracket>\[(?P<k>[^\[\]{{}}\r\n]{{1,{_INSIDE}}})\])"
)
_NAME = re.compile(r"[^\W_](?:[\w \-/.#&'’·+]*[\w)%])?(?:\([\w ,/·~\-]+\))?")
_SEPARATORS = {"double": "|:", "dollar": ":|", "hash": ":|", "brace": "|:", "bracket": ":"}
_PLAIN = ("double", "dollar", "hash")
_HANGUL = re.compile(r"[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")
_TAG = re.compile(r"\{%|\{\{[#/^]")  # a template language is at work
_FILTER = re.compile(r"(?:upper|lower|title|capitali[sz]e|trim|safe|escape|e|length|join|json|tojson|date)\b|\w+\(")
_SPOKEN = re.compile(r"[a-z][a-z0-9]*(?:[ /\-][a-z0-9]+){0,4}")  # [your field], in a sentence
_MENTIONS = ("like this", "example", "text")  # "in braces {like this}"
_COMMAND = re.compile(r"\\[A-Za-z]{1,18}\Z")  # \\text{…}
_SHELL = re.compile(r"[-=+?]")  # what follows the colon in ${NAME:-value}
_UPPER = re.compile(r"[A-Z][A-Z0-9]*(?:[ _\-/&'’#.]+[A-Z0-9]+)*")
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_ \-'’][A-Za-z0-9]+){0,5}")
_CLOSING_TAG = re.compile(r"\[/([^\[\]\r\n]{1,60})\]")
_FORMAT = re.compile(r"(?:YYYY|MM|DD|HH)[ :/.\-YMDHS]*|(?:[A-Za-z0-9가-힣]-[A-Za-z0-9가-힣])+")
_CODE_AFTER = re.compile(r"[^\r\n]{0,60}?(?:=>|\);|\)\s?\{)")
MAX_SPOKEN_NAMES = 3
# What brackets hold besides placeholders: labels, log levels, remarks.
_LABELS = {
    *("note", "notes", "warning", "important", "info", "tip", "error", "debug", "todo", "fixme", "example", "examples"),
    *("figure", "table", "source", "sic", "citation needed", "redacted", "link", "optional", "new", "wip", "ok", "n/a"),
    *("na", "tbd", "end", "start", "begin", "user", "assistant", "system", "inst", "input", "output", "laughter"),
    *("주의", "참고", "예", "예시", "중요", "메모", "출처", "그림", "표", "경고", "필수", "선택", "공지", "광고"),
    *("속보", "단독", "끝", "시작", "질문", "답변", "정답", "오류", "팁"),
}


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One place in a text."""

    start: int
    end: int
    name: str
    default: str | None
    form: str


def make_key(name: str) -> str:
    """What makes two spellings one variable: {{brand name}}, ${brand_name} and [BRAND NAME]."""
    return " ".join(unicodedata.normalize("NFC", name).replace("_", " ").casefold().split())


def cut_before_placeholder(text: str, length: int) -> int:
    """`length`, or less where it would cut through what may be a placeholder. Looks at the text just behind only."""
    near = _CANDIDATE.finditer(text, max(0, length - MAX_PLACEHOLDER_LENGTH), length + MAX_PLACEHOLDER_LENGTH)
    return next((found.start() for found in near if found.start() < length < found.end()), length)


@dataclass(slots=True)
class _Context:
    text: str
    start: int
    end: int
    is_code: bool
    has_tags: bool  # of a template language, in code or outside as the candidate is
    closing_tags: frozenset[str]

    @property
    def before(self) -> str:
        return self.text[self.start - 1 : self.start]

    @property
    def after(self) -> str:
        return self.text[self.end : self.end + 1]


def judge_placeholders(text: str) -> tuple[list[Placeholder], list[Placeholder]]:
    """Placeholders that count, and those that count if their name counts elsewhere in the text."""
    code = find_code(text)
    tags = {is_inside(code, found.start()) for found in _TAG.finditer(text)}
    closing = frozenset(found[1] for found in _CLOSING_TAG.finditer(text))
    sure, unsure, spoken, headings = [], [], [], set()
    refused_until = -1  # the end of the last brace that is code: what is glued to it is code as well
    for found in islice(_CANDIDATE.finditer(text), MAX_CANDIDATES):
        form = _form_of(found)
        is_code = is_inside(code, found.start())
        context = _Context(text, found.start(), found.end(), is_code, is_code in tags, closing)
        named = _read_inside(found.group(_INNER[form]), form)
        if named is None or context.before == "\\" or (form == "brace" and found.start() == refused_until):
            refused_until = found.end()
            continue
        place = Placeholder(found.start(), found.end(), *named, form)
        verdict = _JUDGES[form](place, context)
        if verdict == "heading":
            headings.add(make_key(place.name))
        elif verdict == "yes":
            sure.append(place)
        elif verdict == "maybe":
            unsure.append(place)
        elif verdict == "spoken":
            spoken.append(place)
        else:
            refused_until = found.end()
    in_brackets = {place.name for place in [*spoken, *unsure] if place.form == "bracket"}
    if len(in_brackets) <= MAX_SPOKEN_NAMES:  # more of them are a form that the answer fills in
        sure += spoken
    else:
        unsure += spoken
    sure = [place for place in sure if place.form != "bracket" or make_key(place.name) not in headings]
    plain = [place for place in sure if place.form in _PLAIN]
    if plain:  # who writes {{name}} means something else by [name]
        sure, unsure = plain, [*unsure, *(place for place in sure if place.form not in _PLAIN)]
    return sure, unsure


_INNER = {"double": "d", "dollar": "s", "hash": "h", "brace": "b", "bracket": "k"}


def _form_of(found: re.Match) -> str:
    return next(form for form, inner in _INNER.items() if found.group(inner) is not None)


def _read_inside(inside: str, form: str) -> tuple[str, str | None] | None:
    """Name and default, or None where it is neither."""
    separators = _SEPARATORS[form]
    cut = min((at for at in map(inside.find, separators) if at >= 0), default=-1)
    name, default = (inside, None) if cut < 0 else (inside[:cut], inside[cut + 1 :].strip())
    name = unicodedata.normalize("NFC", name.strip(" \t"))
    if not 0 < len(name) <= MAX_NAME_LENGTH or not _NAME.fullmatch(name) or name.isdigit():
        return None
    if default is not None and len(default) > MAX_DEFAULT_LENGTH:
        return None
    if form in ("brace", "bracket") and inside != inside.strip():
        return None
    return name, default


def _judge_double(place: Placeholder, context: _Context) -> str:
    if context.before == "{" or context.after == "}":
        return "yes" if context.before == "{" and context.after == "}" else "no"
    if _is_hangul(place.name):
        return "yes"
    if context.before == "=" or context.has_tags or "." in place.name:  # style={{…}}; a template language's
        return "no"
    return "no" if place.default and _FILTER.match(place.default) else "yes"


def _judge_dollar(place: Placeholder, context: _Context) -> str:
    if context.before == "$" or (place.default and _SHELL.match(place.default)) or "." in place.name:
        return "no"
    if context.is_code and place.default is None and not _is_hangul(place.name):
        return "maybe"
    return "yes"


def _judge_hash(place: Placeholder, context: _Context) -> str:
    """As in the templates of Korean message services; with Latin names it is code."""
    return "yes" if _is_hangul(place.name) and not context.is_code else "no"


def _judge_brace(place: Placeholder, context: _Context) -> str:
    if context.before == "{" or context.after == "}":
        return "no"
    if _is_hangul(place.name):
        if _COMMAND.search(context.text, max(0, context.start - 20), context.start) or context.before in tuple("^_"):
            return "no"
        return "maybe" if context.is_code else "yes"
    if _is_glued(context, "_^%/=)]>$@") or context.after in tuple("=("):
        return "no"
    if place.default is not None or not _IDENTIFIER.fullmatch(place.name):
        return "no"
    if _CODE_AFTER.match(context.text, context.end):
        return "no"
    is_bare = len(place.name) == 1 or bool(_FORMAT.fullmatch(place.name))
    return "maybe" if context.is_code or is_bare or place.name.casefold() in _MENTIONS else "yes"


def _judge_bracket(place: Placeholder, context: _Context) -> str:
    name, hangul = place.name, _is_hangul(place.name)
    if _is_glued(context, "_)]}!$[") or context.after in tuple("([{+*]^"):
        return "no"
    if name in context.closing_tags or _FORMAT.fullmatch(name) or name.casefold() in _LABELS or _is_choice(name):
        return "no"
    if _is_heading(context):
        return "heading"
    if len(name) == 1 and not hangul:
        return "no"
    if not hangul and not _UPPER.fullmatch(name):
        if place.default is None and _SPOKEN.fullmatch(name) and _is_in_sentence(context):
            return "spoken"
        return "maybe" if place.default is None and _IDENTIFIER.fullmatch(name) else "no"
    return "maybe" if context.is_code else "yes"


_JUDGES: dict[str, Callable[[Placeholder, _Context], str]] = {
    "double": _judge_double,
    "dollar": _judge_dollar,
    "hash": _judge_hash,
    "brace": _judge_brace,
    "bracket": _judge_bracket,
}


def _is_hangul(name: str) -> bool:
    return bool(_HANGUL.search(name))


def _is_glued(context: _Context, marks: str) -> bool:
    """To a word or a mark of code: array[INDEX], \\frac{a}, fix-{id}, ${array[KEY]}."""
    before = context.before
    if before == "-":
        return context.text[max(0, context.start - 2) : context.start - 1].strip() not in ("", "-")
    return before.isascii() and (before.isalnum() or (before != "" and before in marks))


def _is_in_sentence(context: _Context) -> bool:
    """Behind a word and a space, or behind a bracket in a sentence; not in code."""
    before = context.text[max(0, context.start - 2) : context.start]
    follows = re.fullmatch(r"[^\W\d_] |[,’'] | \(", before)
    return not context.is_code and bool(follows)


def _is_choice(name: str) -> bool:
    """[yes / no], [X/Y], [A/B/C]: one of these, or so many of so many."""
    parts = name.split("/")
    return len(parts) > 2 or (len(parts) == 2 and (" / " in name or min(map(len, parts)) < 2))


_LINE_START = re.compile(r"(?:\A|\n)[ \t#>*_\-\d.)]{0,12}\Z")
_LINE_END = re.compile(r"[ \t*_]{0,6}(?:[:：]|\r?\n|\Z| (?!님|씨)[A-Z가-힣\d])")


def _is_heading(context: _Context) -> bool:
    """[Rules] alone on its line, before a colon or a new sentence: a heading, as many people write them."""
    before = context.text[max(0, context.start - 14) : context.start]
    is_first = (context.start <= 14 and not before.strip(" \t#>*_-.)0123456789")) or bool(_LINE_START.search(before))
    return is_first and bool(_LINE_END.match(context.text, context.end))
