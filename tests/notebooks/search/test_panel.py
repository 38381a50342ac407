import asyncio
import threading
from typing import Any

import pytest

from notebooks.search.panel import SearchPanel
from toolkit.bridge import blocking
from toolkit.errors import ConfigError, NotFound
from toolkit.search.documents import Document, Hit, Hits
from toolkit.toolkit import Toolkit

RETRIES = "# Retry policy\n\nA provider that is overloaded is asked once more after a short pause.\n"
MONEY = "# What it costs\n\nEvery answer says what it cost. An unknown price is never zero.\n"


class Chat:
    """What a panel wants of a ChatPanel."""

    def __init__(self) -> None:
        self.cited: list[Hit] = []

    def cite(self, hit: Hit) -> None:
        self.cited.append(hit)


def html(panel: SearchPanel) -> str:
    """The hits as they are shown."""
    return "".join(each.value for card in panel._cards.children for each in getattr(card, "children", [card])[:1])


async def changed(widget: Any, trait: str = "value") -> None:
    """Wait until the trait of a widget changes."""
    told, loop = asyncio.Event(), asyncio.get_running_loop()

    def tell(_: object) -> None:
        loop.call_soon_threadsafe(told.set)

    widget.observe(tell, trait)
    async with asyncio.timeout(10):
        await told.wait()
    widget.unobserve(tell, trait)


@pytest.fixture
async def full(tk: Any) -> Any:
    for name, text in (("retries.md", RETRIES), ("money.md", MONEY)):
        await tk.ingest(Document(name, text, kind="markdown"), collection="handbook")
    return tk


async def test_the_hits_stand_in_the_panel_and_are_given(full: Any) -> None:
    panel = SearchPanel(full, "handbook")
    hits = await panel.search("overloaded provider")
    assert hits[0].source == "retries.md"
    assert "<mark>overloaded</mark>" in html(panel)
    assert "retries.md:1–" in html(panel)
    assert panel._entry.text.value == "overloaded provider"
    assert panel.hits == hits


def test_without_await_a_search_gives_its_hits_and_an_ingest_its_report(toolkit: Toolkit) -> None:
    with blocking(toolkit) as tk:
        panel = SearchPanel(tk)
        assert panel.ingest(Document("retries.md", RETRIES, kind="markdown"), collection="handbook").added == 1
        assert panel.search("overloaded")[0].source == "retries.md"
        assert "<mark>overloaded</mark>" in html(panel)
        panel.close()


async def test_enter_searches_and_leaves_the_query_in_the_line(full: Any) -> None:
    panel = SearchPanel(full)
    panel._entry.text._handle_custom_msg({"event": "submit"}, [])
    panel._entry.text.value = "price"
    await changed(panel._cards, "children")
    assert "<mark>price</mark>" in html(panel)
    assert panel._entry.text.value == "price"


async def test_more_hits_come_below_the_first_and_are_numbered_on(full: Any) -> None:
    panel = SearchPanel(full, top_k=1)
    await panel.search("what provider price")
    assert html(panel).count("<li>") == 1
    assert panel._more.layout.display == ""
    hits = await panel.more()
    assert {hit.source for hit in hits} == {"retries.md", "money.md"}
    assert "[2]" in html(panel)
    assert panel._more.layout.display == "none"
    assert await panel.more() == hits


async def test_nothing_found_is_said(full: Any) -> None:
    panel = SearchPanel(full)
    assert await panel.search("zebra") == []
    assert "Nothing in all collections fits “zebra”" in panel._found.value


async def test_an_error_is_one_sentence_and_goes_away_with_the_next_search(full: Any) -> None:
    panel = SearchPanel(full, "handbok")
    with pytest.raises(NotFound):
        await panel.search("price")
    assert 'role="alert"' in panel._notice.value
    assert html(panel) == ""
    panel.collection = "handbook"
    await panel.search("price")
    assert panel._notice.value == ""
    assert html(panel) != ""


