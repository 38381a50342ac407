import asyncio
import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from notebooks.tools.form import ToolForm
from notebooks.tools.row import Row
from toolkit.bridge import awaitable, blocking
from toolkit.errors import ConfigError, ToolArgumentsError, ToolError
from toolkit.settings import Settings
from toolkit.toolkit import Toolkit
from toolkit.tools.tool import ToolContext

CHILD = Path(__file__).parents[2] / "tools" / "remote" / "mcp_child.py"


@pytest.fixture
def calls(toolkit: Toolkit) -> list[Any]:
    """What the tools below were called with."""
    made: list[Any] = []

    @toolkit.tool
    def weigh(
        name: Annotated[str, Field(min_length=2, description="Whose <weight>")],
        *,
        times: Annotated[int, Field(ge=1, le=9)] = 1,
        unit: Literal["g", "kg"] = "g",
    ) -> str:
        """Weigh a bird."""
        made.append((name, times, unit))
        return f"**{name}** weighs 200 {unit}"

    @toolkit.tool(destructive=True)
    def wipe(name: str) -> dict[str, str]:
        """Forget a bird."""
        made.append(name)
        return {"forgotten": name}

    return made


def row(form: ToolForm, name: str) -> Row:
    found: Row = next(each for each in form._rows.children if each.field.name == name)
    return found


def write(form: ToolForm, **values: str) -> None:
    """Write into the fields as a person does."""
    for name, value in values.items():
        row(form, name).field.widget.value = value


async def until(widget: Any, trait: str, value: str, act: Callable[[], object]) -> None:
    """Do something, and wait until the trait of a widget becomes one that has `value` in it."""
    loop, became = asyncio.get_running_loop(), asyncio.Event()

    def tell(change: dict[str, str]) -> None:
        if value in change["new"]:
            loop.call_soon_threadsafe(became.set)

    widget.observe(tell, trait)
    act()
    if value in getattr(widget, trait):
        became.set()
    async with asyncio.timeout(10):
        await became.wait()
    widget.unobserve(tell, trait)


async def pressed(form: ToolForm) -> None:
    """Press Run, and wait until the button says Run again."""
    await until(form._run_button, "description", "Run", form._run_button.click)


async def test_a_tool_of_the_user_is_called_with_what_the_fields_say(tk: Any, calls: list[Any]) -> None:
    form = ToolForm(tk, "weigh")
    write(form, name="kestrel", times="2")
    assert form.arguments == {"name": "kestrel", "times": 2}
    result = await form.run()
    assert calls == [("kestrel", 2, "g")]
    assert form.result is result
    assert "<strong>kestrel</strong> weighs 200 g" in form._outcome.value
    assert "answered" in form._outcome.value


def test_without_await_the_same_form_gives_the_result(toolkit: Toolkit, calls: list[Any]) -> None:
    with blocking(toolkit) as tk:
        form = ToolForm(tk, "weigh")
        form.arguments = {"name": "kestrel"}
        assert form.run().text == "**kestrel** weighs 200 g"
        assert "weighs 200 g" in form._outcome.value
        assert "await" not in form._code.value
        assert len(calls) == 1


async def test_a_wrong_field_says_so_in_the_toolkits_own_words_as_soon_as_it_is_left(tk: Any, calls: list[Any]) -> None:
    form = ToolForm(tk, "weigh")
    write(form, times="12")
    said = row(form, "times")._wrong.value
    assert "<code>times</code> must be at most 9 (got 12)" in said
    with pytest.raises(ToolArgumentsError, match="`times` must be at most 9 \\(got 12\\)"):
        await tk.tools.call("weigh", {"name": "kestrel", "times": 12})
    assert row(form, "name")._wrong.value == ""  # nobody has been there yet
    write(form, times="3")
    assert row(form, "times")._wrong.value == ""
    assert calls == []


async def test_nothing_is_called_while_something_is_wrong(tk: Any, calls: list[Any]) -> None:
    form = ToolForm(tk, "weigh")
    write(form, times="many")
    await pressed(form)
    assert "<code>name</code> is missing" in row(form, "name")._wrong.value
    assert "<code>times</code> must be a whole number" in row(form, "times")._wrong.value
    with pytest.raises(ToolArgumentsError):
        await form.run()
    assert "Not called" in form._outcome.value
    assert calls == []


async def test_what_is_written_just_before_run_is_what_is_called(tk: Any, calls: list[Any]) -> None:
    form = ToolForm(tk, "weigh")
    pressing = asyncio.create_task(pressed(form))
    await asyncio.sleep(0)
    write(form, name="merlin")  # a browser may send it after the press
    await pressing
    assert calls == [("merlin", 1, "g")]


