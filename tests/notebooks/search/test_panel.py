import asyncio
import threading
from typing import Any

import pytest

from notebooks.search.panel import SearchPanel
from toolkit.errors import NotFound
from toolkit.search.documents import Document, Hit
from toolkit.toolkit import Toolkit

RETRIES = "# Retry policy\n\nA provider that is overloaded is asked once more after a short pause.\n"
MONEY = "# What it costs\n\nEvery answer says what it cost. An unknown price is never zero.\n"


@pytest.fixture
async def tk(tk: Any) -> Any:
    for name, text in (("retries.md", RETRIES), ("money.md", MONEY)):
        await tk.ingest(Document(name, text, kind="markdown"), collection="handbook")
    return tk


async def test_the_hits_stand_in_the_panel_and_are_given(tk: Any) -> None:
    panel = SearchPanel(tk, "handbook")
    hits = await panel.search("overloaded provider")
    assert hits[0].source == "retries.md"
    assert "<mark>overloaded</mark>" in panel._found.value
    assert "retries.md:1–" in panel._found.value
    assert panel._entry.text.value == "overloaded provider"
    assert panel.hits == hits


async def test_enter_searches_and_leaves_the_query_in_the_line(tk: Any) -> None:
    panel = SearchPanel(tk)
    found = asyncio.Event()
    loop = asyncio.get_running_loop()
    panel._found.observe(lambda _: loop.call_soon_threadsafe(found.set), "value")
    panel._entry.text._handle_custom_msg({"event": "submit"}, [])
    panel._entry.text.value = "price"
    async with asyncio.timeout(10):
        await found.wait()
    assert "<mark>price</mark>" in panel._found.value
    assert panel._entry.text.value == "price"


async def test_no_more_than_top_k_hits_are_shown(tk: Any) -> None:
    panel = SearchPanel(tk, top_k=1)
    await panel.search("what provider price")
    assert panel._found.value.count("<li>") == 1


async def test_nothing_found_is_said(tk: Any) -> None:
    panel = SearchPanel(tk)
    assert await panel.search("zebra") == []
    assert "Nothing in all collections fits “zebra”" in panel._found.value


async def test_an_error_is_one_sentence_and_goes_away_with_the_next_search(tk: Any) -> None:
    panel = SearchPanel(tk, "handbok")
    with pytest.raises(NotFound):
        await panel.search("price")
    assert 'role="alert"' in panel._notice.value
    assert panel._found.value == ""
    panel.collection = "handbook"
    await panel.search("price")
    assert panel._notice.value == ""
    assert panel._found.value != ""


async def test_a_search_that_ends_late_does_not_replace_a_newer_one(
    tk: Any, toolkit: Toolkit, monkeypatch: pytest.MonkeyPatch
) -> None:
    search, begun, newer_is_shown = toolkit.search, threading.Event(), threading.Event()

    async def late(query: str, **options: Any) -> list[Hit]:
        if query == "price":
            return await search(query, **options)
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.to_thread(newer_is_shown.wait, 10)
        return []

    monkeypatch.setattr(toolkit, "search", late)
    panel = SearchPanel(tk)
    _, outcome = panel._begin("overloaded")
    await asyncio.to_thread(begun.wait, 10)
    await panel.search("price")
    newer_is_shown.set()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wrap_future(outcome)
    assert panel.hits[0].source == "money.md"
    assert "<mark>price</mark>" in panel._found.value


async def test_the_repr_is_short_and_the_same_at_every_run(tk: Any) -> None:
    panel = SearchPanel(tk, ["handbook", "notes"])
    assert repr(panel) == "SearchPanel(handbook, notes, 0 hits)"
    panel = SearchPanel(tk, top_k=1)
    await panel.search("price")
    assert repr(panel) == "SearchPanel(all collections, 1 hit)"
