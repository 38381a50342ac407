import asyncio
import logging
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from ipywidgets.widgets.widget import _instances

from notebooks.chat.asked import UPDATES_PER_SECOND
from notebooks.chat.panel import ChatPanel
from tests.notebooks.chat.said import press, shown, until, write
from toolkit.bridge import blocking
from toolkit.errors import AllModelsFailed, ConfigError, Conflict, NotFound
from toolkit.testing.vendors import Fault, VendorServer
from toolkit.toolkit import Toolkit

NO_MONEY = Fault.status(429, "You exceeded your current quota.", error_code="insufficient_quota")


async def test_the_answer_stands_in_the_panel_and_the_reply_is_given(tk: Any, vendors: VendorServer) -> None:
    vendors.say("**Paris.**")
    panel = ChatPanel(tk)
    reply = await panel.ask("What is the capital of France?")
    assert reply is not None
    assert reply.text == "**Paris.**"
    assert "What is the capital of France?" in shown(panel)
    assert "<strong>Paris.</strong>" in shown(panel)
    assert f"<span>{reply.model}</span>" in shown(panel)


async def test_the_button_sends_what_is_written_and_empties_the_line(tk: Any, vendors: VendorServer) -> None:
    vendors.say("Paris.")
    panel = ChatPanel(tk)
    write(panel, "Where?")
    press(panel)
    assert panel._entry.text.value == ""
    await until(lambda: "Paris." in shown(panel))


async def test_enter_sends_what_is_written(tk: Any, vendors: VendorServer) -> None:
    vendors.say("Paris.")
    panel = ChatPanel(tk)
    panel._entry.text._handle_custom_msg({"event": "submit"}, [])
    write(panel, "Where?")
    await until(lambda: "Paris." in shown(panel))


async def test_a_panel_remembers_what_was_said(tk: Any, vendors: VendorServer) -> None:
    panel = ChatPanel(tk)
    await panel.ask("My name is Ada.")
    await panel.ask("What is my name?")
    assert [m["content"] for m in vendors.requests[-1].body["messages"] if m["role"] == "user"] == [
        "My name is Ada.",
        "What is my name?",
    ]
    assert panel.session is not None
    assert len(await tk.sessions.messages(panel.session)) == 4


async def test_a_growing_answer_is_shown_at_most_fifteen_times_a_second(tk: Any, vendors: VendorServer) -> None:
    vendors.say("word " * 200)
    vendors.fail("openai", Fault.drip(0.002))
    panel = ChatPanel(tk)
    write(panel, "Go on")
    begun = time.monotonic()
    press(panel)
    seen: list[str] = []
    panel._log.children[-1]._answer.observe(lambda change: seen.append(change.new), "value")
    await until(lambda: panel._lane is None)
    assert 2 < len(seen) <= UPDATES_PER_SECOND * (time.monotonic() - begun) + 1
    assert [len(text) for text in seen[:-1]] == sorted(len(text) for text in seen[:-1])


async def test_the_last_word_is_always_shown(tk: Any, vendors: VendorServer) -> None:
    vendors.say("one two three the end.")
    panel = ChatPanel(tk)
    await panel.ask("Go on")
    assert "one two three the end." in shown(panel)
    assert 'aria-busy="false"' in shown(panel)


async def test_send_is_stop_before_the_first_word(tk: Any, vendors: VendorServer) -> None:
    vendors.fail("openai", Fault.hang())
    panel = ChatPanel(tk)
    assert panel._entry.button.description == "Send"
    write(panel, "Where?")
    press(panel)
    assert panel._entry.button.description == "Stop"
    await until(lambda: vendors.requests)
    press(panel)
    assert await asyncio.to_thread(vendors.requests[0].abandoned.wait, 5)
    await until(lambda: panel._entry.button.description == "Send")
    assert "<span>stopped</span>" in shown(panel)


