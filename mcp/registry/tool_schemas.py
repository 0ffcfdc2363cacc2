"""A tool's `inputSchema` as rows of a table. Source: JSON Schema 2020-12, and draft-07 where servers still write it.

Schemas are somebody else's and may be anything that JSON can say: nothing here raises, and all of it has an end.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from mcp.foreign_text import clean_line, clean_text

MAX_ROWS = 80
MAX_DEPTH = 5
MAX_REFERENCES = 10  # from one to the next
MAX_CHOICES = 20
MAX_PARTS = 20  # of an `anyOf` or its like
MAX_TYPES = 5
MAX_STEPS = 1_000  # schemas looked into for one tool: a few lines of JSON can say 5 ** 5 of them
NAME_LENGTH = 80
VALUE_LENGTH = 60
DESCRIPTION_LENGTH = 600


@dataclass(frozen=True)
class Parameter:
    """name: with those around it, `filter.tags[]`. kind: in the schema's own words, `array of string`.

    choices: the values it may have. limits: bounds on its value or length, `1 … 100`. default: None where there is
    none.
    """

    name: str
    depth: int
    kind: str
    is_required: bool
    description: str
    choices: tuple[str, ...] = ()
    default: str | None = None
    limits: str = ""


def list_parameters(schema: object) -> tuple[list[Parameter], bool]:
    """What a call takes, outer ones before inner ones, and whether there were more than are shown."""
    rows = []
    for row in _walk(_Schema(schema, _Document(_dict(schema))), "", 0):
        if len(rows) == MAX_ROWS:
            return rows, True
        rows.append(row)
    return rows, False


@dataclass
class _Document:
    root: dict
    step_count: int = 0

    def find(self, reference: object) -> object:
        """What a reference inside the document points to; others are not fetched."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            return None
        found = self.root
        for step in reference[1:].split("/")[1:20]:
            step = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, dict) or step not in found:
                return None
            found = found[step]
        return found


class _Schema:
    """A schema inside a document, with its references followed. Once the document has cost enough, it says nothing."""

    def __init__(self, value: object, document: _Document):
        self.document = document
        document.step_count += 1
        self.value = self._follow(value) if document.step_count <= MAX_STEPS else {}

    def _follow(self, value: object) -> dict:
        """The schema with what `$ref` and `allOf` add; its own words win."""
        seen = {}
        for _step in range(MAX_REFERENCES):
            if not isinstance(value, dict):
                break
            seen = {**value, **seen}
            parts = value.get("allOf")
            if "$ref" not in value and isinstance(parts, list) and len(parts) == 1:
                value = parts[0]
            else:
                value = self.document.find(value.get("$ref"))
        return seen

    def child(self, value: object) -> "_Schema":
        return _Schema(value, self.document)

    def list_parts(self, word: str) -> list["_Schema"]:
        parts = self.value.get(word)
        return [self.child(part) for part in parts[:MAX_PARTS]] if isinstance(parts, list) else []

    @property
    def properties(self) -> dict[str, object]:
        """Its own, and those of the schemas that must all hold as well."""
        found = {}
        for part in self.list_parts("allOf"):
            found |= _dict(part.value.get("properties"))
        return found | _dict(self.value.get("properties"))

    @property
    def required(self) -> set[str]:
        lists = [self.value.get("required"), *(part.value.get("required") for part in self.list_parts("allOf"))]
        return {name for names in lists if isinstance(names, list) for name in names if isinstance(name, str)}

    @property
    def choices(self) -> list[object]:
        if isinstance(self.value.get("enum"), list):
            return self.value["enum"]
        if "const" in self.value:
            return [self.value["const"]]
        constants = [part.value for part in [*self.list_parts("anyOf"), *self.list_parts("oneOf")]]
        return [each["const"] for each in constants] if constants and all("const" in each for each in constants) else []


