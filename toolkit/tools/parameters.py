"""The parameters of a tool: read from a function's signature, checked when a model calls it."""

import inspect
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NotRequired, cast, get_args, get_type_hints

from pydantic import ConfigDict, PydanticUndefinedAnnotation, PydanticUserError, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticSerializationError, to_jsonable_python
from typing_extensions import TypedDict

from toolkit.errors import ConfigError
from toolkit.messages import Json
from toolkit.tools.complaints import complaint
from toolkit.tools.schema import NotPortable, flatten

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a tool takes.

    Attributes:
        schema: JSON Schema of an object with one flat property per parameter.
        injected: the name of the parameter that gets the context of the call, None if no parameter does.
    """

    schema: Json
    injected: str | None
    _adapter: TypeAdapter[dict[str, Any]]
    _nullable: frozenset[str]

    @classmethod
    def of(
        cls, function: Callable[..., Any], *, tool: str, described: Mapping[str, str], context: type
    ) -> "Parameters":
        """The parameters of `function`.

        Args:
            function: each parameter annotated, and none of them `*args`, `**kwargs` or positional-only.
            tool: its name, for messages.
            described: what to say of a parameter whose annotation has no `Field(description=…)`.
            context: the annotation of the parameter that is no argument but gets the context of the call.

        Raises:
            ConfigError: a parameter that a model could not fill; the message names it.
        """
        taken = inspect.signature(function).parameters
        types = {name: _annotation(tool, function, parameter) for name, parameter in taken.items()}
        injected = next((name for name, kind in types.items() if kind is context or context in get_args(kind)), None)
        fields = {name: _field(tool, taken[name], types[name]) for name in taken if name != injected}
        adapter, schema = _build(tool, fields)
        nullable = frozenset(name for name, value in schema["properties"].items() if _admits_null(value))
        properties = {
            name: _property(tool, taken[name], value, schema, described.get(name, ""))
            for name, value in schema["properties"].items()
        }
        flat: Json = {"type": "object", "properties": properties, "additionalProperties": False}
        if schema.get("required"):
            flat["required"] = schema["required"]
        return cls(flat, injected, adapter, nullable)

    def check(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """`arguments` as the function wants them; those that are not given are left out.

        A model's small slips are understood: `"5"` for a number, a list or an object written as JSON text, and null
        for an argument that may be left out.

        Raises:
            ToolArgumentsError: what is wrong with each, and a right call, in one sentence.
        """
        meant = {name: self._meant(name, value) for name, value in arguments.items() if not self._absent(name, value)}
        try:
            values: dict[str, Any] = self._adapter.validate_python(meant)
            wrong = complaint(tool, self.schema, meant, ())
        except ValidationError as error:
            wrong = complaint(tool, self.schema, meant, error.errors(include_url=False))
        if wrong:
            raise wrong
        return values

    def _absent(self, name: str, value: Any) -> bool:
        optional = name in self.schema["properties"] and name not in self.schema.get("required", ())
        return value is None and optional and name not in self._nullable

    def _meant(self, name: str, value: Any) -> Any:
        wanted = {"array": list, "object": dict}.get(self.schema["properties"].get(name, {}).get("type"))
        if wanted is None or not isinstance(value, str):
            return value
        try:
            read = json.loads(value)
        except ValueError:
            return value
        return read if isinstance(read, wanted) else value


def _annotation(tool: str, function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    name = parameter.name
    if parameter.kind in _VARIADIC:
        raise ConfigError(f"Tool {tool}: a model cannot fill `{parameter}`; give it named parameters only.")
    if parameter.annotation is inspect.Parameter.empty:
        raise ConfigError(f"Tool {tool}: the parameter `{name}` has no type; annotate it.")
    if isinstance(parameter.default, FieldInfo):
        raise ConfigError(
            f"Tool {tool}: write the parameter `{name}` as `{name}: Annotated[type, Field(…)] = default`."
        )
    alone = SimpleNamespace(__annotations__={name: parameter.annotation})
    known = getattr(inspect.unwrap(function), "__globals__", {})
    try:
        return get_type_hints(alone, globalns=known, include_extras=True)[name]
    except (NameError, TypeError, SyntaxError, AttributeError) as error:
        raise ConfigError(
            f"Tool {tool}: the type of the parameter `{name}` cannot be read ({error}); "
            "use names that are known at the top of its module."
        ) from error


def _field(tool: str, parameter: inspect.Parameter, annotation: Any) -> Any:
    if annotation is Any or annotation is object:
        raise ConfigError(f"Tool {tool}: the parameter `{parameter.name}` may be anything; say which type it takes.")
    if parameter.default is inspect.Parameter.empty:
        return annotation
    return NotRequired[annotation | None if parameter.default is None else annotation]


def _build(tool: str, fields: Mapping[str, Any]) -> tuple[TypeAdapter[dict[str, Any]], Json]:
    """What checks all `fields`, and pydantic's schema of them."""
    # A TypedDict rather than a model: its keys may be called `schema`, `copy` or `_x`, and what is left out stays out.
    arguments = cast(Callable[..., Any], TypedDict)("Arguments", dict(fields))
    arguments.__pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=False)
    try:
        adapter: TypeAdapter[dict[str, Any]] = TypeAdapter(arguments)
        return adapter, adapter.json_schema()
    except (PydanticUserError, PydanticUndefinedAnnotation, TypeError) as error:
        if len(fields) > 1:
            for name, annotation in fields.items():
                _build(tool, {name: annotation})
        raise ConfigError(
            f"Tool {tool}: a model cannot fill the parameter `{next(iter(fields))}`; "
            "give it a type that JSON has, a dataclass or a pydantic model."
        ) from error


def _admits_null(schema: Mapping[str, Any]) -> bool:
    return any(branch.get("type") == "null" for branch in schema.get("anyOf", ()))


def _property(tool: str, parameter: inspect.Parameter, schema: Json, whole: Json, description: str) -> Json:
    described = {**schema, "description": schema.get("description") or description}
    if not described["description"]:
        del described["description"]
    try:
        flat = flatten(described, whole.get("$defs", {}))
    except NotPortable as error:
        raise ConfigError(f"Tool {tool}: the parameter `{parameter.name}` {error}; give it one plain type.") from error
    if parameter.default is not inspect.Parameter.empty and parameter.default is not None:
        with suppress(PydanticSerializationError):
            flat["default"] = to_jsonable_python(parameter.default)
    return flat
