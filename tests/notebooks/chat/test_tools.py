"""Tools in a conversation: shown, allowed and refused."""

import asyncio
from typing import Any

import pytest

from notebooks.chat.panel import ChatPanel
from tests.notebooks.chat.said import buttons, press, shown, until, write
from toolkit.messages import Message, ToolCall
from toolkit.testing.vendors import VendorServer


@pytest.fixture
def erased(tk: Any) -> list[str]:
    names: list[str] = []

    @tk.tool(destructive=True)  # type: ignore[untyped-decorator] # of a proxy
    def erase(name: str) -> str:
        """Erase a table."""
        names.append(name)
        return f"Erased {name}."

    return names


async def asked_to_erase(tk: Any, vendors: VendorServer, **options: Any) -> ChatPanel:
    """A panel whose model has asked to erase a table."""
    vendors.call_tool("erase", {"name": "<b>sales"})
    vendors.say("It is gone.")
    panel = ChatPanel(tk, tools=["erase"], **options)
    write(panel, "Erase the sales.")
    press(panel)
    return panel


async def test_a_call_is_a_line_that_unfolds(tk: Any, vendors: VendorServer) -> None:
    wish = Message("assistant", "Let me see.", tool_calls=(ToolCall("c1", "usage_report", {"days": 7}),))
    vendors.say(wish, "Nothing yet.")
    panel = ChatPanel(tk, tools=["usage_report"])
    await panel.ask("How much?")
    html = shown(panel)
    assert "<summary>" in html
    assert "<b>usage_report</b><code>days=7</code>" in html
    assert "✓" in html
    assert html.index("Let me see.") < html.index("usage_report") < html.index("Nothing yet.")
    assert "`usage_report(days=7)`" in panel.transcript


async def test_a_call_is_shown_while_it_runs(tk: Any, vendors: VendorServer) -> None:
    go_on = asyncio.Event()

    @tk.tool  # type: ignore[untyped-decorator] # of a proxy
    async def wait_for_it(seconds: int) -> str:
        """Wait."""
        await go_on.wait()
        return f"waited {seconds}"

    vendors.call_tool("wait_for_it", {"seconds": 3})
    panel = ChatPanel(tk, tools=["wait_for_it"])
    asking = asyncio.create_task(panel.ask("Wait."))
    await until(lambda: "toolkit-running" in shown(panel))
    assert "<b>wait_for_it</b><code>seconds=3</code><span>running</span>" in shown(panel)
    panel._home.call_soon_threadsafe(go_on.set)
    await asking
    assert "toolkit-running" not in shown(panel)
    assert "waited 3" in shown(panel)


async def test_a_call_that_fails_says_so_in_a_word(tk: Any, vendors: VendorServer) -> None:
    vendors.call_tool("usage_report", {"days": "many"})
    panel = ChatPanel(tk, tools=["usage_report"])
    await panel.ask("How much?")
    assert "✗" in shown(panel)
    assert "<span>failed" in shown(panel)


async def test_a_destructive_tool_waits_until_it_is_allowed(tk: Any, vendors: VendorServer, erased: list[str]) -> None:
    panel = await asked_to_erase(tk, vendors)
    await until(lambda: buttons(panel, "Allow"))
    row = panel._log.children[0]._rows[0]
    assert "Allow <b>erase</b>?" in row.children[0].value
    assert "&lt;b&gt;sales" in row.children[0].value
    assert erased == []
    buttons(panel, "Allow")[0].click()
    await until(lambda: "It is gone." in shown(panel))
    assert erased == ["<b>sales"]
    assert not buttons(panel, "Allow")
    assert row.comm is None


async def test_a_destructive_tool_that_is_refused_is_not_called(
    tk: Any, vendors: VendorServer, erased: list[str]
) -> None:
    panel = await asked_to_erase(tk, vendors)
    await until(lambda: buttons(panel, "Refuse"))
    buttons(panel, "Refuse")[0].click()
    await until(lambda: "It is gone." in shown(panel))
    assert erased == []
    assert "<span>refused" in shown(panel)
    assert "did not approve" in vendors.requests[-1].body["messages"][-1]["content"]


async def test_stop_asks_for_no_approval_any_more(tk: Any, vendors: VendorServer, erased: list[str]) -> None:
    panel = await asked_to_erase(tk, vendors)
    await until(lambda: buttons(panel, "Allow"))
    press(panel)
    await until(lambda: panel._entry.button.description == "Send")
    assert not buttons(panel, "Allow")
    assert erased == []
    assert "stopped before this call had ended" in shown(panel)


async def test_where_nobody_is_to_be_asked_the_tool_is_called(
    tk: Any, vendors: VendorServer, erased: list[str]
) -> None:
    panel = await asked_to_erase(tk, vendors, approve=False)
    await until(lambda: "It is gone." in shown(panel) and panel._lane is None)
    assert erased == ["<b>sales"]


async def test_a_function_may_approve_instead_of_a_person(tk: Any, vendors: VendorServer, erased: list[str]) -> None:
    panel = await asked_to_erase(tk, vendors, approve=lambda call, _tool: call.name != "erase")
    await until(lambda: "It is gone." in shown(panel))
    assert erased == []


async def test_after_a_restart_calls_and_refusals_are_shown_again(
    tk: Any, vendors: VendorServer, erased: list[str]
) -> None:
    panel = await asked_to_erase(tk, vendors, approve=lambda *_: False)
    await until(lambda: "It is gone." in shown(panel))
    again = ChatPanel(tk, panel.session)
    assert "<b>erase</b>" in shown(again)
    assert "<span>refused</span>" in shown(again)
    assert erased == []
