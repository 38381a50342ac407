"""Prompts in the database: every version of each is kept, and the newest counts."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from toolkit.db import Database, Statement
from toolkit.db.database import Row, as_time
from toolkit.db.feed import event
from toolkit.display.card import Card, Cell, Text
from toolkit.display.shown import Shown
from toolkit.errors import Conflict
from toolkit.stamps import now

_TRIES = 20  # a prompt that others keep changing is read again this often


@dataclass(frozen=True, slots=True, repr=False)
class PromptVersion(Shown):
    """A prompt as it was from one change to the next.

    Attributes:
        id: what the prompt is called.
        version: 1 is the first.
        text: front matter and text; None: it was removed.
        changed_by: who wrote it.
        changed_at: when.
    """

    id: str
    version: int
    text: str | None
    changed_by: str | None
    changed_at: datetime

    def _shown(self) -> Card:
        facts: dict[str, Cell] = {"version": self.version, "by": self.changed_by, "removed": self.text is None}
        return Card(self.id, facts, (Text(self.text, code=True),) if self.text else (), kind="Prompt")


class PromptVersions:
    """The table `prompt_versions`.

    Args:
        db: where it is kept.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def newest(self) -> list[PromptVersion]:
        """The newest version of every prompt that is not removed, by id."""
        rows = await self._db.fetch_all(
            "SELECT p.* FROM prompt_versions p WHERE p.body IS NOT NULL AND p.version = "
            "(SELECT MAX(q.version) FROM prompt_versions q WHERE q.id = p.id) ORDER BY p.id"
        )
        return sorted(map(_version, rows), key=lambda version: version.id)  # databases sort letters differently

    async def last(self, name: str) -> PromptVersion | None:
        """The newest version of a prompt, and be it its removal; None if it was never here."""
        row = await self._db.fetch_one(
            "SELECT * FROM prompt_versions WHERE id = :id ORDER BY version DESC LIMIT 1", id=name
        )
        return _version(row) if row else None

    async def history(self, name: str, *, limit: int) -> list[PromptVersion]:
        """The versions of a prompt, newest first."""
        rows = await self._db.fetch_all(
            "SELECT * FROM prompt_versions WHERE id = :id ORDER BY version DESC LIMIT :limit", id=name, limit=limit
        )
        return list(map(_version, rows))

    async def at(self, name: str, version: int) -> PromptVersion | None:
        """One version of a prompt."""
        row = await self._db.fetch_one(
            "SELECT * FROM prompt_versions WHERE id = :id AND version = :version", id=name, version=version
        )
        return _version(row) if row else None

    async def append(self, name: str, text: str | None, *, by: str | None, after: int | None) -> PromptVersion:
        """Keep a new version; a text that is the newest already is not kept again.

        Args:
            name: what the prompt is called.
            text: front matter and text; None removes it.
            by: who changes it.
            after: the version that was changed, 0 for none: somebody who changed it meanwhile is not overruled. None:
                whatever is the newest.

        Raises:
            Conflict: `after` is not the newest version.
        """
        for _ in range(_TRIES):
            last = await self.last(name)
            newest = last.version if last else 0
            if after is not None and newest != after:
                raise _changed(name, last, after)
            if last and last.text == text:
                return last
            added = PromptVersion(name, newest + 1, text, by, now())
            with suppress(Conflict):  # another process had the same thought: the primary key lets one of us have it
                told = event("prompt.updated", name, {"version": added.version, "removed": text is None})
                await self._db.write(_insert(added), told, subject=f"prompt:{name}")
                return added
        raise Conflict(f"Others keep changing the prompt {name!r}; try again.")


def _insert(version: PromptVersion) -> Statement:
    return Statement(
        "INSERT INTO prompt_versions (id, version, body, changed_by, changed_at) "
        "VALUES (:id, :version, :body, :changed_by, :changed_at)",
        {
            "id": version.id,
            "version": version.version,
            "body": version.text,
            "changed_by": version.changed_by,
            "changed_at": version.changed_at,
        },
    )


def _changed(name: str, last: PromptVersion | None, after: int) -> Conflict:
    if last is None:
        return Conflict(f"The prompt {name!r} has no version {after} in the database; read it again.")
    who = f" by {last.changed_by}" if last.changed_by else ""
    return Conflict(
        f"The prompt {name!r} was changed meanwhile{who}: its newest version is {last.version}, not {after}; "
        "read it again."
    )


def _version(row: Row) -> PromptVersion:
    return PromptVersion(row["id"], row["version"], row["body"], row["changed_by"], as_time(row["changed_at"]))