async def test_another_collection_or_mode_searches_again(full: Any) -> None:
    await full.ingest(Document("other.md", "The price of a kestrel.", kind="markdown"), collection="birds")
    panel = SearchPanel(full)
    assert len(await panel.search("price")) == 2
    panel._where.value = "birds"
    await changed(panel._cards, "children")
    assert [hit.source for hit in panel.hits] == ["other.md"]
    assert panel._intake.collection.value == "birds"
    panel._mode.value = "lexical"
    await changed(panel._cards, "children")
    assert panel.hits[0].parts.semantic is None


async def test_the_list_of_collections_grows_with_what_others_ingest(full: Any) -> None:
    panel = SearchPanel(full)
    assert [name for name, _ in panel._where.options] == ["All collections", "handbook"]
    grown = asyncio.create_task(changed(panel._where, "_options_labels"))
    await asyncio.sleep(0)
    await full.ingest(Document("other.md", "Kestrels.", kind="markdown"), collection="birds")
    await grown
    assert [name for name, _ in panel._where.options] == ["All collections", "birds", "handbook"]
    assert panel.collection is None
    panel.close()


async def test_several_collections_and_one_that_is_not_there_yet_can_be_named(full: Any) -> None:
    panel = SearchPanel(full, ["handbook", "birds"])
    assert panel.collection == ("handbook", "birds")
    assert panel._where.label == "handbook, birds"
    assert "handbook, birds: 2 documents" in panel._intake.holding.value


async def test_a_search_that_ends_late_does_not_replace_a_newer_one(
    full: Any, toolkit: Toolkit, monkeypatch: pytest.MonkeyPatch
) -> None:
    search, begun, newer_is_shown = toolkit.search, threading.Event(), threading.Event()

    async def late(query: str, **options: Any) -> Hits:
        if query == "price":
            return await search(query, **options)
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.to_thread(newer_is_shown.wait, 10)
        return Hits()

    monkeypatch.setattr(toolkit, "search", late)
    panel = SearchPanel(full)
    _, outcome = panel._begin("overloaded")
    await asyncio.to_thread(begun.wait, 10)
    await panel.search("price")
    newer_is_shown.set()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wrap_future(outcome)
    assert panel.hits[0].source == "money.md"
    assert "<mark>price</mark>" in html(panel)


async def test_a_hit_is_cited_in_the_chat_by_its_button_and_by_its_number(full: Any) -> None:
    chat = Chat()
    panel = SearchPanel(full, chat=chat)
    await panel.search("what provider price")
    panel._cards.children[1].children[1].click()
    panel.cite(1)
    assert [hit.source for hit in chat.cited] == [panel.hits[1].source, panel.hits[0].source]
    with pytest.raises(NotFound, match="There is no hit 3; there are 2"):
        panel.cite(3)


async def test_without_a_chat_there_is_nothing_to_cite_in(full: Any) -> None:
    panel = SearchPanel(full)
    await panel.search("price")
    assert "Cite" not in str([getattr(each, "description", "") for each in panel._cards.children])
    with pytest.raises(ConfigError, match="chat=chat"):
        panel.cite(1)


async def test_the_hits_of_an_earlier_search_are_closed(full: Any) -> None:
    panel = SearchPanel(full, chat=Chat())
    await panel.search("price")
    [card] = panel._cards.children
    view = card.children[0]
    await panel.search("overloaded")
    assert view.comm is None
    assert card.comm is None


async def test_the_repr_is_short_and_the_same_at_every_run(full: Any) -> None:
    panel = SearchPanel(full, ["handbook", "notes"])
    assert repr(panel) == "SearchPanel(handbook, notes, 0 hits)"
    panel = SearchPanel(full, top_k=1)
    await panel.search("price")
    assert repr(panel) == "SearchPanel(all collections, 1 hit)"


async def test_the_hits_are_a_frame(full: Any) -> None:
    pytest.importorskip("pandas")
    panel = SearchPanel(full)
    await panel.search("price")
    assert list(panel.to_frame()["source"]) == [hit.source for hit in panel.hits]
