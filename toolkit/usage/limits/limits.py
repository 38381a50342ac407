"""Who may ask how much, and spend how much: asked before a request is made, and told afterwards what it came to."""

import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from toolkit.db import Database, Statement
from toolkit.db.redis import Redis
from toolkit.display.shown import Listing
from toolkit.errors import ConfigError
from toolkit.messages import Caller
from toolkit.stamps import day_of, new_id, now
from toolkit.usage.limits import rules
from toolkit.usage.limits.counters import Change, Counters
from toolkit.usage.limits.database import DatabaseCounters
from toolkit.usage.limits.gcra import MINUTE, Demand, Slot, micros, rate, share
from toolkit.usage.limits.line import Line
from toolkit.usage.limits.redis import RedisCounters
from toolkit.usage.limits.refusal import lack_of, refusal
from toolkit.usage.limits.rule import EACH, MOST_NAME, Kind, Limit, LimitStatus, Unit, checked

Tokens: TypeAlias = int | Callable[[], int]
"""A number, or what counts it; it is asked only where a limit needs it."""

_MOST_COUNT = 1_000_000_000  # tokens of one request, and dollars of nano-dollars
_MOST_WAIT = 3600.0  # seconds
_KEPT = timedelta(days=400)  # that a day's spending is kept


@dataclass(slots=True)
class Admission:
    """A request that was let in; for `Limits.settle`.

    Attributes:
        id: names it in the table `settlements`.
        tokens: the estimate that was taken.
        nano_usd: the estimate that was set aside; None: nobody knows the price.
        rates: its limits of tokens: the key, and how many there are per minute.
        budgets: the budgets that it counts in.
        settled: what it came to is told; telling it again changes nothing.
    """

    id: str
    tokens: int
    nano_usd: int | None
    rates: tuple[tuple[str, int], ...]
    budgets: tuple[Slot, ...]
    settled: bool = False


