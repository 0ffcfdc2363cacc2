"""What a server says of itself and of its tools and prompts, read from its answers into what a sighting holds.

Every field may be missing, of another type or hostile: it then counts as missing. Only a nameless entry is refused.
"""

import re
from collections.abc import Iterable
from typing import Any

from mcp.client.sightings import SeenPrompt, SeenTool
from mcp.foreign_text import clean_line, clean_text

MAX_NAME = 100  # of the server, and of titles
MAX_ITEM_NAME = 128  # of a tool, prompt or argument
MAX_DESCRIPTION = 2_000
MAX_INSTRUCTIONS = 1_000
MAX_ARGUMENTS = 50
MAX_SCHEMA_BYTES = 32 * 1024
MAX_SCHEMAS_BYTES = 256 * 1024  # of all tools together
MAX_SCHEMA_DEPTH = 24
HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")

_MIN_SECRET = 6  # shorter values (a region, a number) occur in ordinary text


class NamelessItem(ValueError):
    """An entry of a list is no object with a name: no client could use it."""


class TooLarge(ValueError):
    """A schema is larger or deeper than we keep."""


class OfferReader:
    """One for each server. secrets: what was sent to it and must not come back into a page, such as credentials."""

    def __init__(self, secrets: Iterable[str] = ()):
        parts = {part for secret in secrets for part in (secret, *secret.split()) if len(part) >= _MIN_SECRET}
        longest_first = sorted(parts - {"Bearer", "bearer"}, key=len, reverse=True)
        self._secret = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE) if longest_first else None
        self._reserve = len(longest_first[0]) + 1 if longest_first else 0
        self._schema_bytes_left = MAX_SCHEMAS_BYTES

    def line(self, value: Any, length: int) -> str:
        return self._clean(clean_line, value, length)

    def text(self, value: Any, length: int) -> str:
        return self._clean(clean_text, value, length)

    def _clean(self, clean, value: Any, length: int) -> str:
        if not self._secret:
            return clean(value, length)
        whole = clean(value, length + self._reserve)  # so that no secret is cut in two before it is found
        return clean(self._secret.sub("***", whole), length)

    def tool(self, item: Any) -> SeenTool:
        """Raises NamelessItem."""
        annotations = _dict(item.get("annotations")) if isinstance(item, dict) else {}
        return SeenTool(
            name=self._name(item),
            title=self.line(item.get("title") or annotations.get("title"), MAX_NAME),
            description=self.text(item.get("description"), MAX_DESCRIPTION),
            input_schema=self._schema(item.get("inputSchema")),
            annotations={hint: annotations[hint] for hint in HINTS if isinstance(annotations.get(hint), bool)},
        )

    def prompt(self, item: Any) -> SeenPrompt:
        """Raises NamelessItem."""
        name = self._name(item)
        arguments = item.get("arguments")
        entries = arguments[:MAX_ARGUMENTS] if isinstance(arguments, list) else []
        names = (self.line(_dict(entry).get("name"), MAX_ITEM_NAME) for entry in entries)
        return SeenPrompt(
            name=name,
            title=self.line(item.get("title"), MAX_NAME),
            description=self.text(item.get("description"), MAX_DESCRIPTION),
            arguments=tuple(filter(None, names)),
        )

    def identity(self, server_info: Any, instructions: Any) -> dict[str, str]:
        """The fields of a sighting that say who the server says it is."""
        info = _dict(server_info)
        return {
            "server_name": self.line(info.get("name"), MAX_NAME),
            "server_title": self.line(info.get("title"), MAX_NAME),
            "server_version": self.line(info.get("version"), MAX_NAME),
            "instructions": self.text(instructions, MAX_INSTRUCTIONS),
        }

    def _name(self, item: Any) -> str:
        name = self.line(_dict(item).get("name"), MAX_ITEM_NAME)
        if not name:
            raise NamelessItem
        return name

    def _schema(self, value: Any) -> dict:
        if not isinstance(value, dict):
            return {}
        try:
            size, copied = self._copy(value, depth=1, left=min(MAX_SCHEMA_BYTES, self._schema_bytes_left))
        except TooLarge:
            return {}
        self._schema_bytes_left -= size
        return copied

    def _copy(self, value: Any, *, depth: int, left: int) -> tuple[int, Any]:
        """Size (about that of its JSON, in bytes) and cleaned copy; stops as soon as more than `left` is needed."""
        if isinstance(value, str):
            copied = self.text(value, MAX_DESCRIPTION)
            return _spend(len(copied.encode()) + 2, left), copied
        if not isinstance(value, dict | list):
            return _spend(len(str(value)), left), value
        if depth > MAX_SCHEMA_DEPTH:
            raise TooLarge
        size = _spend(2, left)
        entries = []
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            name = self.line(key, MAX_ITEM_NAME)
            size += _spend(len(name.encode()) + 4, left - size)
            entry_size, copied = self._copy(entry, depth=depth + 1, left=left - size)
            size += entry_size
            entries.append((name, copied))
        return size, dict(entries) if isinstance(value, dict) else [copied for _, copied in entries]


def _dict(value: Any) -> dict:
    return value if isinstance(value, dict) else {}


def _spend(size: int, left: int) -> int:
    if size > left:
        raise TooLarge
    return size
