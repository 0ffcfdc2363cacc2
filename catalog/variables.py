"""Placeholders in prompt texts: what a person fills in before the text is used.

    {{name}}  ${name}  [NAME]  {name}  #{이름}        with defaults: {{name|value}}  ${name:value}  [이름: 값]

A backslash before a placeholder makes it literal, and stays, as in Markdown. Which of these count where is decided in
`catalog.placeholders`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from catalog.placeholders import Placeholder, judge_placeholders, make_key

MAX_VARIABLES = 50
MAX_PLACES = 1_000  # so that no value makes a text endless
MAX_DOUBTS = 10

_UNCLOSED = re.compile(r"\{\{(?=[ \t]{0,3}[^\W\d_])(?![^{}\r\n]{1,280}\}\})")


@dataclass(frozen=True)
class Variable:
    """default: what stands in when nobody fills it in; None where a value is needed."""

    name: str
    default: str | None = None


@dataclass(frozen=True)
class Doubts:
    """What a seller may have meant as variables, at most ten of a kind. False when there is nothing to say."""

    unclosed: list[str]  # where {{ opens
    not_counted: list[str]  # what looks like a placeholder
    is_over: bool = False  # more names than count

    def __bool__(self) -> bool:
        return bool(self.unclosed or self.not_counted or self.is_over)


def find_variables(text: str) -> list[Variable]:
    """Each name once, in order of appearance; the first default that is given. At most 50."""
    return collect_variables(find_placeholders(text))


def collect_variables(placeholders: Iterable[Placeholder]) -> list[Variable]:
    found: dict[str, Variable] = {}
    for place in placeholders:
        key = make_key(place.name)
        known = found.get(key)
        if known is None:
            found[key] = Variable(place.name, place.default)
        elif known.default is None and place.default is not None:
            found[key] = Variable(known.name, place.default)
    return list(found.values())


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with these values in place, all else byte for byte.

    Values are plain: what looks like a placeholder in one stays as it is. A name without a value gets its default;
    without one its placeholder stays.
    """
    return "".join(piece if isinstance(piece, str) else piece.shown for piece in split_filled(text, values))


@dataclass(frozen=True, slots=True)
class Slot:
    """A placeholder with what stands there now. value: None while nobody has filled it in."""

    place: Placeholder
    written: str
    value: str | None

    @property
    def shown(self) -> str:
        return self.written if self.value is None else self.value


def split_filled(text: str, values: Mapping[str, str]) -> Iterator[str | Slot]:
    """The text as stretches between placeholders and the placeholders with their values."""
    places = find_placeholders(text)
    by_key = {make_key(variable.name): variable.default for variable in collect_variables(places)}
    by_key |= {make_key(name): value for name, value in values.items()}
    done = 0
    for place in places:
        if place.start > done:
            yield text[done : place.start]
        yield Slot(place, text[place.start : place.end], by_key.get(make_key(place.name)))
        done = place.end
    if done < len(text):
        yield text[done:]


def find_placeholders(text: str) -> list[Placeholder]:
    """Where variables stand, in order. Those after the fiftieth name or the thousandth place are text."""
    sure, unsure = judge_placeholders(text)
    names = {make_key(place.name) for place in sure}
    places = sorted([*sure, *(place for place in unsure if make_key(place.name) in names)], key=lambda p: p.start)
    allowed = set(list(dict.fromkeys(make_key(place.name) for place in places))[:MAX_VARIABLES])
    return [place for place in places if make_key(place.name) in allowed][:MAX_PLACES]


def find_doubts(text: str) -> Doubts:
    """What a seller should look at before publishing."""
    sure, unsure = judge_placeholders(text)
    names = {make_key(place.name) for place in sure}
    unclosed = [text[found.start() : found.start() + 30].splitlines()[0] for found in _UNCLOSED.finditer(text)]
    not_counted = [
        text[place.start : place.end]
        for place in sorted(unsure, key=lambda place: place.start)
        if make_key(place.name) not in names and len(place.name) > 1
    ]
    return Doubts(
        list(dict.fromkeys(unclosed))[:MAX_DOUBTS],
        list(dict.fromkeys(not_counted))[:MAX_DOUBTS],
        len(names) > MAX_VARIABLES,
    )
