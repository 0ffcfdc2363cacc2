"""Reading JSON that a stranger sent: one meaning or none, and nothing that the rest of the code cannot carry."""

import json
import math
from typing import Any

MAX_DEPTH = 64


class NotJson(ValueError):
    """The bytes are no JSON, or hold numbers and nesting that we do not take. The message is safe to send back."""


class Ambiguous(ValueError):
    """JSON whose members or characters two readers would understand differently. The message is safe to send back."""


def read_json(body: bytes) -> Any:
    """Raises NotJson or Ambiguous. Integers are exact; floats are finite."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise NotJson("the body is not UTF-8") from None
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise NotJson("the body is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise NotJson(f"the body is not JSON: {error.msg} at character {error.pos}") from None
    except Ambiguous:
        raise
    except ValueError:  # also an integer of more digits than Python reads
        raise NotJson("the body holds a number that cannot be read") from None
    _check_values(value)
    return value


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Ambiguous("an object names a member twice")
    return members


def _read_float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("too large")
    return number


def _refuse_constant(name: str):
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_read_object, parse_float=_read_float, parse_constant=_refuse_constant, strict=True
)


def _check_values(value: Any) -> None:
    """Depth and characters, level by level: a walk that calls itself could be nested to death."""
    level = [value]
    for _ in range(MAX_DEPTH):
        below = []
        for item in level:
            if isinstance(item, dict):
                below += item.keys()
                below += item.values()
            elif isinstance(item, list):
                below += item
            elif isinstance(item, str) and not _is_text(item):
                raise Ambiguous("a string holds half of a character or the character NUL")
        if not below:
            return
        level = below
    raise NotJson("the body is nested too deeply")


def _is_text(string: str) -> bool:
    return "\0" not in string and not any("\ud800" <= character <= "\udfff" for character in string)
