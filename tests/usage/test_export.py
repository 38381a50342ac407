"""Rows for other programs: flat, of one type per column, a page at a time, and harmless in a spreadsheet."""

import csv
import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import NoneType
from typing import Any

import pytest

from tests.usage.rows import keep
from toolkit.db import Database
from toolkit.errors import ConfigError
from toolkit.messages import Caller, Usage
from toolkit.stamps import freeze, now
from toolkit.usage import export, reports
from toolkit.usage.export import COLUMNS, write_csv, write_jsonl
from toolkit.usage.ledger import Ledger

TYPES: Mapping[str, type] = {
    **dict.fromkeys(COLUMNS, str),
    **{name: int for name in COLUMNS if name.endswith("_tokens")},
    **dict.fromkeys(("attempt", "http_status", "cost_nano_usd"), int),
    **dict.fromkeys(("cost_usd", "milliseconds"), float),
    "started_at": datetime,
    "uncounted": bool,
}


@pytest.fixture
def ledger(db: Database) -> Ledger:
    return Ledger(db)


async def test_every_row_has_the_same_columns_and_each_has_one_type(ledger: Ledger) -> None:
    await keep(ledger, status=200, request_id="r1", key="OPENAI_API_KEYS[2]")
    await keep(ledger, error="RateLimited", message="Wait.", caller=Caller())
    await keep(ledger, cached=True)
    await keep(ledger, cost=None, kind="embed")

    rows = [row async for row in ledger.export()]
    assert len(rows) == 4
    for row in rows:
        assert tuple(row) == COLUMNS
        assert {name for name, value in row.items() if type(value) not in (TYPES[name], NoneType)} == set()
    first, failed, cached, embedded = rows
    assert (first["model"], first["vendor_model"], first["user"]) == ("small", "vendor-small", "ada")
    assert (first["cost_usd"], first["cost_nano_usd"], first["key"]) == (0.001, 1_000_000, "OPENAI_API_KEYS[2]")
    assert (failed["error"], failed["user"], failed["input_tokens"], failed["output_audio_tokens"]) == (
        ("RateLimited", None, None, None)
    )
    assert (cached["status"], cached["cost_usd"]) == ("cached", 0.0)
    assert embedded["cost_usd"] is None


async def test_rows_come_oldest_first_page_by_page_each_once(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "PAGE", 4)
    with freeze(datetime(2026, 1, 2, 23, 59, tzinfo=UTC)):
        moment = now()
        for number in range(10):  # three in each moment, over midnight
            await keep(ledger, f"m{number}", at=moment + timedelta(minutes=number // 3), call_id=f"q{number}")
        rows = [row async for row in ledger.export(days=2)]
        rows_of_today = [row async for row in ledger.export(days=1)]

    assert [row["call_id"] for row in rows] == [f"q{number}" for number in range(10)]
    assert [row["call_id"] for row in rows_of_today] == [f"q{number}" for number in range(10)][-len(rows_of_today) :]
    assert sorted({row["day"] for row in rows}) == ["2026-01-02", "2026-01-03"]


async def test_what_is_exported_can_be_one_persons_and_of_some_days(ledger: Ledger) -> None:
    await keep(ledger, "a", caller=Caller("bob"))
    await keep(ledger, "b")
    await keep(ledger, "c", at=now() - timedelta(days=3))

    assert [row["model"] async for row in ledger.export(user="bob")] == ["a"]
    assert [row["model"] async for row in ledger.export(user="ada", days=2)] == ["b"]
    assert [row["model"] async for row in ledger.export()] == ["c", "a", "b"]
    with pytest.raises(ConfigError, match="between 1 and"):
        await anext(ledger.export(days=0))


async def test_no_more_than_a_page_is_read_at_once(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "PAGE", 2)
    for number in range(5):
        await keep(ledger, f"m{number}")
    read: list[int] = []
    fetch_all = ledger._db.fetch_all

    async def counted(*args: Any, **values: Any) -> Any:
        rows = await fetch_all(*args, **values)
        read.append(len(rows))
        return rows

    monkeypatch.setattr(ledger._db, "fetch_all", counted)
    assert len([row async for row in ledger.export()]) == 5
    assert read == [2, 2, 1]
    assert export.PAGE == 1000


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
async def test_no_cell_is_a_formula_in_a_spreadsheet(ledger: Ledger, name: str) -> None:
    await keep(ledger, name, caller=Caller(name, name))
    out = io.StringIO(newline="")
    assert await write_csv(ledger.export(), out) == 1

    head, row = csv.reader(io.StringIO(out.getvalue(), newline=""))
    cells = dict(zip(head, row, strict=True))
    assert cells["model"] == cells["user"] == cells["origin"] == f"'{name}"
    assert cells["provider"] == "openai"


async def test_csv_and_json_lines_hold_the_same(ledger: Ledger) -> None:
    await keep(ledger, cost=None, caller=Caller('Åsa, "the" 2nd\nline', None))
    rows = [row async for row in ledger.export()]
    out, lines = io.StringIO(newline=""), io.StringIO()
    await write_csv(ledger.export(), out)
    assert await write_jsonl(ledger.export(), lines) == 1

    (cells,) = csv.DictReader(io.StringIO(out.getvalue(), newline=""))
    (line,) = map(json.loads, lines.getvalue().splitlines())
    assert line == {**rows[0], "started_at": rows[0]["started_at"].isoformat()}
    assert cells == {
        **{name: "" if value is None else str(value) for name, value in rows[0].items()},
        "started_at": rows[0]["started_at"].isoformat(),
        "uncounted": "false",
    }


async def test_pandas_takes_the_rows_as_they_are(ledger: Ledger) -> None:
    pandas = pytest.importorskip("pandas")
    await keep(ledger)
    await keep(ledger, error="RateLimited")
    frame = pandas.DataFrame([row async for row in ledger.export()])
    assert list(frame.columns) == list(COLUMNS)
    assert str(frame["started_at"].dtype).endswith("UTC]")
    assert frame["cost_usd"].sum() == 0.001
    assert Usage(10, 5).input_tokens == frame["input_tokens"].max()
