"""Arguments checked against a JSON Schema that somebody else wrote."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from referencing import Registry
from referencing.exceptions import Unresolvable

from toolkit.errors import ConfigError, ToolArgumentsError
from toolkit.messages import Json
from toolkit.tools.complaints import Path, mistaken, named, shown, unknown

if TYPE_CHECKING:
    from jsonschema import ValidationError

_KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "text",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_EXPECTED: Mapping[str, Callable[[Any], str]] = {
    "type": lambda kind: " or ".join(_KINDS.get(k, str(k)) for k in ([kind] if isinstance(kind, str) else kind)),
    "enum": lambda values: "one of " + ", ".join(shown(value) for value in values[:20]),
    "const": shown,
    "minimum": lambda least: f"at least {least}",
    "maximum": lambda most: f"at most {most}",
    "exclusiveMinimum": lambda bound: f"more than {bound}",
    "exclusiveMaximum": lambda bound: f"less than {bound}",
    "multipleOf": lambda step: f"a multiple of {step}",
    "minLength": lambda least: "non-empty" if least == 1 else f"at least {least} characters long",
    "maxLength": lambda most: f"at most {most} characters long",
    "minItems": lambda least: "non-empty" if least == 1 else f"at least {least} long",
    "maxItems": lambda most: f"at most {most} long",
    "pattern": lambda pattern: f"text that fits the pattern {pattern}",
    "format": lambda form: f"a {form}",
}


class ForeignParameters:
    """What a tool of somebody else takes.

    Args:
        schema: JSON Schema of an object. What it refers to must stand in it: nothing is fetched.

    Attributes:
        schema: the same as models get it: it says that it is an object and lists its properties, be there none.

    Raises:
        ConfigError: it is no JSON Schema of an object; the message is the end of a sentence.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        from jsonschema import SchemaError  # noqa: PLC0415 - beside Jupyter its import takes a second
        from jsonschema.validators import Draft202012Validator, validator_for  # noqa: PLC0415 - as above

        given = dict(schema)
        kind = validator_for(given, default=Draft202012Validator)
        given.pop("$schema", None)
        if given.setdefault("type", "object") != "object":
            raise ConfigError(f"must be a JSON Schema of type object, not of {shown(given['type'])}")
        try:
            kind.check_schema(given)
        except SchemaError as error:
            raise ConfigError(f"is no JSON Schema: at {named(tuple(error.absolute_path))}, {error.message}") from error
        given.setdefault("properties", {})
        self.schema: Json = given
        self._validator = kind(given, registry=Registry())

    def check(self, tool: str, arguments: Mapping[str, Any]) -> Json:
        """`arguments` as they are sent.

        A model's small slips are understood: `"5"` for a number, a list or an object written as JSON text, and null
        for an argument that may be left out.

        Raises:
            ToolArgumentsError: what is wrong with each, and a right call, in one sentence.
        """
        meant = {name: self._meant(name, value) for name, value in arguments.items()}
        kept = {name: value for name, value in meant.items() if value is not None or self._wants_null(name)}
        try:
            found = [clause for error in self._validator.iter_errors(kept) for clause in clauses(error)]
        except Unresolvable as error:
            raise ToolArgumentsError(
                f"{tool}: its parameters refer to {error.ref!r}, which is not part of them; it cannot be called."
            ) from error
        except RecursionError as error:
            raise ToolArgumentsError(
                f"{tool}: its parameters refer to themselves without end; it cannot be called."
            ) from error
        if found:
            raise mistaken(tool, self.schema, kept, found)
        return kept

    def _wants_null(self, name: str) -> bool:
        return name in self.schema.get("required", ()) or self._fits(name, None)

    def _meant(self, name: str, value: Any) -> Any:
        if not isinstance(value, str) or self._fits(name, value):
            return value
        try:
            read = json.loads(value)
        except ValueError:
            return value
        return read if self._fits(name, read) else value

    def _fits(self, name: str, value: Any) -> bool:
        own = self.schema["properties"].get(name, True)
        try:
            return bool(self._validator.evolve(schema=own).is_valid(value))
        except (Unresolvable, RecursionError):
            return True  # said when the whole is checked


def clauses(error: "ValidationError") -> Iterator[tuple[Path, str]]:
    """A validator's complaint in words, and about what it is."""
    path: Path = tuple(error.absolute_path)
    expected: Any = error.validator_value
    given: Any = error.instance
    match error.validator:
        case "required":
            yield from (((*path, name), f"{named((*path, name))} is missing") for name in expected if name not in given)
        case "additionalProperties" | "unevaluatedProperties":
            properties = error.schema.get("properties", {}) if isinstance(error.schema, Mapping) else {}
            extra = [name for name in given if name not in properties]
            yield from (((*path, name), unknown((*path, name), properties)) for name in extra)
        case str(kind) if kind in _EXPECTED:
            yield path, f"{named(path)} must be {_EXPECTED[kind](expected)} (got {shown(given)})"
        case "anyOf" | "oneOf" if error.context:
            types = [inner.validator_value for inner in error.context if inner.validator == "type" and not inner.path]
            if len(types) == len(expected):
                kinds = " or ".join(_EXPECTED["type"](kind) for kind in types)
                yield path, f"{named(path)} must be {kinds} (got {shown(given)})"
            else:
                yield path, f"{named(path)} fits none of the forms that it may have (got {shown(given)})"
        case _:
            yield path, f"{named(path)} is wrong: {error.message[:200]}"
