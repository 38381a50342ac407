"""A conversation with a time to live."""

from dataclasses import dataclass
from datetime import datetime

from toolkit.db import Row, as_json, as_time
from toolkit.display.card import Card, Cell, line
from toolkit.display.shown import Shown, cell
from toolkit.messages import Json


@dataclass(frozen=True, slots=True, repr=False)
class Summary(Shown):
    """What the beginning of a conversation was about.

    Attributes:
        until: the position of the last message that is summed up.
        text: the summary.
    """

    until: int
    text: str


@dataclass(frozen=True, slots=True, repr=False)
class Session(Shown):
    """A conversation, without what was said in it.

    Attributes:
        title: for people, None if it has none.
        user: the person it belongs to.
        origin: the application that began it.
        context: the application's own data.
        ttl_seconds: how long it lives after each use.
        used_at: the last turn or extension; at first `created_at`.
        expires_at: from this moment on it is gone for every reader.
        parent_id: the session that it was forked from, None if it began by itself.
        parent_at: how many messages it took over from there.
        summary: what its beginning was about, None where nothing was summed up.
    """

    id: str
    title: str | None
    user: str | None
    origin: str | None
    context: Json
    ttl_seconds: int
    created_at: datetime
    used_at: datetime
    expires_at: datetime
    parent_id: str | None
    parent_at: int | None
    summary: Summary | None = None

    @property
    def cursor(self) -> str:
        """The place after this session in a list of sessions, for `Sessions.list(after=…)`."""
        return f"{self.used_at.isoformat()}/{self.id}"

    @classmethod
    def from_row(cls, row: Row) -> "Session":
        """The session that a row of the table `sessions` is."""
        summary = as_json(row["summary"])
        return cls(
            id=row["id"],
            title=row["title"],
            user=row["user_id"],
            origin=row["origin"],
            context=as_json(row["context"]),
            ttl_seconds=row["ttl_seconds"],
            created_at=as_time(row["created_at"]),
            used_at=as_time(row["used_at"]),
            expires_at=as_time(row["expires_at"]),
            parent_id=row["parent_id"],
            parent_at=row["parent_at"],
            summary=Summary(**summary) if summary else None,
        )

    def _shown(self) -> Card:
        facts: dict[str, Cell] = {
            "user": self.user,
            "origin": self.origin,
            "kept for": f"{_hours(self.ttl_seconds)} after each use",
            "forked after message": self.parent_at,
            "context": cell(self.context),
            "summary": line(self.summary.text, 200) if self.summary else None,
        }
        return Card(self.title or "untitled", facts, kind="Session")


def _hours(seconds: int) -> str:
    return f"{seconds / 3600:g} h" if seconds >= 3600 else f"{seconds / 60:.3g} min"  # noqa: PLR2004 - an hour has so many
