"""What is wrong with a tool's arguments, said so that a model mends it at once."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeAlias

from pydantic_core import ErrorDetails

from toolkit.errors import ToolArgumentsError
from toolkit.redaction import redact
from toolkit.tools.schema import example

_SHOWN = 60  # characters of a wrong value: enough to recognise it
_EXAMPLE = 300  # characters of a right call
_LOOKED_AT = 10_000  # characters of it that are searched for secrets before it is cut

_SAID = 6  # clauses of one message: a list of a thousand wrong numbers has one mistake
# Found by the schema instead, which knows the nearest right name.
_UNKNOWN = {"extra_forbidden", "unexpected_keyword_argument"}

Path: TypeAlias = tuple[int | str, ...]

_EXPECTED: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than": lambda c: f"more than {c['gt']}",
    "greater_than_equal": lambda c: f"at least {c['ge']}",
    "less_than": lambda c: f"less than {c['lt']}",
    "less_than_equal": lambda c: f"at most {c['le']}",
    "multiple_of": lambda c: f"a multiple of {c['multiple_of']}",
    "string_too_short": lambda c: f"at least {c['min_length']} characters long" if c["min_length"] > 1 else "non-empty",
    "string_too_long": lambda c: f"at most {c['max_length']} characters long",
    "string_pattern_mismatch": lambda c: f"text that fits the pattern {c['pattern']}",
    "too_short": lambda c: f"at least {c['min_length']} long" if c["min_length"] > 1 else "non-empty",
    "too_long": lambda c: f"at most {c['max_length']} long",
    "literal_error": lambda c: str(c["expected"]),
    "enum": lambda c: str(c["expected"]),
    "finite_number": lambda _: "a finite number",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), lambda _: "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), lambda _: "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), lambda _: "true or false"),
    **dict.fromkeys(("string_type", "string_sub_type", "string_unicode"), lambda _: "text"),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type"), lambda _: "a list"),
    **dict.fromkeys(
        ("dict_type", "mapping_type", "model_type", "model_attributes_type", "dataclass_type"), lambda _: "an object"
    ),
}


def complaint(
    tool: str, schema: Mapping[str, Any], arguments: Mapping[str, Any], errors: Iterable[ErrorDetails]
) -> ToolArgumentsError | None:
    """The error that says what is wrong with `arguments` and ends with a right call; None if nothing is wrong.

    Args:
        tool: its name.
        schema: the tool's flat schema.
        arguments: what the model gave.
        errors: what pydantic found. It takes true for 1 and lets nested objects have unknown keys; that is found here.
    """
    found = _found(schema, arguments, errors)
    return mistaken(tool, schema, arguments, found) if found else None


def complaints(schema: Mapping[str, Any], arguments: Mapping[str, Any], errors: Iterable[ErrorDetails]) -> list[str]:
    """One clause per thing that is wrong with what is no call; the arguments are those of `complaint`."""
    return bounded(clause for _, clause in _found(schema, arguments, errors))


def _found(
    schema: Mapping[str, Any], arguments: Mapping[str, Any], errors: Iterable[ErrorDetails]
) -> list[tuple[Path, str]]:
    told = [_explain(schema, error) for error in errors if error["type"] not in _UNKNOWN]
    return [*_refused(schema, arguments, ()), *told]


def mistaken(
    tool: str, schema: Mapping[str, Any], arguments: Mapping[str, Any], found: Sequence[tuple[Path, str]]
) -> ToolArgumentsError:
    """The error of a call whose arguments have what was `found`, as one sentence and by argument."""
    by_argument = dict.fromkeys((str(path[0]) if path else "", redact(clause)) for path, clause in found)
    return ToolArgumentsError(_sentence(tool, schema, arguments, found), wrong=tuple(by_argument))


def _sentence(
    tool: str, schema: Mapping[str, Any], arguments: Mapping[str, Any], found: Sequence[tuple[Path, str]]
) -> str:
    """What was `found` to be wrong at each place of `arguments`, and an example of what would be right."""
    said = "; ".join(bounded(clause for _, clause in found))
    right = _plain(_mended(schema, arguments, wrong={path[0] for path, _ in found if path}))
    if len(right) > _EXAMPLE or not all(_is_plain(each) for each in schema["properties"].values()):
        return f"{tool}: {said}."
    return f"{tool}: {said}; right is, for example, {right}."


def _mended(schema: Mapping[str, Any], arguments: Mapping[str, Any], wrong: Collection[int | str]) -> dict[str, Any]:
    """A call as it may have been meant: what is right stays, what is wrong or missing is an example."""
    properties, right = schema["properties"], {}
    for name, value in arguments.items():
        own = name if name in properties else nearest(name, [each for each in properties if each not in arguments])
        if own is None:
            continue
        kept = name not in wrong or (own != name and _is_any_text(properties[own], value))
        right[own] = value if kept and shown(value) == _plain(value) else example(properties[own])
    for name in schema.get("required", ()):
        right.setdefault(name, example(properties.get(name, {})))
    return {name: right[name] for name in properties if name in right}


def _is_plain(schema: Any) -> bool:
    """Whether an example of it can be given; other people's schemas refer to each other, and have patterns."""
    return isinstance(schema, Mapping) and isinstance(schema.get("type"), str) and "pattern" not in schema


