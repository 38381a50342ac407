"""`toolkit usage`: by conversation and by tool, with what came from the cache, and every single call as a file."""

import asyncio
import csv
import io
import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.usage.rows import keep, keep_tool
from toolkit.db import open_database
from toolkit.messages import Caller
from toolkit.settings import Settings
from toolkit.usage.export import COLUMNS
from toolkit.usage.ledger import Ledger


async def fill(url: str) -> None:
    db = open_database(Settings(url))
    ledger = Ledger(db)
    await keep(ledger, call_id="q1")
    await keep(ledger, "=cmd()", caller=Caller("bob", None, "s2"), cost=5_000_000)
    await keep_tool(ledger, "search")
    await keep_tool(ledger, "search", "error")
    await ledger.flush()
    await db.close()


@pytest.fixture
def used(folder: Path) -> Path:
    """A database with some calls of models and tools."""
    asyncio.run(fill(f"sqlite:///{folder / 'toolkit.db'}"))
    return folder


async def hit(url: str) -> None:
    db = open_database(Settings(url))
    for _ in range(3):
        await keep(Ledger(db), cached=True)
    await db.close()


def table(text: str) -> dict[str, list[str]]:
    return {line.split()[0]: line.split() for line in text.splitlines()}


@pytest.mark.usefixtures("used")
def test_usage_groups_by_conversation(run: Run) -> None:
    rows = table(run("usage", "--by", "session").stdout)

    assert rows["Session"][0] == "Session"
    assert list(rows)[1:] == ["s2", "s1"]  # the dearest first
    assert [row["key"] for row in json.loads(run("usage", "--by", "session", "--json").stdout)] == ["s2", "s1"]


@pytest.mark.usefixtures("used")
def test_only_the_dearest_conversations_are_shown(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["toolkit.cli.usage"], "_MOST_SESSIONS", 1)  # the package has the command so named
    result = run("usage", "--by", "session")

    assert list(table(result.stdout)) == ["Session", "s2"]
    assert "Not shown: 1 session of lower cost; --json has them all." in result.stderr


@pytest.mark.usefixtures("used")
def test_usage_groups_by_tool(run: Run) -> None:
    rows = table(run("usage", "--by", "tool").stdout)

    assert rows["Tool"] == ["Tool", "Calls", "Failed", "Mean"]
    assert rows["search"] == ["search", "2", "1", "50", "ms"]
    (row,) = json.loads(run("usage", "--by", "tool", "--json").stdout)
    assert (row["tool"], row["failures"]) == ("search", 1)
    assert "No tool was called" in run("usage", "--by", "tool", "--user", "eve").stderr


def test_the_cache_has_a_column_where_it_gave_answers(run: Run, used: Path) -> None:
    assert "Cached" not in run("usage").stdout
    asyncio.run(hit(f"sqlite:///{used / 'toolkit.db'}"))

    rows = table(run("usage").stdout)
    assert rows["Model"][-1] == "Cached"
    assert rows["small"][-2:] == ["3", "(75%)"]
    assert rows["=cmd()"][-1] == "0"


def test_every_call_can_be_written_into_a_csv_file(run: Run, used: Path) -> None:
    result = run("usage", "--export", "calls.csv")

    assert "2 calls written to calls.csv." in result.stderr
    with (used / "calls.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["model"], row["call_id"] == "q1") for row in rows] == [("small", True), ("'=cmd()", False)]
    assert tuple(rows[0]) == COLUMNS


def test_every_call_can_be_written_as_json_lines(run: Run, used: Path) -> None:
    assert run("usage", "--user", "bob", "--export", "calls.jsonl").exit_code == 0

    (row,) = map(json.loads, (used / "calls.jsonl").read_text(encoding="utf-8").splitlines())
    assert (row["model"], row["cost_usd"]) == ("=cmd()", 0.005)


@pytest.mark.usefixtures("used")
def test_every_call_can_be_written_to_standard_output(run: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(run("usage", "--export", "-").stdout)))
    lines = list(map(json.loads, run("usage", "--export", "-", "--json").stdout.splitlines()))

    assert [row["call_id"] for row in rows] == [line["call_id"] for line in lines]
    assert len(rows) == 2


@pytest.mark.usefixtures("used")
def test_a_file_whose_kind_cannot_be_told_is_refused(run: Run) -> None:
    result = run("usage", "--export", "calls.xlsx")

    assert result.exit_code == 1
    assert "'calls.xlsx' must end in .csv or .jsonl" in result.stderr
