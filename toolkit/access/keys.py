"""Where API keys are kept: made, found again by what a caller brings, listed and revoked."""

import hmac
import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from time import monotonic
from typing import Final, TypeAlias

from toolkit.access.key import ApiKey, digest_of, hint_of, is_secret, new_secret
from toolkit.access.scopes import CHAT, EVERY_SCOPE, SEARCH
from toolkit.db import Database
from toolkit.display.shown import Listing
from toolkit.errors import ConfigError, Conflict, DatabaseError, NotFound
from toolkit.stamps import new_id, now

REMEMBERED: Final = 5.0
"""Seconds that a key found is not looked up again: so long a key that was revoked elsewhere is still good here."""

NOTED_EVERY: Final = timedelta(minutes=1)
"""How often the use of a key is written down, at most."""

_MOST_REMEMBERED = 1_000
_Keys: TypeAlias = Listing[ApiKey]  # `list` is a method below
_log = logging.getLogger(__name__)

_ADD = """
INSERT INTO api_keys (id, digest, hint, name, user_id, scopes, created_at, expires_at)
VALUES (:id, :digest, :hint, :name, :user, :scopes, :at, :expires_at)
RETURNING *
"""
_NOTE = """
UPDATE api_keys SET last_used_at = :at
 WHERE id = :id AND (last_used_at IS NULL OR last_used_at <= :before)
"""


class ApiKeys:
    """The table `api_keys`.

    A key belongs to a user, and what limits the user (`tk.limits`) limits the key: a key with limits of its own is one
    whose user nobody else is.

    Args:
        db: where it is.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._found: dict[str, tuple[float, ApiKey]] = {}
        self._any: tuple[float, bool] | None = None

    async def create(
        self,
        name: str,
        *,
        user: str | None = None,
        scopes: Iterable[str] = (CHAT, SEARCH),
        ttl: timedelta | None = None,
    ) -> tuple[ApiKey, str]:
        """A new key, and the secret itself, which nobody can ever tell again.

        Args:
            name: what it is for.
            user: whose calls are made with it; by default one who is called like the key.
            scopes: some of `chat`, `search`, `admin`.
            ttl: how long it is good; None: until it is revoked.

        Raises:
            ConfigError: no name, no or an unknown scope, or no time to live.
        """
        asked = frozenset(scopes)
        if not name.strip() or (user is not None and not user.strip()):
            raise ConfigError("A key needs a name, and a user that is not empty; say what it is for.")
        if not asked or asked - EVERY_SCOPE:
            raise ConfigError(f"The scopes of a key are some of {', '.join(sorted(EVERY_SCOPE))}; name at least one.")
        if ttl is not None and ttl <= timedelta():
            raise ConfigError("A key must live for some time; give a longer one.")
        secret, at = new_secret(), now()
        rows = await self._db.execute(
            _ADD,
            id=new_id(),
            digest=digest_of(secret),
            hint=hint_of(secret),
            name=name.strip(),
            user=(user or name).strip(),
            scopes=sorted(asked),
            at=at,
            expires_at=at + ttl if ttl else None,
        )
        self._any = None
        return ApiKey.from_row(rows[0]), secret

    async def find(self, secret: str) -> ApiKey | None:
        """The key that a caller brings; None where it is none of ours, expired or revoked."""
        if not is_secret(secret):
            return None
        digest, at = digest_of(secret), now()
        known = self._found.get(digest)
        if known is None or monotonic() - known[0] > REMEMBERED:
            row = await self._db.fetch_one("SELECT * FROM api_keys WHERE digest = :digest", digest=digest)
            if row is None or not hmac.compare_digest(row["digest"], digest):
                self._found.pop(digest, None)
                return None
            if len(self._found) >= _MOST_REMEMBERED:
                self._found.clear()
            known = self._found[digest] = (monotonic(), await self._noted(ApiKey.from_row(row), at))
        return known[1] if known[1].counts(at) else None

    async def get(self, key_id: str) -> ApiKey | None:
        """The key of that id, as it is at this moment, also one that counts no more; None if there is none."""
        row = await self._db.fetch_one("SELECT * FROM api_keys WHERE id = :id", id=key_id)
        return ApiKey.from_row(row) if row else None

    async def list(self, *, user: str | None = None) -> _Keys:
        """Every key, the oldest first, those that count no more among them."""
        rows = await self._db.fetch_all(
            "SELECT * FROM api_keys WHERE (CAST(:user AS TEXT) IS NULL OR user_id = :user) ORDER BY created_at, id",
            user=user,
        )
        return Listing(ApiKey.from_row(row) for row in rows)

    async def revoke(self, which: str) -> ApiKey:
        """Let a key open nothing any more: here at once, in other processes within `REMEMBERED` seconds.

        Args:
            which: its id, its name, or how it begins.

        Raises:
            NotFound: there is none such that is not revoked.
            Conflict: there are several.
        """
        valid = [key for key in await self.list() if key.revoked_at is None]
        meant = [key for key in valid if which in (key.id, key.name, key.hint, key.hint.removesuffix("…"))]
        if not meant:
            raise NotFound(f"There is no key {which!r} that could be revoked; `toolkit keys list` shows all.")
        if len(meant) > 1:
            ids = ", ".join(key.id for key in meant)
            raise Conflict(f"{len(meant)} keys are called {which!r}; give the id of one: {ids}.")
        rows = await self._db.execute(
            "UPDATE api_keys SET revoked_at = :at WHERE id = :id RETURNING *", at=now(), id=meant[0].id
        )
        self._found.clear()
        return ApiKey.from_row(rows[0]) if rows else meant[0]

    async def forget(self) -> int:
        """Remove the keys that are revoked or expired; gives how many. Without any key this machine asks for none."""
        rows = await self._db.execute(
            "DELETE FROM api_keys WHERE revoked_at IS NOT NULL OR expires_at <= :at RETURNING id", at=now()
        )
        self._any = None
        return len(rows)

    async def any(self) -> bool:
        """Whether a key was ever made, so that callers have to bring one; one that was revoked still says so.

        Otherwise revoking the last key would open the door to everybody.
        """
        if self._any is None or monotonic() - self._any[0] > REMEMBERED:
            row = await self._db.fetch_one("SELECT id FROM api_keys LIMIT 1")
            self._any = (monotonic(), row is not None)
        return self._any[1]

    async def _noted(self, key: ApiKey, at: datetime) -> ApiKey:
        """Write down that the key is used, unless somebody did so within the minute."""
        if key.counts(at) and (key.last_used_at is None or key.last_used_at <= at - NOTED_EVERY):
            try:
                await self._db.execute(_NOTE, id=key.id, at=at, before=at - NOTED_EVERY)
            except DatabaseError as error:
                _log.warning("When the key %s was last used could not be written down: %s", key.hint, error)
        return key
