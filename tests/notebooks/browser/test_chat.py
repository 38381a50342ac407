"""The chat in a real JupyterLab: with the mouse, with the keyboard alone, and while a cell sleeps."""

import pytest

from tests.notebooks.lab import Lab
from tests.notebooks.page import NotebookPage
from toolkit.messages import Message, ToolCall
from toolkit.testing.vendors import Fault

pytestmark = pytest.mark.asyncio(loop_scope="session")

CONNECT = "import notebooks as nb\ntk = await nb.connect('sqlite://')"
CHAT = "chat = nb.ChatPanel(tk)\nchat"
WITH_A_TOOL = """
await tk.models.add("anthropic", "claude-haiku-5-5", name="large", priority=10)
await tk.models.add("openai", "gpt-6-luna", name="small", priority=20)

@tk.tool(destructive=True)
def remove(path: str) -> str:
    "Removes a file."
    return f"{path} is gone"

chat = nb.ChatPanel(tk, tools=["remove"])
chat
"""
SLEEP = "import time\ntime.sleep(60)"
ANSWER = (
    "It **is** gone:\n\n```python\nprint('gone')\n```\n\n| a | b |\n|---|--:|\n| x | 1 |\n\nand $$\\frac{a}{b}$$ left."
)


async def sleeps(page: NotebookPage) -> bool:
    """Whether the third cell still runs."""
    prompt: str = await page.evaluate("document.querySelectorAll('.jp-InputPrompt')[2].innerText")
    return prompt == "[*]:"


async def test_while_a_cell_sleeps_a_chat_answers_and_stop_works_at_once(jupyter: Lab) -> None:
    jupyter.vendors.say("word " * 2000)
    jupyter.vendors.fail("openai", Fault.drip(0.02))
    async with jupyter.notebook(CONNECT, CHAT, SLEEP, run=False) as page:
        for number in range(3):
            await page.run_cell(number)
        await page.until("document.querySelectorAll('.jp-InputPrompt')[2].innerText === '[*]:'")
        # The panel was made by a cell, and nothing was pressed in it before.
        await page.write("Message", "Tell me a long story.")
        await page.press("Enter")
        await page.sees("word word", within=".toolkit-answer")
        length = "document.querySelector('.toolkit-answer').innerText.length"
        before = await page.evaluate(length)
        await page.until(f"{length} > {before} + 50")
        assert await sleeps(page)
        await page.click("Stop")
        await page.sees("stopped", within=".toolkit-foot")
        assert await sleeps(page)
        assert jupyter.vendors.requests[-1].abandoned.wait(10)
        assert (page.log, page.outside(jupyter.url)) == ([], [])


async def test_a_tool_is_allowed_and_the_footer_says_who_failed_with_the_keyboard_alone(jupyter: Lab) -> None:
    jupyter.vendors.fail("anthropic", Fault.status(529, "Overloaded"))
    call = Message("assistant", tool_calls=(ToolCall("call_1", "remove", {"path": "a.txt"}),))
    jupyter.vendors.say(call, ANSWER, vendor="openai")
    async with jupyter.notebook(CONNECT, WITH_A_TOOL) as page:
        await page.evaluate("document.querySelector('.toolkit-chat select').focus()")
        await reached(page, "Message")
        await page.press("Remove a.txt", "Enter")
        await page.sees("Allow remove?", within=".toolkit-approval")
        assert await page.names() == ["Allow", "Refuse", "Stop"]
        assert await page.faults() == []
        await page.evaluate("document.querySelector('.toolkit-chat select').focus()")
        await reached(page, "Allow")
        await page.press("Enter")
        await page.sees("fell back from large", within=".toolkit-foot")
        await page.sees("It is gone", within=".toolkit-answer")
        assert await page.evaluate("document.querySelector('.toolkit-answer math mfrac') !== null")
        await page.sees("Send", within=".toolkit-bar .jupyter-button")
        assert await page.names() == ["Retry", "Edit", "Branch", "Send"]

        await page.evaluate("document.querySelector('.toolkit-chat select').focus()")
        await page.press("Tab", "Enter")  # what the tool was called with unfolds
        await page.sees("a.txt is gone", within=".toolkit-chat details[open]")
        await reached(page, "fell back from large")
        await page.press("Enter")
        await page.sees("Overloaded", within=".toolkit-foot details[open]")
        await reached(page, "Edit")
        await reached(page, "Message")
        await page.press("And now?", "Tab")
        await page.press("Enter")
        await page.sees("You said: And now?", within=".toolkit-answer")
        assert page.log == []


async def test_the_chat_looks_right_in_both_themes_and_on_a_narrow_page(jupyter: Lab) -> None:
    jupyter.vendors.fail("anthropic", Fault.status(529, "Overloaded"))
    jupyter.vendors.say(ANSWER, vendor="openai")
    async with jupyter.notebook(CONNECT, WITH_A_TOOL, "reply = await chat.ask('Is it gone?')\nreply") as page:
        for scheme in ("light", "dark"):
            await page.theme(scheme)
            assert [
                (where, found) for where in (".toolkit-panel", ".toolkit-page") if (found := await page.faults(where))
            ] == []
        await page.size(480)
        await page.still()
        assert await page.cut_off() == []
        # The check sees a fault where there is one.
        await page.evaluate("document.querySelector('.toolkit-bar .jupyter-button').style.color = '#777'")
        assert [found[0] for found in await page.faults()] == ["color-contrast"]


async def reached(page: NotebookPage, name: str) -> None:
    """Go to an element with the Tab key alone, and see that it can be seen to have the focus."""
    for _ in range(12):
        await page.press("Tab")
        if name in await page.focused():
            assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
            return
    pytest.fail(f"The Tab key does not reach {name!r}.")
