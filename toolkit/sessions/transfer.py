"""Conversations as text that goes from one database to another: what is in it, and what it may be."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from toolkit.db import Database, Sql, as_json, as_time
from toolkit.errors import ConfigError
from toolkit.messages import Json, Message, Role
from toolkit.sessions.session import Session, Summary

LONGEST = 64_000_000
"""Characters of a text that is imported, at most."""

MOST_MESSAGES = 100_000
"""Messages of a session that is imported, at most."""

VERSION = 1
"""Of the form of the text; a newer one is refused."""

_KEPT = Sql(
    """
    SELECT *, (SELECT '[' || COALESCE(group_concat(message, ','), '') || ']'
                 FROM (SELECT json_object('body', json(body), 'call_id', call_id, 'at', created_at) AS message
                         FROM messages
                        WHERE session_id = sessions.id
                        ORDER BY position)) AS said
      FROM sessions
     WHERE id = :id
    """,
    postgres="""
    SELECT *, (SELECT CAST(json_agg(json_build_object('body', body, 'call_id', call_id, 'at', created_at)
                                    ORDER BY position) AS TEXT)
                 FROM messages
                WHERE session_id = sessions.id) AS said
      FROM sessions
     WHERE id = :id
    """,
)


@dataclass(frozen=True, slots=True)
class Said:
    """A message, and when it was said.

    Attributes:
        call_id: the question in the ledger that it belonged to.
        at: None where the text does not say.
    """

    message: Message
    call_id: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A session of this database with all there is to it."""

    session: Session
    messages: Sequence[Said]


@dataclass(frozen=True, slots=True)
class Header:
    """What a text says of the session; None where it does not say.

    Attributes:
        messages: how many follow.
    """

    title: str | None = None
    user: str | None = None
    origin: str | None = None
    context: Json | None = None
    ttl_seconds: int | None = None
    summary: Summary | None = None
    messages: int | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """A session that was read from a text."""

    header: Header
    messages: Sequence[Said]


async def kept(db: Database, session_id: str) -> Kept | None:
    """A session with all there is to it, whosever it is and alive or not; None if there is none."""
    row = await db.fetch_one(_KEPT, id=session_id)
    if row is None:
        return None
    said = as_json(row["said"]) or ()
    return Kept(
        Session.from_row(row),
        [Said(Message.from_json(each["body"]), each["call_id"], as_time(each["at"])) for each in said],
    )


def rows(messages: Sequence[Said], otherwise: datetime) -> list[Json]:
    """Messages as a statement takes them; `otherwise` is when those were said of which nobody knows."""
    return [
        {
            "body": each.message.to_json(),
            "call_id": each.call_id,
            "at": (each.at or otherwise).astimezone(UTC).isoformat(timespec="microseconds"),
        }
        for each in messages
    ]


class _Strict(BaseModel):
    # Made when first used: most programs never import a session, and all would wait for it.
    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)


class _Call(_Strict):
    id: str
    name: str
    arguments: dict[str, Any]


class _Message(_Strict):
    role: Role
    text: str = ""
    images: list[str] = []
    tool_calls: list[_Call] = []
    tool_call_id: str | None = None
    opaque: dict[str, Any] = {}
    pinned: bool = False
    stopped: bool = False
    call_id: str | None = None
    created_at: AwareDatetime | None = Field(default=None, strict=False)


class _Summary(_Strict):
    until: int = Field(ge=1, lt=2**63)
    text: str


class _Header(_Strict):
    version: int
    id: str | None = None
    title: str | None = None
    user: str | None = None
    origin: str | None = None
    context: dict[str, Any] | None = None
    ttl_seconds: int | None = None
    created_at: Any = None
    used_at: Any = None
    summary: _Summary | None = None
    messages: int | None = None


def header_json(kept: Kept) -> Json:
    """What a text says of the session, without what is empty."""
    session = kept.session
    said = {
        "id": session.id,
        "title": session.title,
        "user": session.user,
        "origin": session.origin,
        "context": session.context or None,
        "ttl_seconds": session.ttl_seconds,
        "created_at": session.created_at.isoformat(),
        "used_at": session.used_at.isoformat(),
        "summary": {"until": session.summary.until, "text": session.summary.text} if session.summary else None,
        "messages": len(kept.messages),
    }
    return {"version": VERSION, **{name: value for name, value in said.items() if value is not None}}


def read_header(value: Json, line: int) -> Header:
    """The opposite of `header_json`.

    Raises:
        ConfigError: it is something else, or of a newer version.
    """
    if isinstance(value, dict) and isinstance(value.get("version"), int) and value["version"] > VERSION:
        raise bad(
            line, f"it is of version {value['version']}, and this toolkit reads version {VERSION}; use a newer one"
        )
    said = _checked(_Header, value, line)
    summary = Summary(said.summary.until, said.summary.text) if said.summary else None
    return Header(said.title, said.user, said.origin, said.context, said.ttl_seconds, summary, said.messages)


def read_message(value: Json, line: int) -> Said:
    """A message in the form of `Message.to_json`, with its call and time beside it.

    Raises:
        ConfigError: it is something else.
    """
    said = _checked(_Message, value, line)
    own = {name: inner for name, inner in value.items() if name not in ("call_id", "created_at")}
    return Said(Message.from_json(own), said.call_id, said.created_at)


def check_call(value: Any, line: int) -> Json:
    """A tool call in the form of `Message.to_json`.

    Raises:
        ConfigError: it is something else.
    """
    call: Json = _checked(_Call, value, line).model_dump()
    return call


def finished(header: Header, messages: Sequence[Said], end: int) -> Imported:
    """What was read, if it is whole.

    Raises:
        ConfigError: something is missing, or a summary speaks of more than there is.
    """
    if header.messages is not None and header.messages != len(messages):
        raise bad(end, f"the text ends after {len(messages)} of {header.messages} messages; it was cut off or changed")
    if header.summary and header.summary.until > len(messages):
        raise bad(1, f"the summary speaks of {header.summary.until} messages, and there are {len(messages)}")
    return Imported(header, messages)


def bad(line: int, why: str) -> ConfigError:
    """A text that cannot be imported, and where."""
    return ConfigError(f"Line {line:,} cannot be imported: {why}.")


def _checked(model: type[_Strict], value: Any, line: int) -> Any:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise bad(line, f"{place + ': ' if place else ''}{first['msg'][:1].lower()}{first['msg'][1:]}") from None