class Limits:
    """Limits of requests, tokens and money, exact over all processes that share the database or the Redis.

    Args:
        db: where the rules are, and the counters where there is no `redis`.
        rpm: requests per minute of each user who has no limit of their own; None is no limit.
        tpm: tokens per minute of each such user; None is no limit.
        usd_per_day: what all together may spend in a day, unless a row says otherwise; None is no limit.
        redis: where the counters are instead.

    Attributes:
        refused: how many requests of this process had no room since the start, by whose limit and of what it was.

    Raises:
        ConfigError: a value that no limit can have.
    """

    def __init__(
        self,
        db: Database,
        *,
        rpm: int | None = None,
        tpm: int | None = None,
        usd_per_day: float | None = None,
        redis: Redis | None = None,
    ) -> None:
        each = [Limit("user", EACH, rpm, tpm)] if rpm is not None or tpm is not None else []
        total = [Limit("total", EACH, usd_per_day=usd_per_day)] if usd_per_day is not None else []
        self._rules = rules.Rules(db, each + total)
        self._counters: Counters = RedisCounters(redis) if redis else DatabaseCounters(db)
        self._line = Line(self._counters)
        self.refused: Counter[tuple[str, Unit]] = Counter()

    async def set(
        self,
        kind: Kind,
        name: str = EACH,
        *,
        rpm: int | None = None,
        tpm: int | None = None,
        usd_per_day: float | None = None,
    ) -> Limit:
        """Limit a user, an origin, a model, or the total; other processes go by it within a second.

        It replaces whatever limit there is of this kind and name. One with a name of its own holds for that name
        instead of the one for `"*"`; without any value it frees that name of it.

        Raises:
            ConfigError: a value or a name that cannot be.
        """
        return await self._rules.set(Limit(kind, name, rpm, tpm, usd_per_day))

    async def remove(self, kind: Kind, name: str = EACH) -> None:
        """Remove a limit.

        Raises:
            NotFound: there is none.
            ConfigError: it comes from the settings.
        """
        await self._rules.remove(kind, name)

    async def list(self) -> Listing[Limit]:
        """Every limit, those of the settings too, by kind and name."""
        found = await self._rules.read()
        return Listing(found[key] for key in sorted(found))

    async def admit(
        self,
        caller: Caller,
        *,
        tokens: Tokens,
        price: Callable[[], Awaitable[int | None]],
        wait: float = 0.0,
    ) -> Admission | None:
        """Let a request in that is about to be made: take its share of every limit that concerns the caller, or none.

        Args:
            caller: on whose behalf; those without a name count as one.
            tokens: how many it may use, in and out.
            price: what it may cost, in nano-dollars; asked only where there is a budget. None: nobody knows, and it
                counts as 0.
            wait: seconds that it may stand in the line until there is room, at most an hour.

        Returns:
            What `settle` needs; None where no limit concerns the caller.

        Raises:
            RateLimited: there is no room, and will not be within `wait`; `retry_after` says when there will be.
            BudgetExceeded: what may be spent today would be exceeded.
            DatabaseError: the counters cannot be reached.
        """
        found = self._rules.known()
        if found is None:
            found = await self._rules.read()
        if not found:
            return None
        names = (("origin", caller.origin or ""), ("total", EACH), ("user", caller.user or ""))
        concerned = [(limit, kind, name) for kind, name in names if (limit := rules.of(found, kind, name))]
        if not concerned:
            return None
        return await self._admit(concerned, tokens, price, wait)

    async def admit_model(
        self, model: str, *, rpm: int | None = None, tpm: int | None = None, tokens: Tokens
    ) -> Admission | None:
        """Let a request to a model in, as `admit`; it never waits.

        Args:
            model: its name.
            rpm: what its row in the table of models allows; a limit that was set for its name comes first.
            tpm: the same, tokens.
            tokens: how many it may use.

        Raises:
            RateLimited: there is no room.
        """
        found = self._rules.known()
        if found is None:
            found = await self._rules.read()
        limit = found.get(("model", model))
        if limit is None and (rpm is not None or tpm is not None):
            limit = checked(Limit("model", _short(model) or "-", rpm, tpm))
        limit = limit or found.get(("model", EACH))
        return await self._admit([(limit, "model", model)], tokens, _free, 0.0) if limit else None

    async def settle(
        self, admission: Admission | None, *, tokens: int | None, nano_usd: int | None
    ) -> tuple[Statement, ...]:
        """Correct the estimates of a request by what it came to.

        Args:
            admission: what `admit` gave.
            tokens: how many it used, in and out; 0: no model was asked; None: nobody knows, the estimate stands.
            nano_usd: what it cost, in nano-dollars; None as above.

        Returns:
            What is to be written together with its row in the ledger. With Redis there is none: it is done.
        """
        if admission is None or admission.settled:
            return ()
        admission.settled = True
        if tokens is not None:
            self._line.change(
                {
                    Slot("", key): Change(amount)
                    for key, per_minute in admission.rates
                    if (amount := share(tokens, per_minute) - share(admission.tokens, per_minute))
                }
            )
        if nano_usd is None or not admission.budgets or nano_usd == admission.nano_usd:
            return ()
        change = Change(nano_usd - (admission.nano_usd or 0), -1 if admission.nano_usd is None else 0)
        return await self._counters.settle(admission.id, dict.fromkeys(admission.budgets, change))

    async def status(self, *, user: str | None = None, origin: str | None = None) -> Listing[LimitStatus]:
        """What is left now of each limit that concerns a user and an origin, and of the models' limits."""
        await self.flush()
        found = await self._rules.read()
        names: list[tuple[Kind, str]] = [("total", EACH), ("user", user or ""), ("origin", origin or "")]
        names += [("model", name) for kind, name in found if kind == "model" and name != EACH]
        at = now()
        meters: dict[Slot, tuple[Kind, str, Unit, float]] = {}
        for whose, name in names:
            limit = rules.of(found, whose, name)
            for slot, unit, most in _meters(limit, whose, name, at) if limit else ():
                meters[slot] = (whose, name, unit, most)
        levels = await self._counters.read(sorted(meters)) if meters else {}
        shown: Listing[LimitStatus] = Listing()
        for slot, (kind, name, unit, most) in meters.items():
            level, unpriced = levels[slot]
            left, whole_at = _left(slot, most, level, at)
            shown.append(LimitStatus(kind, name, unit, most, left, whole_at, unpriced))
        return shown

    def seen(self, *, user: str | None = None, origin: str | None = None) -> Listing[LimitStatus]:
        """What was left of a user's and an origin's rates when this process last asked for them; nothing is read.

        What other processes took since then is not in it, nor is a rate that was not asked for yet.
        """
        found, at = self._rules.last, now()
        shown: Listing[LimitStatus] = Listing()
        names: list[tuple[Kind, str]] = [("user", user or ""), ("origin", origin or "")]
        for kind, name in names:
            limit = rules.of(found, kind, name)
            for slot, unit, most in _meters(limit, kind, name, at) if limit else ():
                if unit != "usd" and (level := self._line.seen.get(slot)) is not None:
                    shown.append(LimitStatus(kind, name, unit, most, *_left(slot, most, level, at), 0))
        return shown

    async def sweep(self, limit: int = 1000) -> int:
        """Delete counters that say nothing any more, at most `limit`; gives their number.

        Those are rates that are free again, and what was spent more than 400 days ago.
        """
        if limit < 1:
            raise ConfigError(f"`limit` must be at least 1 (got {limit}).")
        at = now()
        return await self._counters.sweep(micros(at), day_of(at - _KEPT), limit)

    async def flush(self) -> None:
        """Wait until the corrections of tokens that `settle` was told are made."""
        await self._line.flush()

    async def close(self) -> None:
        """Make what corrections there are, and send away who waits; before the database or the Redis is closed."""
        await self._line.close()

    async def _admit(
        self,
        concerned: Sequence[tuple[Limit, str, str]],
        tokens: Tokens,
        price: Callable[[], Awaitable[int | None]],
        wait: float,
    ) -> Admission | None:
        at = now()
        count = _count(tokens) if any(limit.tpm for limit, _, _ in concerned) else 0
        budgets = [
            (Slot(day_of(at), f"{kind}:{_short(name)}"), limit.nano_usd_per_day)
            for limit, kind, name in concerned
            if limit.nano_usd_per_day
        ]
        cost = _checked_price(await price()) if budgets else 0
        demands: list[Demand] = [
            rate(slot.key, count if unit == "tokens" else 1, int(most))
            for limit, kind, name in concerned
            for slot, unit, most in _meters(limit, kind, name, at)
            if unit != "usd"
        ]
        if cost != 0:
            demands += [Demand(slot, cost or 0, cost or 1, most, int(cost is None)) for slot, most in budgets]
        if not demands and not budgets:
            return None
        if demands and (lack := await self._line.take(demands, _checked_wait(wait))):
            self.refused[lack_of(lack)] += 1
            raise refusal(lack, at)
        per_minute = tuple((demand.slot.key, demand.per_minute) for demand in demands if _is_tokens(demand))
        return Admission(new_id(), count, cost, per_minute, tuple(slot for slot, _ in budgets))


