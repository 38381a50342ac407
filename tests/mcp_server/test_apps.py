"""The panels, in a real browser, shown by a host that hands their calls on to a real server."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from mcp import Client
from mcp.types import CallToolResult, TextResourceContents

from mcp_server.apps import META, MIME_TYPE, PANELS, page
from tests.browser import CHROMIUM, Browser, browser
from tests.mcp_server.serving import held, stdio

pytestmark = pytest.mark.asyncio(loop_scope="module")
shown = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium to show a panel")

HOSTILE = "<img src=x onerror=\"document.title='stolen'\"><script>document.title='stolen'</script> kestrel"
RETRY = "The retry budget is two attempts, then the next enabled provider takes over after a timeout."
USAGE: dict[str, Any] = {
    "by": "model",
    "days": 7,
    "rows": [
        {"key": "<b>claude-sonnet</b>", "calls": 236, "failures": 2, "input_tokens": 812_000, "output_tokens": 92_000,
         "cost_usd": 2.28, "unpriced_calls": 0},
        {"key": "gpt-mini", "calls": 812, "failures": 0, "input_tokens": 1_650_000, "output_tokens": 240_000,
         "cost_usd": 1.88, "unpriced_calls": 0},
        {"key": "qwen-local", "calls": 236, "failures": 5, "input_tokens": 260_000, "output_tokens": 41_000,
         "cost_usd": None, "unpriced_calls": 231},
    ],
}  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    async with browser(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A server with documents, one of them hostile."""
    database = f"sqlite:///{tmp_path_factory.mktemp('toolkit') / 'toolkit.db'}"
    async with held(Client(stdio(database, "--tools", "default,models"))) as client:
        for title, text in (("ops/fallback.md", RETRY), ("<i>kestrel</i>.md", HOSTILE)):
            await client.call_tool("ingest", {"text": text, "title": title, "collection": "handbook"})
        yield client


def wire(result: CallToolResult) -> dict[str, Any]:
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


