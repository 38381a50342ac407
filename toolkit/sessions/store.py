"""Where conversations are kept, until their time to live runs out."""

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from importlib import import_module
from types import ModuleType
from typing import Any, Literal, TypeAlias, get_args

from toolkit.db.feed import event
from toolkit.display.shown import Listing
from toolkit.errors import ConfigError, DatabaseError, NotFound
from toolkit.messages import Role
from toolkit.sessions import searching, writing
from toolkit.sessions.forgetting import forget_expired, forget_unused
from toolkit.sessions.refusals import alive, at_least_one, checked_cut, checked_roles, checked_ttl, is_id, none
from toolkit.sessions.searching import SPOKEN, Found
from toolkit.sessions.session import Session
from toolkit.sessions.turn_taking import TurnTaking
from toolkit.stamps import new_id, now

Format: TypeAlias = Literal["jsonl", "markdown"]
"""How a session is written as text."""

_Sessions: TypeAlias = Listing[Session]  # `list` is a method below
_Found: TypeAlias = Listing[Found]
_log = logging.getLogger(__name__)


class Sessions(TurnTaking):
    """Conversations by id.

    An `owner` is a person whose name is proven: anybody else's session is then as good as none, and so is one that
    belongs to nobody. Without an owner every session may be used.

    Args:
        db: where they are kept.
        ttl: seconds that an unused session lives if it is created without a `ttl` of its own.
    """

    async def create(
        self,
        *,
        ttl: int | None = None,
        context: Mapping[str, Any] | None = None,
        user: str | None = None,
        origin: str | None = None,
        title: str | None = None,
        owner: str | None = None,
    ) -> Session:
        """A new conversation, in which nothing was said yet.

        Args:
            ttl: seconds that it lives after each use, at most ten years.
            context: the application's own data, as JSON has it.
            user: the person it belongs to.
            origin: the application that begins it.
            title: for people.
            owner: the person it belongs to, whatever `user` says.

        Raises:
            ConfigError: a `ttl` out of bounds.
        """
        session = _new(
            ttl=checked_ttl(self._ttl if ttl is None else ttl),
            context=dict(context or {}),
            user=user if owner is None else owner,
            origin=origin,
            title=title,
        )
        rows = await self._db.write(*writing.insert(session), subject=session.id)
        return Session.from_row(rows[0][0])

    @asynccontextmanager
    async def scope(
        self,
        *,
        ttl: int | None = None,
        context: Mapping[str, Any] | None = None,
        user: str | None = None,
        origin: str | None = None,
        title: str | None = None,
        owner: str | None = None,
    ) -> AsyncIterator[Session]:
        """A conversation for the time of a block: `async with sessions.scope(ttl=300) as session:`.

        At its end, also by an error, the session is deleted with all that was said in it. Where it cannot be, since
        the database is away or the process was killed, its time to live ends it.

        Args:
            ttl: seconds that it lives after each use; a short one ends it soon where it could not be deleted.
            context: the application's own data, as JSON has it.
            user: the person it belongs to.
            origin: the application that begins it.
            title: for people.
            owner: the person it belongs to, whatever `user` says.
        """
        session = await self.create(ttl=ttl, context=context, user=user, origin=origin, title=title, owner=owner)
        try:
            yield session
        finally:
            try:
                await self.delete(session.id)
            except NotFound:
                pass
            except DatabaseError as error:
                _log.warning("Session %s could not be deleted, and lives until it expires: %s", session.id, error)

    async def list(
        self,
        *,
        user: str | None = None,
        origin: str | None = None,
        search: str | None = None,
        limit: int = 50,
        after: str | None = None,
        owner: str | None = None,
    ) -> _Sessions:
        """The sessions that are alive, last used first.

        Args:
            user: only those of this person; None is everyone.
            origin: only those that this application began.
            search: only those with this text in the title or in what a person or a model said; see `search`.
            limit: at most this many, at least 1.
            after: go on behind this place, the `cursor` of the last session of the page before. A session that is
                used meanwhile moves to the front: it may be missed by who goes on, and never comes twice.
            owner: only this person's.

        Raises:
            ConfigError: `limit`, `after` or `search` cannot be used as written.
        """
        where = searching.Where(now(), user=user, origin=origin, owner=owner)
        if search is None:
            return await searching.page(self._db, where, after=after, limit=at_least_one(limit))
        return await searching.sessions_with(self._db, where, search, after=after, limit=at_least_one(limit))

    async def search(
        self,
        text: str,
        *,
        user: str | None = None,
        origin: str | None = None,
        roles: Iterable[Role] = SPOKEN,
        limit: int = 20,
        owner: str | None = None,
    ) -> _Found:
        """Where `text` was said in the sessions that are alive: last used first, and in each in the order of talking.

        A message is found once, however often it has the text. Upper and lower case are the same in every script that
        has them; accents count, and `ß` is not `ss`. No character has a meaning of its own.

        Args:
            text: what to look for, at least one character, of any length.
            user: only in this person's sessions; None is everyone.
            origin: only in those that this application began.
            roles: by whom; a person and a model unless said otherwise.
            limit: at most this many messages, at least 1.
            owner: only in this person's sessions.

        Raises:
            ConfigError: `text` is empty, `limit` out of bounds, or there is no such role.
        """
        where = searching.Where(now(), user=user, origin=origin, owner=owner)
        spoken = checked_roles(roles)
        return await searching.messages_with(self._db, where, text, roles=spoken, limit=at_least_one(limit))

    async def update(
        self,
        session_id: str,
        *,
        title: str | None = None,
        context: Mapping[str, Any] | None = None,
        owner: str | None = None,
    ) -> Session:
        """Give a session another title, another context, or both; it does not live longer for it.

        Args:
            session_id: which one.
            title: for people; an empty one takes the title away, None leaves it.
            context: takes the place of the whole context there was; None leaves it.
            owner: whose it must be.

        Raises:
            SessionExpired, NotFound: as for `get`.
        """
        at = now()
        changed = [name for name, value in (("title", title), ("context", context)) if value is not None]
        if not changed:
            return await self._living(session_id, at, owner)
        told = event("session.updated", session_id, {"changed": changed})  # not what it is now
        change = writing.change(session_id, title=title, context=context, at=at, owner=owner)
        return await self._write(session_id, at, owner, change, told, subject=session_id)

    async def rename(self, session_id: str, title: str, *, owner: str | None = None) -> Session:
        """Give a session another title; an empty one takes it away.

        Raises:
            SessionExpired, NotFound: as for `get`.
        """
        return await self.update(session_id, title=title, owner=owner)

    async def extend(self, session_id: str, *, ttl: int | None = None, owner: str | None = None) -> Session:
        """Let a session live for its whole time again, from now on.

        Args:
            session_id: which one.
            ttl: its new time to live in seconds, which may be shorter; None keeps the one it has.
            owner: whose it must be.

        Raises:
            ConfigError: a `ttl` out of bounds.
            SessionExpired, NotFound: as for `get`; what expired stays so.
        """
        session = await self.get(session_id, owner=owner)
        seconds = checked_ttl(session.ttl_seconds if ttl is None else ttl)
        at = now()
        extend = writing.extend(session_id, ttl=seconds, at=at, expires_at=at + timedelta(seconds=seconds), owner=owner)
        return await self._write(session_id, at, owner, extend, subject=session_id)

    async def fork(self, session_id: str, *, at: int | None = None, owner: str | None = None) -> Session:
        """A new session that begins with what was said in another; the other stays as it is.

        Args:
            session_id: the session to begin with. Title, user, origin, context and time to live are taken over, and
                of the messages all there is to them; the summary where it speaks of nothing else.
            at: how many of its messages are taken over; None is all.
            owner: whose it must be.

        Raises:
            ConfigError: `at` is out of bounds, or between a model's tool call and its result.
            SessionExpired, NotFound: as for `get`.
        """
        source, messages = await self.read(session_id, owner=owner)
        count = checked_cut(session_id, messages, at)
        made_at = now()
        fork = replace(
            source,
            id=new_id(),
            created_at=made_at,
            used_at=made_at,
            expires_at=made_at + timedelta(seconds=source.ttl_seconds),
            parent_id=source.id,
            parent_at=count,
            summary=source.summary if source.summary and source.summary.until <= count else None,
        )
        insert, told = writing.insert(fork)
        # Without a subject: it reads the rows of another session.
        return await self._write(session_id, made_at, owner, insert, writing.copy(session_id, fork.id, count), told)

    async def branches(self, session_id: str, *, owner: str | None = None) -> _Sessions:
        """The sessions that were forked from this one and are alive, oldest first.

        Raises:
            SessionExpired, NotFound: as for `get`.
        """
        at = now()
        await self._living(session_id, at, owner)
        rows = await self._db.fetch_all(
            f"""
            SELECT *
              FROM sessions
             WHERE parent_id = :id AND expires_at > :now AND {writing.OWNED}
             ORDER BY created_at, id
            """,  # noqa: S608 - our own words
            id=session_id,
            now=at,
            owner=owner,
        )
        return Listing(Session.from_row(row) for row in rows)

    async def export(self, session_id: str, *, format: Format = "jsonl", owner: str | None = None) -> str:  # noqa: A002 - what people call it
        """A session as text, to be kept in a file and given to `import_`.

        Args:
            session_id: which one.
            format: `"jsonl"`: all there is to it, a line of JSON for the session and one for each message;
                `"markdown"`: for people, without vendors' own data, call ids and times.
            owner: whose it must be.

        Raises:
            ConfigError: another format.
            SessionExpired, NotFound: as for `get`.
        """
        from toolkit.sessions import transfer  # noqa: PLC0415 - its models cost more than all the rest of this file

        write: Callable[[transfer.Kept], str] = _format(format).write
        if not is_id(session_id):
            raise none(session_id)
        found = await transfer.kept(self._db, session_id)
        if found is None:
            raise none(session_id)
        return write(replace(found, session=alive(found.session, now(), owner)))

    async def import_(
        self,
        text: str,
        *,
        format: Format = "jsonl",  # noqa: A002 - what people call it
        user: str | None = None,
        origin: str | None = None,
        ttl: int | None = None,
        owner: str | None = None,
    ) -> Session:
        """A new session out of what `export` wrote, whole or not at all.

        Its time begins anew. It is no branch of any other.

        Args:
            text: of at most `transfer.LONGEST` characters.
            format: as for `export`.
            user: the person it belongs to; None is the one in the text.
            origin: the application that began it; None is the one in the text.
            ttl: seconds that it lives after each use; None is what the text says.
            owner: the person it belongs to, whatever else is said.

        Raises:
            ConfigError: the text cannot be read; the message names the line.
        """
        from toolkit.sessions import transfer  # noqa: PLC0415 - as in `export`

        if len(text) > transfer.LONGEST:
            raise ConfigError(
                f"A session is imported from at most {transfer.LONGEST:,} characters (got {len(text):,})."
            )
        imported = _format(format).read(text.removeprefix("\ufeff"))
        said = imported.header
        session = _new(
            ttl=checked_ttl(next(s for s in (ttl, said.ttl_seconds, self._ttl) if s is not None)),
            context=said.context or {},
            user=owner if owner is not None else user if user is not None else said.user,
            origin=said.origin if origin is None else origin,
            title=said.title,
        )
        session = replace(session, summary=said.summary)
        insert, told = writing.insert(session)
        restore = writing.restore(session.id, transfer.rows(imported.messages, session.created_at))
        rows = await self._db.write(insert, restore, told, subject=session.id)
        return Session.from_row(rows[0][0])

    async def delete(self, session_id: str, *, owner: str | None = None) -> None:
        """Forget a session and what was said in it, also one that has expired.

        Raises:
            NotFound: there is none for the owner.
        """
        if not is_id(session_id):
            raise none(session_id)
        told = event("session.deleted", session_id, {"expired": False})
        await self._db.write(writing.delete(session_id, owner=owner), told, subject=session_id)

    async def sweep(self, limit: int = 1000) -> int:
        """Forget sessions that have expired, the longest gone first, and give their number.

        One in which a turn is under way stays until that is over.

        Args:
            limit: at most this many; at least 1.
        """
        return await forget_expired(self._db, now(), at_least_one(limit))

    async def count_before(self, before: datetime) -> int:
        """How many sessions were last used at `before` or earlier, the expired ones included."""
        row = await self._db.fetch_one("SELECT COUNT(*) AS n FROM sessions WHERE used_at <= :before", before=before)
        return int(row["n"]) if row else 0

    async def prune(self, before: datetime, limit: int = 500) -> int:
        """Forget some sessions that were last used at `before` or earlier, alive or not; 0 when none is left.

        Forks keep their own copies of what was said. A session that is used meanwhile stays, and so does one in which
        a turn is under way.

        Args:
            before: a moment.
            limit: about this many rows of sessions and messages in one transaction; at least 1.
        """
        return await forget_unused(self._db, before, at_least_one(limit))


def _new(*, ttl: int, context: Mapping[str, Any], user: str | None, origin: str | None, title: str | None) -> Session:
    """A session that begins now."""
    at = now()
    return Session(
        id=new_id(),
        title=title,
        user=user,
        origin=origin,
        context=dict(context),
        ttl_seconds=ttl,
        created_at=at,
        used_at=at,
        expires_at=at + timedelta(seconds=ttl),
        parent_id=None,
        parent_at=None,
    )


def _format(name: str) -> ModuleType:
    if name not in get_args(Format):
        raise ConfigError(f"{name!r} is no format of a session; use {' or '.join(get_args(Format))}.")
    return import_module(f"toolkit.sessions.{name}")
