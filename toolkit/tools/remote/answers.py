"""What an HTTP server answered, as a tool's result."""

import json
import re
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpx2

from toolkit.errors import ToolError
from toolkit.redaction import redact
from toolkit.tools.tool import ToolResult

_EXCERPT = 300  # characters of an error's body: enough to see what the server wants
_READABLE = re.compile(r"text/.*|.*[/+](json|xml|yaml|x-yaml|javascript|x-ndjson|x-www-form-urlencoded)")
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)


async def answer_of(response: httpx2.Response, tool: str, most: int, secrets: tuple[str, ...]) -> ToolResult:
    """The body of `response`: JSON as data, text as text.

    Args:
        response: whose body was not read yet.
        tool: for messages.
        most: bytes that are read.
        secrets: what must not be told to a model, though the server may send it back.

    Raises:
        ToolError: it is no success, or nothing that a model can read.
    """
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if response.is_redirect:
        raise ToolError(f"{tool}: the server points to {_target(response)}, which is not followed.")
    if not response.is_success:
        body, _ = await _read(response, 10 * _EXCERPT)
        said = _excerpt(body.decode("utf-8", "replace"), kind, secrets)
        raise ToolError(f"{tool}: the server answered {_status(response)}{f': {said}' if said else ''}.")
    if kind and not _READABLE.fullmatch(kind):
        raise ToolError(f"{tool}: the server answered with {kind[:80]}, which a model cannot read.")
    body, cut = await _read(response, most)
    text = _decoded(body, response, cut=cut)
    if text is None:
        raise ToolError(f"{tool}: the server answered with {len(body):,} bytes that are no text.")
    for secret in secrets:
        text = text.replace(secret, "***")
    if cut:
        note = f"\n[Cut: these are the first {most:,} bytes of a longer answer; ask for less at once.]"
        return ToolResult(text + note, {"result": text, "truncated": True})
    if not text.strip():
        return ToolResult(f"The server answered {_status(response)}, with nothing else.", {"result": None})
    return _result(text, kind)


async def _read(response: httpx2.Response, most: int) -> tuple[bytes, bool]:
    """The first `most` bytes, and whether there are more."""
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > most:
            return bytes(body[:most]), True
    return bytes(body), False


def _decoded(body: bytes, response: httpx2.Response, *, cut: bool) -> str | None:
    if b"\0" in body:
        return None
    try:
        return body.decode(response.charset_encoding or "utf-8", "ignore" if cut else "strict")
    except UnicodeDecodeError:
        return None
    except LookupError:  # a charset that nobody knows
        return body.decode("utf-8", "replace")


def _result(text: str, kind: str) -> ToolResult:
    if not kind or kind.endswith(("/json", "+json")):
        try:
            data: Any = json.loads(text, parse_constant=lambda _: None)
        except (ValueError, RecursionError):
            return ToolResult(text, {"result": text})
        compact = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        return ToolResult(compact, data if isinstance(data, dict) else {"result": data})
    return ToolResult(text, {"result": text})


def _excerpt(text: str, kind: str, secrets: tuple[str, ...]) -> str:
    if kind == "text/html":
        title = _TITLE.search(text)
        text = f"a page titled {title[1].strip()!r}" if title else "a page"
    elif kind and not _READABLE.fullmatch(kind):
        return ""
    plain = " ".join("".join(c if c.isprintable() else " " for c in redact(text, *secrets)).split()).rstrip(".")
    return plain if len(plain) <= _EXCERPT else f"{plain[:_EXCERPT]}…"


def _status(response: httpx2.Response) -> str:
    try:
        return f"{response.status_code} {HTTPStatus(response.status_code).phrase}"
    except ValueError:
        return str(response.status_code)


def _target(response: httpx2.Response) -> str:
    """Where a redirect leads, without what may be secret in it."""
    try:
        where = urlsplit(response.headers.get("location", ""))
    except ValueError:
        return "another address"
    host = where.netloc.rpartition("@")[2]
    return (
        redact(f"{where.scheme}://{host}{where.path}"[:200]) if host or where.scheme else where.path[:200] or "nowhere"
    )
