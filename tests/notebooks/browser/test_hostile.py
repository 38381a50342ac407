"""Nothing that a model, a document, a tool or a name says runs in the page, fetches something, or leads into it."""

import json
from textwrap import dedent

import pytest

from tests.notebooks.browser.hostile import MARKDOWN, NAME
from tests.notebooks.lab import Lab
from tests.notebooks.page import NotebookPage
from toolkit.messages import Message, ToolCall
from toolkit.testing.vendors import Fault

pytestmark = pytest.mark.asyncio(loop_scope="session")

CELLS = [
    f"""
    import notebooks as nb
    from toolkit.search.documents import Document

    MARKDOWN, NAME = {MARKDOWN!r}, {NAME!r}
    tk = await nb.connect("sqlite://")

    @tk.tool
    def shout(text: str) -> str:
        "Says it again."
        return MARKDOWN
    """,
    """
    chat = nb.ChatPanel(tk, tools=["shout"])
    chat
    """,
    "reply = await chat.ask(NAME)\nreply",
    "reply.message",
    "chat.transcript",
    """
    await tk.ingest(Document(source=NAME, title=NAME, text=MARKDOWN, metadata={"kestrel": NAME}), collection="hostile")
    hits = await tk.search("kestrel", collection="hostile")
    assert hits
    hits
    """,
    "hits[0]",
    """
    search = nb.SearchPanel(tk, "hostile")
    search
    """,
    "await search.search('kestrel')",
    """
    form = nb.ToolForm(tk, "shout")
    form
    """,
    "form.arguments = {'text': NAME}\nawait form.run(sure=True)",
    """
    session = await tk.sessions.create(title=NAME, user=NAME, origin=NAME)
    await tk.complete(MARKDOWN, session=session.id, user=NAME, origin=NAME)
    sessions = nb.SessionsPanel(tk)
    sessions
    """,
    "await sessions.read(session.id)",
    "nb.UsagePanel(tk, by='user')",
    "nb.ModelsPanel(tk)",
]
SAFE = """[...document.querySelectorAll(".jp-OutputArea-output a, .jp-OutputArea-output math [href]")].filter(
  (each) => !/^(https?:\\/\\/|mailto:)/.test(each.getAttribute("href") ?? each.getAttribute("xlink:href") ?? "https://")
).map((each) => each.outerHTML)"""


async def harmless(page: NotebookPage, url: str) -> None:
    """Nothing ran, was fetched, leads into the page, or was typeset by the host."""
    assert await page.evaluate("window.stolen ?? null") is None
    assert page.outside(url) == []
    assert [each for each in page.fetched if "stolen" in each] == []
    assert await page.evaluate(SAFE) == []
    tags = "img, script, iframe, svg script, form, object, embed, video, link, meta, mjx-container"
    ours = ":is(.toolkit-panel, .toolkit-page)"
    assert await page.evaluate(f"[...document.querySelectorAll('{ours} :is({tags})')].map((e) => e.outerHTML)") == []


async def test_hostile_text_is_text_in_every_panel_and_output(jupyter: Lab) -> None:
    jupyter.vendors.say(
        Message("assistant", tool_calls=(ToolCall("call_1", "shout", {"text": MARKDOWN}),)),
        MARKDOWN,
        MARKDOWN,
    )
    jupyter.vendors.fail("openai", Fault.status(429, NAME), times=1)
    async with jupyter.notebook(*map(dedent, CELLS)) as page:
        await page.sees("and that was all.", within=".toolkit-chat .toolkit-answer")
        await page.sees("kestrel", within=".toolkit-search mark")
        await page.sees("and that was all.", within=".toolkit-form .toolkit-answer")
        await page.sees("and that was all.", within=".toolkit-sessions .toolkit-answer")
        await page.sees("kestrel", within=".toolkit-usage table")
        outputs = await page.evaluate("document.querySelectorAll('.jp-OutputArea-output').length")
        assert outputs >= len(CELLS) - 2
        await page.still()
        await harmless(page, jupyter.url)
        # The page would run what is let through.
        told = "<img src=/control onerror='window.control = 1'>"
        await page.evaluate(
            f"document.querySelector('.toolkit-answer').insertAdjacentHTML('beforeend', {json.dumps(told)})"
        )
        await page.until("window.control === 1")
        assert any("/control" in each for each in page.fetched)
