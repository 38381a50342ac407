"""One API key: what is kept of it, and what it is good for."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from toolkit.db import Row, as_json, as_time, as_time_or_none
from toolkit.display.card import Card, Cell, Code, State
from toolkit.display.shown import Shown

_SECRET = re.compile(r"tk_[A-Za-z0-9_-]{43}")
_SHOWN = 9  # characters: 36 of its 256 bits


@dataclass(frozen=True, slots=True, repr=False)
class ApiKey(Shown):
    """A key, without the key itself.

    Attributes:
        id: a UUIDv7.
        hint: how the key begins, so that people recognise it.
        name: what it is for.
        user: whose calls are made with it: sessions, private collections, the ledger and limits are theirs.
        scopes: what it may do; see `EVERY_SCOPE`.
        expires_at: from then on it is refused; None: never.
        revoked_at: since then it is refused; None: it is not revoked.
        last_used_at: to the minute; None: never.
    """

    id: str
    hint: str
    name: str
    user: str
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    @classmethod
    def from_row(cls, row: Row) -> "ApiKey":
        """The key that a row of `api_keys` tells of."""
        return cls(
            id=row["id"],
            hint=row["hint"],
            name=row["name"],
            user=row["user_id"],
            scopes=frozenset(as_json(row["scopes"])),
            created_at=as_time(row["created_at"]),
            expires_at=as_time_or_none(row["expires_at"]),
            revoked_at=as_time_or_none(row["revoked_at"]),
            last_used_at=as_time_or_none(row["last_used_at"]),
        )

    def counts(self, at: datetime) -> bool:
        """Whether it opens anything at that moment."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)

    def _shown(self) -> Card:
        facts: dict[str, Cell] = {
            "begins": Code(self.hint),
            "user": self.user,
            "scopes": ", ".join(sorted(self.scopes)),
            "state": State("revoked", good=False) if self.revoked_at else State("valid", good=True),
        }
        return Card(self.name, facts, kind="Key")


def new_secret() -> str:
    """A new key: `tk_` and 256 random bits."""
    return f"tk_{secrets.token_urlsafe(32)}"


def is_secret(text: str) -> bool:
    """Whether `text` has the form of a key, so that it is worth looking for."""
    return _SECRET.fullmatch(text) is not None


def digest_of(secret: str) -> str:
    """What is kept of a key. It needs neither salt nor a slow hash, for nobody can try 2^256 of them."""
    return hashlib.sha256(secret.encode()).hexdigest()


def hint_of(secret: str) -> str:
    """The beginning of a key, fit to be shown."""
    return f"{secret[:_SHOWN]}…"
