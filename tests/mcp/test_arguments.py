import pytest

from mcp.demo.demo_tools import TOOLS
from mcp.serving.arguments import KEYWORDS, check_arguments

SCHEMA = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "minLength": 1, "maxLength": 3, "pattern": "^[가-힣]+$"},
        "count": {"type": "integer", "minimum": 1, "maximum": 9, "default": 2},
        "share": {"type": "number"},
        "is_new": {"type": "boolean"},
        "order": {"type": "string", "enum": ["new", "old"]},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        "place": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
    "required": ["text"],
    "additionalProperties": False,
}


def test_arguments_that_fit_come_back_with_their_defaults():
    given = {"text": "가나", "share": 1, "tags": ["a"], "place": {"city": "서울", "more": 1}}

    assert check_arguments(SCHEMA, given) == ({**given, "count": 2}, [])


def test_a_whole_float_is_an_integer():
    assert check_arguments(SCHEMA, {"text": "가", "count": 3.0})[0]["count"] == 3


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "text is missing"),
        ({"text": 7}, "text must be a text"),
        ({"text": None}, "text must be a text"),
        ({"text": ""}, "text must have at least 1 characters"),
        ({"text": "가나다라"}, "text must have at most 3 characters"),
        ({"text": "abc"}, "text must look like ^[가-힣]+$"),
        ({"text": "가", "count": 1.5}, "count must be a whole number"),
        ({"text": "가", "count": True}, "count must be a whole number"),
        ({"text": "가", "count": 10**400}, "count must be at most 9"),
        ({"text": "가", "count": "3"}, "count must be a whole number"),
        ({"text": "가", "share": "half"}, "share must be a number"),
        ({"text": "가", "is_new": 1}, "is_new must be true or false"),
        ({"text": "가", "order": "best"}, "order must be one of: new, old"),
        ({"text": "가", "tags": ["a", "b", "c"]}, "tags must have at most 2 entries"),
        ({"text": "가", "tags": ["a", 1]}, "tags[1] must be a text"),
        ({"text": "가", "place": {}}, "place.city is missing"),
        ({"text": "가", "place": []}, "place must be an object"),
        (
            {"text": "가", "x" * 200: 1},
            f"{'x' * 80} is not an argument; there are: text, count, share, is_new, order, tags, place",
        ),
    ],
)
def test_each_problem_is_a_sentence(given, problem):
    assert problem in check_arguments(SCHEMA, given)[1]


def _parts(schema):
    yield schema
    for part in [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]:
        yield from _parts(part)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_a_tool_declares_no_rule_that_is_not_checked(tool):
    for part in _parts(tool.input_schema):
        assert part.keys() <= KEYWORDS
