"""The JSON Schema that Anthropic's models are held to."""

import enum
from datetime import date
from typing import Any, Literal, Optional

import anthropic
import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from toolkit.providers.wire.claude_schema import claude_schema


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Street(BaseModel):
    name: str = Field(min_length=2, description="As on the sign.")
    number: int | None = None


class City(BaseModel):
    """A city."""

    name: str
    founded: date
    streets: list[Street] = Field(min_length=1, max_length=9)
    colour: Colour = Colour.RED
    kind: Literal["city", "town"] = "city"
    size: float = Field(gt=0)
    twin: Optional["Street"] = None
    place: tuple[float, float] = (0.0, 0.0)


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Pet(BaseModel):
    animal: Cat | Dog = Field(discriminator="kind")


ANSWER = {
    "name": "Bern",
    "founded": "1191-01-01",
    "streets": [{"name": "Kramgasse", "number": 49}],
    "colour": "blue",
    "kind": "city",
    "size": 51.6,
    "twin": None,
    "place": [46.9, 7.4],
}


def nodes(schema: Any) -> list[dict[str, Any]]:
    inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    return ([schema] if isinstance(schema, dict) else []) + [node for value in inner for node in nodes(value)]


def test_an_answer_that_fits_the_form_fits_what_the_model_is_held_to() -> None:
    Draft202012Validator(claude_schema(City.model_json_schema())).validate(ANSWER)


@pytest.mark.parametrize(
    "change", [{"name": None}, {"colour": "green"}, {"streets": []}, {"kind": "village"}, {"x": 1}]
)
def test_an_answer_of_another_form_does_not(change: dict[str, Any]) -> None:
    assert not Draft202012Validator(claude_schema(City.model_json_schema())).is_valid(ANSWER | change)


def test_nothing_is_in_it_that_anthropic_refuses() -> None:
    schema = claude_schema(City.model_json_schema())
    keys = {key for node in nodes(schema) for key in node} - {"name", "number", *City.model_fields, "Street", "Colour"}
    assert keys <= {
        *("$defs", "$ref", "type", "properties", "required", "additionalProperties", "items", "minItems"),
        *("anyOf", "enum", "const", "format", "title", "description"),
    }
    assert all(node["additionalProperties"] is False for node in nodes(schema) if node.get("type") == "object")


def test_what_the_model_cannot_be_held_to_is_told_in_the_description() -> None:
    schema = claude_schema(City.model_json_schema())
    assert schema["$defs"]["Street"]["properties"]["name"]["description"] == "As on the sign. (minLength: 2)"
    assert schema["properties"]["size"]["description"] == "exclusiveMinimum: 0"
    assert schema["properties"]["streets"]["description"] == "maxItems: 9"


def test_a_choice_by_a_field_is_a_choice() -> None:
    validator = Draft202012Validator(claude_schema(Pet.model_json_schema()))
    assert validator.is_valid({"animal": {"kind": "dog"}})
    assert not validator.is_valid({"animal": {"kind": "bird"}})


def test_a_list_of_types_is_a_choice_between_them() -> None:
    schema = {
        "type": "object",
        "properties": {"x": {"type": ["integer", "null"], "minimum": 3, "description": "How many."}},
        "required": ["x"],
    }
    assert claude_schema(schema)["properties"]["x"] == {
        "anyOf": [{"type": "integer", "description": "minimum: 3"}, {"type": "null"}],
        "description": "How many.",
    }


def test_a_property_may_be_called_like_a_word_of_json_schema() -> None:
    schema = {"type": "object", "properties": {"$ref": {"type": "string"}, "default": {"type": "string"}}}
    assert claude_schema(schema)["properties"] == schema["properties"]


def test_the_form_itself_is_left_as_it_is() -> None:
    schema = City.model_json_schema()
    claude_schema(schema)
    assert schema == City.model_json_schema()


def test_the_sdks_own_translation_is_the_same_but_for_the_words() -> None:
    def bare(schema: Any) -> Any:
        if isinstance(schema, list):
            return [bare(inner) for inner in schema]
        if not isinstance(schema, dict):
            return schema
        return {key: bare(value) for key, value in schema.items() if key != "description"}

    for form in (Street, Pet):
        schema = form.model_json_schema()
        assert bare(claude_schema(schema)) == bare(anthropic.transform_schema(schema))


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "the answer has free keys"),
        ({"type": "object"}, "the answer has free keys"),
        ({"type": "object", "properties": {"x": {}}}, "x may be anything"),
        ({"type": "object", "properties": {"x": {"type": "array"}}}, "each of x may be anything"),
        ({"type": "object", "properties": {"x": {"enum": [{"a": 1}]}}}, "x is a choice of more than"),
        ({"type": "object", "properties": {"x": {"allOf": [{"type": "string"}, {"type": "null"}]}}}, "several forms"),
        ({"$ref": "#/$defs/A"}, "#/\\$defs/A is not in it"),
        (
            {
                "$ref": "#/$defs/A",
                "$defs": {"A": {"type": "object", "properties": {"next": {"$ref": "#/$defs/A"}}}},
            },
            "contains itself",
        ),
    ],
)
def test_a_form_that_the_models_cannot_be_told_is_refused_with_the_reason(schema: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        claude_schema(schema)
