"""A form for any tool in a notebook."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from functools import partial
from html import escape
from typing import Any

from ipywidgets import HTML, HBox, VBox

from notebooks.tools.head import description, head
from notebooks.tools.outcome import answered, as_code, failed, refused, stopped, under_way
from notebooks.tools.rows import Rows
from notebooks.widgets.closing import discard
from notebooks.widgets.controls import button, dropdown
from notebooks.widgets.panel import Panel, named, sentence
from notebooks.widgets.question import Question
from toolkit.bridge import Lane, running
from toolkit.errors import ConfigError, NotFound, ToolArgumentsError
from toolkit.messages import Json
from toolkit.tools.registry import no_such
from toolkit.tools.tool import Tool, ToolContext, ToolResult

GRACE_SECONDS = 0.25
"""How long after Run what was written may still arrive: a browser holds it back while it waits for another answer."""

UPDATES_PER_SECOND = 10
"""How often the progress of a call is shown."""


class ToolForm(Panel):
    """The arguments of a tool as a form, made of its JSON Schema; what is wrong stands beneath its field.

    Nothing is called while something is wrong. A tool that may delete or overwrite is called only after a second yes.

    Args:
        tk: a toolkit from `connect`, `connect_sync` or `Toolkit.open`.
        name: of the tool; without it, one is chosen in the panel.

    Attributes:
        result: what the tool answered last; None before that, and after a failure.
    """

    def __init__(self, tk: Any, name: str | None = None) -> None:
        self.result: ToolResult | None = None
        self._tool: Tool | None = None
        self._tools: dict[str, Tool] = {}
        self._rows = Rows({}, lambda: None)
        self._told_at = 0.0
        self._chooser = dropdown("Tool", [("Choose a tool…", "")], partial(self._guard, self._choose))
        refresh = button("Refresh", partial(self._guard, self._refresh), tip="Ask for the list of tools again")
        self._choosing = named(HBox([self._chooser, refresh]), "choosing")
        self._head, self._about = HTML(), HTML()
        self._fields = VBox([self._rows])
        self._run_button = button("Run", partial(self._guard, self._press), look="main")
        self._clear_button = button("Clear", partial(self._guard, self._clear), tip="Empty every field", look="link")
        self._question = Question(self._guard)
        self._code, self._outcome = named(HTML(), "as-code"), named(HTML(), "outcome")
        self._buttons = named(HBox([self._run_button, self._clear_button]), "buttons")
        shown = [self._head, self._choosing, self._about, self._fields, self._buttons, self._question]
        super().__init__(tk, "form", *shown, self._code, self._outcome)
        self._choosing.layout.display = "none" if name else ""
        self._list_tools()
        self._show(None)
        if name in self._tools:
            self._show(self._tools[name])
        elif name is not None:
            self._do(self._tk.tools.refresh, lambda _: self._found(name))

    def __repr__(self) -> str:
        """The same at every run: without ids and times."""
        count = len(self._tools)
        chosen = self._tool.name if self._tool else f"{count} tool{'' if count == 1 else 's'} to choose from"
        return f"ToolForm({chosen})"

    @property
    def arguments(self) -> Json:
        """What the fields say, without those that are left out; setting it writes them into the fields."""
        return self._rows.arguments

    @arguments.setter
    def arguments(self, given: Mapping[str, Any]) -> None:
        self._rows.fill(given)

    def run(self, *, sure: bool = False) -> Any:
        """Call the tool with what the fields say, and wait for what it answers; None if it was stopped.

        Args:
            sure: also if it may delete or overwrite something.

        Raises:
            ToolArgumentsError: something is wrong with the arguments; the fields say what.
            ConfigError: no tool is chosen, or one that may delete or overwrite, without `sure`.
            ToolError: the tool failed; the panel shows why as well.
        """
        tool = self._chosen()
        if tool.destructive and not sure:
            raise ConfigError(f"{tool.name} may delete or overwrite something; if that is meant, call run(sure=True).")
        return self._given(*self._begin(partial(self._called, tool)))

    def _chosen(self) -> Tool:
        if self._tool is None:
            raise ConfigError("No tool is chosen yet; choose one, or name it: `ToolForm(tk, name)`.")
        return self._tool

    # Which tool

    def _list_tools(self) -> None:
        self._tools = {tool.name: tool for tool in self._now(self._tk.tools.list)}
        options = [(f"{tool.name} · {tool.title}", tool.name) for tool in self._tools.values()]
        kept = self._tool.name if self._tool and self._tool.name in self._tools else ""
        self._chooser.options = [("Choose a tool…", ""), *options]
        self._chooser.value = kept

    def _refresh(self) -> None:
        self._do(self._tk.tools.refresh, self._listed)

    def _listed(self, problems: list[str]) -> None:
        self._list_tools()
        now = self._tools.get(self._tool.name) if self._tool else None
        if now and self._tool and now.parameters != self._tool.parameters:
            self._show(now)
        self._tell(" ".join(problems))

    def _found(self, name: str) -> None:
        """Show the tool `name`, which its source has brought only now; else say so and let one be chosen."""
        self._list_tools()
        if name in self._tools:
            self._show(self._tools[name])
            return
        self._choosing.layout.display = ""
        raise NotFound(no_such("tool", name, self._tools))

    def _choose(self, name: str) -> None:
        if name and (self._tool is None or self._tool.name != name):
            self._show(self._tools[name])

    def _show(self, tool: Tool | None) -> None:
        self.stop()
        self._lane = None  # what was stopped has nothing to say of another tool
        self._tool, self.result = tool, None
        before, self._rows = self._rows, Rows(tool.parameters if tool else {}, partial(self._guard, self._changed))
        self._fields.children = [self._rows]
        self._head.value = head(tool)
        self._about.value = description(tool, len(self._tools))
        self._outcome.value = ""
        self._buttons.layout.display = self._code.layout.display = "" if tool else "none"
        self._question.hide()
        self._tell("")
        self._write_code()
        self._settle()
        discard(before)

    # What is written

    def _clear(self) -> None:
        self._rows.fill({})
        self._outcome.value = ""

    def _changed(self) -> None:
        self._question.hide()
        self._write_code()
        try:
            self._check()
        except ToolArgumentsError as error:
            self._say(error, touched=True)
        else:
            self._say(None)

    def _write_code(self) -> None:
        if self._tool:
            code = escape(as_code(self._tool.name, self.arguments, waits=self._waits))
            self._code.value = f'<div class="toolkit-note">The same as code</div><pre><code>{code}</code></pre>'

    def _check(self) -> None:
        if self._tool and self._tool.check:
            self._tool.check(self.arguments)

    def _say(self, error: ToolArgumentsError | None, *, touched: bool = False) -> None:
        elsewhere = self._rows.say(error, touched=touched)
        self._tell("; ".join(elsewhere))

    # The call

    def _press(self) -> None:
        if self._lane is not None:
            self.stop()
        elif self._tool:
            self._begin(partial(self._pressed, self._tool))

    async def _pressed(self, tool: Tool) -> ToolResult | None:
        await asyncio.sleep(GRACE_SECONDS)
        if not tool.destructive:
            return await self._called(tool)
        self._check()
        agreed = self.arguments
        why = "It does not say whether it deletes or overwrites." if tool.supposed else "It may delete or overwrite."
        call = partial(self._begin, partial(self._called, tool, agreed))
        self._question.ask(f"Really run {tool.name}? {why}", "Yes, run it", "No", call, self._run_button)
        return None

    def _begin(self, work: Callable[[], Any]) -> tuple[Lane, Future[Any]]:
        self.stop()
        self.result = None
        self._question.hide()
        self._tell("")
        self._outcome.value = under_way()
        self._lane = lane = Lane(self._home)
        self._settle()
        outcome = lane.call(partial(self._shown, lane, work))
        outcome.add_done_callback(lambda _: self._guard(self._ended, lane, stopped()))
        return lane, outcome

    async def _shown(self, lane: Lane, work: Callable[[], Awaitable[ToolResult | None]]) -> ToolResult | None:
        """What `work` gives, once the panel shows it: a cell that waits for it may look at the panel next."""
        began = time.perf_counter()
        try:
            result = await work()
        except Exception as error:
            self._ended(lane, self._failure(error, _milliseconds(began)))
            raise
        if self._lane is lane:
            self.result = result
            self._say(None)
        asks = self._question.layout.display == ""
        self._ended(lane, answered(result, _milliseconds(began)) if result else "" if asks else stopped())
        return result

    def _failure(self, error: Exception, milliseconds: float) -> str:
        if isinstance(error, ToolArgumentsError):
            self._say(error)
            return refused()
        return failed(sentence(error), milliseconds)

    def _ended(self, lane: Lane, said: str) -> None:
        lane.end()
        if self._lane is lane:
            self._lane = None
            self._outcome.value = said
            self._settle()

    async def _called(self, tool: Tool, arguments: Json | None = None) -> ToolResult | None:
        self._check()
        context = ToolContext(origin="notebook", progress=self._progress)
        given = self.arguments if arguments is None else arguments
        try:
            answer: ToolResult = await self._tk.tools.call(tool.name, given, context)
        except asyncio.CancelledError:
            return None  # to a cell that is to go on; one that was interrupted hears of it all the same
        return answer

    async def _progress(self, done: float, total: float | None = None, message: str = "") -> None:
        now = time.monotonic()
        if now - self._told_at >= 1 / UPDATES_PER_SECOND:
            self._told_at, self._outcome.value = now, under_way(done, total, message)

    def _settle(self) -> None:
        runs = self._lane is not None
        self._run_button.description = "Stop" if runs else "Run"
        (self._run_button.add_class if runs else self._run_button.remove_class)("toolkit-stop")

    def _now(self, work: Callable[[], Any]) -> Any:
        """What `work` gives, which is quick and not async, where the toolkit lives."""
        if running() is self._home:
            return work()
        with Lane(self._home) as lane:
            return lane.call(work).result()


def _milliseconds(began: float) -> float:
    return (time.perf_counter() - began) * 1000
