"""The panels beside the chat in a real JupyterLab: what a person does in them with the mouse, light and dark."""

import pytest

from tests.notebooks.lab import Lab
from tests.notebooks.page import NotebookPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

CONNECT = "import notebooks as nb\ntk = await nb.connect('sqlite://')"
HANDBOOK = """
await tk.ingest("The circuit breaker opens after five failures in a row.", collection="handbook")
await tk.ingest("Invoices are sent on the first Monday of a month.", collection="office")
chat = nb.ChatPanel(tk, documents="handbook")
chat
"""
CHAIN = """
await tk.models.add("anthropic", "claude-haiku-5-5", name="large", priority=10)
await tk.models.add("openai", "gpt-6-luna", name="small", priority=20)
chat = nb.ChatPanel(tk)
chat
"""
SPENT = """
for title, user in (("Ships", "ada"), ("Shoes", "ben")):
    session = await tk.sessions.create(title=title)
    await tk.complete(f"Tell me of {title}.", session=session.id, user=user)
nb.UsagePanel(tk)
"""


async def looks_right(page: NotebookPage, *panels: str) -> None:
    """axe-core finds no fault in either theme, and nothing is cut off in a narrow window."""
    for scheme in ("light", "dark"):
        await page.theme(scheme)
        assert [(panel, scheme, found) for panel in panels if (found := await page.faults(panel))] == []
    await page.size(480)
    await page.still()
    for panel in panels:
        assert await page.cut_off(panel) == []
    await page.size(1280)
    await page.theme("light")


async def test_documents_are_searched_and_a_hit_is_cited_in_the_chat(jupyter: Lab) -> None:
    panel = "nb.SearchPanel(tk, 'handbook', chat=chat)"
    async with jupyter.notebook(CONNECT, HANDBOOK, panel, "nb.ToolForm(tk, 'semantic_search')") as page:
        search, form, chat = ".toolkit-search", ".toolkit-form", ".toolkit-chat"
        await page.write("Search", "breaker", within=search)
        await page.press("Enter")
        await page.sees("five failures in a row", within=search)
        assert await page.text(f"{search} mark") == ["breaker"]
        await page.choose("Collection", "office", within=search)
        await page.sees("Nothing in office", within=search)
        await page.choose("Collection", "handbook", within=search)
        await page.click("Cite in chat", within=search)
        await page.write("Message", "When does it open?", within=chat)
        await page.press("Enter")
        await page.sees("opens after five", within=f"{chat} .toolkit-answer")  # the vendor's echo of it

        await page.write("query (required)", "breaker", within=form)
        await page.write("top_k", "500", within=form)
        await page.press("Tab")
        await page.sees("50", within=f"{form} .toolkit-wrong")
        await page.click("Run", within=form)
        await page.sees("Not called", within=form)
        await page.write("top_k", "3", within=form)
        await page.press("Tab")
        await page.sees('"top_k": 3', within=f"{form} pre")
        await page.click("Run", within=form)
        await page.sees("answered", within=form)
        await page.sees("five failures in a row", within=form)
        await looks_right(page, search, form)
        assert (page.log, page.outside(jupyter.url)) == ([], [])


async def test_the_next_question_follows_a_chain_that_was_reordered_and_tested(jupyter: Lab) -> None:
    async with jupyter.notebook(CONNECT, CHAIN, "nb.ModelsPanel(tk)") as page:
        models, chat = ".toolkit-models", ".toolkit-chat"
        await page.write("Message", "Who is it?", within=chat)
        await page.press("Enter")
        await page.sees("large", within=f"{chat} .toolkit-foot")
        await page.click("Move small up", within=models)
        rows = "document.querySelector('.toolkit-models .toolkit-rows').innerText"
        await page.until(f"{rows}.indexOf('small') < {rows}.indexOf('large')")
        await page.focuses("Move small down")  # the keyboard stays with the row, whose other button is off now
        await page.write("Message", "And now?", within=chat)
        await page.press("Enter")
        await page.sees("small", within=f"{chat} .toolkit-foot")
        await page.click("Test large", within=models)
        await page.sees("answered", within=models)
        await page.click("Ask small", role="checkbox", within=models)
        await page.sees("left out", within=models)
        await page.click("History", within=models)
        await page.sees("priority", within=models)
        await page.click("Add a model", within=models)
        await looks_right(page, models)
        assert (page.log, page.outside(jupyter.url)) == ([], [])


async def test_what_was_spent_is_plotted_and_conversations_are_opened_and_renamed(jupyter: Lab) -> None:
    async with jupyter.notebook(CONNECT, SPENT, "nb.SessionsPanel(tk)") as page:
        usage, sessions = ".toolkit-usage", ".toolkit-sessions"
        assert await page.evaluate(f"document.querySelectorAll('{usage} svg [role=img], {usage} svg[role=img]').length")
        await page.choose("Add up by", "by user", within=usage)
        await page.sees("ada", within=usage)
        await page.choose("Period", "last 30 days", within=usage)

        await page.click("Ships", within=sessions)
        await page.sees("Tell me of Ships.", within=sessions)
        await page.click("Rename", within=sessions)
        await page.focuses("Title")
        await page.write("Title", "Boats", within=sessions)
        await page.press("Enter")
        await page.sees("It is called Boats now.", within=sessions)
        await looks_right(page, usage, sessions)
        await page.click("Close", within=sessions)
        await page.write("Search", "shoes", within=sessions)
        await page.press("Enter")
        await page.sees("with “shoes”", within=sessions)
        assert await page.names(within=".toolkit-rows") == ["Shoes"]
        assert (page.log, page.outside(jupyter.url)) == ([], [])
