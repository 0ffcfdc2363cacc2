"""Parameters of a tool as its JSON Schema says them, whatever it looks like."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp.registry.tool_schemas import MAX_ROWS, list_parameters


def kinds(properties: dict, **schema) -> dict[str, str]:
    rows, _is_cut = list_parameters({"type": "object", "properties": properties, **schema})
    return {row.name: row.kind for row in rows}


def test_a_parameter_has_its_type_its_words_and_whether_it_must_be_given():
    rows, is_cut = list_parameters(
        {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Name of the city"},
                "days": {"type": "integer", "default": 3, "minimum": 1, "maximum": 10},
                "unit": {"enum": ["C", "F"], "default": "C"},
            },
            "required": ["city"],
        }
    )

    city, days, unit = rows
    assert (city.name, city.kind, city.is_required, city.description) == ("city", "string", True, "Name of the city")
    assert (days.kind, days.is_required, days.default, days.limits) == ("integer", False, "3", "1 … 10")
    assert (unit.kind, unit.choices, unit.default) == ("string", ("C", "F"), "C")
    assert not is_cut


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": ["string", "null"]}, "string | null"),
        ({"type": "string", "format": "date"}, "string (date)"),
        ({"type": "array", "items": {"type": "string"}}, "array of string"),
        ({"type": "array"}, "array"),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "string | integer"),
        ({"oneOf": [{"const": "a"}, {"const": 1}]}, "string | integer"),
        ({"const": True}, "boolean"),
        ({"$ref": "#/$defs/Unit"}, "string"),
        ({"allOf": [{"$ref": "#/$defs/Unit"}], "description": "Which"}, "string"),
        ({"$ref": "#/definitions/gone"}, "any"),
        ({"$ref": "https://elsewhere.example/schema"}, "any"),
        ({}, "any"),
        (True, "any"),
    ],
)
def test_types_are_named_as_people_read_them(schema, kind):
    assert kinds({"x": schema}, **{"$defs": {"Unit": {"type": "string"}}}) == {"x": kind}


def test_what_is_inside_an_object_or_a_list_of_objects_follows_it():
    properties = {
        "filter": {"type": "object", "properties": {"tag": {"type": "string"}}, "required": ["tag"]},
        "points": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "number"}}}},
        "either": {"oneOf": [{"type": "string"}, {"type": "object", "properties": {"id": {"type": "integer"}}}]},
    }

    rows, _is_cut = list_parameters({"properties": properties})

    assert [(row.name, row.depth, row.kind, row.is_required) for row in rows] == [
        ("filter", 0, "object", False),
        ("filter.tag", 1, "string", True),
        ("points", 0, "array of object", False),
        ("points[].x", 1, "number", False),
        ("either", 0, "string | object", False),
        ("either.id", 1, "integer", False),
    ]


def test_all_of_adds_up():
    rows, _is_cut = list_parameters(
        {
            "properties": {"a": {"type": "string"}},
            "allOf": [{"properties": {"b": {"type": "string"}}, "required": ["b"]}, {"required": ["a"]}],
        }
    )

    assert {row.name: row.is_required for row in rows} == {"a": True, "b": True}


def test_a_schema_that_contains_itself_comes_to_an_end():
    tree = {"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}}

    rows, is_cut = list_parameters(tree)

    assert (len(rows), is_cut) == (MAX_ROWS, True)
    assert list_parameters({"properties": {"x": {"$ref": "#/properties/x"}}})[0][0].kind == "any"


def test_a_wide_schema_is_cut_and_says_so():
    rows, is_cut = list_parameters({"properties": {f"p{number}": {} for number in range(10_000)}})

    assert (len(rows), is_cut) == (MAX_ROWS, True)


def test_a_schema_that_multiplies_itself_is_looked_into_so_far_and_no_further():
    many = {"anyOf": [{"$ref": "#/properties/x"}] * 20, "properties": {"y": {"$ref": "#/properties/x"}}}

    rows, _is_cut = list_parameters({"properties": {"x": many, **{f"p{number}": many for number in range(50)}}})

    assert 0 < len(rows) <= MAX_ROWS


def test_names_and_texts_lose_what_cannot_be_seen():
    rows, _is_cut = list_parameters({"properties": {"a\u202eb": {"description": "x\u2066y", "default": "z\u0000"}}})

    assert [(row.name, row.description, row.default) for row in rows] == [("ab", "xy", "z")]


WORDS = ["type", "properties", "required", "items", "anyOf", "oneOf", "allOf", "$ref", "enum", "const", "default"]
WORDS += ["description", "title", "format", "minimum", "maximum", "additionalProperties", "$defs", "definitions"]
SCRAPS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
SCRAPS |= st.sampled_from(["object", "array", "string", "#", "#/$defs/a", "#/properties/a", "#//"])
SCHEMAS = st.recursive(
    SCRAPS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*WORDS, "a", "b"]) | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=40,
)


@given(SCHEMAS)
def test_no_json_whatever_makes_it_fail(schema):
    rows, _is_cut = list_parameters(schema)

    assert len(rows) <= MAX_ROWS
    assert all(row.name and row.kind for row in rows)


@given(SCHEMAS)
def test_no_properties_whatever_make_it_fail(schema):
    list_parameters({"type": "object", "properties": {"a": schema, "b": {"items": schema}}, "$defs": {"a": schema}})