async def test_stop_keeps_what_was_written_so_far(tk: Any, vendors: VendorServer) -> None:
    vendors.say("Paris is the capital of France.")
    vendors.fail("openai", Fault.stall(after=2))
    panel = ChatPanel(tk)
    asking = asyncio.create_task(panel.ask("Where?"))
    await until(lambda: "Paris is" in shown(panel))
    press(panel)
    reply = await asking
    assert reply.message.stopped
    assert reply.text.startswith("Paris is")
    assert vendors.requests[0].abandoned.wait(5)
    assert "Paris is" in panel.transcript
    assert "*stopped*" in panel.transcript


async def test_stop_at_once_leaves_the_panel_ready(tk: Any) -> None:
    panel = ChatPanel(tk)
    write(panel, "Where?")
    press(panel)
    press(panel)
    await until(lambda: panel._entry.button.description == "Send")
    assert "<span>stopped</span>" in shown(panel)


async def test_cancelling_who_asked_stops_the_provider(tk: Any, vendors: VendorServer) -> None:
    vendors.fail("openai", Fault.hang())
    panel = ChatPanel(tk)
    asking = asyncio.create_task(panel.ask("Where?"))
    await until(lambda: vendors.requests)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await asyncio.to_thread(vendors.requests[0].abandoned.wait, 5)
    assert "<span>stopped</span>" in shown(panel)


async def test_a_fallback_is_named_under_the_answer(tk: Any, vendors: VendorServer) -> None:
    vendors.fail("openai", NO_MONEY)
    vendors.say("Paris.", vendor="anthropic")
    panel = ChatPanel(tk)
    reply = await panel.ask("Where?")
    assert reply is not None
    assert f"fell back from {reply.attempts[0].name}" in shown(panel)


async def test_an_answer_goes_on_while_a_cell_computes(tk: Any, vendors: VendorServer) -> None:
    vendors.say("Paris is the capital.")
    vendors.fail("openai", Fault.drip(0.02))
    panel = ChatPanel(tk)
    write(panel, "Where?")
    press(panel)
    deadline = time.monotonic() + 10
    while panel._lane is not None and time.monotonic() < deadline:
        time.sleep(0.01)  # noqa: ASYNC251 - the kernel's loop stands still, as in a cell that computes
    assert "Paris is the capital." in shown(panel)


async def test_an_error_is_one_sentence_in_the_panel(tk: Any, vendors: VendorServer) -> None:
    for name in ("openai", "anthropic"):
        vendors.fail(name, NO_MONEY)
    await tk.models.set("offline", enabled=False)
    panel = ChatPanel(tk)
    with pytest.raises(AllModelsFailed):
        await panel.ask("Where?")
    assert 'role="alert">No model answered.' in shown(panel)
    assert panel._entry.button.description == "Send"


async def test_a_callback_shows_its_error_and_raises_nothing(tk: Any) -> None:
    panel = ChatPanel(tk, model="nobody")
    write(panel, "Where?")
    press(panel)
    await until(lambda: "alert" in shown(panel))
    assert "nobody" in shown(panel)


async def test_an_unexpected_error_is_told_without_secrets_and_logged(
    toolkit: Toolkit, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolkit, "stream", lambda *_, **__: 1 / 0)
    monkeypatch.setattr(toolkit.sessions, "create", _fails_with_a_key)
    panel = ChatPanel(toolkit)
    with caplog.at_level(logging.ERROR), pytest.raises(ValueError, match="sk-"):
        await panel.ask("Where?")
    assert "Something unexpected went wrong (ValueError: no ***)" in shown(panel)
    assert "A panel's work failed." in caplog.text


async def _fails_with_a_key(**_: object) -> None:
    raise ValueError("no sk-ant-REDACTED")


async def test_a_second_question_waits_for_the_first_answer(tk: Any, vendors: VendorServer) -> None:
    vendors.fail("openai", Fault.hang())
    panel = ChatPanel(tk)
    write(panel, "One")
    press(panel)
    with pytest.raises(Conflict, match="wait for it, or press Stop"):
        await panel.ask("Two")
    write(panel, "Three")
    panel._entry.text._handle_custom_msg({"event": "submit"}, [])
    await asyncio.sleep(0.4)  # longer than Enter waits
    assert panel._entry.text.value == "Three"
    panel.stop()
    await until(lambda: panel._lane is None)


