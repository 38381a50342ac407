"""Schemas on their way into OpenAI's strict mode."""

from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, TypeAdapter

from toolkit.messages import Json
from toolkit.providers.wire.strict import strict


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    colour: Colour = Field(Colour.RED, description="Its coat.")


class Node(BaseModel):
    name: str
    left: "Node | None" = None
    children: "list[Node]" = []


class Everything(BaseModel):
    """All that strict mode can say."""

    title: str = Field(min_length=2, description="A heading.")
    count: int = Field(ge=1, le=5)
    day: date
    price: Decimal = Decimal(1)
    page: HttpUrl | None = None
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    either: int | str
    node: Node
    tags: set[str] = {"a"}
    mixed: Literal[1, "one"] | None = None


ANSWER = {
    "title": "Of cats",
    "count": 2,
    "day": "2026-01-31",
    "price": 1,
    "page": None,
    "pet": {"kind": "cat", "lives": 9},
    "either": "x",
    "node": {"name": "n", "left": {"name": "m", "left": None, "children": []}, "children": []},
    "tags": ["a"],
    "mixed": "one",
}


def nodes(schema: Any) -> list[Json]:
    """Every schema in a schema."""
    if isinstance(schema, list):
        return [node for each in schema for node in nodes(each)]
    if not isinstance(schema, dict):
        return []
    inner = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
    inner += [schema[name] for name in ("items", "anyOf") if name in schema]
    return [schema, *nodes(inner)]


def test_every_schema_within_a_strict_one_keeps_to_the_rules_of_strict_mode() -> None:
    schema, is_strict = strict(Everything.model_json_schema())
    assert is_strict
    assert schema["type"] == "object"
    for node in nodes(schema):
        assert node.keys() & {"type", "anyOf", "$ref"}
        assert node.keys() == {"$ref"} or "$ref" not in node
        assert not node.keys() & {"default", "oneOf", "allOf", "discriminator", "minLength", "uniqueItems"}
        assert node.get("format", "date") == "date"
        assert "(?" not in node.get("pattern", "")
        if node.get("type") == "object":
            assert node["required"] == list(node["properties"])
            assert node["additionalProperties"] is False


def test_an_answer_in_a_strict_schema_is_one_in_the_model_and_other_forms_are_none() -> None:
    schema, _ = strict(Everything.model_json_schema())
    jsonschema.validate(ANSWER, schema)
    assert Everything.model_validate(ANSWER).pet == Cat(kind="cat")
    for name, wrong in (("count", 6), ("pet", {"kind": "cow"}), ("more", 1), ("node", {"name": "n"}), ("mixed", 2)):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**ANSWER, name: wrong}, schema)


def test_what_strict_mode_cannot_enforce_is_told_in_words() -> None:
    schema, _ = strict(Everything.model_json_schema())
    assert schema["properties"]["title"]["description"] == "A heading. (minLength: 2)"
    assert schema["properties"]["tags"]["description"] == '(default: ["a"]; uniqueItems: true)'
    assert schema["$defs"]["Cat"]["properties"]["lives"]["description"] == "(default: 9)"
    assert "description" not in schema["properties"]["page"]
    assert schema["$defs"]["Dog"]["properties"]["colour"] == {
        "anyOf": [{"$ref": "#/$defs/Colour"}],
        "description": 'Its coat. (default: "red")',
    }


def test_a_recursive_model_refers_to_itself() -> None:
    schema, is_strict = strict(Node.model_json_schema())
    assert is_strict
    assert schema["properties"]["left"]["anyOf"] == [{"$ref": "#/$defs/Node"}, {"type": "null"}]
    assert schema["$defs"]["Node"]["required"] == ["name", "left", "children"]


def test_the_schema_that_was_given_stays_as_it_was() -> None:
    schema = Everything.model_json_schema()
    strict(schema)
    assert schema == Everything.model_json_schema()


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    x: int


class Left(BaseModel):
    items: list[int] = Field(default_factory=lambda: [1])


class Wrong(BaseModel):
    x: int = None  # type: ignore[assignment]


class Deep(BaseModel):
    values: dict[str, int]


class Anything(BaseModel):
    value: Any


class Pair(BaseModel):
    both: tuple[int, str]


class Untyped(BaseModel):
    values: list  # type: ignore[type-arg]


def nested(depth: int) -> Json:
    schema: Json = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"x": schema}, "required": ["x"]}
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        *(model.model_json_schema() for model in (Open, Left, Wrong, Deep, Anything, Pair, Untyped)),
        TypeAdapter(list[int]).json_schema(),
        {"type": "object"},
        {"$ref": "#"},
        {"type": "object", "properties": {"x": {"anyOf": [{"type": "integer"}], "minimum": 1}}, "required": ["x"]},
        {"type": "object", "properties": {"x": {"enum": ["a"], "default": "b"}}},
        {"type": "object", "properties": {"x": True}},
        {"anyOf": [nested(1), nested(2)]},
        {
            "type": "object",
            "properties": {"x": {"oneOf": [{"type": "integer"}, {"type": "number"}]}},
            "required": ["x"],
        },
        {"type": "object", "properties": {"x": {"$ref": "https://example.com/x.json"}}, "required": ["x"]},
        {"type": "object", "properties": {"x": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"$ref": "#/$defs/x"}}},
        {"type": "object", "properties": {"x": {"allOf": [nested(1), nested(2)]}}, "required": ["x"]},
        {"type": "object", "properties": {"x": {"type": "integer", "not": {"const": 1}}}, "required": ["x"]},
        {"type": "object", "properties": {"x": {"enum": [*range(1001)]}}, "required": ["x"]},
        nested(11),
    ],
)
def test_what_strict_mode_cannot_say_is_given_back_as_it_is(schema: Json) -> None:
    assert strict(schema) == (schema, False)


def test_ten_objects_in_one_another_are_not_too_many() -> None:
    assert strict(nested(10))[1]


def test_a_description_beside_a_reference_in_the_old_form_is_kept() -> None:
    inner = {"allOf": [{"$ref": "#/definitions/A"}], "description": "An A."}
    schema = {"type": "object", "properties": {"a": inner}, "required": ["a"], "definitions": {"A": nested(1)}}
    assert strict(schema)[0]["properties"]["a"] == {"anyOf": [{"$ref": "#/definitions/A"}], "description": "An A."}
