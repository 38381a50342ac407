import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from notebooks.chat.panel import ChatPanel
from notebooks.sessions.panel import PAGE, SessionsPanel
from tests.notebooks.chat.said import until
from tests.notebooks.seeing import no_widget_left, seen, tasks
from tests.notebooks.sessions.conftest import titles
from toolkit.bridge import blocking
from toolkit.errors import NotFound
from toolkit.toolkit import Toolkit

Make = Callable[..., SessionsPanel]


def press(panel: SessionsPanel, title: str) -> None:
    next(row for row in panel._list.children if row.title.description == title).title.click()


async def test_conversations_stand_there_when_the_cell_ends_with_whose_they_are(panel: SessionsPanel) -> None:
    assert titles(panel) == ["Paris"]
    assert "ada · from claude-code · 20" in panel._list.children[0]._about.value
    assert repr(panel) == "SessionsPanel(1 session)"


async def test_what_was_said_is_found_and_marked(tk: Any, panel: SessionsPanel) -> None:
    await tk.sessions.create(title="Rome")
    panel._entry.text._handle_custom_msg({"event": "submit"}, [])
    panel._entry.text.value = "eiffel"
    await seen(panel, panel._count, "value", lambda html: "with “eiffel”, 1 to 1" in html)
    assert titles(panel) == ["Paris"]
    assert "<mark>Eiffel</mark>" in panel._list.children[0]._about.value
    await seen(panel, panel._all.layout, "display", lambda display: display == "")
    panel._all.click()
    await seen(panel, panel._list, "children", lambda rows: len(rows) == 2)
    assert panel._entry.text.value == ""


async def test_a_title_is_found_and_nothing_found_is_said(panel: SessionsPanel, paris: str) -> None:
    (found,) = await panel.search("pari")
    assert found.id == paris
    assert await panel.search("zebra") == []
    assert "No conversation with “zebra”." in panel._count.value


async def test_there_are_pages_last_used_first(tk: Any, made: Make) -> None:
    for number in range(PAGE + 2):
        await tk.sessions.create(title=f"Number {number}")
    panel = made(tk)
    assert titles(panel) == [f"Number {number}" for number in range(PAGE + 1, 1, -1)]
    assert repr(panel) == f"SessionsPanel({PAGE}+ sessions)"
    assert panel._newer.disabled
    panel._older.click()
    await seen(panel, panel._count, "value", lambda html: f"{PAGE + 1} to {PAGE + 2}" in html)
    assert titles(panel) == ["Number 1", "Number 0"]
    assert panel._older.disabled
    panel._newer.click()
    await seen(panel, panel._count, "value", lambda html: f"1 to {PAGE}," in html)


async def test_a_conversation_is_opened_below_to_be_read(panel: SessionsPanel) -> None:
    press(panel, "Paris")
    html = await seen(panel, panel._opened._said, "value", bool)
    assert "Where is the **Eiffel** tower?" in html
    assert "<strong>Eiffel</strong>" in html
    assert 'aria-label="What was said" tabindex="0"' in html
    assert "2 messages · ada · from claude-code" in panel._opened._head.value
    await seen(panel, panel._list.children[0], "_dom_classes", lambda classes: "toolkit-chosen" in classes)
    panel._opened.leave.click()
    await seen(panel, panel._opened.layout, "display", lambda display: display == "none")


async def test_what_is_said_meanwhile_comes_into_what_is_open(panel: SessionsPanel, paris: str, elsewhere: Any) -> None:
    transcript = await panel.read(paris)
    assert "Where is the **Eiffel** tower?" in transcript
    await elsewhere.complete("And how high?", session=paris, model="offline")
    await seen(panel, panel._opened._said, "value", lambda html: "And how high?" in html)
    assert "4 messages" in panel._opened._head.value


