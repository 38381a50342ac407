"""A JSON Schema as OpenAI's strict mode takes it, under which a model cannot but answer in its form.

Strict mode knows a part of JSON Schema: every property is required, no object is open, a choice is an `anyOf`. What it
cannot enforce but a model can heed (a length, a default) is told in the description; what it cannot say at all (a
dictionary, a property that may be left out and has no value to stand for that) makes the schema one without it.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from toolkit.messages import Json

_KEPT: Final = frozenset(
    {"type", "title", "description", "enum", "const", "multipleOf", "minItems", "maxItems"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
)
_TOLD: Final = frozenset(
    {"minLength", "maxLength", "uniqueItems", "default", "examples", "contentEncoding", "contentMediaType"}
)
_DROPPED: Final = frozenset({"$schema", "$id", "$comment", "deprecated", "readOnly", "writeOnly", "discriminator"})
_STRUCTURE: Final = frozenset(
    {"$defs", "definitions", "$ref", "anyOf", "oneOf", "allOf", "items", "properties", "required"}
    | {"additionalProperties", "pattern", "format"}
)
_FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
)  # every other is refused

_MOST_PROPERTIES: Final = 5000
_MOST_CHOICES: Final = 1000  # values of all `enum`s together
_DEEPEST: Final = 10  # objects in one another

_TYPES: Final[Mapping[type, tuple[str, ...]]] = {
    bool: ("boolean",),
    int: ("integer", "number"),
    float: ("number",),
    str: ("string",),
    list: ("array",),
    dict: ("object",),
    type(None): ("null",),
}


def strict(schema: Json) -> tuple[Json, bool]:
    """The schema as OpenAI's strict mode takes it, and whether strict mode can be asked for.

    What fits the new schema fits the old one, but for what stands in its descriptions only, so that an answer is to be
    checked against the old one. Every answer that could be given can still be given: a property that could be left out
    is said as its default, or as null.

    Args:
        schema: of a JSON object, its `$defs` included; left as it is.

    Returns:
        The new schema and True, or `schema` itself and False where strict mode cannot say what it says.
    """
    try:
        return _Translation(schema).of_root(), True
    except (_NotStrict, RecursionError):
        return schema, False


class _NotStrict(Exception):
    """Strict mode cannot say this."""


class _Translation:
    """One schema on its way into strict mode."""

    def __init__(self, root: Json) -> None:
        self._root = root
        self._properties = 0
        self._choices = 0

    def of_root(self) -> Json:
        shared: Json = {
            place: {name: self._of(inner, 0) for name, inner in self._root[place].items()}
            for place in ("$defs", "definitions")
            if place in self._root
        }
        root = self._root
        if "$ref" in root:  # so is the schema of a model that refers to itself
            root = {**root, **self._target(root["$ref"])}
            del root["$ref"]
        out = self._of(root, 0)
        if out.get("type") != "object":
            raise _NotStrict
        return {**out, **shared}

    def _of(self, schema: Any, depth: int) -> Json:
        if not isinstance(schema, dict) or schema.keys() - _KEPT - _TOLD - _DROPPED - _STRUCTURE:
            raise _NotStrict
        if "allOf" in schema:
            return self._of(_merged(schema), depth)
        out = {name: value for name, value in schema.items() if name in _KEPT} | _pattern_and_format(schema)
        told = {n: v for n, v in schema.items() if (n in _TOLD or n in ("pattern", "format")) and n not in out}
        if told.get("default", 0) is None:
            del told["default"]
        if told:
            words = "; ".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in told.items())
            out["description"] = f"{schema.get('description', '')} ({words})".lstrip()
        if "$ref" in schema or "anyOf" in schema or "oneOf" in schema:
            return self._choice(schema, out, depth)
        return out | self._typed(schema, depth)

    def _choice(self, schema: Json, out: Json, depth: int) -> Json:
        if out.keys() - {"title", "description"} or ("oneOf" in schema and "discriminator" not in schema):
            raise _NotStrict
        if "$ref" in schema:
            self._target(schema["$ref"])
            reference = {"$ref": schema["$ref"]}
            return {**out, "anyOf": [reference]} if out else reference  # nothing may stand beside a reference
        # With a discriminator no answer fits two of the forms, so that one of them is any of them.
        return {**out, "anyOf": [self._of(each, depth) for each in schema.get("anyOf") or schema["oneOf"]]}

    def _typed(self, schema: Json, depth: int) -> Json:
        values = [schema["const"]] if "const" in schema else schema.get("enum", [])
        self._choices += len(values)
        types = _listed(schema.get("type") or [_TYPES[type(value)][0] for value in values])
        if not types or self._choices > _MOST_CHOICES:
            raise _NotStrict
        out: Json = {"type": types[0] if len(types) == 1 else types}
        if "array" in types:
            out["items"] = self._of(schema.get("items"), depth)
        if "object" in types:
            out |= self._object(schema, depth + 1)
        return out

    def _object(self, schema: Json, depth: int) -> Json:
        properties: Json = schema.get("properties", {})
        self._properties += len(properties)
        is_open = schema.get("additionalProperties", not properties)
        if is_open is not False or depth > _DEEPEST or self._properties > _MOST_PROPERTIES:
            raise _NotStrict
        strict_ones = {name: self._of(inner, depth) for name, inner in properties.items()}
        for name in properties.keys() - set(schema.get("required", ())):
            if not self._admits(properties[name], properties[name].get("default")):
                raise _NotStrict
        return {"properties": strict_ones, "required": list(properties), "additionalProperties": False}

    def _admits(self, schema: Json, value: object) -> bool:
        """Whether `value` can be said; of an array or an object only that it may stand there."""
        if "$ref" in schema:
            return self._admits(self._target(schema["$ref"]), value)
        if inner := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
            return any(self._admits(each, value) for each in inner)
        values = [schema["const"]] if "const" in schema else schema.get("enum", [value])
        types = _TYPES[type(value)]
        return value in values and not {*_listed(schema.get("type", types))}.isdisjoint(types)

    def _target(self, reference: str) -> Json:
        match reference.split("/"):
            case ["#"]:
                return self._root
            case ["#", ("$defs" | "definitions") as place, name] if name in self._root.get(place, {}):
                found: Json = self._root[place][name]
                return found
        raise _NotStrict


def _listed(types: str | Iterable[str]) -> list[str]:
    return [types] if isinstance(types, str) else list(dict.fromkeys(types))


def _merged(schema: Json) -> Json:
    """A schema whose `allOf` has one member, which is how some write a description beside a reference."""
    rest = {name: value for name, value in schema.items() if name != "allOf"}
    if len(schema["allOf"]) != 1 or schema["allOf"][0].keys() & rest.keys() - {"title", "description"}:
        raise _NotStrict
    return {**schema["allOf"][0], **rest}


def _pattern_and_format(schema: Json) -> Json:
    """Those that strict mode takes; it refuses patterns that look around."""
    out: Json = {}
    if "(?" not in schema.get("pattern", "(?"):
        out["pattern"] = schema["pattern"]
    if schema.get("format") in _FORMATS:
        out["format"] = schema["format"]
    return out
