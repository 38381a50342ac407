import asyncio
from collections.abc import Callable, Sequence

import pytest

from toolkit.errors import ConfigError, Conflict, NotFound
from toolkit.tools.registry import ToolRegistry
from toolkit.tools.source import Given
from toolkit.tools.tool import Tool, ToolContext, ToolResult, make_tool


def named(name: str, answer: str = "") -> Tool:
    def function() -> str:
        """Answer."""
        return answer or name

    return make_tool(function, name=name)


class Source:
    def __init__(self, name: str, *tools: Given) -> None:
        self.name = name
        self.tools = list(tools)
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.loads = 0
        self.closed = 0
        self.changed: Callable[[], None] = lambda: None

    async def load(self) -> Sequence[Given]:
        self.loads += 1
        if self.gate:
            await self.gate.wait()
        if self.error:
            raise self.error
        return self.tools

    def watch(self, changed: Callable[[], None]) -> None:
        self.changed = changed

    async def close(self) -> None:
        self.closed += 1


def names(registry: ToolRegistry) -> list[str]:
    return [tool.name for tool in registry.list()]


async def test_the_tools_of_a_source_stand_after_the_own_ones_and_say_where_they_come_from() -> None:
    registry = ToolRegistry()
    registry.attach(Source("file", named("far")))
    registry.add(named("near"))
    assert names(registry) == ["near"]
    assert await registry.refresh() == []
    assert names(registry) == ["near", "far"]
    assert [tool.source for tool in registry.list()] == ["", "file"]
    assert (await registry.call("far", {})).text == "far"


async def test_a_source_that_hangs_or_fails_is_a_problem_in_words_and_hides_no_other() -> None:
    hanging, failing, broken = Source("hanging"), Source("failing"), Source("broken")
    hanging.gate = asyncio.Event()
    failing.error = ConfigError("The file has no line 3.")
    broken.error = ValueError("the token ghp_abcdefghijklmnopqrstuvwxyz is bad")
    registry = ToolRegistry()
    for source in (hanging, failing, broken, Source("good", named("good"))):
        registry.attach(source)
    problems = await registry.refresh(within=0.05)
    assert names(registry) == ["good"]
    assert problems == registry.problems
    assert [problem.split(" ")[0] for problem in problems] == ["hanging", "The", "broken"]
    assert "did not answer in time" in problems[0]
    assert problems[2] == "broken failed: ValueError: the token *** is bad"


async def test_what_a_source_gave_stays_while_it_fails_and_goes_when_it_gives_it_no_more() -> None:
    source = Source("file", named("one"), named("two"))
    registry = ToolRegistry()
    registry.attach(source)
    await registry.refresh()
    source.error = ConfigError("Broken.")
    assert await registry.refresh() == ["Broken."]
    assert names(registry) == ["one", "two"]
    source.error, source.tools = None, [named("two")]
    assert await registry.refresh() == []
    assert names(registry) == ["two"]


async def test_own_tools_win_a_name_then_the_source_that_was_attached_first() -> None:
    registry = ToolRegistry([named("search", "own")])
    registry.attach(Source("a", named("search", "a"), named("find", "a")))
    registry.attach(Source("b", named("find", "b")))
    problems = await registry.refresh()
    assert [(await registry.call(name, {})).text for name in ("search", "find")] == ["own", "a"]
    assert problems == [
        "a has a tool 'search' too; the toolkit's own is used, rename the other.",
        "b has a tool 'find' too; that of a is used, rename the other.",
    ]


async def test_an_own_tool_that_is_added_later_wins_too_and_gives_the_name_back() -> None:
    registry = ToolRegistry()
    registry.attach(Source("a", named("find", "a")))
    await registry.refresh()
    registry.add(named("find", "own"))
    assert (await registry.call("find", {})).text == "own"
    with pytest.raises(Conflict):
        registry.add(named("find"))
    registry.remove("find")
    assert (await registry.call("find", {})).text == "a"
    with pytest.raises(ConfigError, match="'find' comes from a; take it out there"):
        registry.remove("find")


async def test_a_tool_with_a_name_that_no_host_takes_is_a_problem() -> None:
    async def run(_arguments: object, _context: ToolContext) -> ToolResult:
        return ToolResult("", {})

    registry = ToolRegistry()
    registry.attach(Source("a", Tool("Bad Name", "", "", {}, run), named("good")))
    (problem,) = await registry.refresh()
    assert problem.startswith("a: 'Bad Name' cannot name a tool")
    assert names(registry) == ["good"]


async def test_an_unknown_name_says_that_sources_were_not_asked_yet() -> None:
    registry = ToolRegistry([named("near")])
    registry.attach(Source("mcp:github", named("far")))
    with pytest.raises(NotFound, match="What mcp:github has is not known yet; refresh the tools first"):
        registry.get("far")
    await registry.refresh()
    with pytest.raises(NotFound, match=r"There is no tool 'fax'; the nearest is 'far'\.$"):
        registry.get("fax")


async def test_a_call_asks_the_sources_that_nobody_has_asked_yet_once() -> None:
    source = Source("file", named("far"))
    registry = ToolRegistry([named("near")])
    registry.attach(source)
    await registry.call("near", {})
    assert source.loads == 0
    assert (await registry.call("far", {})).text == "far"
    with pytest.raises(NotFound):
        await registry.call("fare", {})
    assert source.loads == 1


async def test_a_source_may_give_sources_which_are_loaded_on_their_own() -> None:
    dead, good = Source("mcp:dead"), Source("mcp:good", named("good"))
    dead.gate = asyncio.Event()
    file = Source("file", named("http"), dead, good)
    registry = ToolRegistry()
    registry.attach(file)
    (problem,) = await registry.refresh(within=0.05)
    assert "mcp:dead" in problem
    assert [(tool.name, tool.source) for tool in registry.list()] == [("http", "file"), ("good", "mcp:good")]
    file.tools = [good]
    assert await registry.refresh() == []
    assert (dead.closed, good.closed) == (1, 0)
    await registry.close()
    assert (file.closed, good.closed) == (1, 1)


async def test_the_version_moves_with_the_list_and_only_with_it() -> None:
    source = Source("file", named("one"))
    registry = ToolRegistry()
    registry.attach(source)
    await registry.refresh()
    first = registry.version
    source.tools = [named("one")]  # made anew, as a source does
    await registry.refresh()
    assert registry.version == first
    source.tools = [named("two")]
    await registry.refresh()
    assert registry.version == first + 1
    registry.add(named("own"))
    assert registry.version == first + 2


async def test_a_source_that_says_it_has_changed_is_loaded_again_and_listeners_hear_of_it() -> None:
    source = Source("mcp:a", named("one"))
    registry = ToolRegistry()
    registry.attach(source)
    await registry.refresh()
    heard = asyncio.ensure_future(anext(registry.changes()))
    await asyncio.sleep(0)
    source.tools = [named("two")]
    source.changed()
    async with asyncio.timeout(30):
        assert await heard == registry.version
    assert names(registry) == ["two"]


async def test_a_failure_while_closing_keeps_no_other_source_open(caplog: pytest.LogCaptureFixture) -> None:
    class Stuck(Source):
        async def close(self) -> None:
            raise OSError("stuck")

    good = Source("good")
    registry = ToolRegistry()
    registry.attach(Stuck("stuck"))
    registry.attach(good)
    await registry.close()
    assert good.closed == 1
    assert "stuck could not be closed" in caplog.text
