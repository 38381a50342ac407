"""The form of `tools.json`, and what is wrong with one, said by its keys."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from toolkit.errors import ConfigError
from toolkit.messages import Json
from toolkit.tools.complaints import complaints, unknown
from toolkit.tools.schema import flatten

_KEYS = ("tools", "mcpServers")
_Text: TypeAlias = Annotated[str, Field(min_length=1)]
_Method: TypeAlias = Annotated[
    Literal["GET", "POST", "PUT", "PATCH", "DELETE"], BeforeValidator(lambda v: v.upper() if isinstance(v, str) else v)
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class HttpHandler(_Part):
    """An HTTP call that is a tool.

    Attributes:
        type: there is only `http`.
        url: `{name}` in its path is filled with the argument.
        method: GET sends the arguments as the query, the others as a JSON body.
        headers: their values may hold `${NAME}`, a variable of the environment.
        timeout: seconds.
        max_bytes: of an answer; the rest is cut off.
        allow_private: the host may be this machine or of a private network.
    """

    type: Literal["http"] = "http"
    url: _Text
    method: _Method = "POST"
    headers: dict[str, str] = Field(default_factory=dict)
    timeout: float = Field(30, gt=0, le=3600, strict=False)
    max_bytes: int = Field(1_000_000, gt=0, le=100_000_000)
    allow_private: bool = False


class HttpEntry(_Part):
    """A tool of the list `tools`.

    Attributes:
        name: snake_case, at most 64 characters.
        description: what it does and when to use it.
        parameters: JSON Schema of an object.
        handler: what is called.
        title: for people.
        read_only: as of `Tool`, as are the two that follow.
        destructive: where it is not said, a DELETE is.
        idempotent: twice is the same as once.
    """

    name: _Text
    description: _Text
    parameters: dict[str, Any] = Field(default_factory=dict)
    handler: HttpHandler
    title: str | None = None
    read_only: bool = False
    destructive: bool | None = None
    idempotent: bool = False


class _Server(_Part):
    disabled: bool = False
    timeout: float | None = Field(None, gt=0, le=3600, strict=False)


class StdioServer(_Server):
    """An MCP server that is a program on this machine.

    Attributes:
        type: said by some hosts' files.
        command: looked up in PATH.
        args: of the command, as all that follows with `${NAME}` for a variable of the environment.
        env: beside the few variables that every program needs; nothing else of the environment is given on.
        cwd: the folder that it starts in; that of the file where it is relative.
        disabled: it is left out.
        timeout: seconds of one call.
    """

    type: Literal["stdio"] = "stdio"
    command: _Text
    args: tuple[str, ...] = Field((), strict=False)
    env: dict[str, str] = Field(default_factory=dict)
    cwd: str | None = None


class HttpServer(_Server):
    """An MCP server elsewhere.

    Attributes:
        type: said by some hosts' files; both mean the same.
        url: of its endpoint.
        headers: their values may hold `${NAME}`, a variable of the environment.
        disabled: it is left out.
        timeout: seconds of one call.
    """

    type: Literal["http", "streamable-http"] = "http"
    url: _Text
    headers: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds.

    Attributes:
        tools: the HTTP tools.
        servers: other MCP servers by name.
        problems: what is wrong with those that are left out, a sentence each, by the name of the entry.
    """

    tools: tuple[HttpEntry, ...]
    servers: Mapping[str, StdioServer | HttpServer]
    problems: Mapping[str, str]


_Model = TypeVar("_Model", bound=_Part)


def contents(text: str, path: Path) -> Contents:
    """What the text of a `tools.json` says; an entry that is wrong does not hide the others.

    Raises:
        ConfigError: it is not JSON, or not an object of the right keys; the message names the line or the key.
    """
    whole = _object(text, path)
    problems: dict[str, str] = {}
    tools: dict[str, HttpEntry] = {}
    for number, given in enumerate(_of(whole, "tools", list, path)):
        where = f"tools[{number}]"
        try:
            entry = _read(HttpEntry, given, f"{path}, {_called(where, given)}")
        except ConfigError as error:
            problems[where] = str(error)
            continue
        if entry.name in tools:
            problems[where] = f"{path}, {where}: there is a tool {entry.name!r} above already; rename one."
            continue
        tools[entry.name] = entry
    servers: dict[str, StdioServer | HttpServer] = {}
    for name, given in _of(whole, "mcpServers", dict, path).items():
        try:
            servers[name] = _server(given, f"{path}, mcpServers.{name}")
        except ConfigError as error:
            problems[f"mcpServers.{name}"] = str(error)
    return Contents(tuple(tools.values()), servers, problems)


def _object(text: str, path: Path) -> Json:
    try:
        whole = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON: {error}; mend it there.") from error
    if not isinstance(whole, dict):
        raise ConfigError(f'{path} is not an object; write {{"tools": […], "mcpServers": {{…}}}}.')
    wrong = [unknown((key,), _KEYS) for key in whole if key not in (*_KEYS, "$schema")]
    if wrong:
        raise ConfigError(f"{path}: {'; '.join(wrong)}.")
    return whole


def _of(whole: Json, key: str, kind: type[Any], path: Path) -> Any:
    value = whole.get(key, kind())
    if not isinstance(value, kind):
        raise ConfigError(f"{path}: `{key}` must be {'a list' if kind is list else 'an object'}.")
    return value


def _server(given: Any, where: str) -> StdioServer | HttpServer:
    remote = isinstance(given, dict) and "url" in given and "command" not in given
    if isinstance(given, dict) and given.get("type") == "sse":
        raise ConfigError(f"{where}: the transport sse is one of the past; use the server's streamable HTTP endpoint.")
    return _read(HttpServer, given, where) if remote else _read(StdioServer, given, where)


def _read(model: type[_Model], given: Any, where: str) -> _Model:
    if not isinstance(given, dict):
        raise ConfigError(f"{where} must be an object.")
    try:
        return model.model_validate(given)
    except ValidationError as error:
        whole = model.model_json_schema()
        schema = flatten(whole, whole.get("$defs", {}))
        # What somebody wrote into a header or a variable may be a secret, however wrong its form is.
        errors = [{**e, "input": "***"} if {"headers", "env"} & set(e["loc"]) else e for e in error.errors()]
        said = complaints(schema, given, errors)  # type: ignore[arg-type]  # the same keys
        raise ConfigError(f"{where}: {'; '.join(said)}.") from None  # pydantic's own message shows the values


def _called(where: str, given: Any) -> str:
    name = given.get("name") if isinstance(given, dict) else None
    return f"{where} ({name})" if isinstance(name, str) else where