def _is_any_text(schema: Mapping[str, Any], value: Any) -> bool:
    free = schema.get("type") == "string" and not {"enum", "format", "maxLength"} & schema.keys()
    return free and isinstance(value, str) and len(value) >= schema.get("minLength", 0)


def bounded(found: Iterable[str]) -> list[str]:
    """The clauses of one message: each once, without secrets, and not too many."""
    clauses = [redact(clause) for clause in dict.fromkeys(found)]
    return clauses if len(clauses) <= _SAID else [*clauses[:_SAID], f"and {len(clauses) - _SAID} more"]


def shown(value: Any, *, most: int = _SHOWN) -> str:
    """A value, in `most` characters and without secrets."""
    text = redact(_plain(value)[:_LOOKED_AT])
    return text if len(text) <= most else f"{text[:most]}…"


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=repr)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that `name` was probably meant to be, None if none is like it."""
    return next(iter(get_close_matches(name, list(names), n=1)), None)


def _refused(schema: Mapping[str, Any], value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    kind = schema.get("type")
    if isinstance(value, bool) and kind in {"integer", "number"}:
        yield path, f"{named(path)} must be a {'whole ' * (kind == 'integer')}number (got {shown(value)})"
    if isinstance(value, Mapping) and "properties" in schema:
        properties, rest = schema["properties"], schema.get("additionalProperties", False)
        for key, inner in value.items():
            if key in properties:
                yield from _refused(properties[key], inner, (*path, key))
            elif rest is False:
                yield (*path, key), unknown((*path, key), properties)
    elif isinstance(value, Mapping) and isinstance(schema.get("additionalProperties"), Mapping):
        for key, inner in value.items():
            yield from _refused(schema["additionalProperties"], inner, (*path, key))
    elif isinstance(value, Sequence) and not isinstance(value, str) and isinstance(schema.get("items"), Mapping):
        for number, inner in enumerate(value):
            yield from _refused(schema["items"], inner, (*path, number))


def unknown(path: Path, properties: Iterable[str]) -> str:
    """The clause that there is no argument at `path`, with the nearest of `properties`, else with all of them."""
    names = list(properties)
    meant = nearest(str(path[-1]), names)
    if meant:
        return f"{named(path)} is unknown, use {named((*path[:-1], meant))}"
    if not names:
        return f"{named(path)} is unknown, it takes no arguments"
    return f"{named(path)} is unknown, there are {', '.join(f'`{name}`' for name in names)}"


def _explain(schema: Mapping[str, Any], error: ErrorDetails) -> tuple[Path, str]:
    path = _follow(schema, error["loc"])
    name, kind = named(path), error["type"]
    if kind == "missing":
        return path, f"{name} is missing"
    if kind in _EXPECTED:
        expected = f"must be {_EXPECTED[kind](error.get('ctx', {}))}"
    else:
        said = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ").rstrip(".")
        meant = said.replace("Input should be", "must be", 1)
        expected = meant if meant != said else f"is wrong: {said}"
    return path, f"{name} {expected} (got {shown(error['input'])})"


def _follow(schema: Mapping[str, Any], loc: Path) -> Path:
    """`loc` without what names a branch of a union."""
    path: Path = ()
    for step in loc:
        if isinstance(step, int):
            places = schema.get("prefixItems", ())
            schema = places[step] if step < len(places) else schema.get("items", {})
        elif schema.get("type") != "object":
            continue
        else:
            schema = schema["properties"].get(step, {}) if "properties" in schema else {}
        path = (*path, step)
    return path


def named(path: Path) -> str:
    """The argument at `path`, as a sentence names it."""
    first, *rest = path or ("arguments",)
    name = str(first) + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in rest)
    return f"`{name if len(name) <= _SHOWN else name[:_SHOWN] + '…'}`"
