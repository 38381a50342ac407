"""Finds sessions, and what was said in them; the same on both databases."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from toolkit.db import Database, Row, Sql
from toolkit.db.keepable import keepable
from toolkit.display.card import Card, Cell
from toolkit.display.shown import Listing, Shown
from toolkit.errors import ConfigError
from toolkit.messages import Role
from toolkit.sessions.refusals import read_cursor
from toolkit.sessions.session import Session

SPOKEN: tuple[Role, ...] = ("user", "assistant")
"""Who speaks; the others are instructions and the results of tools."""

_FIRST, _NEXT = 20, 200  # sessions that are looked through at once: SQLite's one reader serves others in between
_BEGINNING = 100  # characters of a text that a database looks for; what it finds is looked at whole
_AROUND = 60  # characters of an excerpt before and after the match

_LIST = """
    SELECT *
      FROM sessions
     WHERE expires_at > :now
       AND (CAST(:owner AS TEXT) IS NULL OR user_id = :owner)
       AND (CAST(:user AS TEXT) IS NULL OR user_id = :user)
       AND (CAST(:origin AS TEXT) IS NULL OR origin = :origin)
       AND (CAST(:used_at AS TIMESTAMPTZ) IS NULL OR used_at < :used_at OR used_at = :used_at AND id < :after_id)
     ORDER BY used_at DESC, id DESC
     LIMIT :limit
