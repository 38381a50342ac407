"""What was used, what it cost, and how much may still be asked."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Query

from mcp_server.asker import Asker
from mcp_server.refusals import Refusal
from mcp_server.rest.shapes import Anyone, Name, Told, id_of, told
from toolkit.access.scopes import ADMIN
from toolkit.usage.limits import LimitStatus
from toolkit.usage.records import UsageRow, UsageStats
from toolkit.usage.reports import Dimension

router = APIRouter(tags=["Usage"], prefix="/api/v1")

Days = Annotated[int, Query(ge=1, le=3650, description="Last days in UTC, today included.", examples=[30])]
By = Annotated[Dimension, Query(description="What there is a row for.", examples=["model"])]


class Figures(Told):
    """What was used."""

    calls: int = told("How often a model was asked, in vain too; answers from the cache not.", 42)
    failures: int = told("How often it did not answer.", 1)
    input_tokens: int = told("All that went in.", 41_200)
    output_tokens: int = told("All that came out.", 9_600)
    cost_usd: float | None = told("The sum of the known costs; null: none is known.", 0.0119)
    cached: int = told("Answers that came from the cache.", 3)
    answers: int = told("How often a model answered.", 41)
    hit_rate: float | None = told("`cached` as a part of all answers, 0 to 1.", 0.07)


class RowTold(Figures):
    """The same of one model, user, application, day, vendor or session."""

    key: str = told("Which one; empty: nobody said.", "small")
    unpriced_calls: int = told("Answers whose price is unknown: `cost_usd` lacks them.", 0)
    milliseconds_mean: float = told("From the question to the answer or the error.", 812.5)


class UsageTold(Figures):
    """What was used altogether, and by what."""

    user: str | None = told("Whose figures; null: everyone's.", "ada")
    days: int = told("In how many last days.", 30)
    by: str = told("What the rows are of.", "model")
    priced_calls: int = told("Answers whose price is known.", 41)
    rows: list[RowTold] = told("Dearest first; days from the oldest on.", [])

    @classmethod
    def of(cls, user: str | None, days: int, by: str, stats: UsageStats, rows: list[UsageRow]) -> Self:
        """Sums as they are told."""
        sums = {name: getattr(stats, name) for name in (*Figures.model_fields, "priced_calls")}
        return cls(user=user, days=days, by=by, rows=[RowTold.model_validate(row) for row in rows], **sums)


class LimitTold(Told):
    """How much of a limit is left at this moment."""

    kind: str = told("Whose requests are counted together: `user`, `origin`, `model` or `total`.", "user")
    name: str = told("Whose it is; `*` is the total, empty are all who give no name.", "ada")
    unit: str = told("`requests` and `tokens` per minute, or `usd` per day.", "requests")
    limit: float = told("How much there is in all.", 60)
    left: float = told("How much could be used at once.", 58)
    whole_at: datetime = told("When all of it is there again.", "2026-03-01T12:01:00Z")
    unpriced: int = told("Requests of today whose price nobody knows.", 0)

    @classmethod
    def of(cls, status: LimitStatus) -> Self:
        """A limit as it is told."""
        return cls.model_validate(status)


class LimitList(Told):
    """The limits that concern you."""

    limits: list[LimitTold] = told("Empty: there is no limit.", [])


@router.get("/usage", summary="Read what was used")
async def usage(who: Anyone, days: Days = 30, by: By = "model") -> UsageTold:
    """Your own figures; with `admin` everyone's, or those of `X-User-Id`."""
    everyone = who.administers and who.user == who.who.user
    return await _usage(who, None if everyone else who.user, days, by)


@router.get("/usage/{user_id}", summary="Read what a user used")
async def usage_of(
    who: Anyone, user_id: Annotated[Name, id_of("user", "ada")], days: Days = 30, by: By = "model"
) -> UsageTold:
    """One user's figures; anybody else's than your own need `admin`."""
    if not who.administers and user_id != who.user:
        raise Refusal(403, f"The figures of other users need the scope {ADMIN}.", "missing_scope")
    return await _usage(who, user_id, days, by)


@router.get("/rate_limits", summary="Read what is left of the limits")
async def rate_limits(who: Anyone) -> LimitList:
    """Those of your user and application, of the models, and of all together."""
    found = await who.tk.limits.status(user=who.user, origin=who.origin)
    return LimitList(limits=[LimitTold.of(status) for status in found])


async def _usage(who: Asker, user: str | None, days: int, by: Dimension) -> UsageTold:
    stats = await who.tk.usage.stats(user=user, days=days)
    return UsageTold.of(user, days, by, stats, await who.tk.usage.by(by, days=days, user=user))
