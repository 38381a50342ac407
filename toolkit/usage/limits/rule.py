"""What a limit is, and which values it may have."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias, get_args

from toolkit.display.shown import Shown
from toolkit.errors import ConfigError

Kind: TypeAlias = Literal["user", "origin", "model", "total"]
"""Whose requests are counted together: each person's, each application's, each model's, or all."""

Unit: TypeAlias = Literal["requests", "tokens", "usd"]
"""What is counted: requests and tokens per minute, US dollars per day."""

EACH = "*"
"""The name of the rule of each one who has no rule of their own."""

MOST_NAME = 200
MOST_PER_MINUTE = {"rpm": 1_000_000, "tpm": 1_000_000_000}
LEAST_USD = 1e-9
MOST_USD = 1_000_000  # a day's nano-dollars must be exact in Lua's numbers, which end at 2**53


@dataclass(frozen=True, slots=True, repr=False)
class Limit(Shown):
    """How much may be asked and spent, and by whom.

    Attributes:
        kind: whose requests are counted together.
        name: of the user, origin or model; `"*"` is each one who has no limit of their own, and all of `total`.
        rpm: requests per minute; None is no limit.
        tpm: tokens per minute, in and out; None is no limit.
        usd_per_day: US dollars per day in UTC; None is no limit.
        updated_at: when it was set; None: it comes from the settings.
    """

    kind: Kind
    name: str
    rpm: int | None = None
    tpm: int | None = None
    usd_per_day: float | None = None
    updated_at: datetime | None = None

    @property
    def nano_usd_per_day(self) -> int | None:
        """The budget in billionths of a US dollar."""
        return None if self.usd_per_day is None else round(self.usd_per_day * 1e9)


@dataclass(frozen=True, slots=True, repr=False)
class LimitStatus(Shown):
    """How much of a limit is left at this moment.

    Attributes:
        kind: whose requests are counted together.
        name: whose it is; `""` are all who give no name.
        unit: what is counted.
        limit: how much there is in a minute, of dollars in a day.
        left: how much of it could be used at once.
        whole_at: when all of it could be used at once again, if nothing is used meanwhile.
        unpriced: requests of today whose price nobody knows, which count as 0 dollars; 0 for other units.
    """

    kind: Kind
    name: str
    unit: Unit
    limit: float
    left: float
    whole_at: datetime
    unpriced: int = 0


def checked(limit: Limit) -> Limit:
    """`limit`, if it makes sense.

    Raises:
        ConfigError: what is wrong with it, and what would do.
    """
    kind, name = checked_name(limit.kind, limit.name)
    for word, number in (("rpm", limit.rpm), ("tpm", limit.tpm)):
        most = MOST_PER_MINUTE[word]
        whole = isinstance(number, int) and not isinstance(number, bool)
        if number is not None and not (whole and 1 <= number <= most):
            raise ConfigError(f"`{word}` is {number!r}; it must be a whole number from 1 to {most:,}, or None.")
    usd = limit.usd_per_day
    number = isinstance(usd, int | float) and not isinstance(usd, bool)
    if usd is not None and not (number and LEAST_USD <= usd <= MOST_USD):  # NaN is in no range
        raise ConfigError(f"`usd_per_day` is {usd!r}; it must be a number above 0 and at most {MOST_USD:,}, or None.")
    if usd is not None and kind == "model":
        raise ConfigError("A model has no budget; set `usd_per_day` of a user, an origin or the total.")
    if name == EACH and limit.rpm is None and limit.tpm is None and usd is None:
        raise ConfigError("Say at least one of `rpm`, `tpm` and `usd_per_day`; to end a limit, remove it.")
    return limit


def checked_name(kind: str, name: str) -> tuple[Kind, str]:
    """The two words that name a limit.

    Raises:
        ConfigError: there is no such kind, or the name cannot be one.
    """
    if kind not in get_args(Kind):
        raise ConfigError(f"There is no limit of {kind!r}; choose one of {', '.join(get_args(Kind))}.")
    if not isinstance(name, str) or not 1 <= len(name) <= MOST_NAME or not name.isprintable():
        raise ConfigError(
            f"The name of a limit must have 1 to {MOST_NAME} printable characters (got {str(name)[:40]!r})."
        )
    if kind == "total" and name != EACH:
        raise ConfigError(f"The total has no names; write '*' instead of {name!r}.")
    return kind, name  # type: ignore[return-value]  # it is one of them
