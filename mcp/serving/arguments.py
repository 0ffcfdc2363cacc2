"""Checking a tool's arguments against its input schema, for the part of JSON Schema 2020-12 that our tools use.

Each problem is a sentence that lets a model call again correctly.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

# What a schema of ours may say; a test holds every tool to it, so that no rule is declared and then not kept.
KEYWORDS = {
    *("type", "title", "description", "default", "enum", "properties", "required", "additionalProperties", "items"),
    *("minItems", "maxItems", "minLength", "maxLength", "pattern", "minimum", "maximum"),
}
_NAMES = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}
_SHOWN = 80  # characters of a name that a caller made up


def check_arguments(schema: Mapping[str, Any], arguments: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The arguments with defaults filled in, and the problems found; with a problem the arguments are of no use."""
    problems: list[str] = []
    return _check_object(schema, arguments, "", problems), problems


def _check_object(schema: Mapping[str, Any], value: dict[str, Any], path: str, problems: list[str]) -> dict[str, Any]:
    properties = schema.get("properties", {})
    checked = {}
    for name, part in properties.items():
        if name in value:
            checked[name] = _check_value(part, value[name], f"{path}{name}", problems)
        elif name in schema.get("required", ()):
            problems.append(f"{path}{name} is missing")
        elif "default" in part:
            checked[name] = part["default"]
    for name in value.keys() - properties.keys():
        if schema.get("additionalProperties") is False:
            known = ", ".join(properties) or "none"
            problems.append(f"{path}{name[:_SHOWN]} is not an argument; there are: {known}")
        else:
            checked[name] = value[name]
    return checked


def _check_value(schema: Mapping[str, Any], value: Any, path: str, problems: list[str]) -> Any:
    kind = schema["type"]
    if not _IS_KIND[kind](value):
        problems.append(f"{path} must be {_NAMES[kind]}")
        return value
    if "enum" in schema and value not in schema["enum"]:
        problems.append(f"{path} must be one of: {', '.join(map(str, schema['enum']))}")
    if kind == "object":
        return _check_object(schema, value, f"{path}.", problems)
    if kind == "array":
        _check_range(
            len(value), schema.get("minItems"), schema.get("maxItems"), f"{path} must have {{}} entries", problems
        )
        return [_check_value(schema["items"], item, f"{path}[{place}]", problems) for place, item in enumerate(value)]
    if kind == "string":
        lengths = schema.get("minLength"), schema.get("maxLength")
        _check_range(len(value), *lengths, f"{path} must have {{}} characters", problems)
        if "pattern" in schema and not re.search(schema["pattern"], value):
            problems.append(f"{path} must look like {schema['pattern']}")
    if kind in ("integer", "number"):
        _check_range(value, schema.get("minimum"), schema.get("maximum"), f"{path} must be {{}}", problems)
    return int(value) if kind == "integer" else value


def _check_range(number, low, high, sentence: str, problems: list[str]) -> None:
    if low is not None and number < low:
        problems.append(sentence.format(f"at least {low}"))
    if high is not None and number > high:
        problems.append(sentence.format(f"at most {high}"))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_IS_KIND: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: _is_number(value) and value == int(value),  # 3.0 is a whole number in JSON Schema
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
