"""JSON Schema that every vendor and every host understands: nothing to resolve, nothing to choose between.

Pydantic writes `$ref`, `title` and `anyOf … null`; each is refused by some vendor, and costs tokens in every request.
"""

from collections.abc import Mapping
from typing import Any

from toolkit.messages import Json

_FORMS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "email": "ada@example.org",
    "uri": "https://example.org",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


_LONGEST = 1_000  # characters or members of an example: nobody reads more


class NotPortable(Exception):
    """A schema that cannot be said in the portable form; the message says why, as the end of a sentence."""


def flatten(schema: Mapping[str, Any], definitions: Mapping[str, Any], *, inside: tuple[str, ...] = ()) -> Json:
    """`schema` with its references put in place, its optional unions made plain, and without titles.

    An object that lists its properties takes no others, unless it says otherwise.

    Args:
        schema: what pydantic wrote for one type.
        definitions: its `$defs`.
        inside: the definitions that this schema stands in, outermost first.

    Raises:
        NotPortable: the type contains itself, or is a union of different types.
    """
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        if name in inside:
            raise NotPortable(f"contains itself ({name})")
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return flatten({**definitions[name], **beside}, definitions, inside=(*inside, name))
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        present = [flatten(b, definitions, inside=inside) for b in branches if b.get("type") != "null"]
        beside = {key: value for key, value in schema.items() if key not in {"anyOf", "oneOf", "discriminator"}}
        return flatten({**_one_of(present), **beside}, {}, inside=inside)

    flat = {key: value for key, value in schema.items() if key not in {"title", "const"}}
    if flat.get("default", ...) is None:
        del flat["default"]
    if "const" in schema:
        flat["enum"] = [schema["const"]]
    for key in ("items", "additionalProperties"):
        if isinstance(flat.get(key), Mapping):
            flat[key] = flatten(flat[key], definitions, inside=inside)
    if "prefixItems" in flat:
        flat["prefixItems"] = [flatten(item, definitions, inside=inside) for item in flat["prefixItems"]]
    if "properties" in flat:
        properties = flat["properties"].items()
        flat["properties"] = {name: flatten(value, definitions, inside=inside) for name, value in properties}
        flat.setdefault("additionalProperties", False)
    return flat


def _one_of(branches: list[Json]) -> Json:
    """The plain schema that stands for a union."""
    if len(branches) == 1:
        return branches[0]
    types = {branch.get("type") for branch in branches}
    if types == {"integer", "number"}:
        return {"type": "number"}
    if len(types) == 1 and types <= {"string", "integer", "number", "boolean"}:
        out: Json = {"type": types.pop()}
        if all("enum" in branch for branch in branches):
            out["enum"] = [value for branch in branches for value in branch["enum"]]
        return out
    raise NotPortable("may be of several types")


def example(schema: Any) -> Any:
    """A value that a flat `schema` may allow, to show what is meant; of one that is not flat, some text."""
    if not isinstance(schema, Mapping):
        return "text"  # true and false are schemas, too
    if schema.get("examples"):
        return schema["examples"][0]
    if schema.get("default"):
        return schema["default"]
    if schema.get("enum"):
        return schema["enum"][0]
    match schema.get("type"):
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return True
        case "array":
            return [example(schema.get("items", {}))] * max(1, _bounded(schema, "minItems", 1))
        case "object":
            needed = schema.get("required", ())
            return {name: example(schema.get("properties", {}).get(name, {})) for name in needed}
        case _:
            text = _FORMS.get(schema.get("format", ""), "text")
            return text.ljust(_bounded(schema, "minLength", 0), "x")[: _bounded(schema, "maxLength", _LONGEST)]


def _bounded(schema: Mapping[str, Any], key: str, otherwise: int) -> int:
    """The number at `key`; 2.0 is a length too, and what somebody else wrote may be more than fits into memory."""
    return min(int(schema.get(key, otherwise)), _LONGEST)


def _number(schema: Mapping[str, Any]) -> Any:
    if "exclusiveMinimum" in schema:
        return schema["exclusiveMinimum"] + 1
    most = schema.get("maximum", schema.get("exclusiveMaximum", 2) - 1)
    return schema.get("minimum", min(1, most))
