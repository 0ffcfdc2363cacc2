"""What an answer of the registry's API must look like: the facts of server.json (schema 2025-12-11) and of the
registry's OpenAPI (2025-12-01), written down again and held stricter where this registry promises more."""

from jsonschema import Draft7Validator

URL = r"^https://([a-z0-9._-]+|\[[0-9a-f:]+\])(:\d+)?(/[^\s{}@#]*)?$"
OUR_URL = r"^https?://[^\s{}]+$"
TIME = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$"
LINE = r"^[^\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+$"
STATES = ["working", "slow", "down", "sign_in", "configuration", "off", "unchecked"]

HEADER = {
    "type": "object",
    "required": ["name", "isRequired", "isSecret"],
    "properties": {
        "name": {"type": "string", "pattern": r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"},
        "description": {"type": "string", "pattern": LINE},
        "isRequired": {"type": "boolean"},
        "isSecret": {"type": "boolean"},
    },
    "additionalProperties": False,  # neither `value` nor `default`
}
REMOTE = {
    "type": "object",
    "required": ["type", "url"],
    "properties": {
        "type": {"enum": ["streamable-http", "sse"]},
        "url": {"type": "string", "pattern": URL},
        "headers": {"type": "array", "minItems": 1, "items": HEADER},
    },
    "additionalProperties": False,
}
SERVER = {
    "type": "object",
    "required": ["$schema", "name", "title", "description", "version", "websiteUrl"],
    "properties": {
        "$schema": {"const": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"},
        "name": {"type": "string", "minLength": 3, "maxLength": 200, "pattern": r"^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$"},
        "title": {"type": "string", "minLength": 1, "maxLength": 100, "pattern": LINE},
        "description": {"type": "string", "minLength": 1, "maxLength": 100, "pattern": LINE},
        "version": {
            "type": "string",
            "maxLength": 255,
            "pattern": r"^[0-9A-Za-z][0-9A-Za-z.+_-]*$",
            "not": {"pattern": r"^[lL][aA][tT][eE][sS][tT]$|(^|\.)[xX*](\.|$)"},
        },
        "websiteUrl": {"type": "string", "pattern": OUR_URL},
        "remotes": {"type": "array", "minItems": 1, "maxItems": 1, "items": REMOTE},
    },
    "additionalProperties": False,
}
OFFICIAL = {
    "type": "object",
    "required": ["status", "statusChangedAt", "publishedAt", "updatedAt", "isLatest"],
    "properties": {
        "status": {"enum": ["active", "deprecated", "deleted"]},
        "statusMessage": {"type": "string", "minLength": 1, "maxLength": 500},
        "statusChangedAt": {"type": "string", "pattern": TIME},
        "publishedAt": {"type": "string", "pattern": TIME},
        "updatedAt": {"type": "string", "pattern": TIME},
        "isLatest": {"const": True},
    },
    "additionalProperties": False,
}
HEALTH = {
    "type": "object",
    "required": ["status", "isStale"],
    "properties": {
        "status": {"enum": STATES},
        "isStale": {"type": "boolean"},
        "checkedAt": {"type": "string", "pattern": TIME},
        "latencyMs": {"type": "integer", "minimum": 0},
        "protocolVersion": {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
        "toolCount": {"type": "integer", "minimum": 0},
        "uptime30d": {"type": "number", "minimum": 0, "maximum": 100},
    },
    "additionalProperties": False,
}
SERVER_RESPONSE = {
    "type": "object",
    "required": ["server", "_meta"],
    "properties": {
        "server": SERVER,
        "_meta": {
            "type": "object",
            "required": ["io.modelcontextprotocol.registry/official", "localhost/health"],
            "properties": {"io.modelcontextprotocol.registry/official": OFFICIAL, "localhost/health": HEALTH},
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}
SERVER_LIST = {
    "type": "object",
    "required": ["servers", "metadata"],
    "properties": {
        "servers": {"type": "array", "maxItems": 100, "items": SERVER_RESPONSE},
        "metadata": {
            "type": "object",
            "required": ["count"],
            "properties": {
                "count": {"type": "integer", "minimum": 0, "maximum": 100},
                "nextCursor": {"type": "string", "minLength": 1},
            },
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}
ERROR = {
    "type": "object",
    "required": ["error", "title", "status", "detail"],
    "properties": {
        "error": {"type": "string", "minLength": 1},
        "title": {"type": "string", "minLength": 1},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "minLength": 1},
    },
    "additionalProperties": False,
}


def validate(data: dict, schema: dict) -> dict:
    """The data itself; raises jsonschema.ValidationError."""
    Draft7Validator(schema).validate(data)
    return data
