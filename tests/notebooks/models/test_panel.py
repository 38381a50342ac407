import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from notebooks.models.panel import ModelsPanel
from tests.notebooks.models.conftest import names, row
from tests.notebooks.seeing import no_widget_left, seen, tasks
from toolkit.bridge import blocking
from toolkit.errors import NotFound
from toolkit.testing.vendors import Fault, VendorServer
from toolkit.toolkit import Toolkit

OPENAI, ANTHROPIC = "gpt-6-luna", "claude-haiku-5-5"


async def test_the_chain_stands_there_from_top_to_bottom_when_the_cell_ends(panel: ModelsPanel) -> None:
    assert names(panel) == [OPENAI, ANTHROPIC, "offline"]
    assert [each._place.value for each in panel._list.children] == [f"<span>{place}</span>" for place in (1, 2, 3)]
    assert repr(panel) == "ModelsPanel(3 models)"


async def test_every_control_is_called_by_what_it_does_to_which_model(panel: ModelsPanel) -> None:
    shown = row(panel, OPENAI)
    controls = (shown.up, shown.down, shown.enabled, shown.default, shown.test, shown.remove)
    assert [control.description for control in controls] == [
        f"Move {OPENAI} up",
        f"Move {OPENAI} down",
        f"Ask {OPENAI}",
        f"Make {OPENAI} the default",
        f"Test {OPENAI}",
        f"Remove {OPENAI}",
    ]
    assert shown.up.disabled
    assert not shown.down.disabled
    assert row(panel, "offline").down.disabled


async def test_a_model_that_is_moved_up_answers_the_next_chat(tk: Any, panel: ModelsPanel) -> None:
    assert (await tk.complete("Who?")).model == OPENAI
    row(panel, ANTHROPIC).up.click()
    await seen(panel, panel._said, "value", lambda text: ANTHROPIC in text)
    assert names(panel) == [ANTHROPIC, OPENAI, "offline"]
    assert (await tk.complete("Who?")).model == ANTHROPIC


async def test_a_model_moves_down_past_one_and_to_the_end(panel: ModelsPanel) -> None:
    row(panel, OPENAI).down.click()
    await seen(panel, panel._list, "children", lambda _: names(panel) == [ANTHROPIC, OPENAI, "offline"])
    row(panel, OPENAI).down.click()
    await seen(panel, panel._list, "children", lambda _: names(panel) == [ANTHROPIC, "offline", OPENAI])


async def test_a_model_that_is_switched_off_is_passed_over(tk: Any, panel: ModelsPanel) -> None:
    row(panel, OPENAI).enabled.value = False
    await seen(panel, panel._said, "value", lambda text: f"{OPENAI} is left out" in text)
    assert (await tk.complete("Who?")).model == ANTHROPIC
    assert row(panel, OPENAI)._place.value == "<span>–</span>"
    assert row(panel, ANTHROPIC)._place.value == "<span>1</span>"
    assert row(panel, OPENAI).up.disabled


async def test_there_is_one_default_and_it_can_be_none(tk: Any, panel: ModelsPanel) -> None:
    row(panel, OPENAI).default.value = True
    await seen(panel, panel._said, "value", lambda text: f"{OPENAI} is asked, and is the default" in text)
    row(panel, ANTHROPIC).default.value = True
    await seen(panel, panel._said, "value", lambda text: f"{ANTHROPIC} is asked, and is the default" in text)
    assert not row(panel, OPENAI).default.value
    row(panel, ANTHROPIC).default.value = False
    await seen(panel, panel._said, "value", lambda text: "default" not in text)
    assert await tk.models.default() is None


async def test_move_is_awaited_and_shown_when_it_returns(panel: ModelsPanel) -> None:
    moved = await panel.move("offline", ahead_of=OPENAI)
    assert moved.name == "offline"
    assert names(panel) == ["offline", OPENAI, ANTHROPIC]
    with pytest.raises(NotFound):
        await panel.move("nobody")


