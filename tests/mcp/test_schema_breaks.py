"""Which changes of a tool's parameters break a prompt, and which do not."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp.tools.schema_breaks import ANYTHING, MAX_BREAKS, Break, find_breaks

SEARCH = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "description": "What to look for."},
        "limit": {"type": "integer", "default": 10},
        "order": {"enum": ["new", "old"]},
        "place": {"type": "object", "properties": {"city": {"type": "string"}}},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["query"],
}

names = st.text(min_size=1, max_size=8)
types = st.sampled_from(sorted(ANYTHING)) | st.lists(st.sampled_from(sorted(ANYTHING)), min_size=1, max_size=3)
parameters = st.fixed_dictionaries(
    {}, optional={"type": types, "description": st.text(max_size=20), "enum": st.lists(st.integers(0, 3), min_size=1)}
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "properties", "required", "enum", "items", "anyOf", "$ref", "a", "#/a"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@st.composite
def schemas(draw):
    properties = draw(st.dictionaries(names, parameters, min_size=1, max_size=5))
    required = draw(st.lists(st.sampled_from(sorted(properties)), unique=True))
    return {"type": "object", "properties": properties, "required": required}


def change(**parts) -> dict:
    """The schema of the search with some of its parameters replaced."""
    changed = copy.deepcopy(SEARCH)
    changed["properties"] |= parts
    return changed


@pytest.mark.parametrize(
    ("after", "breaks"),
    [
        (change(query={"type": "integer"}), [Break("type", "query", "string", "integer")]),
        (change(query={"type": ["string", "null"]}), []),
        (change(limit={"type": "number"}), []),
        (change(query={}), []),
        (change(query={"anyOf": [{"type": "string"}, {"type": "null"}]}), []),
        (
            change(query={"anyOf": [{"type": "number"}, {"type": "null"}]}),
            [Break("type", "query", "string", "null | number")],
        ),
        (change(order={"enum": ["new", "old", "best"]}), []),
        (change(order={"enum": ["new"]}), [Break("values", "order")]),
        (change(limit={"type": "integer", "enum": [1, 2]}), [Break("values", "limit")]),
        (
            change(place={"type": "object", "properties": {"town": {"type": "string"}}}),
            [Break("removed", "place.city")],
        ),
        (change(place={"type": "object"}), []),
        (change(tags={"type": "array", "items": {"type": "number"}}), [Break("type", "tags[]", "string", "number")]),
        (SEARCH | {"required": ["query", "limit"]}, [Break("required", "limit")]),
        (SEARCH | {"required": []}, []),
        (
            SEARCH | {"required": ["query", "key"], "properties": change(key={})["properties"]},
            [Break("required", "key")],
        ),
        (change(page={"type": "integer"}), []),
        ({"type": "object"}, [Break("removed", name) for name in SEARCH["properties"]]),
        ({}, []),
    ],
)
def test_a_prompt_breaks_where_less_is_taken_or_more_is_asked(after, breaks):
    assert find_breaks(SEARCH, after) == breaks


def test_a_reference_stands_for_what_it_leads_to():
    color = {"$defs": {"Color": {"enum": ["red", "blue"]}}}
    before = color | {"properties": {"color": {"$ref": "#/$defs/Color"}}}
    after = {"$defs": {"Color": {"enum": ["red"]}}, "properties": {"color": {"$ref": "#/$defs/Color"}}}

    assert find_breaks(before, after) == [Break("values", "color")]


def test_a_reference_in_a_circle_ends():
    loop = {"properties": {"a": {"$ref": "#/properties/b"}, "b": {"$ref": "#/properties/a"}}}
    nested = {"properties": {"node": {"$ref": "#"}}}

    assert find_breaks(loop, loop) == find_breaks(nested, nested) == []


def test_references_that_multiply_a_small_schema_end():
    wide = {"properties": {f"p{number}": {"$ref": "#"} for number in range(200)}}
    choices = {"anyOf": [{"$ref": "#/properties/a"}] * 20}

    assert find_breaks(wide, wide) == find_breaks({"properties": {"a": choices}}, {"properties": {"a": choices}}) == []


def test_the_list_ends_somewhere():
    many = {"properties": {f"p{number}": {} for number in range(100)}}

    assert len(find_breaks(many, {"type": "object"})) == MAX_BREAKS


@given(schemas())
def test_nothing_breaks_beside_itself(schema):
    assert find_breaks(schema, copy.deepcopy(schema)) == []


@given(schemas(), names, parameters)
def test_a_new_optional_parameter_breaks_nothing(schema, name, parameter):
    after = copy.deepcopy(schema)
    after["properties"].setdefault(name, parameter)

    assert find_breaks(schema, after) == []


@given(schemas(), st.text(max_size=30))
def test_words_break_nothing(schema, text):
    after = copy.deepcopy(schema) | {"title": text, "description": text}
    for parameter in after["properties"].values():
        parameter |= {"description": text, "title": text, "examples": [text]}

    assert find_breaks(schema, after) == []


@given(schemas(), st.data())
def test_a_parameter_that_is_gone_is_named(schema, data):
    gone = data.draw(st.sampled_from(sorted(schema["properties"])))
    after = copy.deepcopy(schema)
    del after["properties"][gone]
    after["required"] = [name for name in after["required"] if name != gone]

    assert find_breaks(schema, after) == [Break("removed", gone)]


@given(schemas(), st.data())
def test_a_parameter_that_becomes_required_is_named(schema, data):
    wanted = data.draw(st.sampled_from(sorted(schema["properties"])))
    before = schema | {"required": [name for name in schema["required"] if name != wanted]}

    assert find_breaks(before, schema | {"required": [*before["required"], wanted]}) == [Break("required", wanted)]


@given(json_values, json_values)
def test_whatever_a_server_sends_is_compared_without_an_error(before, after):
    assert len(find_breaks(before, after)) <= MAX_BREAKS