def _walk(schema: _Schema, around: str, depth: int) -> Iterator[Parameter]:
    required = schema.required
    for name, value in schema.properties.items():
        child = schema.child(value)
        shown = f"{around}{clean_line(str(name), NAME_LENGTH) or '?'}"
        yield _describe(child, shown, depth=depth, is_required=name in required)
        if depth < MAX_DEPTH:
            for inner, suffix in _list_insides(child):
                yield from _walk(inner, f"{shown}{suffix}.", depth + 1)


def _list_insides(schema: _Schema) -> list[tuple[_Schema, str]]:
    """Schemas below this one that may have properties, and how a path says so."""
    insides = [(schema, "")]
    items = schema.value.get("items")
    if isinstance(items, dict):
        insides += [(inner, f"[]{suffix}") for inner, suffix in [(schema.child(items), "")] if inner.properties]
    values = schema.value.get("additionalProperties")
    if isinstance(values, dict):
        insides.append((schema.child(values), ".*"))
    for word in ("anyOf", "oneOf"):
        insides += [(part, "") for part in schema.list_parts(word) if part.properties]
    return [(inner, suffix) for inner, suffix in insides if inner.properties]


def _describe(schema: _Schema, name: str, *, depth: int, is_required: bool) -> Parameter:
    value = schema.value
    choices = schema.choices
    shown = [_show(choice) for choice in choices[:MAX_CHOICES]]
    return Parameter(
        name=name,
        depth=depth,
        kind=_name_kind(schema, 0),
        is_required=is_required,
        description=clean_text(value.get("description") or value.get("title"), DESCRIPTION_LENGTH),
        choices=tuple(shown + ["…"] * (len(choices) > MAX_CHOICES)),
        default=_show(value["default"]) if "default" in value else None,
        limits=_list_limits(value),
    )


def _name_kind(schema: _Schema, depth: int) -> str:
    """The type, `string | null` where it may be several; `any` where the schema does not say."""
    value = schema.value
    types = value.get("type")
    names = [types] if isinstance(types, str) else types if isinstance(types, list) else []
    kinds = [_name_one(schema, clean_line(name, 20), depth) for name in names[:MAX_TYPES] if isinstance(name, str)]
    if not kinds and depth < MAX_DEPTH:
        parts = [*schema.list_parts("anyOf"), *schema.list_parts("oneOf")][:MAX_TYPES]
        kinds = [_name_kind(part, depth + 1) for part in parts]
    if not kinds and schema.properties:
        kinds = ["object"]
    if not kinds:
        kinds = [_type_of(choice) for choice in schema.choices[:MAX_CHOICES]]
    return " | ".join(dict.fromkeys(filter(None, kinds))) or "any"


def _name_one(schema: _Schema, name: str, depth: int) -> str:
    if name == "array" and isinstance(schema.value.get("items"), dict) and depth < MAX_DEPTH:
        inner = _name_kind(schema.child(schema.value["items"]), depth + 1)
        return f"array of {inner}" if inner != "any" else "array"
    form = clean_line(schema.value.get("format"), 20)
    return f"{name} ({form})" if form and name == "string" else name


def _type_of(value: object) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


def _list_limits(value: dict) -> str:
    """`1 … 100`, `≤ 20`; what is no number says nothing."""
    for low_words, high_words in [
        (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")),
        (("minLength",), ("maxLength",)),
        (("minItems",), ("maxItems",)),
    ]:
        low, high = _number(value, low_words), _number(value, high_words)
        if low and high:
            return f"{low} … {high}"
        if low or high:
            return f"≥ {low}" if low else f"≤ {high}"
    return ""


def _number(value: dict, words: tuple[str, ...]) -> str:
    for word in words:
        number = value.get(word)
        if type(number) in (int, float):
            return clean_line(_show(number), 24)
    return ""


def _show(value: object) -> str:
    """A value as JSON, in one line; a text without its quotes unless it would look like nothing."""
    if isinstance(value, str) and value.strip():
        return clean_line(value, VALUE_LENGTH)
    try:
        return clean_line(json.dumps(value, ensure_ascii=False), VALUE_LENGTH)
    except (ValueError, RecursionError):
        return "…"


def _dict(value: object) -> dict:
    return value if isinstance(value, dict) else {}
