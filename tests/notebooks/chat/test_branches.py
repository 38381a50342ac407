"""Asking again, saying it differently, and going on in a branch."""

import asyncio
from typing import Any

import pytest

from notebooks.chat.panel import ChatPanel
from tests.notebooks.chat.said import buttons, press, shown, until, write
from toolkit.bridge import blocking
from toolkit.errors import AllModelsFailed, Conflict, NotFound
from toolkit.testing.vendors import Fault, VendorServer
from toolkit.toolkit import Toolkit

NO_MONEY = Fault.status(429, "You exceeded your current quota.", error_code="insufficient_quota")


async def questions(tk: Any, session: str | None) -> list[str]:
    assert session is not None
    return [each.text for each in await tk.sessions.messages(session) if each.role == "user"]


async def test_a_retry_asks_again_in_a_branch_and_leaves_the_session_as_it_was(tk: Any, vendors: VendorServer) -> None:
    panel = ChatPanel(tk)
    vendors.say("One.", "Two.", "Three.")
    await panel.ask("First")
    await panel.ask("Second")
    before = panel.session
    reply = await panel.retry(model="claude-sonnet-5")
    assert (reply.text, reply.model) == ("Three.", "anthropic/claude-sonnet-5")
    assert panel.session != before
    assert [m.text for m in await tk.sessions.messages(before)] == ["First", "One.", "Second", "Two."]
    assert [m.text for m in await tk.sessions.messages(panel.session)] == ["First", "One.", "Second", "Three."]
    assert "Two." not in shown(panel)
    assert "in a branch" in shown(panel)
    assert repr(panel) == "ChatPanel(whole chain, 2 turns)"


async def test_a_retry_that_nobody_answers_leaves_the_answer_before(tk: Any, vendors: VendorServer) -> None:
    panel = ChatPanel(tk)
    vendors.say("One.")
    await panel.ask("First")
    before = panel.session
    vendors.fail("openai", NO_MONEY)
    vendors.fail("anthropic", NO_MONEY)
    await tk.models.set("offline", enabled=False)
    with pytest.raises(AllModelsFailed):
        await panel.retry()
    assert (panel.session, "One." in shown(panel)) == (before, True)
    assert "The answer before stays" in panel._notice.value
    assert [each.id for each in await tk.sessions.list()] == [before]


async def test_a_panel_goes_on_with_another_conversation(tk: Any, vendors: VendorServer) -> None:
    panel = ChatPanel(tk)
    vendors.say("One.", "Two.", "Three.")
    await panel.ask("First")
    first = panel.session
    other = (await tk.complete("Elsewhere", session=(await tk.sessions.create()).id)).session_id
    await panel.resume(other)
    assert ("One." in shown(panel), "Two." in shown(panel)) == (False, True)
    await panel.ask("And now?")
    assert await questions(tk, other) == ["Elsewhere", "And now?"]
    assert await questions(tk, first) == ["First"]


async def test_a_conversation_that_is_not_there_leaves_the_panel_as_it_was(tk: Any, vendors: VendorServer) -> None:
    panel = ChatPanel(tk)
    vendors.say("One.")
    await panel.ask("First")
    before = panel.session
    with pytest.raises(NotFound):
        await panel.resume("01900000-0000-7000-8000-000000000000")
    assert (panel.session, "One." in shown(panel)) == (before, True)


async def test_a_question_that_failed_is_asked_again_where_it_stood(tk: Any, vendors: VendorServer) -> None:
    panel = ChatPanel(tk, model="nobody")
    with pytest.raises(NotFound):
        await panel.ask("First")
    session = panel.session
    panel.model = None
    vendors.say("One.")
    await panel.retry()
    assert (panel.session, await questions(tk, session)) == (session, ["First"])


async def test_the_retry_button_offers_the_models_and_asks_the_chosen_one(tk: Any, vendors: VendorServer) -> None:
    panel = ChatPanel(tk)
    await panel.ask("First")
    vendors.say("Again.")
    buttons(panel, "Retry")[0].click()
    chooser = panel._log.children[0]._rows[0].children[0]
    names = [name for _, name in chooser.options]
    assert names[0] == ""
    assert "offline" in names
    chooser.value = names[2]
    buttons(panel, "Ask again")[0].click()
    await until(lambda: "Again." in shown(panel))
    assert panel.reply is not None
    assert panel.reply.model == names[2]


