import asyncio
import csv
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from notebooks.usage.panel import UsagePanel
from tests.usage.rows import keep
from toolkit.bridge import blocking
from toolkit.errors import ConfigError
from toolkit.messages import Caller
from toolkit.stamps import new_id
from toolkit.toolkit import Toolkit

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
async def panel(tk: Any) -> AsyncIterator[UsagePanel]:
    made = await asyncio.to_thread(UsagePanel, tk)
    yield made
    made.close()


def words(html: str) -> str:
    """What a person reads of a part of the panel."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)).strip()


async def test_what_was_asked_stands_in_tiles_plot_and_table(tk: Any, panel: UsagePanel) -> None:
    await tk.complete("Which day is it?", user="ada")
    call_id = new_id()
    await keep(tk.usage, "away", error="ProviderUnavailable", call_id=call_id)
    await keep(tk.usage, "small", caller=Caller(user=HOSTILE), call_id=call_id, number=2)
    report = await panel.refresh(by="user")
    tiles = words(panel._figures.value)
    assert "Calls 3 66.7% went well" in tiles
    assert "Fallbacks 1 another model answered" in tiles
    assert report.total.cost_usd is not None
    assert report.total.cost_usd > 0
    assert words(panel._table.value).startswith("User Calls Failed Tokens Mean time Cost Share of the cost")
    assert {row.key for row in report.rows} == {"ada", HOSTILE}
    assert "&lt;img" in panel._table.value
    assert "<img" not in panel._table.value + panel._drawn.value
    assert "Cost per day by user" in panel._drawn.value
    assert panel.plot == report.plot()


async def test_an_empty_ledger_is_said_to_be_empty(panel: UsagePanel) -> None:
    assert "Cost $0 nothing in the 7 days before" in words(panel._figures.value)
    assert "No model was asked in these days." in panel._drawn.value
    assert panel._table.value == ""
    assert repr(panel) == "UsagePanel(7 days)"


async def test_whatever_is_asked_anywhere_is_seen_without_a_button(tk: Any, panel: UsagePanel) -> None:
    seen, loop = asyncio.Event(), asyncio.get_running_loop()

    def look(change: dict[str, str]) -> None:
        if "Calls 1 " in words(change["new"]):
            loop.call_soon_threadsafe(seen.set)

    panel._figures.observe(look, "value")
    await tk.complete("Which day is it?")
    async with asyncio.timeout(10):
        await seen.wait()


async def test_days_and_what_is_added_up_are_chosen_from_lists(tk: Any, panel: UsagePanel) -> None:
    assert [label for label, _ in panel._period.options] == ["today", "last 7 days", "last 30 days", "last 90 days"]
    shown, loop = asyncio.Event(), asyncio.get_running_loop()
    panel._table.observe(lambda _: loop.call_soon_threadsafe(shown.set), "value")
    await tk.complete("Which day is it?", origin="report")
    await panel.refresh()
    shown.clear()
    panel._kind.value = "origin"
    async with asyncio.timeout(10):
        await shown.wait()
    assert "Application" in panel._table.value
    assert "report" in panel._table.value
    await panel.refresh(days=3)
    assert (panel._period.value, repr(panel)) == (3, "UsagePanel(3 days)")


async def test_a_wrong_choice_is_refused_and_the_panel_stays_as_it_was(panel: UsagePanel) -> None:
    with pytest.raises(ConfigError, match="days"):
        await panel.refresh(days=-1)
    with pytest.raises(ConfigError, match="colour"):
        await panel.refresh(by="colour")
    assert (await panel.refresh()).by == "model"
    assert repr(panel) == "UsagePanel(7 days)"


async def test_every_call_is_saved_as_csv(tk: Any, panel: UsagePanel, tmp_path: Path) -> None:
    await tk.complete("Which day is it?", user="=1+1")
    assert await panel.export(tmp_path / "usage.csv") == 1
    with (tmp_path / "usage.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["user"], row["status"]) == ("'=1+1", "ok")
    with pytest.raises(ConfigError, match="cannot be written"):
        await panel.export(tmp_path / "nowhere" / "usage.csv")


async def test_the_button_saves_where_the_line_says_and_tells_so(
    panel: UsagePanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told, loop = asyncio.Event(), asyncio.get_running_loop()
    panel._said.observe(lambda _: loop.call_soon_threadsafe(told.set), "value")
    panel._path.value = "here.csv"
    panel.children[-2].children[-1].click()
    async with asyncio.timeout(10):
        await told.wait()
    assert "0 calls written to here.csv" in panel._said.value
    assert (tmp_path / "here.csv").read_text(encoding="utf-8").startswith("started_at,")
    panel._path.value = "/nowhere/here.csv"
    panel.children[-2].children[-1].click()
    assert "/nowhere/here.csv cannot be written" in panel._notice.value


async def test_the_table_is_one_of_pandas(tk: Any, panel: UsagePanel) -> None:
    pytest.importorskip("pandas")
    await tk.complete("Which day is it?", user="ada")
    await panel.refresh(by="user")
    assert panel.to_frame()["user"].to_list() == ["ada"]


def test_without_await_it_is_the_same(toolkit: Toolkit, tmp_path: Path) -> None:
    with blocking(toolkit) as tk:
        panel = UsagePanel(tk, days=1)
        tk.complete("Which day is it?")
        assert panel.refresh().total.calls == 1
        assert panel.export(tmp_path / "usage.csv") == 1
        panel.close()
