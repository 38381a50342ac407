"""One webhook: its address, and which events it wants."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit, urlunsplit

from toolkit.db import Row, as_time
from toolkit.display.shown import Shown
from toolkit.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Hook:
    """Where events are sent.

    Attributes:
        id: SHA-256 of the address and the kinds.
        url: the whole address, which may hold secrets.
        address: the same without user, password and query, fit for a log.
        kinds: which events, as for `Feed.subscribe`; none is all.
    """

    id: str
    url: str = field(repr=False)
    address: str
    kinds: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> "Hook":
        """The hook that `text` describes: an address, and behind a `#` the kinds of events, joined by `+`.

        Raises:
            ConfigError: it is no address of `http:` or `https:`.
        """
        try:
            parts = urlsplit(text)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            host, port, parts = "", None, urlsplit("")
        if parts.scheme not in ("http", "https") or not host:
            raise ConfigError(
                "An address in TOOLKIT_WEBHOOK_URLS is none of http or https; write https://host/path#session.*"
            )
        place = f"[{host}]" if ":" in host else host
        address = urlunsplit((parts.scheme, place if port is None else f"{place}:{port}", parts.path, "", ""))
        kinds = tuple(kind for kind in parts.fragment.split("+") if kind)
        return cls(
            id=hashlib.sha256(text.encode()).hexdigest(),
            url=urlunsplit(parts._replace(fragment="")),
            address=address,
            kinds=kinds,
        )


@dataclass(frozen=True, slots=True, repr=False)
class HookState(Shown):
    """How a webhook fares.

    Attributes:
        id: the hook's.
        address: without user, password and query.
        cursor: the place in the feed after the last event that it took.
        failures: how often in a row it did not take the next one.
        dropped: how many events were given up.
        last_error: why it did not take the last one, None if it did.
        next_at: it is not told anything before.
    """

    id: str
    address: str
    cursor: str
    failures: int
    dropped: int
    last_error: str | None
    next_at: datetime

    @classmethod
    def from_row(cls, row: Row) -> "HookState":
        """The state that a row of the table `webhooks` is."""
        return cls(
            id=row["id"],
            address=row["address"],
            cursor=row["cursor"],
            failures=row["failures"],
            dropped=row["dropped"],
            last_error=row["last_error"],
            next_at=as_time(row["next_at"]),
        )
