"""What is at an address, in parts that a host can take."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote

from mcp.types import ReadResourceResult, TextResourceContents

from toolkit.errors import ConfigError, NotFound

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit

CHUNKS: Final = "toolkit://chunks/"
DOCUMENTS: Final = "toolkit://documents/"
SESSIONS: Final = "toolkit://sessions/"
USAGE: Final = "toolkit://usage"

MOST: Final = 80_000
"""Characters of one part: some 20,000 tokens, which every host takes."""

DAYS: Final = 30
"""Days that the usage is of, today included."""

_MARKDOWN: Final = frozenset({"markdown", "notebook", "html", "docx", "pptx"})  # or it was made of them
_MINUTE: Final = 60_000
_DIGITS: Final = 12


def mime_type(kind: str) -> str:
    """What the text of a document of that kind is."""
    return "text/markdown" if kind in _MARKDOWN else "text/plain"


def subject_of(uri: str) -> str:
    """The id of what is at an address: of a chunk that of its document; the usage has one of its own."""
    where = uri.partition("?")[0]
    own = unquote(where.rpartition("/")[2])
    return own.rpartition("-")[0] if where.startswith(CHUNKS) else own


async def read(tk: "Toolkit", uri: str, owner: str | None) -> ReadResourceResult:
    """What is at `uri`, one of ours.

    Args:
        tk: has it.
        uri: where; behind a `?` stands which part.
        owner: who asks; what is somebody else's is not there.

    Raises:
        NotFound: nothing is there.
        ConfigError: there is no such part.
    """
    where, _, query = uri.partition("?")
    part = dict(parse_qsl(query))
    for prefix, reader in ((CHUNKS, _chunk), (DOCUMENTS, _document), (SESSIONS, _session)):
        if where.startswith(prefix):
            return await reader(tk, uri, unquote(where.removeprefix(prefix)), part, owner)
    if where != USAGE:
        raise NotFound(f"There is no resource {uri[:200]!r}; the usage is {USAGE}.")
    return await _usage(tk, uri, owner)


async def _chunk(tk: "Toolkit", uri: str, name: str, _part: Mapping[str, str], owner: str | None) -> ReadResourceResult:
    [chunk] = await tk.documents.chunk(name, owner=owner)
    return _result(TextResourceContents(uri=uri, mime_type="text/plain", text=chunk.text), ttl_ms=_MINUTE)


async def _document(
    tk: "Toolkit", uri: str, name: str, part: Mapping[str, str], owner: str | None
) -> ReadResourceResult:
    """A document's text from `?offset=` on, up to the last line that fits; a second text says where it goes on."""
    document = await tk.documents.document(name, owner=owner)
    start = _number(part, "offset", len(document.text))
    end = _end_of_part(document.text, start)
    contents = [TextResourceContents(uri=uri, mime_type=mime_type(document.kind), text=document.text[start:end])]
    if end < len(document.text):
        following = f"{DOCUMENTS}{name}?offset={end}"
        said = f"These are the characters {start} to {end} of {len(document.text)}; read on at {following}"
        contents.append(TextResourceContents(uri=following, mime_type="text/plain", text=said))
    return _result(*contents, ttl_ms=_MINUTE)


async def _session(
    tk: "Toolkit", uri: str, name: str, part: Mapping[str, str], owner: str | None
) -> ReadResourceResult:
    """A session with its last messages, or the last before the `?before=`th; `earlier` is the address of the others."""
    session, said = await tk.sessions.read(name, owner=owner)
    end = first = _number(part, "before", len(said)) if "before" in part else len(said)
    messages: list[dict[str, Any]] = []
    size = 0
    while first > 0:
        message = said[first - 1].to_json()
        message.pop("opaque", None)  # only its vendor can read it
        size += len(json.dumps(message, ensure_ascii=False))
        if size > MOST:
            if messages:
                break
            message = {"role": message["role"], "text": said[first - 1].text[:MOST], "cut": True}
        messages.insert(0, message)
        first -= 1
    told = {
        "id": session.id,
        "title": session.title,
        "created_at": session.created_at.isoformat(timespec="seconds"),
        "expires_at": session.expires_at.isoformat(timespec="seconds"),
        "messages": messages,
        "positions": [first + 1, end] if messages else [],
        "earlier": f"{SESSIONS}{session.id}?before={first}" if first else None,
    }
    return _result(_json(uri, told))


async def _usage(tk: "Toolkit", uri: str, owner: str | None) -> ReadResourceResult:
    return _result(_json(uri, {"days": DAYS, **asdict(await tk.usage.stats(user=owner, days=DAYS))}))


def _end_of_part(text: str, start: int) -> int:
    """Where the part that begins at `start` ends: after a line, unless one alone is longer than a part."""
    if len(text) - start <= MOST:
        return len(text)
    return text.rfind("\n", start, start + MOST) + 1 or start + MOST


def _number(part: Mapping[str, str], name: str, most: int) -> int:
    given = part.get(name, "0")
    if not (given.isascii() and given.isdigit() and len(given) <= _DIGITS) or int(given) > most:
        raise ConfigError(f"There is no part {name}={given[:20]!r}; the address without it is the first part.")
    return int(given)


def _json(uri: str, told: Mapping[str, Any]) -> TextResourceContents:
    return TextResourceContents(uri=uri, mime_type="application/json", text=json.dumps(told, ensure_ascii=False))


def _result(*contents: TextResourceContents, ttl_ms: int = 0) -> ReadResourceResult:
    """It depends on who asks, so nobody may keep it for others."""
    return ReadResourceResult(contents=list(contents), ttl_ms=ttl_ms, cache_scope="private")