async def test_an_edited_question_is_asked_in_a_branch(tk: Any, vendors: VendorServer) -> None:
    panel = ChatPanel(tk)
    vendors.say("One.", "Two.", "Other.")
    await panel.ask("First")
    await panel.ask("Second")
    before = panel.session
    await panel.edit(1, "Another first")
    assert await questions(tk, panel.session) == ["Another first"]
    assert await questions(tk, before) == ["First", "Second"]
    assert "Second" not in shown(panel)


async def test_edit_puts_the_question_in_the_line_and_the_next_send_asks_it_in_a_branch(tk: Any) -> None:
    panel = ChatPanel(tk)
    await panel.ask("First")
    await panel.ask("Second")
    before = panel.session
    buttons(panel, "Edit")[0].click()
    assert panel._entry.text.value == "First"
    assert "Question 1 is being edited" in panel._editing.said
    write(panel, "Otherwise")
    press(panel)
    await until(lambda: panel.session != before and panel._lane is None)
    assert await questions(tk, panel.session) == ["Otherwise"]
    assert panel._editing.said == ""


async def test_who_edits_no_longer_asks_a_new_question(tk: Any) -> None:
    panel = ChatPanel(tk)
    await panel.ask("First")
    before = panel.session
    buttons(panel, "Edit")[0].click()
    buttons(panel, "Cancel")[0].click()
    assert panel._entry.text.value == ""
    write(panel, "Second")
    press(panel)
    await until(lambda: "Second" in shown(panel) and panel._lane is None)
    assert (panel.session, await questions(tk, before)) == (before, ["First", "Second"])


async def test_a_branch_goes_on_from_the_end_of_a_turn(tk: Any) -> None:
    panel = ChatPanel(tk)
    await panel.ask("First")
    await panel.ask("Second")
    before = panel.session
    assert await panel.branch(1) == panel.session
    assert panel.session != before
    await panel.ask("Third")
    assert await questions(tk, panel.session) == ["First", "Third"]
    assert await questions(tk, before) == ["First", "Second"]
    assert "Second" not in shown(panel)


async def test_a_branch_at_the_end_has_everything(tk: Any) -> None:
    panel = ChatPanel(tk)
    await panel.ask("First")
    before = panel.session
    buttons(panel, "Branch")[0].click()
    await until(lambda: panel.session != before)
    assert await questions(tk, panel.session) == ["First"]


async def test_a_turn_of_a_session_that_was_begun_elsewhere_is_edited(tk: Any) -> None:
    session = await tk.sessions.create()
    await tk.complete("First", session=session.id)
    await tk.complete("Second", session=session.id)
    panel = ChatPanel(tk, session.id)
    await panel.edit(2, "Other")
    assert await questions(tk, panel.session) == ["First", "Other"]


async def test_a_session_that_went_on_elsewhere_is_not_cut_in_the_wrong_place(tk: Any) -> None:
    session = await tk.sessions.create()
    await tk.complete("First", session=session.id)
    panel = ChatPanel(tk, session.id)
    await tk.complete("From elsewhere", session=session.id)
    await panel.ask("Third")
    with pytest.raises(Conflict, match="went on elsewhere"):
        await panel.edit(2, "Other")
    assert (panel.session, "Third" in shown(panel)) == (session.id, True)


async def test_a_turn_that_is_not_there_is_named(tk: Any) -> None:
    panel = ChatPanel(tk)
    with pytest.raises(NotFound, match="Nothing was asked yet"):
        panel.retry()
    await panel.ask("First")
    with pytest.raises(NotFound, match="no turn 2; there are 1"):
        panel.branch(2)


def test_without_await_the_methods_give_their_results(toolkit: Toolkit, vendors: VendorServer) -> None:
    vendors.say("One.", "Two.")
    with blocking(toolkit) as tk:
        panel = ChatPanel(tk)
        assert panel.ask("First").text == "One."
        assert panel.retry().text == "Two."
        assert panel.branch(1) == panel.session


async def test_an_answer_that_was_stopped_is_in_the_session_and_can_be_asked_again(
    tk: Any, vendors: VendorServer
) -> None:
    vendors.say("Paris is the capital of France.", "Paris.")
    vendors.fail("openai", Fault.stall(after=2), times=1)
    panel = ChatPanel(tk)
    asking = asyncio.create_task(panel.ask("Where?"))
    await until(lambda: "Paris is" in shown(panel))
    panel.stop()
    reply = await asking
    (question, answer) = await tk.sessions.messages(panel.session)
    assert (question.text, answer.text, answer.stopped) == ("Where?", reply.text, True)
    again = ChatPanel(tk, panel.session)
    assert "<span>stopped</span>" in shown(again)
    assert (await again.retry()).text == "Paris."
