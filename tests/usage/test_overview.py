"""The ledger at a glance: each day, what was before, how quick answers were, and who stood in for whom."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.usage.rows import ADA, asked, keep
from toolkit.db import Database
from toolkit.errors import ConfigError
from toolkit.messages import Caller
from toolkit.stamps import day_of, new_id, now
from toolkit.usage.ledger import Ledger

GRACE = Caller(user="grace", origin="agent", session_id="s2")


@pytest.fixture
def ledger(db: Database) -> Ledger:
    return Ledger(db)


def back(days: int) -> Any:
    return now() - timedelta(days=days)


async def test_each_day_tells_the_first_models_apart_and_adds_up_the_others(ledger: Ledger) -> None:
    for cost, name in enumerate("abcdef", 1):
        await keep(ledger, name, cost=cost * 1_000_000_000)
        await keep(ledger, name, cost=1_000_000_000, at=back(2))

    report = await ledger.overview("model", days=3)
    assert [day.day for day in report.days] == [day_of(back(days)) for days in (2, 1, 0)]
    assert report.shown == ("f", "e", "d", "c")
    first, empty, last = report.days
    assert {key: row.cost_usd for key, row in last.parts.items()} == {"f": 6, "e": 5, "d": 4, "c": 3}
    assert last.others
    assert last.total
    assert (last.others.cost_usd, last.others.calls, last.total.cost_usd) == (3, 2, 21)
    assert first.others
    assert first.others.cost_usd == 2
    assert (empty.total, empty.parts, empty.others) == (None, {}, None)
    assert sum(row.cost_usd or 0 for row in report.rows) == report.total.cost_usd == 27


@pytest.mark.parametrize("until", [0, 3, 100])
async def test_it_is_the_same_however_much_of_it_is_in_the_daily_sums(ledger: Ledger, until: int) -> None:
    for days in range(6):
        await keep(ledger, "ab"[days % 2], cost=1_000_000_000, at=back(days))
    if until:
        await ledger.roll_up(until)
    report = await ledger.overview(days=3)
    assert (report.total.calls, report.total.cost_usd) == (3, 3)
    assert (report.before.calls, report.before.cost_usd) == (3, 3)
    assert [day.total.calls for day in report.days if day.total] == [1, 1, 1]


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ("user", ["ada", "grace"]),
        ("origin", ["notebook", "agent"]),
        ("session", ["s1", "s2"]),
        ("provider", ["openai"]),
    ],
)
async def test_it_adds_up_by_whatever_is_asked_for(ledger: Ledger, by: Any, keys: list[str]) -> None:
    await keep(ledger, cost=3_000_000_000)
    await keep(ledger, cost=1_000_000_000, caller=GRACE)
    await ledger.roll_up(1)
    report = await ledger.overview(by, days=1)
    assert [row.key for row in report.rows] == keys == list(report.days[0].parts)
    assert report.total.calls == 2


async def test_an_unknown_price_is_unknown_on_its_day_and_in_the_sum(ledger: Ledger) -> None:
    await keep(ledger, "new", cost=None)
    await keep(ledger, "small", cost=1_000_000_000, at=back(1))
    report = await ledger.overview(days=2)
    before, today = report.days
    assert today.parts["new"].cost_usd is None
    assert before.parts["small"].cost_usd == 1
    assert (report.total.cost_usd, report.total.unpriced_calls) == (1, 1)
    plot = report.plot()
    assert "unknown" in plot.svg
    assert plot.title == "Cost per day by model"
    assert {row.key: report.share(row) for row in report.rows} == {"small": 1, "new": None}


async def test_of_users_only_one_is_told_about(ledger: Ledger) -> None:
    await keep(ledger)
    await keep(ledger, caller=GRACE)
    await keep(ledger, caller=Caller())
    report = await ledger.overview(days=1, user="grace")
    assert (report.total.calls, report.p95_milliseconds) == (1, 100)
    assert (await ledger.overview("user", days=1)).total.calls == 3


async def test_a_question_that_another_model_answered_is_a_fallback(ledger: Ledger) -> None:
    async def asks(*attempts: tuple[str, str | None]) -> None:
        call_id = new_id()
        for number, (name, error) in enumerate(attempts, 1):
            attempt = asked(name, error=error)
            more: Any = {"kind": "chat", "caller": ADA, "started_at": now()}
            await ledger.record(attempt, call_id=call_id, number=number, **more)

    await asks(("a", "RateLimited"), ("b", "RateLimited"), ("c", None))
    await asks(("a", None))
    await asks(("a", "RateLimited"), ("a", None))  # the same one, once more
    await asks(("a", "RateLimited"), ("b", "RateLimited"))  # nobody
    assert (await ledger.overview(days=1)).fallbacks == 1


async def test_95_of_100_answers_came_within_what_is_told_beside_the_days_before(ledger: Ledger) -> None:
    for milliseconds in range(1, 21):
        for at, factor in ((now(), 10.0), (back(1), 1.0)):
            attempt = replace(asked("small"), milliseconds=milliseconds * factor)
            more: Any = {"call_id": new_id(), "number": 1, "kind": "chat", "caller": ADA}
            await ledger.record(attempt, **more, started_at=at)
    report = await ledger.overview(days=1)
    assert (report.p95_milliseconds, report.p95_before) == (190, 19)


async def test_of_an_empty_ledger_everything_is_nothing(ledger: Ledger) -> None:
    report = await ledger.overview(days=7)
    assert (report.rows, report.shown, report.total.calls, report.before.calls) == ((), (), 0, 0)
    assert (report.p95_milliseconds, report.fallbacks, report.answered) == (None, 0, None)
    assert "No model was asked in these days." in report.plot().svg


async def test_where_nothing_costs_anything_calls_are_drawn(ledger: Ledger) -> None:
    await keep(ledger, "local", cost=0)
    await keep(ledger, "local", cost=0)
    await keep(ledger, "tiny", cost=0)
    report = await ledger.overview(days=1)
    assert report.plot().title == "Calls per day by model"
    assert [report.share(row) for row in report.rows] == [2 / 3, 1 / 3]


async def test_it_is_shown_with_its_table_and_is_one_of_pandas(ledger: Ledger) -> None:
    pytest.importorskip("pandas")
    await keep(ledger, "<b>odd</b>", cost=1_000_000_000)
    await keep(ledger, "new", cost=None)
    report = await ledger.overview(days=7)
    html = report._repr_html_()
    assert "&lt;b&gt;odd&lt;/b&gt;" in html
    assert "unknown" in html
    assert repr(report) == "UsageReport(Usage of 7 days, cost $1.00, calls 2, failed 0, fallbacks 0, from the cache 0)"
    frame = report.to_frame()
    assert frame["model"].to_list() == ["<b>odd</b>", "new"]
    assert frame["cost_usd"].isna().to_list() == [False, True]
    assert "key" not in frame


@pytest.mark.parametrize(
    ("by", "days", "said"), [("colour", 7, "colour"), ("day", 7, "Each day"), ("model", 0, "days")]
)
async def test_what_cannot_be_told_is_refused(ledger: Ledger, by: Any, days: int, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        await ledger.overview(by, days=days)
