import pytest

from toolkit.tools.schema import NotPortable, example, flatten


def test_a_reference_is_put_in_place_and_what_stands_beside_it_wins() -> None:
    schema = {"$ref": "#/$defs/Where", "description": "near"}
    definitions = {"Where": {"type": "string", "description": "far", "title": "Where"}}
    assert flatten(schema, definitions) == {"type": "string", "description": "near"}


def test_a_property_that_is_called_title_stays() -> None:
    schema = {"type": "object", "title": "T", "properties": {"title": {"type": "string", "title": "Title"}}}
    assert flatten(schema, {})["properties"] == {"title": {"type": "string"}}


def test_an_optional_type_is_the_plain_type() -> None:
    schema = {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}], "default": None, "title": "X"}
    assert flatten(schema, {}) == {"type": "integer", "minimum": 1}


def test_references_inside_lists_tuples_maps_and_unions_are_put_in_place() -> None:
    leaf = {"$ref": "#/$defs/Leaf"}
    definitions = {"Leaf": {"const": "a", "type": "string"}}
    plain = {"type": "string", "enum": ["a"]}
    assert flatten({"type": "array", "items": leaf}, definitions)["items"] == plain
    assert flatten({"type": "array", "prefixItems": [leaf]}, definitions)["prefixItems"] == [plain]
    assert flatten({"type": "object", "additionalProperties": leaf}, definitions)["additionalProperties"] == plain
    assert flatten({"anyOf": [leaf, {"type": "null"}]}, definitions) == plain


def test_unions_of_one_kind_become_that_kind() -> None:
    assert flatten({"anyOf": [{"type": "integer"}, {"type": "number"}]}, {}) == {"type": "number"}
    assert flatten({"anyOf": [{"type": "string", "format": "path"}, {"type": "string"}]}, {}) == {"type": "string"}
    choices = [{"type": "string", "enum": ["a"]}, {"type": "string", "const": "b"}]
    assert flatten({"anyOf": choices}, {}) == {"type": "string", "enum": ["a", "b"]}


def test_a_union_of_different_kinds_is_refused() -> None:
    with pytest.raises(NotPortable, match="several types"):
        flatten({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}, {})


def test_a_type_that_contains_itself_is_refused() -> None:
    definitions = {"Tree": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}}
    with pytest.raises(NotPortable, match=r"contains itself \(Tree\)"):
        flatten({"$ref": "#/$defs/Tree"}, definitions)


def test_a_type_used_twice_side_by_side_is_not_taken_for_one_that_contains_itself() -> None:
    leaf = {"$ref": "#/$defs/Leaf"}
    schema = {"type": "object", "properties": {"a": leaf, "b": leaf}}
    assert flatten(schema, {"Leaf": {"type": "string"}})["properties"] == {
        "a": {"type": "string"},
        "b": {"type": "string"},
    }


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "text"),
        ({"type": "string", "examples": ["otters"]}, "otters"),
        ({"type": "string", "enum": ["a", "b"]}, "a"),
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": "number"}, 1),
        ({"type": "boolean"}, True),
        ({"type": "array", "items": {"type": "boolean"}}, [True]),
        ({"type": "object", "properties": {"x": {"type": "string"}, "y": {}}, "required": ["x"]}, {"x": "text"}),
    ],
)
def test_an_example_has_the_type_of_its_schema(schema: dict[str, object], value: object) -> None:
    assert example(schema) == value