class Calls:
    """What a host does with a panel's calls: it hands them on, and remembers them."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.made: list[tuple[str, dict[str, Any]]] = []

    async def __call__(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self.made.append((name, arguments))
        return wire(await self.client.call_tool(name, arguments))


@pytest.mark.parametrize("tool", PANELS)
async def test_a_page_loads_nothing_and_makes_no_markup_of_what_it_is_given(tool: str) -> None:
    html = page(PANELS[tool])
    assert html.startswith("<!DOCTYPE html>")
    assert not re.search(r"https?:|@import|<link|src=|\burl\(", html)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", html)
    assert len(html) < 15_000


async def test_the_tools_of_panels_name_them_and_every_named_page_is_there(server: Client) -> None:
    named = {tool.name: tool.meta for tool in (await server.list_tools()).tools if tool.meta}
    assert {name: named[name] for name in META} == META
    for uri in PANELS.values():
        read = await server.read_resource(uri)
        [content] = read.contents
        assert isinstance(content, TextResourceContents)
        assert (content.uri, content.mime_type, content.text) == (uri, MIME_TYPE, page(uri))
        assert read.cache_scope == "public"


@shown
async def test_the_search_panel_shows_what_was_found_with_its_place_and_words(
    chromium: Browser, server: Client
) -> None:
    query = {"query": "retry timeout"}
    async with chromium.panel(page(PANELS["semantic_search"]), Calls(server)) as panel:
        await panel.tell(method="ui/notifications/tool-input", params={"arguments": query})
        result = wire(await server.call_tool("semantic_search", query))
        await panel.tell(method="ui/notifications/tool-result", params=result)
        await panel.until("document.querySelector('li')")
        assert (await panel.text("h2, .source"))[:2] == ["ops/fallback.md", "ops/fallback.md:1 · handbook"]
        assert (await panel.text("li:first-child .text")) == [RETRY]
        assert {"retry", "timeout"} == set(await panel.text("li:first-child mark"))
        assert await panel.evaluate("document.getElementById('query').value") == "retry timeout"
        assert await panel.text("#told") == ["1 passage"]
        assert panel.log == []


@shown
async def test_hostile_text_of_a_document_stays_text(chromium: Browser, server: Client) -> None:
    query = {"query": "kestrel"}
    async with chromium.panel(page(PANELS["semantic_search"]), Calls(server)) as panel:
        await panel.tell(method="ui/notifications/tool-input", params={"arguments": query})
        result = wire(await server.call_tool("semantic_search", query))
        await panel.tell(method="ui/notifications/tool-result", params=result)
        await panel.until("document.querySelector('li')")
        assert HOSTILE in await panel.text(".text")
        assert "<i>kestrel</i>.md" in await panel.text("h2")
        assert await panel.evaluate("document.querySelectorAll('li img, li script, li i:not(.bar > i)').length") == 0
        assert await panel.evaluate("document.title") == "Search"


@shown
async def test_the_search_panel_searches_again_and_reads_a_whole_passage_through_the_host(
    chromium: Browser, server: Client
) -> None:
    calls = Calls(server)
    async with chromium.panel(page(PANELS["semantic_search"]), calls) as panel:
        await panel.evaluate("byId('query').focus()")
        await panel.send("Input.insertText", text="retry")
        for kind in ("keyDown", "keyUp"):
            await panel.send("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r")
        await panel.until("document.querySelector('li')")
        assert calls.made == [("semantic_search", {"query": "retry", "collection": ""})]
        assert "handbook" in await panel.text("#collection option"), "a collection that was met can be chosen"
        await panel.evaluate("document.querySelector('li .plain').click()")
        await panel.until("!document.querySelector('li:first-child .plain')")
        assert calls.made[1][0] == "get_chunk"
        assert (await panel.text("li:first-child .text")) == [RETRY]


@shown
async def test_a_failed_call_is_told_where_a_screen_reader_hears_it(chromium: Browser, server: Client) -> None:
    async with chromium.panel(page(PANELS["semantic_search"]), Calls(server)) as panel:
        await panel.evaluate("offer('nowhere'); byId('collection').value = 'nowhere'; byId('query').value = 'x'")
        await panel.evaluate("byId('go').click()")
        await panel.until("!byId('wrong').hidden")
        assert "There is no collection 'nowhere'" in (await panel.text("[role=alert]"))[0]


@shown
@pytest.mark.parametrize(
    ("scheme", "context", "dark"),
    [("light", {}, False), ("dark", {}, True), ("light", {"theme": "dark"}, True), ("dark", {"theme": "light"}, False)],
)
async def test_a_panel_is_dark_where_the_host_is_else_where_the_user_prefers_it(
    chromium: Browser, server: Client, scheme: str, context: dict[str, Any], dark: bool
) -> None:
    async with chromium.panel(page(PANELS["usage_report"]), Calls(server), context=context, scheme=scheme) as panel:
        ground = await panel.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(17, 17, 17)" if dark else "rgb(255, 255, 255)")


@shown
async def test_a_panel_wears_the_colours_of_its_host_and_changes_with_it(chromium: Browser, server: Client) -> None:
    context = {"styles": {"variables": {"--color-background-primary": "rgb(1, 2, 3)"}}}
    async with chromium.panel(page(PANELS["usage_report"]), Calls(server), context=context) as panel:
        assert await panel.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(1, 2, 3)"
        await panel.tell(method="ui/notifications/host-context-changed", params={"theme": "dark"})
        await panel.until("document.documentElement.dataset.theme === 'dark'")


@shown
async def test_the_usage_panel_shows_the_report_and_asks_for_another(chromium: Browser, server: Client) -> None:
    calls = Calls(server)
    async with chromium.panel(page(PANELS["usage_report"]), calls) as panel:
        await panel.tell(method="ui/notifications/tool-result", params={"content": [], "structuredContent": USAGE})
        await panel.until("document.querySelector('tbody tr')")
        assert await panel.text("tbody tr:first-child > *") == [
            "<b>claude-sonnet</b>", "236", "2", "904,000", "$2.28", "55%",
        ]  # fmt: skip
        assert (await panel.text("tbody tr:last-child > *"))[4] == "unknown"
        assert (await panel.text("dd"))[:2] == ["$4.16", "1,284"]
        assert await panel.text("#told") == ["The price of 231 calls is unknown; the cost lacks it."]
        await panel.evaluate("byId('by').value = 'day'; byId('by').dispatchEvent(new Event('change', {bubbles: true}))")
        await panel.until("byId('told').textContent.startsWith('No calls')")
        assert calls.made == [("usage_report", {"by": "day", "days": 7})]


@shown
@pytest.mark.parametrize("tool", PANELS)
async def test_a_narrow_panel_does_not_scroll_sideways_and_every_field_has_a_name(
    chromium: Browser, server: Client, tool: str
) -> None:
    async with chromium.panel(page(PANELS[tool]), Calls(server), width=320) as panel:
        found = wire(await server.call_tool("semantic_search", {"query": "kestrel retry"}))
        result = found if tool == "semantic_search" else {"structuredContent": USAGE}
        await panel.tell(method="ui/notifications/tool-result", params=result)
        await panel.until("document.querySelector('li, tbody tr')")
        assert await panel.evaluate("document.documentElement.scrollWidth") <= 320
        assert await panel.evaluate(
            "[...document.querySelectorAll('input, select')].every((each) => each.labels.length)"
        )


@shown
async def test_the_host_is_told_how_high_the_panel_is(chromium: Browser, server: Client) -> None:
    async with chromium.panel(page(PANELS["usage_report"]), Calls(server)) as panel:
        sizes = (
            "heard.filter((each) => each.method === 'ui/notifications/size-changed').map((each) => each.params.height)"
        )
        await panel.until(f"{sizes}.length", within="host")
        await panel.tell(method="ui/notifications/tool-result", params={"structuredContent": USAGE})
        await panel.until(f"{sizes}.at(-1) > {sizes}[0]", within="host")


async def pictures(folder: Path) -> None:
    """What docs/mcp.md shows: `python -m tests.mcp_server.test_apps FOLDER`."""
    import tempfile  # noqa: PLC0415 - no test needs it

    hits = [
        {"chunk_id": "a-1", "title": "Retry and fallback policy", "source": "docs/ops/fallback.md", "lines": [12, 15],
         "collection": "handbook", "score": 1.0, "heading": "Retry and fallback policy",
         "text": "A provider is tried again after a timeout only when the request is idempotent. The retry budget is "
         "two attempts, then the next enabled provider takes over."},
        {"chunk_id": "b-3", "title": "Incident 2026-11-12", "source": "notes/incidents/2026-11-12.md",
         "lines": [3, 4], "collection": "notes", "score": 0.84, "heading": "Incident 2026-11-12",
         "text": "OpenAI answered slowly for 40 minutes; each retry re-sent the full context, so the fallback answers "
         "were the costly ones."},
        {"chunk_id": "c-2", "title": "Provider settings", "source": "docs/reference/providers.md", "lines": [40, 40],
         "collection": "handbook", "score": 0.62, "heading": "Settings › timeout",
         "text": "timeout: seconds before the call is abandoned (default 30). See also retry and priority."},
    ]  # fmt: skip

    async def nothing(_name: str, _arguments: dict[str, Any]) -> dict[str, Any]:
        return {}

    rows = [{**row, "key": re.sub("<.*?>", "", str(row["key"]))} for row in USAGE["rows"]]
    results = {
        "search": {"structuredContent": {"hits": hits}},
        "usage": {"structuredContent": {**USAGE, "rows": rows}},
    }
    with tempfile.TemporaryDirectory() as profile:
        async with browser(Path(profile)) as running:
            for name, result in results.items():
                for scheme in ("light", "dark"):
                    html = page(f"ui://toolkit/{name}.html")
                    async with running.panel(html, nothing, scheme=scheme, width=720) as panel:
                        given = {"arguments": {"query": "timeout retry fallback"}}
                        await panel.tell(method="ui/notifications/tool-input", params=given)
                        await panel.tell(method="ui/notifications/tool-result", params=result)
                        await panel.until("document.querySelector('li, tbody tr')")
                        await panel.until("byId('told').textContent !== 'Searching…'")
                        await panel.picture(folder / f"mcp-{name}-{scheme}.png")


if __name__ == "__main__":
    import asyncio
    import sys

    asyncio.run(pictures(Path(sys.argv[1])))
