"""What a JSON Schema says of one argument, in the words of a form.

Anybody may have written it: whatever it holds, a form is made of it. What fits it is not judged here.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from toolkit.messages import Json

MOST_SHOWN = 4_000
"""Characters of a schema that a form shows."""

_SIMPLE = frozenset({"string", "integer", "number", "boolean"})
_MOST_HOPS = 16  # from one `$ref` to the next
_MOST_WORDS = 60  # characters of a default or an example
_MANY = 200  # characters: who allows so many expects more than a line
_LONG = frozenset(
    {"body", "code", "content", "html", "markdown", "message", "prompt", "script", "sql", "system", "text"}
)
_KINDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "yes or no",
    "array": "list",
    "object": "object",
    "null": "null",
}


def properties_of(schema: Mapping[str, Any]) -> Iterator[tuple[str, Json, bool]]:
    """Of each argument its name, its own schema in plain form, and whether it must be given; the required ones first.

    Args:
        schema: of all arguments.
    """
    listed = schema.get("properties")
    properties: Mapping[str, Any] = listed if isinstance(listed, Mapping) else {}
    given = schema.get("required")
    required = [name for name in given if isinstance(name, str)] if isinstance(given, list) else []
    for name in dict.fromkeys((*(name for name in properties if name in required), *required, *properties)):
        yield name, plain(properties.get(name, {}), schema), name in required


def is_open(schema: Mapping[str, Any]) -> bool:
    """Whether `schema` says that there may be arguments that it does not list."""
    more = schema.get("additionalProperties")
    return more is True or bool(schema.get("patternProperties")) or (isinstance(more, Mapping) and bool(more))


def plain(schema: Any, whole: Mapping[str, Any]) -> Json:
    """`schema` with what it refers to in place, and without the `null` beside a type: a field is simply left empty.

    Args:
        schema: of one argument; true and false are schemas, too.
        whole: what its references look into.
    """
    for _ in range(_MOST_HOPS):
        if not isinstance(schema, Mapping):
            return {}
        inner = _inner(schema, whole)
        if inner is None:
            break
        schema = {**inner, **{key: value for key, value in schema.items() if key not in {"$ref", "anyOf", "oneOf"}}}
    flat = dict(schema)
    kinds = flat.get("type")
    if isinstance(kinds, list) and len(present := [kind for kind in kinds if kind != "null"]) == 1:
        flat["type"] = present[0]
    if "const" in flat:
        flat.setdefault("enum", [flat["const"]])
    return flat


def _inner(schema: Mapping[str, Any], whole: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What stands for `schema`: the target of its reference, or the one form beside null that it may have."""
    if isinstance(reference := schema.get("$ref"), str) and reference.startswith("#"):
        target: Any = whole
        for step in reference.removeprefix("#").split("/")[1:]:
            target = target.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(target, Mapping) else None
        return target if isinstance(target, Mapping) else None
    for key in ("anyOf", "oneOf"):
        branches = schema.get(key)
        if isinstance(branches, list):
            present = [each for each in branches if not (isinstance(each, Mapping) and each.get("type") == "null")]
            if len(present) == 1 and isinstance(present[0], Mapping):
                return present[0]
    return None


def kind_of(schema: Mapping[str, Any]) -> str:
    """The type that `schema` allows; empty if it allows several, or any."""
    kind = schema.get("type")
    return kind if isinstance(kind, str) else ""


def is_simple(schema: Mapping[str, Any]) -> bool:
    """Whether a value can be written in one line without being JSON."""
    return kind_of(schema) in _SIMPLE


def is_long(name: str, schema: Mapping[str, Any]) -> bool:
    """Whether a text may be longer than a line: it says so, or its name is that of things that are."""
    most = _number(schema, "maxLength")
    if most is not None and most < _MANY:
        return False
    media = schema.get("contentMediaType") is not None or schema.get("format") in {"textarea", "multiline"}
    return media or most is not None or name.lower().rpartition("_")[2] in _LONG


def hint(schema: Mapping[str, Any]) -> str:
    """What may be written, in a few words: `whole number, 1 to 50, default 5`."""
    said = [_type_of(schema), *_bounds(schema)]
    default = schema.get("default")
    if default not in (None, "", []):
        said.append(f"default {_brief(default)}")
    examples = schema.get("examples")
    if isinstance(examples, list) and examples:
        said.append(f"e.g. {_brief(examples[0])}")
    return ", ".join(filter(None, said))


def shown(schema: Mapping[str, Any]) -> str:
    """`schema` for people to read, at most `MOST_SHOWN` characters."""
    told = {key: value for key, value in schema.items() if key not in {"description", "title"}}
    text = json.dumps(told, ensure_ascii=False, indent=2, default=repr)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


def _type_of(schema: Mapping[str, Any]) -> str:
    kind, items = kind_of(schema), schema.get("items")
    if isinstance(schema.get("enum"), list):
        return "one of these"
    if kind == "array" and isinstance(items, Mapping) and is_simple(items):
        return f"{_KINDS[kind_of(items)]}, one per line"
    if kind in ("array", "object", ""):
        return f"JSON: {_KINDS[kind]}" if kind else "JSON"
    form = schema.get("format")
    return f"{_KINDS.get(kind, kind)} ({form})" if isinstance(form, str) and form else _KINDS.get(kind, kind)


def _bounds(schema: Mapping[str, Any]) -> Iterator[str]:
    least, most = _number(schema, "minimum"), _number(schema, "maximum")
    if least is not None and most is not None:
        yield f"{least} to {most}"
    elif least is not None:
        yield f"at least {least}"
    elif most is not None:
        yield f"at most {most}"
    words = (
        ("exclusiveMinimum", "more than {}"),
        ("exclusiveMaximum", "less than {}"),
        ("multipleOf", "a multiple of {}"),
        ("maxLength", "at most {} characters"),
        ("minItems", "at least {}"),
        ("maxItems", "at most {}"),
    )
    for key, said in words:
        bound = _number(schema, key)
        if bound is not None and not (key == "minItems" and bound == 0):
            yield said.format(bound)
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and pattern:
        yield f"pattern {_cut(pattern)}"


def _number(schema: Mapping[str, Any], key: str) -> Any:
    value = schema.get(key)
    fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if fits else None


def _brief(value: Any) -> str:
    return _cut(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_WORDS else f"{text[:_MOST_WORDS]}…"