async def test_a_session_begun_elsewhere_goes_on(tk: Any, vendors: VendorServer) -> None:
    session = await tk.sessions.create(origin="agent")
    await tk.complete("My name is Ada.", session=session.id)
    panel = ChatPanel(tk, session.id)
    await until(lambda: "My name is Ada." in shown(panel))
    await panel.ask("What is my name?")
    assert len(vendors.requests[-1].body["messages"]) == 3
    assert shown(panel).index("My name is Ada.") < shown(panel).index("What is my name?")
    assert len(await tk.sessions.messages(session.id)) == 4


async def test_what_was_said_before_stands_above_a_question_asked_at_once(tk: Any) -> None:
    session = await tk.sessions.create()
    await tk.complete("My name is Ada.", session=session.id)
    panel = ChatPanel(tk, session.id)
    await panel.ask("What is my name?")
    assert panel.transcript.index("My name is Ada.") < panel.transcript.index("What is my name?")
    assert panel.transcript.count("My name is Ada.") == shown(panel).count("My name is Ada.")


async def test_an_unknown_session_is_told_in_the_panel(tk: Any) -> None:
    panel = ChatPanel(tk, "00000000-0000-7000-8000-000000000000")
    await until(lambda: "alert" in panel._notice.value)
    with pytest.raises(NotFound):
        await panel.ask("Where?")


async def test_a_panel_works_with_a_toolkit_opened_in_the_cell(toolkit: Toolkit, vendors: VendorServer) -> None:
    vendors.say("Paris.")
    async with toolkit:
        reply = await ChatPanel(toolkit).ask("Where?")
    assert reply is not None
    assert reply.text == "Paris."


def test_a_panel_works_with_a_toolkit_without_await(toolkit: Toolkit, vendors: VendorServer) -> None:
    vendors.say("Paris.")
    with blocking(toolkit) as tk:
        panel = ChatPanel(tk)
        settled = threading.Event()
        panel._entry.button.observe(lambda change: settled.set() if change.new == "Send" else None, "description")
        write(panel, "Where?")
        press(panel)
        assert settled.wait(10)
        assert "Paris." in shown(panel)


def test_a_toolkit_that_needs_await_is_refused_where_nothing_awaits(toolkit: Toolkit) -> None:
    with pytest.raises(ConfigError, match=r"notebooks\.connect_sync\(\)"):
        ChatPanel(toolkit)


async def test_the_repr_is_short_and_the_same_at_every_run(tk: Any) -> None:
    panel = ChatPanel(tk)
    assert repr(panel) == "ChatPanel(whole chain, 0 turns)"
    await panel.ask("Where?")
    assert repr(panel) == "ChatPanel(whole chain, 1 turn)"
    assert repr(ChatPanel(tk, model="offline")) == "ChatPanel(offline, 0 turns)"


async def test_the_head_adds_up_tokens_and_cost(tk: Any) -> None:
    panel = ChatPanel(tk, model="offline")
    assert ("offline", "offline") in [(label.split(" · ")[0], name) for label, name in panel._picker.choices]
    panel = ChatPanel(tk)
    first = await panel.ask("One")
    second = await panel.ask("Two")
    assert first is not None
    assert second is not None
    assert f"{first.usage.input_tokens + second.usage.input_tokens} in" in panel._meters.value


