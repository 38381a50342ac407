"""The panels in Notebook 7: the same widgets in another page."""

import pytest

from tests.notebooks.lab import Lab

pytestmark = pytest.mark.asyncio(loop_scope="session")

CELLS = (
    "import notebooks as nb\ntk = await nb.connect('sqlite://')",
    "chat = nb.ChatPanel(tk)\nchat",
    "nb.ModelsPanel(tk)",
    "nb.SearchPanel(tk)",
    "nb.UsagePanel(tk)",
    "nb.SessionsPanel(tk)",
    "nb.ToolForm(tk, 'semantic_search')",
)


async def test_every_panel_is_shown_and_the_chat_answers_in_notebook_7(jupyter: Lab) -> None:
    async with jupyter.notebook(*CELLS, app="notebook") as page:
        await page.write("Message", "What is the capital of France?", within=".toolkit-chat")
        await page.press("Enter")
        await page.sees("You said: What is the capital", within=".toolkit-chat .toolkit-answer")
        await page.sees("What is the capital", within=".toolkit-sessions")
        for name in ("chat", "models", "search", "usage", "sessions", "form"):
            assert await page.cut_off(f".toolkit-{name}") == []
        await page.theme("dark")
        await page.until("document.body.dataset.jpThemeLight === 'false'")
        assert await page.faults(".toolkit-chat") == []
        assert page.outside(jupyter.url) == []