def _is_tokens(demand: Demand) -> bool:
    return demand.is_rate and demand.slot.key.startswith("tpm:")


def _meters(limit: Limit, kind: str, name: str, at: datetime) -> "list[tuple[Slot, Unit, float]]":
    """The counters of a limit: which, of what, and how much there is."""
    whose = f"{kind}:{_short(name)}"
    meters: list[tuple[Slot, Unit, float]] = []
    if limit.rpm:
        meters.append((Slot("", f"rpm:{whose}"), "requests", limit.rpm))
    if limit.tpm:
        meters.append((Slot("", f"tpm:{whose}"), "tokens", limit.tpm))
    if limit.usd_per_day:
        meters.append((Slot(day_of(at), whose), "usd", limit.usd_per_day))
    return meters


def _left(slot: Slot, most: float, level: int, at: datetime) -> tuple[float, datetime]:
    """How much of a limit is left, and when it is whole again."""
    if slot.day:
        midnight = datetime.fromisoformat(slot.day).replace(tzinfo=UTC) + timedelta(days=1)
        return max(0.0, most - level / 1e9), midnight
    used = max(0, level - micros(at))
    return float(max(0, (MINUTE - used) * int(most) // MINUTE)), at + timedelta(microseconds=used)


def _short(name: str) -> str:
    """A name that a counter can have; a caller's may be of any length and have any characters."""
    if len(name) <= MOST_NAME and name.isprintable():
        return name
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def _count(tokens: Tokens) -> int:
    count = tokens() if callable(tokens) else tokens
    if not isinstance(count, int) or not 0 <= count <= _MOST_COUNT:
        raise ConfigError(f"`tokens` is {count!r}; it must be a whole number from 0 to {_MOST_COUNT:,}.")
    return count


def _checked_price(nano_usd: int | None) -> int | None:
    if nano_usd is not None and (not isinstance(nano_usd, int) or not 0 <= nano_usd <= _MOST_COUNT * 1_000_000):
        raise ConfigError(f"`price` gave {nano_usd!r}; it must be a whole number of nano-dollars, 0 or more, or None.")
    return nano_usd


def _checked_wait(wait: float) -> float:
    if not 0 <= wait <= _MOST_WAIT:
        raise ConfigError(f"`wait` is {wait!r}; it must be a number of seconds from 0 to {_MOST_WAIT:g}.")
    return wait


async def _free() -> int:
    return 0
