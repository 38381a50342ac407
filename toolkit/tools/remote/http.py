"""A tool that is an HTTP call."""

import json
import re
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import httpx2

from toolkit.errors import ConfigError, ToolArgumentsError, ToolError
from toolkit.messages import Json
from toolkit.redaction import looks_like_key
from toolkit.tools.remote.addresses import CheckedTransport
from toolkit.tools.remote.answers import answer_of
from toolkit.tools.remote.foreign import ForeignParameters
from toolkit.tools.remote.form import HttpEntry
from toolkit.tools.remote.through import Through
from toolkit.tools.remote.variables import headers_of, secrets_of
from toolkit.tools.tool import Tool, ToolContext, ToolResult, in_words, valid_name

_PLACE = re.compile(r"\{([^{}]*)\}")
_CONNECT = 10.0  # seconds; the rest is bounded by the call's own limit


class HttpCalls:
    """The connections of all HTTP tools of a file."""

    def __init__(self, *, private: bool) -> None:
        self._private = private
        self._transports: dict[bool, CheckedTransport] = {}

    def to(self, *, private: bool) -> CheckedTransport:
        """What reaches the addresses that a handler may reach."""
        allowed = private or self._private
        if allowed not in self._transports:
            self._transports[allowed] = CheckedTransport(private=allowed)
        return self._transports[allowed]

    async def close(self) -> None:
        """Close every connection; a later call opens new ones."""
        transports = list(self._transports.values())
        self._transports.clear()
        for transport in transports:
            await transport.aclose()


def http_tool(entry: HttpEntry, where: str, environ: Mapping[str, str], calls: HttpCalls, through: Through) -> Tool:
    """The tool that an entry describes.

    Args:
        entry: as it was read.
        where: its place in the file, for messages.
        environ: where the values of headers come from.
        calls: the connections.
        through: what every call goes through.

    Raises:
        ConfigError: it cannot be called as it is written.
    """
    handler = entry.handler
    name = _named(entry.name, where)
    parameters = _parameters(entry, where)
    places = _places(handler.url, parameters, where)
    headers = headers_of(handler.headers, environ, where)
    secrets = secrets_of(handler.headers.values(), environ)

    async def run(arguments: Json, _context: ToolContext) -> ToolResult:
        checked = parameters.check(name, arguments)
        request = _request(entry, places, headers, checked)

        async def do() -> ToolResult:
            try:
                response = await calls.to(private=handler.allow_private).handle_async_request(request)
                try:
                    return await answer_of(response, name, handler.max_bytes, secrets)
                finally:
                    await response.aclose()
            except httpx2.HTTPError as error:
                raise ToolError(f"{name}: {_failure(error, request.url.host)}; try again later.") from error

        return await in_words(name, through("tools.json", name, checked, do))

    return Tool(
        name=name,
        title=entry.title or name.replace("_", " ").capitalize(),
        description=entry.description,
        parameters=parameters.schema,
        run=run,
        read_only=entry.read_only,
        destructive=handler.method == "DELETE" if entry.destructive is None else entry.destructive,
        idempotent=entry.idempotent,
        open_world=True,
        timeout=handler.timeout,
        source="tools.json",
        check=partial(parameters.check, name),
    )


def _named(name: str, where: str) -> str:
    try:
        return valid_name(name)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _parameters(entry: HttpEntry, where: str) -> ForeignParameters:
    # What is not listed would be sent on unseen, over what stands in the URL.
    closed = {"additionalProperties": False, **entry.parameters}
    try:
        return ForeignParameters(closed)
    except ConfigError as error:
        raise ConfigError(f"{where}: `parameters` {error}.") from error


def _places(url: str, parameters: ForeignParameters, where: str) -> frozenset[str]:
    """The arguments that stand in the path of `url`."""
    parts = urlsplit(url)
    try:
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        httpx2.URL(_PLACE.sub("x", url))
    except (ValueError, httpx2.InvalidURL):
        usable = False
    if not usable:
        raise ConfigError(f"{where}: `url` must begin with http:// or https:// and a host.")
    if parts.username is not None or looks_like_key(url):
        raise ConfigError(f"{where}: `url` holds a secret; send it in a header whose value is ${{NAME}}.")
    if parts.fragment or "${" in url:
        raise ConfigError(f"{where}: `url` takes no `#` and no ${{NAME}}; only values of headers take variables.")
    if _PLACE.search(parts.netloc) or _PLACE.search(parts.query):
        raise ConfigError(f"{where}: `url` may have {{…}} in its path only, so that no argument changes the host.")
    names = frozenset(_PLACE.findall(parts.path))
    required = parameters.schema.get("required", ())
    for name in sorted(names):
        own = parameters.schema["properties"].get(name, {})
        if name not in required or own.get("type") not in {"string", "integer", "number", "boolean"}:
            raise ConfigError(
                f"{where}: {{{name}}} stands in the `url`, so `parameters` must have it as a required property "
                "of type string, integer, number or boolean."
            )
    return names


def _request(entry: HttpEntry, places: frozenset[str], headers: Mapping[str, str], arguments: Json) -> httpx2.Request:
    handler = entry.handler
    url = httpx2.URL(_filled(entry.name, handler.url, arguments) if places else handler.url)
    rest = {name: value for name, value in arguments.items() if name not in places}
    # What comes back is counted as it comes; a compressed answer could be a thousand times as long.
    own = {"accept": "application/json, text/*;q=0.9", "accept-encoding": "identity", "user-agent": "toolkit-mcp"}
    sent = httpx2.Headers({**own, "host": url.netloc.decode("ascii")})
    sent.update(headers)
    extensions = {"timeout": {"connect": _CONNECT, "read": None, "write": None, "pool": None}}
    if handler.method == "GET":
        url = url.copy_merge_params([pair for name, value in rest.items() for pair in _query(name, value)])
        return httpx2.Request("GET", url, headers=sent, extensions=extensions)
    return httpx2.Request(handler.method, url, headers=sent, json=rest, extensions=extensions)


def _filled(tool: str, template: str, arguments: Json) -> str:
    head, path, tail = _around_path(template)
    filled = _PLACE.sub(lambda match: quote(_text(arguments[match[1]]), safe=""), path)
    for before, after in zip(path.split("/"), filled.split("/"), strict=True):
        if before != after and unquote(after) in {"", ".", ".."}:
            name = _PLACE.findall(before)[0]
            raise ToolArgumentsError(
                f"{tool}: `{name}` must be a name, not {unquote(after)!r}, for it stands in an address."
            )
    return head + filled + tail


def _around_path(template: str) -> tuple[str, str, str]:
    scheme, _, rest = template.partition("://")
    host, slash, after = rest.partition("/")
    path, question, query = after.partition("?")
    return f"{scheme}://{host}{slash}", path, question + query


def _query(name: str, value: Any) -> list[tuple[str, str]]:
    return [(name, _text(each)) for each in (value if isinstance(value, list) else [value])]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _failure(error: httpx2.HTTPError, host: str) -> str:
    match error:
        case httpx2.ConnectTimeout() | httpx2.ConnectError():
            return f"{host} cannot be reached"
        case httpx2.TimeoutException():
            return f"{host} does not answer"
        case _:
            return f"the answer of {host} broke off or is no HTTP"