async def test_a_destructive_tool_asks_once_more(tk: Any, calls: list[Any]) -> None:
    form = ToolForm(tk, "wipe")
    write(form, name="kestrel")
    await pressed(form)
    assert "Really run wipe? It may delete or overwrite." in form._question._text.value
    assert calls == []
    form._question.no.click()
    assert form._question.layout.display == "none"
    await pressed(form)
    write(form, name="merlin")
    assert form._question.layout.display == "none"  # that was another question
    await pressed(form)
    await until(form._outcome, "value", "answered", form._question.yes.click)
    assert calls == ["merlin"]


async def test_a_cell_must_say_that_it_is_sure(tk: Any, calls: list[Any]) -> None:
    form = ToolForm(tk, "wipe")
    form.arguments = {"name": "kestrel"}
    with pytest.raises(ConfigError, match="sure=True"):
        form.run()
    assert calls == []
    await form.run(sure=True)
    assert calls == ["kestrel"]


async def test_stop_cancels_the_call_and_progress_is_shown_until_then(tk: Any, toolkit: Toolkit) -> None:
    runs, ended = threading.Event(), threading.Event()

    @toolkit.tool
    async def dawdle(context: ToolContext) -> str:
        """Take its time."""
        await context.progress(3, 10, "<b>reading</b>")
        runs.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return ""

    form = ToolForm(tk, "dawdle")
    running = asyncio.ensure_future(form.run())
    await asyncio.to_thread(runs.wait, 10)
    assert "3 of 10" in form._outcome.value
    assert "&lt;b&gt;reading" in form._outcome.value
    assert form._run_button.description == "Stop"
    form._run_button.click()
    assert await running is None
    assert ended.is_set()
    assert "Stopped" in form._outcome.value
    assert form._run_button.description == "Run"


async def test_an_error_is_told_in_words(tk: Any, toolkit: Toolkit) -> None:
    @toolkit.tool
    def break_down() -> str:
        """Fail."""
        raise ValueError("<no bird>")

    form = ToolForm(tk, "break_down")
    with pytest.raises(ToolError):
        await form.run()
    assert "break_down failed: ValueError: &lt;no bird&gt;" in form._outcome.value
    assert form.result is None


async def test_the_call_as_code_follows_the_fields(tk: Any, calls: list[Any]) -> None:
    form = ToolForm(tk, "weigh")
    write(form, name="<kestrel>")
    assert "await tk.tools.call(&quot;weigh&quot;, {&quot;name&quot;: &quot;&lt;kestrel&gt;&quot;})" in form._code.value
    assert calls == []


async def test_without_a_name_a_tool_is_chosen(tk: Any, calls: list[Any]) -> None:
    form = ToolForm(tk)
    assert repr(form).startswith("ToolForm(")
    assert repr(form).endswith(" tools to choose from)")
    with pytest.raises(ConfigError, match="No tool is chosen"):
        form.run()
    before = form._rows
    form._chooser.value = "weigh"
    assert repr(form) == "ToolForm(weigh)"
    assert [each.field.name for each in form._rows.children] == ["name", "times", "unit"]
    assert before.comm is None
    form._chooser.value = "wipe"
    assert "may delete or overwrite" in form._head.value
    assert calls == []


async def test_a_name_that_there_is_not_is_told_with_the_nearest_and_one_can_be_chosen(tk: Any) -> None:
    form = ToolForm(tk, "semantic_serch")
    await until(form._notice, "value", "semantic_serch", lambda: None)
    assert "the nearest is &#x27;semantic_search&#x27;" in form._notice.value
    assert form._choosing.layout.display == ""


async def test_descriptions_of_others_are_text(tk: Any, calls: list[Any]) -> None:
    form = ToolForm(tk, "weigh")
    assert "Whose &lt;weight&gt;" in row(form, "name").children[1].children[1].value
    assert calls == []


async def test_a_tool_of_another_server_has_a_form_and_is_called(tmp_path: Path) -> None:
    servers = {"child": {"command": sys.executable, "args": [str(CHILD), "stdio"]}}
    file = tmp_path / "tools.json"
    file.write_text(json.dumps({"mcpServers": servers}), encoding="utf-8")
    settings = Settings.from_env({"TOOLKIT_TOOLS_FILE": str(file)}, database_url="sqlite://")
    async with awaitable(Toolkit.open(settings=settings)) as tk:
        await tk.tools.refresh()
        form = ToolForm(tk, "child__add")
        assert "from mcp:child" in form._head.value
        write(form, a="two")
        assert "<code>a</code> must be a whole number" in row(form, "a")._wrong.value
        write(form, a="2")
        assert form.arguments == {"a": 2}
        assert (await form.run()).text == "3"
        form = ToolForm(tk, "child__environment")
        assert "may delete or overwrite, it does not say" in form._head.value