async def test_conversations_that_are_begun_and_end_elsewhere_are_seen(
    panel: SessionsPanel, paris: str, elsewhere: Any
) -> None:
    begun = await elsewhere.sessions.create(title="Begun elsewhere", origin="http")
    await seen(panel, panel._list, "children", lambda _: titles(panel) == ["Begun elsewhere", "Paris"])
    await panel.read(paris)
    await elsewhere.sessions.delete(paris)
    await seen(panel, panel._list, "children", lambda _: titles(panel) == ["Begun elsewhere"])
    assert panel._opened.layout.display == "none"
    await elsewhere.sessions.rename(begun.id, "Renamed elsewhere")
    await seen(panel, panel._list.children[0].title, "description", lambda title: title == "Renamed elsewhere")


async def test_a_conversation_leaves_when_its_time_is_over(tk: Any, panel: SessionsPanel) -> None:
    await tk.sessions.create(title="Short", ttl=1)
    await seen(panel, panel._list, "children", lambda rows: len(rows) == 2)
    await seen(panel, panel._list, "children", lambda _: titles(panel) == ["Paris"])


async def test_a_conversation_is_renamed_in_place(tk: Any, panel: SessionsPanel, paris: str) -> None:
    await panel.read(paris)
    opened = panel._opened
    opened.rename.click()
    assert opened.title.text.value == "Paris"
    assert opened.title.layout.display == ""
    opened.title.text.value = "Rome"
    opened.title.button.click()
    await seen(panel, panel._said, "value", lambda html: "It is called Rome now" in html)
    assert titles(panel) == ["Rome"]
    assert opened.title.layout.display == "none"
    assert (await tk.sessions.get(paris)).title == "Rome"


async def test_a_fork_is_opened_and_the_other_stays(tk: Any, panel: SessionsPanel, paris: str) -> None:
    await panel.read(paris)
    panel._opened.fork.click()
    await seen(panel, panel._said, "value", lambda html: "This is a fork" in html)
    assert panel._opened.session is not None
    assert panel._opened.session.parent_id == paris
    assert "a fork" in panel._opened._head.value
    assert len(await tk.sessions.messages(paris)) == 2
    again = await panel.fork(paris, at=0)
    assert panel._opened.session.id == again.id


async def test_it_is_deleted_only_after_a_yes_that_knows_what_is_lost(
    tk: Any, panel: SessionsPanel, paris: str
) -> None:
    await panel.read(paris)
    panel._opened.delete.click()
    await seen(panel, panel._question._text, "value", bool)
    assert "Delete “Paris”? Its 2 messages are gone for good then." in panel._question._text.value
    panel._question.no.click()
    assert (await tk.sessions.get(paris)).id == paris
    panel._opened.delete.click()
    await seen(panel, panel._question._text, "value", bool)
    panel._question.yes.click()
    await seen(panel, panel._said, "value", lambda html: "The conversation is deleted" in html)
    assert titles(panel) == []
    assert panel._opened.layout.display == "none"
    with pytest.raises(NotFound):
        await tk.sessions.get(paris)


async def test_who_wants_to_open_it_elsewhere_is_told_which(tk: Any, paris: str, made: Make) -> None:
    opened: list[str] = []
    panel = made(tk, on_open=opened.append)
    press(panel, "Paris")
    assert opened == [paris]
    await seen(panel, panel._opened.layout, "display", lambda display: display == "")
    assert panel._opened._said.value == ""


async def test_a_chat_panel_opens_what_is_chosen_and_its_errors_are_told(tk: Any, paris: str, made: Make) -> None:
    class Chat:
        opened = asyncio.Event()
        loop = asyncio.get_running_loop()

        async def resume(self, session: str) -> None:
            assert session == paris
            self.loop.call_soon_threadsafe(self.opened.set)
            raise NotFound("It is gone.")

    panel = made(tk, chat=Chat())
    press(panel, "Paris")
    await asyncio.wait_for(Chat.opened.wait(), 5)
    await seen(panel, panel._notice, "value", lambda html: "It is gone." in html)