async def test_everything_works_without_await_as_well(toolkit: Toolkit, made: Callable[..., ModelsPanel]) -> None:
    tk = blocking(toolkit)
    tk.start()
    try:
        panel = made(tk)
        assert repr(panel) == "ModelsPanel(3 models)"
        assert panel.move(ANTHROPIC, ahead_of=OPENAI).name == ANTHROPIC
        assert panel.test(OPENAI).ok
        assert names(panel) == [ANTHROPIC, OPENAI, "offline"]
        panel.close()
    finally:
        tk.close()


async def test_a_toolkit_of_the_same_loop_is_shown_soon(toolkit: Toolkit, made: Callable[..., ModelsPanel]) -> None:
    async with toolkit:
        panel = made(toolkit)
        await seen(panel, panel._list, "children", lambda _: names(panel) == [OPENAI, ANTHROPIC, "offline"])
        await panel.move("offline", ahead_of=OPENAI)
        assert names(panel)[0] == "offline"
        following = panel._following
        panel.close()
        assert following is not None
        await asyncio.wrap_future(following.end())


async def test_what_another_process_changes_is_seen(panel: ModelsPanel, elsewhere: Any) -> None:
    await elsewhere.models.add("openai", "gpt-4o-mini", name="small", priority=1)
    await seen(panel, panel._list, "children", lambda _: names(panel) == ["small", OPENAI, ANTHROPIC, "offline"])
    await elsewhere.models.set("small", new_name="tiny", enabled=False)
    await seen(panel, row(panel, "small").enabled, "value", lambda on: not on)
    await elsewhere.models.remove("tiny")
    await seen(panel, panel._list, "children", lambda _: names(panel) == [OPENAI, ANTHROPIC, "offline"])


async def test_rows_keep_their_widgets_wherever_the_model_moves(panel: ModelsPanel) -> None:
    before = row(panel, "offline")
    await panel.move("offline", ahead_of=OPENAI)
    assert row(panel, "offline") is before


async def test_a_press_on_what_is_gone_is_told_in_a_sentence(panel: ModelsPanel, elsewhere: Any) -> None:
    old = row(panel, "offline")
    await elsewhere.models.remove("offline")
    panel.change(old, enabled=False)
    await seen(panel, panel._notice, "value", lambda text: "There is no model" in text)


async def test_a_model_is_removed_only_after_a_yes(tk: Any, panel: ModelsPanel) -> None:
    row(panel, "offline").remove.click()
    assert "Remove offline?" in panel._question._text.value
    panel._question.no.click()
    assert panel._question.layout.display == "none"
    row(panel, "offline").remove.click()
    assert (await tk.models.get("offline")).enabled
    assert panel._question.yes.description == "Remove offline"
    panel._question.yes.click()
    await seen(panel, panel._said, "value", lambda text: "offline is removed" in text)
    assert names(panel) == [OPENAI, ANTHROPIC]


async def test_the_history_says_who_and_what_and_restores(tk: Any, panel: ModelsPanel) -> None:
    await tk.models.set(OPENAI, priority=7, by="ada <b>")
    panel._fold_history.click()
    lines = await seen(panel, panel._history, "children", lambda lines: len(lines) > 4)
    told = lines[1].children[0].value
    assert f"<b>{OPENAI}</b> changed by ada &lt;b&gt;" in told
    assert "priority 500 → 7" in told
    assert lines[1].children[1].disabled  # it is so already
    old = next(line for line in lines[2:] if OPENAI in line.children[0].value)
    assert old.children[1].description.startswith(f"Restore {OPENAI} as of 2")
    old.children[1].click()
    await seen(panel, panel._said, "value", lambda text: f"{OPENAI} is as it was" in text)
    assert (await tk.models.get(OPENAI)).priority == 500


async def test_what_was_removed_comes_back_from_the_history(tk: Any, panel: ModelsPanel) -> None:
    await tk.models.remove("offline", by="ada")
    panel._fold_history.click()
    lines = await seen(panel, panel._history, "children", lambda lines: len(lines) > 4)
    assert "it was offline/extractive with priority 1000" in lines[1].children[0].value
    lines[1].children[1].click()
    await seen(panel, panel._list, "children", lambda _: "offline" in names(panel))


