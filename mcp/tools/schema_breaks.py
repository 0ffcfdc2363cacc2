"""Which differences between two parameter schemas of a tool break a prompt that was written for the first.

A prompt names parameters and values. It breaks where something it may name is gone, where something it does not name
has become necessary, and where what it gives is no longer taken. Everything that only allows more is harmless: a new
optional parameter, a type beside the old one, one more value, other descriptions. Source: JSON Schema 2020-12, read as
far as tools use it; what is not understood allows everything.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

MAX_BREAKS = 20  # the first ones tell enough
MAX_DEPTH = 6
MAX_STEPS = 5_000  # parts that are looked at: references may multiply a small schema without end
MAX_NAME_LENGTH = 80  # of a parameter, in what we repeat of somebody else's schema

REMOVED, REQUIRED, TYPE, VALUES = "removed", "required", "type", "values"
ANYTHING = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})


@dataclass(frozen=True, slots=True)
class Break:
    """`name` is the parameter, `address.city` or `items[]` inside another; before and after are types for a `type`."""

    kind: str
    name: str
    before: str = ""
    after: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def find_breaks(before: Any, after: Any) -> list[Break]:
    """At most 20, in the order of the first schema. An empty schema says nothing, so nothing breaks beside it."""
    if not isinstance(before, dict) or not isinstance(after, dict) or not before or not after:
        return []
    work = _Work()
    found = _compare(_Side(before, before, work), _Side(after, after, work), "", MAX_DEPTH)
    return list(islice(found, MAX_BREAKS))


@dataclass(slots=True)
class _Work:
    """What is left of it; then parts say nothing more."""

    steps_left: int = MAX_STEPS

    def step(self) -> bool:
        self.steps_left -= 1
        return self.steps_left >= 0


@dataclass(frozen=True, slots=True)
class _Side:
    """A part of a schema, and the whole that its references lead into."""

    schema: dict
    root: dict
    work: _Work

    @property
    def properties(self) -> dict[str, Any]:
        found = self.schema.get("properties")
        return found if isinstance(found, dict) else {}

    @property
    def required(self) -> set[str]:
        found = self.schema.get("required")
        return {name for name in found if isinstance(name, str)} if isinstance(found, list) else set()

    def inside(self, part: Any) -> "_Side":
        return _Side(_follow(part, self.root) if self.work.step() else {}, self.root, self.work)


def _follow(part: Any, root: dict) -> dict:
    """A reference into the same schema stands for what it leads to; one to nowhere or in circles, for nothing."""
    for _ in range(MAX_DEPTH):
        reference = part.get("$ref") if isinstance(part, dict) else None
        if not isinstance(reference, str):
            return part if isinstance(part, dict) else {}
        part = root if reference.startswith("#") else None
        for step in reference.split("/")[1:]:
            part = part.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(part, dict) else None
    return {}


def _compare(before: _Side, after: _Side, path: str, depth: int) -> Iterator[Break]:
    """What breaks among the parameters of an object."""
    if depth == 0:
        return
    there, newly_required = after.properties, after.required - before.required
    for name, part in before.properties.items():
        shown = f"{path}{name[:MAX_NAME_LENGTH]}"
        if name not in there:
            if not path or there:  # inside a parameter, an object without a list takes whatever comes
                yield Break(REMOVED, shown)
            continue
        if name in newly_required:
            yield Break(REQUIRED, shown)
        yield from _compare_values(before.inside(part), after.inside(there[name]), shown, depth)
    for name in sorted(newly_required - before.properties.keys()):
        yield Break(REQUIRED, f"{path}{name[:MAX_NAME_LENGTH]}")


def _compare_values(before: _Side, after: _Side, path: str, depth: int) -> Iterator[Break]:
    """What breaks in the values of one parameter."""
    old, new = _list_types(before), _list_types(after)
    if not old <= new:
        yield Break(TYPE, path, _name_types(old), _name_types(new))
        return
    if _loses_values(before.schema, after.schema):
        yield Break(VALUES, path)
    if "object" in old:
        yield from _compare(before, after, f"{path}.", depth - 1)
    if "array" in old and depth > 1:
        items = before.inside(before.schema.get("items")), after.inside(after.schema.get("items"))
        yield from _compare_values(*items, f"{path}[]", depth - 1)


def _list_types(side: _Side) -> frozenset[str]:
    """Every type that is allowed; a whole number counts as a number too."""
    types = _read_types(side, MAX_DEPTH)
    return types | {"integer"} if "number" in types else types


def _read_types(side: _Side, depth: int) -> frozenset[str]:
    stated = side.schema.get("type")
    stated = [stated] if isinstance(stated, str) else stated
    if isinstance(stated, list):
        return frozenset(name for name in stated if isinstance(name, str)) & ANYTHING or ANYTHING
    choices = side.schema.get("anyOf") or side.schema.get("oneOf")
    if depth and isinstance(choices, list) and choices:
        return frozenset().union(*(_read_types(side.inside(choice), depth - 1) for choice in choices[:MAX_BREAKS]))
    return ANYTHING


def _name_types(types: frozenset[str]) -> str:
    if types == ANYTHING:
        return "any"
    return " | ".join(sorted(types - {"integer"} if "number" in types else types))


def _loses_values(before: dict, after: dict) -> bool:
    """Whether a value that was among the allowed ones is no longer; a list where there was none allows fewer."""
    if not isinstance(after.get("enum"), list):
        return False
    return not isinstance(before.get("enum"), list) or not _list_values(before) <= _list_values(after)


def _list_values(schema: dict) -> set[tuple[type, Any]]:
    """Texts, numbers and the like; with their types, because 1 is not true."""
    return {(type(value), value) for value in schema["enum"] if isinstance(value, str | int | float | None)}