async def test_a_fork_goes_on_in_a_chat_panel_also_where_nothing_is_awaited(toolkit: Toolkit) -> None:
    with blocking(toolkit) as tk:
        session = tk.sessions.create(title="Paris")
        tk.complete("Where is it?", session=session.id, model="offline")
        chat = ChatPanel(tk)
        panel = SessionsPanel(tk, chat=chat)
        press(panel, "Paris")
        await until(lambda: chat.session == session.id)
        panel.press_fork(session.id)
        await until(lambda: chat.session not in (session.id, None))
        (fork,) = [each for each in tk.sessions.list() if each.id != session.id]
        assert chat.session == fork.id
        assert "Where is it?" in str(chat.transcript)
        panel.close()
        chat.close()


async def test_titles_and_what_was_said_are_text_and_nothing_else(tk: Any, panel: SessionsPanel) -> None:
    bad = "<img src=x onerror=alert(1)>"
    session = await tk.sessions.create(title=bad, user=bad, origin=bad)
    await tk.complete(f"{bad} zebra", session=session.id, model="offline")
    (found,) = await panel.search("zebra")
    await panel.read(found.id)
    opened = panel._opened
    for html in (panel._list.children[0]._about.value, opened._head.value, opened._said.value, panel._count.value):
        assert "<img" not in html
    assert "&lt;img" in panel._list.children[0]._about.value
    opened.delete.click()
    assert "<img" not in await seen(panel, panel._question._text, "value", bool)


async def test_long_conversations_are_bounded(
    tk: Any, panel: SessionsPanel, paris: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notebooks.sessions.opened.TURNS_SHOWN", 1)
    await tk.complete("And how high?", session=paris, model="offline")
    await panel.read(paris)
    assert "1 older turns are not shown" in panel._opened._said.value
    assert "Eiffel" not in panel._opened._said.value


async def test_what_is_gone_is_told_in_a_sentence(panel: SessionsPanel, paris: str, elsewhere: Any) -> None:
    await panel.read(paris)
    await elsewhere.sessions.delete(paris)
    panel.press_rename(paris, "Rome")
    await seen(panel, panel._notice, "value", lambda html: "session" in html.lower())
    with pytest.raises(NotFound):
        await panel.read(paris)


async def test_only_one_persons_are_shown_where_that_is_wanted(tk: Any, panel: SessionsPanel, made: Make) -> None:
    await tk.sessions.create(title="Of Grace", user="grace")
    assert titles(made(tk, user="grace")) == ["Of Grace"]
    await seen(panel, panel._list, "children", lambda rows: len(rows) == 2)


async def test_everything_works_without_await_as_well(toolkit: Toolkit, made: Make) -> None:
    tk = blocking(toolkit)
    tk.start()
    try:
        session = tk.sessions.create(title="Paris")
        panel = made(tk)
        assert repr(panel) == "SessionsPanel(1 session)"
        assert panel.rename(session.id, "Rome").title == "Rome"
        assert titles(panel) == ["Rome"]
        panel.delete(session.id)
        assert repr(panel) == "SessionsPanel(0 sessions)"
        panel.close()
    finally:
        tk.close()


async def test_the_list_is_there_as_a_frame(panel: SessionsPanel, paris: str) -> None:
    frame = panel.to_frame()
    assert list(frame["id"]) == [paris]
    assert list(frame["origin"]) == ["claude-code"]


async def test_closing_leaves_no_widget_and_no_task(tk: Any, paris: str) -> None:
    before = await tasks()
    with no_widget_left():
        panel = SessionsPanel(tk)
        await panel.read(paris)
        panel.close()
    assert panel._following is not None
    await asyncio.wait_for(asyncio.wrap_future(panel._following._lane._ended), 5)
    assert {task for task in await tasks() - before if "Lane" in repr(task)} == set()
    await tk.sessions.create(title="Later")  # nobody looks any more
    assert titles(panel) == ["Paris"]
