"""A JSON Schema as Anthropic's models take it, under which they cannot but answer in its form.

They know a part of JSON Schema: every object is closed, a choice is an `anyOf`, nothing contains itself. What they
cannot be held to but can heed (a length, a range, a pattern) is told in the description.
"""

import json
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

from toolkit.messages import Json

_FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
_DEFINITIONS: Final = ("$defs", "definitions")
_DROPPED: Final = frozenset(
    {"$schema", "$id", "$comment", "discriminator", "deprecated", "readOnly", "writeOnly", "additionalProperties"}
)


def claude_schema(schema: Json) -> Json:
    """The schema as Anthropic's models take it.

    Every answer that fits `schema` fits the new one as well. The converse holds but for what stands in its descriptions
    only, so that an answer is to be checked against `schema`.

    Args:
        schema: of a JSON object, its `$defs` included; left as it is.

    Raises:
        ValueError: they cannot be told what it says: an object with free keys, a value of any kind, a form that
            contains itself. The message says what, and where.
    """
    _refuse_circles(schema)
    return _node(schema, "the answer")


def _node(schema: Any, place: str) -> Json:
    if not isinstance(schema, Mapping) or not schema:
        raise ValueError(f"{place} may be anything")
    rest = {key: value for key, value in schema.items() if key not in _DROPPED}
    out: Json = {}
    for key in _DEFINITIONS:
        if key in rest:
            out[key] = {name: _node(inner, name) for name, inner in rest.pop(key).items()}
    if "$ref" in rest:
        return {**out, "$ref": rest["$ref"]}
    out |= _form(schema, rest, place)
    out |= {key: rest.pop(key) for key in ("title", "description") if key in rest}
    if told := {key: value for key, value in rest.items() if (key, value) != ("default", None)}:
        words = "; ".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in told.items())
        out["description"] = f"{out['description']} ({words})" if "description" in out else words
    return out


def _form(schema: Mapping[str, Any], rest: Json, place: str) -> Json:
    """What an answer can be held to; it is taken out of `rest`."""
    kind = rest.pop("type", None)
    if choices := rest.pop("anyOf", None) or rest.pop("oneOf", None):
        return {"anyOf": [_node(choice, place) for choice in choices]}
    if parts := rest.pop("allOf", None):
        if len(parts) != 1:
            raise ValueError(f"{place} must fit several forms at once")
        return _node(parts[0], place)
    for key in ("const", "enum"):
        if key in rest:
            return {key: _values(rest.pop(key), place)}
    if isinstance(kind, list):
        words: Json = {key: rest[key] for key in ("title", "description", "default") if key in rest}
        rest.clear()
        rest |= words
        one = {key: value for key, value in schema.items() if key not in words}
        return {"anyOf": [_node({"type": name} if name == "null" else {**one, "type": name}, place) for name in kind]}
    return _typed(kind, schema, rest, place)


def _values(values: Any, place: str) -> Any:
    if any(isinstance(value, dict | list) for value in (values if isinstance(values, list) else [values])):
        raise ValueError(f"{place} is a choice of more than words and numbers")
    return values


def _typed(kind: Any, schema: Mapping[str, Any], rest: Json, place: str) -> Json:
    match kind:
        case "object":
            return _object(schema, rest, place)
        case "array":
            return _array(rest, place)
        case "string" if rest.get("format") in _FORMATS:
            return {"type": kind, "format": rest.pop("format")}
        case "string" | "integer" | "number" | "boolean" | "null":
            return {"type": kind}
    raise ValueError(f"{place} may be anything")


def _object(schema: Mapping[str, Any], rest: Json, place: str) -> Json:
    properties = rest.pop("properties", {})
    # An object that says nothing of other keys than its own is not meant to have any.
    if schema.get("additionalProperties", not properties) is not False or "patternProperties" in rest:
        raise ValueError(f"{place} has free keys")
    out: Json = {"type": "object", "properties": {name: _node(inner, name) for name, inner in properties.items()}}
    if "required" in rest:
        out["required"] = list(rest.pop("required"))
    return out | {"additionalProperties": False}


def _array(rest: Json, place: str) -> Json:
    items = rest.pop("items", None)
    if firsts := rest.pop("prefixItems", None):
        kinds = [_node(one, place) for one in (*firsts, *([items] if items else []))]
        # One of them at any place is more than was asked for; which stands where is told.
        rest["in this order"] = firsts
        out: Json = {"type": "array", "items": {"anyOf": kinds}}
    else:
        out = {"type": "array", "items": _node(items, f"each of {place}")}
    if rest.get("minItems") in (0, 1):
        out["minItems"] = rest.pop("minItems")
    return out


def _refuse_circles(schema: Json) -> None:
    refs: dict[str, set[str]] = {"#": _refs_in({k: v for k, v in schema.items() if k not in _DEFINITIONS})}
    for key in _DEFINITIONS:
        for name, inner in schema.get(key, {}).items():
            refs[f"#/{key}/{name}"] = _refs_in(inner)
    if unknown := set().union(*refs.values()) - refs.keys():
        raise ValueError(f"{min(unknown)} is not in it")
    try:
        TopologicalSorter(refs).prepare()
    except CycleError:
        raise ValueError("a part of the answer contains itself") from None


def _refs_in(schema: Any) -> set[str]:
    """Every `$ref` in a schema; a property may have that name, too."""
    if isinstance(schema, Mapping):
        own = {schema["$ref"]} if isinstance(schema.get("$ref"), str) else set[str]()
        return own.union(*(_refs_in(inner) for inner in schema.values()))
    if isinstance(schema, list):
        return set[str]().union(*(_refs_in(inner) for inner in schema))
    return set()