async def test_rows_are_bounded_and_the_rest_is_counted(
    tk: Any, made: Callable[..., ModelsPanel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notebooks.models.panel.MOST", 2)
    panel = made(tk)
    assert names(panel) == [OPENAI, ANTHROPIC]
    assert "1 more are not shown; tk.models.list() has them." in panel._note.value


async def test_another_scope_can_be_chosen(tk: Any, panel: ModelsPanel) -> None:
    assert panel._scopes.layout.display == "none"
    await tk.models.add("offline", "extractive", name="quiet", scope="team")
    await seen(panel, panel._scopes, "options", lambda scopes: scopes == ("global", "team"))
    assert panel.scope == "global"
    panel._scopes.value = "team"
    await seen(panel, panel._list, "children", lambda _: names(panel) == ["quiet"])


async def test_names_are_text_and_nothing_else(tk: Any, panel: ModelsPanel) -> None:
    await tk.models.add("offline", "<img src=x onerror=alert(1)>", name="<script>alert(1)</script>", priority=1)
    await seen(panel, panel._list, "children", lambda rows: len(rows) == 4)
    html = panel._list.children[0]._name.value
    assert "&lt;script&gt;" in html
    assert "<script" not in html
    assert "<img" not in html


async def test_the_table_is_there_as_a_frame(panel: ModelsPanel) -> None:
    frame = panel.to_frame()
    assert list(frame["name"]) == [OPENAI, ANTHROPIC, "offline"]
    assert list(frame["health"]) == ["ready, never asked"] * 3


async def test_closing_leaves_no_widget_and_no_task(tk: Any, vendors: VendorServer) -> None:
    before = await tasks()
    vendors.fail("openai", Fault.hang())
    with no_widget_left():
        panel = ModelsPanel(tk)
        panel._fold_history.click()
        await seen(panel, panel._history, "children", lambda lines: len(lines) > 1)
        row(panel, OPENAI).test.click()
        await panel.move("offline", ahead_of=OPENAI)
        while not vendors.requests:  # noqa: ASYNC110 - it has no event for a request that came
            await asyncio.sleep(0.01)
        panel.close()
    assert panel._following is not None
    await asyncio.wait_for(asyncio.wrap_future(panel._following._lane._ended), 5)
    assert await asyncio.to_thread(vendors.requests[0].abandoned.wait, 5)
    async with asyncio.timeout(5):
        while {task for task in await tasks() - before if "Lane" in repr(task)}:  # its cancelling is under way
            pass


async def test_a_panel_ends_to_follow_when_the_toolkit_is_closed(toolkit: Toolkit) -> None:
    tk = blocking(toolkit)
    tk.start()
    panel = ModelsPanel(tk)
    tk.close()
    assert panel._following is not None
    async with asyncio.timeout(5):
        await asyncio.wrap_future(panel._following._lane._ended)
    panel.close()


async def test_a_database_that_is_gone_is_told_in_the_panel(toolkit: Toolkit, made: Callable[..., ModelsPanel]) -> None:
    tk = blocking(toolkit)
    tk.start()
    panel = made(tk)
    tk.close()
    row(panel, OPENAI).enabled.value = False
    assert 'role="alert"' in await seen(panel, panel._notice, "value", bool)


async def test_a_scope_stays_chosen_when_another_comes_before_it(tk: Any, made: Callable[..., ModelsPanel]) -> None:
    panel = made(tk, scope="team")
    await tk.models.add("offline", "extractive", name="quiet", scope="another")
    await seen(panel, panel._scopes, "options", lambda scopes: scopes == ("another", "global", "team"))
    assert panel.scope == panel._scopes.value == "team"


async def test_a_scope_without_models_is_said_to_be_empty(tk: Any, made: Callable[..., ModelsPanel]) -> None:
    assert "There is no model in the scope &#x27;nobody&#x27;" in made(tk, scope="nobody")._note.value