async def test_old_turns_leave_the_page_and_stay_in_the_transcript(tk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notebooks.chat.log.TURNS_SHOWN", 2)
    panel = ChatPanel(tk)
    for question in ("First", "Second", "Third"):
        await panel.ask(question)
    assert len(panel._log.children) == 2
    assert "First" not in shown(panel)
    assert "First" in panel.transcript


async def test_closing_a_panel_stops_it_and_closes_every_widget_in_it(tk: Any, vendors: VendorServer) -> None:
    vendors.fail("openai", Fault.hang())
    panel = ChatPanel(tk)
    write(panel, "Where?")
    press(panel)
    await until(lambda: vendors.requests)
    view = panel._log.children[0]
    panel.close()
    assert await asyncio.to_thread(vendors.requests[0].abandoned.wait, 5)
    assert [widget.comm for widget in (panel, view, panel._entry.text)] == [None, None, None]


async def test_tools_and_instructions_go_with_every_question(tk: Any, vendors: VendorServer) -> None:
    await ChatPanel(tk, system="Be short.", tools=["usage_report"]).ask("Where?")
    body = vendors.requests[-1].body
    assert body["messages"][0]["content"] == "Be short."
    assert [tool["function"]["name"] for tool in body["tools"]] == ["usage_report"]


def test_an_interrupt_of_a_plain_ask_gives_what_was_said_and_stops_the_vendor(
    toolkit: Toolkit, vendors: VendorServer
) -> None:
    vendors.say("Paris is the capital of France.")
    vendors.fail("openai", Fault.stall(after=2))
    with blocking(toolkit) as tk:
        panel = ChatPanel(tk)
        main = threading.main_thread().ident
        assert main is not None

        interrupted = threading.Event()

        def interrupt(_change: object) -> None:
            if "Paris is" in shown(panel) and not interrupted.is_set():
                interrupted.set()
                signal.pthread_kill(main, signal.SIGINT)

        panel._log.observe(lambda change: change.new[-1]._answer.observe(interrupt, "value"), "children")
        reply = panel.ask("Where?")
        assert (reply.text.startswith("Paris is"), reply.message.stopped) == (True, True)
        assert vendors.requests[0].abandoned.wait(5)
        assert [m.stopped for m in tk.sessions.messages(panel.session)] == [False, True]


async def test_cancelling_who_asked_after_the_first_word_gives_what_was_said(tk: Any, vendors: VendorServer) -> None:
    vendors.say("Paris is the capital of France.")
    vendors.fail("openai", Fault.stall(after=2))
    panel = ChatPanel(tk)
    asking = asyncio.create_task(panel.ask("Where?"))
    await until(lambda: "Paris is" in shown(panel))
    asking.cancel()
    assert (await asking).message.stopped
    assert panel.reply is not None
    assert panel.reply.text.startswith("Paris is")


async def test_what_was_unfolded_stays_so_while_the_answer_grows(tk: Any, vendors: VendorServer) -> None:
    vendors.call_tool("usage_report", {"days": 7})
    vendors.say("word " * 60)
    panel = ChatPanel(tk, tools=["usage_report"])
    write(panel, "Go on")
    press(panel)
    steps: list[str] = []
    panel._log.children[-1]._steps.observe(lambda change: steps.append(change.new), "value")
    await until(lambda: panel._lane is None)
    with_calls = [html for html in steps if "<details" in html]
    assert len(set(with_calls)) == len(with_calls) <= 2


async def test_a_conversation_is_a_table_and_a_file(tk: Any, vendors: VendorServer, tmp_path: Path) -> None:
    vendors.say("One.", "Two.")
    panel = ChatPanel(tk)
    first = await panel.ask("First")
    await panel.ask("Second")
    frame = panel.to_frame()
    assert list(frame["answer"]) == ["One.", "Two."]
    assert frame["input_tokens"][0] == first.usage.input_tokens
    assert "**You:** First" in panel.export(tmp_path / "chat.md").read_text()
    assert '"nbformat": 4' in panel.export(tmp_path / "chat.ipynb").read_text()
    with pytest.raises(ConfigError, match=r"\.md"):
        panel.export(tmp_path / "chat.docx")


async def test_a_closed_panel_leaves_no_widget_open(tk: Any) -> None:
    before = set(_instances)
    panel = ChatPanel(tk, data=[1])
    await panel.ask("First")
    await panel.retry()
    await panel.edit(1, "Second")
    panel.close()
    assert [_instances[key] for key in set(_instances) - before] == []
