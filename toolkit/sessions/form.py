"""The form that an answer must have: any type that pydantic understands, said as JSON Schema, read from JSON."""

import collections.abc
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Final, Generic, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json

from toolkit.errors import ConfigError
from toolkit.messages import Json, OutputSchema
from toolkit.tools.complaints import shown

T = TypeVar("T")

ANSWER: Final = "answer"
"""The key under which an answer stands that is no object: vendors take objects only."""

_MOST = 10  # mistakes that are told at once
NAMED = re.compile(r"[^A-Za-z0-9_-]+")
_WRAPPED = re.compile(rf'\s*\{{\s*(?:\}}|"{ANSWER}"\s*:)')
_MANY = (collections.abc.Iterable, collections.abc.Iterator)


class Misfit(Exception):
    """JSON that does not fit, or none.

    Attributes:
        errors: what is wrong, each with its place.
        unreadable: it is no JSON, or not whole.
    """

    def __init__(self, errors: Sequence[str], *, unreadable: bool) -> None:
        super().__init__("; ".join(errors))
        self.errors = tuple(errors)
        self.unreadable = unreadable


class _Wrapper(BaseModel, Generic[T]):
    answer: T


@dataclass(frozen=True, slots=True)
class Form:
    """A type as the form of an answer.

    Attributes:
        output: the form as a model is told it.
    """

    output: OutputSchema
    _adapter: TypeAdapter[Any]
    _wrapped: bool

    @classmethod
    def of(cls, kind: Any) -> "Form":
        """The form of a type; made once for each.

        Raises:
            ConfigError: pydantic does not understand the type, or it has no JSON form.
        """
        try:
            return _known(kind)
        except TypeError:  # what cannot be hashed
            return _made(kind)

    def read(self, text: str, context: Any = None) -> Any:
        """The instance that the JSON `text` is.

        Args:
            text: the answer.
            context: for the validators, which find it at `info.context`.

        Raises:
            Misfit: it does not fit.
        """
        if self._wrapped and not _WRAPPED.match(text) and _is_json(text):
            text = f'{{"{ANSWER}": {text}}}'  # not every model heeds the wrapping
        try:
            value = self._adapter.validate_json(text, context=context)
        except ValidationError as error:
            found = error.errors(include_url=False)
            unreadable = found[0]["type"] == "json_invalid"
            raise Misfit(_said(text, found), unreadable=unreadable) from error
        return value.answer if self._wrapped else value

    def unwrap(self, partial: Any) -> Any:
        """Of JSON as Python objects, whole or not, the part that is the answer; None where it has not begun."""
        if not self._wrapped:
            return partial
        return partial.get(ANSWER) if isinstance(partial, dict) else None


def _is_json(text: str) -> bool:
    try:
        from_json(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=256)
def _known(kind: Any) -> Form:
    return _made(kind)


def _made(kind: Any) -> Form:
    name = NAMED.sub("_", _name(kind))[:64]
    name = name if name.strip("_") else "Answer"
    if get_origin(kind) in _MANY:
        kind = list[get_args(kind)]  # type: ignore[misc] # what is asked for piece by piece comes as a whole
    try:
        adapter = TypeAdapter(kind)
        schema = _plain(adapter.json_schema())
        wrapped = schema.get("type") != "object"
        if wrapped:
            adapter = TypeAdapter(_Wrapper[kind])
            schema = _plain(adapter.json_schema())
    except (PydanticSchemaGenerationError, PydanticUserError, TypeError) as error:
        reason = str(error).partition("\n")[0].partition(". ")[0].rstrip(".")
        raise ConfigError(f"A model cannot be asked for {_name(kind)!r} as response_model ({reason}).") from error
    return Form(OutputSchema(name, schema), adapter, wrapped)


def _name(kind: Any) -> str:
    """What a person calls a type: `City`, `list_City`, `City_or_None`."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _name(arguments[0])
    names = [_name(each) for each in arguments if each is not ...]
    if origin in (Union, types.UnionType):
        return "_or_".join(names)
    if kind is type(None):
        return "None"
    return "_".join([str(getattr(origin or kind, "__name__", kind)), *names])


def _plain(schema: Json) -> Json:
    """Pydantic's schema with an object at its root, closed where it lists its keys, and without what only costs."""
    definitions = {name: _simplified(each) for name, each in schema.get("$defs", {}).items()}
    root = _simplified({key: value for key, value in schema.items() if key != "$defs"})
    if "$ref" in root:
        name = root["$ref"].removeprefix("#/$defs/")
        root = {**definitions[name], **{key: value for key, value in root.items() if key != "$ref"}}
        if not any(f"#/$defs/{name}" in _references(each) for each in (root, *definitions.values())):
            del definitions[name]
    return {**root, "$defs": definitions} if definitions else root


def _simplified(schema: Any) -> Any:
    if not isinstance(schema, Mapping):
        return schema
    plain: Json = {}
    for key, value in schema.items():
        match key:
            case "title" | "discriminator":
                continue
            case "properties":
                plain[key] = {name: _simplified(inner) for name, inner in value.items()}
            case "oneOf" | "anyOf":
                plain["anyOf"] = [_simplified(inner) for inner in value]
            case "allOf" | "prefixItems":
                plain[key] = [_simplified(inner) for inner in value]
            case "items" | "additionalProperties":
                plain[key] = _simplified(value)
            case _:
                plain[key] = value
    if "properties" in plain:
        plain.setdefault("additionalProperties", False)
    return plain


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            if key == "$ref":
                yield value
            yield from _references(value)
    elif isinstance(schema, list):
        for each in schema:
            yield from _references(each)


def _said(text: str, found: Sequence[ErrorDetails]) -> list[str]:
    """Pydantic's errors in words, each with its place in the JSON."""
    if found[0]["type"] == "json_invalid":
        reason = found[0]["msg"].removeprefix("Invalid JSON: ")
        return [f"it is not valid JSON ({reason})"]
    data = from_json(text)
    said: dict[str, None] = {}
    for number, error in enumerate(found):
        if len(said) == _MOST:
            return [*said, f"and {len(found) - number} more"]
        said[_clause(data, error)] = None
    return list(said)


def _clause(data: Any, error: ErrorDetails) -> str:
    place = _place(data, error["loc"], missing=error["type"] == "missing")
    message = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ").rstrip(".")
    clause = f"{place}: {message}" if place else message
    return clause if error["type"] == "missing" else f"{clause} (got {shown(error['input'])})"


def _place(data: Any, steps: Sequence[int | str], *, missing: bool) -> str:
    """Where in the JSON something is wrong; the names of a union's branches, and pydantic's own, are left out."""
    place = ""
    for number, step in enumerate(steps):
        if isinstance(data, dict) and (step in data or (missing and number == len(steps) - 1)):
            place += f".{step}" if place else str(step)
            data = data.get(step)
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            place += f"[{step}]"
            data = data[step]
    return place
