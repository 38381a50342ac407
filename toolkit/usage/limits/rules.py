"""The limits that are in force: rows of the table `limits` over those of the settings."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import monotonic
from types import MappingProxyType

from toolkit.db import Database, Row, as_time
from toolkit.errors import ConfigError, DatabaseError, NotFound
from toolkit.stamps import now
from toolkit.usage.limits.rule import EACH, Limit, checked, checked_name

KEPT = 1.0  # seconds that a process goes by the rules that it has read
_PAUSE = 5.0  # seconds until they are read again after they could not be
_SET = """
INSERT INTO limits (kind, name, rpm, tpm, nano_usd_per_day, updated_at)
VALUES (:kind, :name, :rpm, :tpm, :nano_usd_per_day, :updated_at)
ON CONFLICT (kind, name) DO UPDATE
   SET rpm = excluded.rpm, tpm = excluded.tpm, nano_usd_per_day = excluded.nano_usd_per_day,
       updated_at = excluded.updated_at
"""
_log = logging.getLogger(__name__)

Found = Mapping[tuple[str, str], Limit]


class Rules:
    """What may be asked and spent.

    Args:
        db: where the rows are.
        defaults: limits that hold where no row of the same kind and name says otherwise.
    """

    def __init__(self, db: Database, defaults: Sequence[Limit]) -> None:
        self._db = db
        self._defaults: dict[tuple[str, str], Limit] = {(limit.kind, limit.name): checked(limit) for limit in defaults}
        self._found: Found = MappingProxyType(self._defaults)
        self._until = 0.0
        self._reading = asyncio.Lock()

    @property
    def last(self) -> Found:
        """The rules as they were read last, however long ago."""
        return self._found

    def known(self) -> Found | None:
        """The rules, if they were read within the last second; it costs next to nothing."""
        return self._found if monotonic() < self._until else None

    async def read(self) -> Found:
        """The rules as of the last second; where the table cannot be read, those that were known last."""
        async with self._reading:
            if (known := self.known()) is not None:
                return known
            began = monotonic()
            try:
                rows = await self._db.fetch_all("SELECT * FROM limits ORDER BY kind, name")
            except DatabaseError as error:
                _log.warning("The limits cannot be read, the last known ones hold: %s", error)
                self._until = monotonic() + _PAUSE
                return self._found
            limits = map(_limit, rows)
            self._found = {**self._defaults, **{(limit.kind, limit.name): limit for limit in limits}}
            self._until = began + KEPT
            return self._found

    async def set(self, limit: Limit) -> Limit:
        """Keep `limit` instead of what is there of its kind and name.

        Raises:
            ConfigError: a value that it cannot have.
        """
        kept = replace(checked(limit), updated_at=now())
        await self._db.execute(
            _SET,
            kind=kept.kind,
            name=kept.name,
            rpm=kept.rpm,
            tpm=kept.tpm,
            nano_usd_per_day=kept.nano_usd_per_day,
            updated_at=kept.updated_at,
        )
        self._until = 0.0
        return kept

    async def remove(self, kind: str, name: str) -> None:
        """Forget a limit.

        Raises:
            NotFound: there is none.
            ConfigError: it comes from the settings.
        """
        kind, name = checked_name(kind, name)
        rows = await self._db.execute(
            "DELETE FROM limits WHERE kind = :kind AND name = :name RETURNING name", kind=kind, name=name
        )
        self._until = 0.0
        if not rows and (kind, name) in self._defaults:
            raise ConfigError(
                f"The limit of {kind} {name!r} comes from the settings; unset TOOLKIT_RATE_LIMIT_RPM, "
                "TOOLKIT_RATE_LIMIT_TPM or TOOLKIT_BUDGET_USD_PER_DAY, or set another one over it."
            )
        if not rows:
            raise NotFound(f"There is no limit of {kind} {name!r}; `toolkit limits list` shows those that there are.")


def of(found: Found, kind: str, name: str) -> Limit | None:
    """The limit that concerns `name`: its own, else that of each one."""
    return found.get((kind, name)) or found.get((kind, EACH))


def _limit(row: Row) -> Limit:
    nano = row["nano_usd_per_day"]
    return Limit(
        kind=row["kind"],
        name=row["name"],
        rpm=row["rpm"],
        tpm=row["tpm"],
        usd_per_day=None if nano is None else nano / 1e9,
        updated_at=as_time(row["updated_at"]),
    )
