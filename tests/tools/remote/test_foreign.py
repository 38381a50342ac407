from typing import Any

import pytest

from toolkit.errors import ConfigError, ToolArgumentsError
from toolkit.tools.remote.foreign import ForeignParameters

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "query": {"type": "string", "minLength": 1, "maxLength": 5, "pattern": "^[a-z]*$"},
        "limit": {"type": "integer", "minimum": 1, "maximum": 50},
        "kind": {"enum": ["a", "b"]},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        "where": {"$ref": "#/$defs/where"},
        "either": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        "maybe": {"type": ["string", "null"]},
        "ratio": {"type": "number", "exclusiveMinimum": 0},
    },
    "required": ["query"],
    "additionalProperties": False,
    "$defs": {"where": {"type": "object", "properties": {"lang": {"type": "string"}}, "required": ["lang"]}},
}


def complaint(**arguments: Any) -> str:
    with pytest.raises(ToolArgumentsError) as caught:
        ForeignParameters(SCHEMA).check("find", arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "find: `query` is missing."),
        ({"query": 3}, "find: `query` must be text (got 3)."),
        ({"query": ""}, 'find: `query` must be non-empty (got "").'),
        ({"query": "abcdef"}, 'find: `query` must be at most 5 characters long (got "abcdef").'),
        ({"query": "A"}, 'find: `query` must be text that fits the pattern ^[a-z]*$ (got "A").'),
        ({"query": "a", "limit": 51}, "find: `limit` must be at most 50 (got 51)."),
        ({"query": "a", "limit": True}, "find: `limit` must be a whole number (got true)."),
        ({"query": "a", "limit": 0}, "find: `limit` must be at least 1 (got 0)."),
        ({"query": "a", "kind": "c"}, 'find: `kind` must be one of "a", "b" (got "c").'),
        ({"query": "a", "tags": ["x", 1]}, "find: `tags[1]` must be text (got 1)."),
        ({"query": "a", "tags": ["x", "y", "z"]}, 'find: `tags` must be at most 2 long (got ["x", "y", "z"]).'),
        ({"query": "a", "where": {}}, "find: `where.lang` is missing."),
        ({"query": "a", "either": []}, "find: `either` must be text or a whole number (got [])."),
        ({"query": "a", "ratio": 0}, "find: `ratio` must be more than 0 (got 0)."),
        ({"query": "a", "limt": 5}, "find: `limt` is unknown, use `limit`."),
        ({"query": 1, "limit": "x"}, 'find: `query` must be text (got 1); `limit` must be a whole number (got "x").'),
    ],
)
def test_what_is_wrong_is_one_sentence_of_our_own_form(arguments: dict[str, Any], sentence: str) -> None:
    assert complaint(**arguments) == sentence


def test_each_mistake_is_told_with_the_argument_that_has_it() -> None:
    with pytest.raises(ToolArgumentsError) as caught:
        ForeignParameters(SCHEMA).check("find", {"where": {}, "limit": 0})
    assert sorted(caught.value.wrong) == [
        ("limit", "`limit` must be at least 1 (got 0)"),
        ("query", "`query` is missing"),
        ("where", "`where.lang` is missing"),
    ]


@pytest.mark.parametrize(
    ("own", "arguments", "why"),
    [
        ({"$ref": "#/$defs/endless"}, {"a": 1}, "refer to themselves without end"),
        (False, {}, "`a` is missing"),
        ({"type": "array", "items": True, "minItems": 1e9}, {"a": []}, "at least 1000000000.0 long"),
    ],
)
def test_a_schema_that_is_hardly_one_is_a_sentence_too(own: Any, arguments: dict[str, Any], why: str) -> None:
    schema = {"properties": {"a": own}, "required": ["a"], "$defs": {"endless": {"$ref": "#/$defs/endless"}}}
    with pytest.raises(ToolArgumentsError, match=why):
        ForeignParameters(schema).check("it", arguments)


def test_a_secret_in_a_wrong_argument_is_not_repeated() -> None:
    assert "abcdefghijkl" not in complaint(query="sk-abcdefghijklmnop")


def test_a_models_small_slips_are_understood() -> None:
    meant = ForeignParameters(SCHEMA).check(
        "find", {"query": "a", "limit": "5", "tags": '["x"]', "where": '{"lang": "en"}', "kind": None, "maybe": None}
    )
    assert meant == {"query": "a", "limit": 5, "tags": ["x"], "where": {"lang": "en"}, "maybe": None}


def test_what_models_see_is_the_schema_as_it_is_and_an_object_with_properties() -> None:
    seen = ForeignParameters(SCHEMA).schema
    assert seen == {key: value for key, value in SCHEMA.items() if key != "$schema"}
    assert ForeignParameters({}).schema == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        ({"type": "string"}, 'must be a JSON Schema of type object, not of "string"'),
        ({"properties": {"a": {"type": 3}}}, "is no JSON Schema: at `properties.a.type`"),
        ({"properties": []}, "is no JSON Schema: at `properties`"),
    ],
)
def test_a_schema_that_is_none_is_refused(schema: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ForeignParameters(schema)
    assert sentence in str(caught.value)


def test_a_reference_out_of_the_schema_is_never_fetched() -> None:
    parameters = ForeignParameters({"properties": {"a": {"$ref": "http://127.0.0.1:9/secret.json"}}})
    with pytest.raises(
        ToolArgumentsError, match=r"refer to 'http://127\.0\.0\.1:9/secret\.json', which is not part of them"
    ):
        parameters.check("find", {"a": 1})


def test_a_schema_of_an_older_draft_is_read_as_one() -> None:
    old = {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "properties": {"a": {"minimum": 1, "exclusiveMinimum": True}},
    }
    with pytest.raises(ToolArgumentsError, match="`a`"):
        ForeignParameters(old).check("find", {"a": 1})
    assert ForeignParameters(old).check("find", {"a": 2}) == {"a": 2}
