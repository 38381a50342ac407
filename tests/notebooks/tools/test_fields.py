from typing import Any

import pytest

from notebooks.tools.fields import ABSENT, Choice, Field, InJson, Lines, LongText, Number, Secret, Tick, YesNo, field_of
from notebooks.tools.shape import hint, properties_of
from toolkit.messages import Json


def field(schema: Json, name: str = "it", *, required: bool = False) -> Field:
    return field_of(name, schema, required=required)


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string"}, Field),
        ({"type": "string", "maxLength": 5000}, LongText),
        ({"type": "string", "format": "password"}, Secret),
        ({"enum": ["a", 1, None]}, Choice),
        ({"type": "boolean"}, YesNo),
        ({"type": "boolean", "default": False}, Tick),
        ({"type": "integer", "minimum": 1}, Number),
        ({"type": "number"}, Number),
        ({"type": "array", "items": {"type": "string"}}, Lines),
        ({"type": "array", "items": {"type": "object"}}, InJson),
        ({"type": "object"}, InJson),
        ({"type": ["string", "integer"]}, InJson),
        ({}, InJson),
    ],
)
def test_a_schema_gets_the_field_that_it_asks_for(schema: Json, kind: type[Field]) -> None:
    assert type(field(schema)) is kind


def test_a_text_whose_name_is_that_of_long_texts_has_several_lines() -> None:
    assert type(field({"type": "string"}, "source_code")) is LongText
    assert type(field({"type": "string", "maxLength": 40}, "text")) is Field


@pytest.mark.parametrize(
    ("schema", "written", "value"),
    [
        ({"type": "string"}, "", ABSENT),
        ({"type": "string"}, " 5 ", " 5 "),
        ({"type": "integer"}, "5", 5),
        ({"type": "integer"}, "5.5", 5.5),
        ({"type": "integer"}, "five", "five"),
        ({"type": "integer"}, "true", "true"),
        ({"type": "number"}, "NaN", "NaN"),
        ({"type": "number"}, "1e999", "1e999"),
        ({"type": "array", "items": {"type": "integer"}}, "1\n\n x \n", [1, "x"]),
        ({"type": "array", "items": {"type": "boolean"}}, "yes\nFalse\nmaybe", [True, False, "maybe"]),
        ({"type": "object"}, '{"a": [1]}', {"a": [1]}),
        ({"type": "object"}, "{a", "{a"),
        ({}, "[" * 100_000, "[" * 100_000),
    ],
)
def test_what_is_written_is_read_and_what_cannot_be_read_is_handed_on(schema: Json, written: str, value: Any) -> None:
    made = field(schema)
    made.widget.value = written
    assert made.value == value


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "x"),
        ({"type": "integer"}, -3),
        ({"enum": [1, True, "1", None]}, True),
        ({"enum": [[1], {"a": 1}]}, {"a": 1}),
        ({"type": "boolean"}, False),
        ({"type": "boolean", "default": True}, False),
        ({"type": "array", "items": {"type": "string"}}, ["a", "b"]),
        ({"type": "object"}, {"a": {"b": None}}),
    ],
)
def test_what_is_filled_in_is_what_the_call_gets(schema: Json, value: Any) -> None:
    made = field(schema)
    assert made.value is ABSENT
    made.fill(value)
    assert made.value == value
    assert type(made.value) is type(value)
    made.clear()
    assert made.value is ABSENT


def test_a_default_is_shown_and_left_out_of_the_call_unless_it_must_be_given() -> None:
    schema: Json = {"type": "integer", "default": 5}
    assert field(schema).widget.placeholder == "5"
    assert field(schema).value is ABSENT
    assert field(schema, required=True).value == 5
    choice = field({"enum": ["a", "b"], "default": "b"})
    assert (choice.widget.label, choice.value) == ("b", ABSENT)


def test_a_hint_says_what_may_be_written() -> None:
    assert hint({"type": "integer", "minimum": 1, "maximum": 50, "default": 5}) == "whole number, 1 to 50, default 5"
    assert hint({"type": "string", "format": "date", "examples": ["2026-01-31"]}) == "text (date), e.g. 2026-01-31"
    assert hint({"type": "array", "items": {"type": "number"}, "minItems": 2}) == "number, one per line, at least 2"


def test_references_and_optional_unions_are_made_plain_and_required_arguments_come_first() -> None:
    schema: Json = {
        "properties": {
            "a": {"anyOf": [{"$ref": "#/$defs/Colour"}, {"type": "null"}], "description": "Which"},
            "b": {"type": ["integer", "null"]},
            "c": {"$ref": "#/$defs/Endless"},
        },
        "required": ["b", "hidden"],
        "$defs": {"Colour": {"enum": ["red"]}, "Endless": {"$ref": "#/$defs/Endless"}},
    }
    found = {name: (own, must) for name, own, must in properties_of(schema)}
    assert list(found) == ["b", "hidden", "a", "c"]
    assert found["a"] == ({"enum": ["red"], "description": "Which"}, False)
    assert found["b"] == ({"type": "integer"}, True)
    assert found["hidden"] == ({}, True)


def test_a_screen_reader_is_told_the_name_and_that_it_is_required() -> None:
    assert field({"type": "string"}, "query", required=True).widget.description == "query (required)"
    assert field({"type": "integer", "minimum": 1}, "top_k").widget.tooltip == "whole number, at least 1"