"""
# SQLite has no type TIMESTAMPTZ to cast to: it would make a number of the text.
_LIST_PAGE = Sql(_LIST.replace("CAST(:used_at AS TIMESTAMPTZ)", ":used_at"), postgres=_LIST)
_SAID = Sql(
    """
    SELECT session_id, position, role, json_extract(body, '$.text') AS text
      FROM json_each(:ids) AS wanted CROSS JOIN messages
     WHERE session_id = wanted.value
       AND :roles LIKE '% ' || role || ' %'
       AND json_extract(body, '$.text') LIKE :pattern ESCAPE '\\'
     ORDER BY session_id, position
    """,
    # In the collation C only ASCII letters have another case, which is so in SQLite, and it is quick. OFFSET 0 keeps
    # the planner from reading all messages where it does not know yet how many there are.
    postgres="""
    SELECT session_id, position, role, text
      FROM jsonb_array_elements_text(:ids) AS wanted (id)
     CROSS JOIN LATERAL (SELECT session_id, position, role, body ->> 'text' AS text
                           FROM messages
                          WHERE session_id = wanted.id
                         OFFSET 0) AS said
     WHERE CAST(:roles AS TEXT) LIKE '% ' || role || ' %'
       AND lower(text COLLATE "C") LIKE :pattern ESCAPE '\\'
     ORDER BY session_id, position
    """,
)


@dataclass(frozen=True, slots=True, repr=False)
class Found(Shown):
    """A message that has the text that was looked for.

    Attributes:
        session: where it was said.
        position: its place there; 1 is the first.
        role: who said it.
        excerpt: the text around the first match, on one line; `…` stands for what was left out.
    """

    session: Session
    position: int
    role: Role
    excerpt: str

    def _shown(self) -> Card:
        facts: dict[str, Cell] = {"message": self.position, "by": self.role, "said": self.excerpt}
        return Card(self.session.title or "untitled", facts, kind="Session")


@dataclass(frozen=True, slots=True)
class Where:
    """Which sessions are looked at; None is any.

    Attributes:
        now: those that are alive then.
        user: of this person.
        origin: begun by this application.
        owner: of this person, too.
    """

    now: datetime
    user: str | None = None
    origin: str | None = None
    owner: str | None = None


async def page(db: Database, where: Where, *, after: str | None, limit: int) -> Listing[Session]:
    """Sessions, last used first, behind the place `after`."""
    used_at, after_id = read_cursor(after) if after is not None else (None, "")
    rows = await db.fetch_all(
        _LIST_PAGE,
        now=where.now,
        user=where.user,
        origin=where.origin,
        owner=where.owner,
        used_at=used_at,
        after_id=after_id,
        limit=limit,
    )
    return Listing(Session.from_row(row) for row in rows)


async def messages_with(db: Database, where: Where, text: str, *, roles: Iterable[Role], limit: int) -> Listing[Found]:
    """The first messages that have `text`."""
    wanted = Wanted(text)
    found: Listing[Found] = Listing()
    async for sessions in _pages(db, where, after=None):
        rows = await _said(db, sessions, wanted, roles)
        for session in sessions:
            for row in rows.get(session.id, ()):
                found.append(Found(session, row["position"], row["role"], wanted.excerpt(row["text"])))
                if len(found) == limit:
                    return found
    return found


async def sessions_with(db: Database, where: Where, text: str, *, after: str | None, limit: int) -> Listing[Session]:
    """The first sessions behind the place `after` that have `text` in the title or in what was said."""
    wanted = Wanted(text)
    found: list[Session] = []
    async for sessions in _pages(db, where, after=after):
        rows = await _said(db, sessions, wanted, SPOKEN)
        found += [session for session in sessions if session.id in rows or wanted.place(session.title or "") >= 0]
        if len(found) >= limit:
            break
    return Listing(found[:limit])


async def _pages(db: Database, where: Where, *, after: str | None) -> AsyncIterator[list[Session]]:
    limit = _FIRST  # a word that is said everywhere is soon found
    while sessions := await page(db, where, after=after, limit=limit):
        yield sessions
        after, limit = sessions[-1].cursor, _NEXT


async def _said(
    db: Database, sessions: Sequence[Session], wanted: "Wanted", roles: Iterable[Role]
) -> dict[str, list[Row]]:
    """By session the messages that have what is wanted, in order."""
    rows = await db.fetch_all(
        _SAID,
        ids=[session.id for session in sessions],
        roles=f" {' '.join(roles)} ",
        pattern=wanted.pattern,
    )
    by_session: dict[str, list[Row]] = {}
    for row in rows:
        if wanted.place(row["text"]) >= 0:
            by_session.setdefault(row["session_id"], []).append(row)
    return by_session


class Wanted:
    """A text that is looked for, whatever its case.

    The databases do not agree on what a capital letter is, so they look for the letters whose case they know, and what
    they find is looked at once more.

    Attributes:
        pattern: for LIKE: finds its beginning, and perhaps something else.

    Raises:
        ConfigError: it is empty.
    """

    def __init__(self, text: str) -> None:
        if not text:
            raise ConfigError("There is nothing to look for; give at least one character.")
        self._small = small(keepable(text))
        self.pattern = f"%{''.join(map(_like, self._small[:_BEGINNING]))}%"

    def place(self, text: str) -> int:
        """Where it begins in `text`, -1 if it is not there."""
        return small(text).find(self._small)

    def excerpt(self, text: str) -> str:
        """What stands around it in `text`."""
        at = max(0, self.place(text))
        begin, end = max(0, at - _AROUND), at + min(len(self._small), 2 * _AROUND) + _AROUND
        words = " ".join(text[begin:end].split())
        return f"{'…' if begin else ''}{words}{'…' if end < len(text) else ''}"


def small(text: str) -> str:
    """`text` in small letters, each at the place where it was."""
    lower = text.lower().replace("ς", "σ")  # at the end of a word another form of the same letter
    if len(lower) == len(text):
        return lower
    return "".join(small(letter) if len(letter.lower()) == 1 else letter for letter in text)


def _like(letter: str) -> str:
    """The letter in LIKE's words; any letter stands for one whose forms the databases may not know."""
    if letter.isascii():
        return (
            "_" if letter == "k" else f"\\{letter}" if letter in "%_\\" else letter
        )  # the sign for kelvin is a k, too
    return letter if letter.lower() == letter.upper() == letter.title() else "_"
