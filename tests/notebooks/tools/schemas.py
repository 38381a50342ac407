"""JSON Schemas that anybody might have written for the arguments of a tool."""

from typing import Any

from hypothesis import strategies as st
from hypothesis_jsonschema import from_schema

NAMES = ["type", "name", "", "a b", "<b>", "texts", "code", "ünï"]
ANY_VALUE = from_schema({})
_NUMBER = from_schema({"type": "number", "minimum": -1000, "maximum": 1000})
_COUNT = st.integers(0, 9)
_TYPE = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null"])
_WORDS: dict[str, st.SearchStrategy[Any]] = {
    "type": st.one_of(_TYPE, _TYPE, st.lists(_TYPE, min_size=1, max_size=3, unique=True)),
    "description": st.text(max_size=9),
    "default": ANY_VALUE,
    "examples": st.lists(ANY_VALUE, max_size=2),
    "enum": st.lists(ANY_VALUE, min_size=1, max_size=4),
    "const": ANY_VALUE,
    "minimum": _NUMBER,
    "maximum": _NUMBER,
    "exclusiveMinimum": _NUMBER,
    "exclusiveMaximum": _NUMBER,
    "multipleOf": st.integers(1, 9),
    "minLength": _COUNT,
    "maxLength": st.integers(0, 999),
    "pattern": st.sampled_from(["^a+$", "[0-9]", "<b>"]),
    "format": st.sampled_from(["date", "uri", "password", "<b>", ""]),
    "minItems": _COUNT,
    "maxItems": _COUNT,
    "$ref": st.sampled_from(["#/$defs/one", "#/$defs/itself", "#/nowhere", "https://example.org/x", "#", "#/%25/0"]),
}


def _more(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    many = st.lists(inner, min_size=1, max_size=3)
    return _of(
        {
            **_WORDS,
            "items": inner,
            "prefixItems": many,
            "anyOf": many,
            "oneOf": many,
            "allOf": many,
            "additionalProperties": inner,
            "properties": st.dictionaries(st.sampled_from(NAMES), inner, max_size=2),
        }
    )


@st.composite
def _of(draw: st.DrawFn, words: dict[str, st.SearchStrategy[Any]]) -> Any:
    """A schema with some of `words`, most often a type."""
    chosen = draw(st.lists(st.sampled_from(list(words)), max_size=4, unique=True))
    if draw(st.booleans()):
        chosen = list(dict.fromkeys(["type", *chosen]))
    return {name: draw(words[name]) for name in chosen}


ANY_SCHEMA = st.recursive(st.one_of(st.booleans(), _of(_WORDS)), _more, max_leaves=4)


@st.composite
def parameters(draw: st.DrawFn) -> dict[str, Any]:
    """The schema of all arguments of a tool."""
    return {
        "type": "object",
        "properties": draw(st.dictionaries(st.sampled_from(NAMES), ANY_SCHEMA, min_size=1, max_size=3)),
        "required": draw(st.lists(st.sampled_from(NAMES), max_size=2, unique=True)),
        **draw(st.sampled_from([{}, {"additionalProperties": True}, {"additionalProperties": {"type": "integer"}}])),
        "$defs": {"one": {"type": "string", "enum": ["a", "b"]}, "itself": {"$ref": "#/$defs/itself"}},
    }
