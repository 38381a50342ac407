import asyncio
import json
import logging
import threading
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import anyio
import pytest
from pydantic import BaseModel, Field

from toolkit.errors import ConfigError, NotFound, ToolArgumentsError, ToolError
from toolkit.tools.tool import Tool, ToolContext, ToolResult, make_tool, tool, valid_name

HERE = ToolContext(session_id="s", user="ada")


@dataclass
class Hit:
    source: str
    score: float
    seen: datetime


class Page(BaseModel):
    title: str


@tool
async def echo(text: str) -> str:
    """Say the same again."""
    return text


@tool(name="count_words", title="Count", read_only=True, idempotent=True, presets=("default", "text"))
def count(text: Annotated[str, Field(description="any text")], context: ToolContext) -> dict[str, object]:
    """Count the words
    of a text.

    A second paragraph.
    """
    return {"words": len(text.split()), "user": context.user, "thread": threading.current_thread().name}


async def run(function: Any, **arguments: Any) -> ToolResult:
    return await make_tool(function).run(arguments, HERE)


def test_a_bare_decorator_makes_a_tool_that_is_named_and_described_by_its_function() -> None:
    assert isinstance(echo, Tool)
    assert (echo.name, echo.title, echo.description) == ("echo", "Echo", "Say the same again.")
    assert (echo.read_only, echo.destructive, echo.idempotent, echo.open_world) == (False, False, False, False)
    assert echo.spec.parameters == {
        "type": "object",
        "properties": {"text": {"type": "string"}},
        "required": ["text"],
        "additionalProperties": False,
    }


def test_a_decorator_with_options_keeps_them() -> None:
    assert (count.name, count.title, count.description) == ("count_words", "Count", "Count the words of a text.")
    assert (count.read_only, count.idempotent, count.presets) == (True, True, frozenset({"default", "text"}))


async def test_a_plain_function_runs_on_a_thread_with_the_context_of_the_call() -> None:
    result = await count.run({"text": "a b c"}, HERE)
    assert (result.data["words"], result.data["user"]) == (3, "ada")
    assert result.data["thread"] != threading.current_thread().name


async def test_a_plain_function_sees_the_context_variables_of_its_caller() -> None:
    variable: ContextVar[str] = ContextVar("variable")

    def read() -> str:
        """Read."""
        return variable.get()

    variable.set("seen")
    assert (await run(read)).text == "seen"


async def test_a_method_is_a_tool_without_its_self() -> None:
    class Room:
        size = 3

        async def grow(self, by: int) -> int:
            """Grow."""
            return self.size + by

    assert (await run(Room().grow, by=2)).data == {"result": 5}


def undocumented(text: str) -> None: ...


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (undocumented, "Tool undocumented: the function has no docstring"),
        (lambda: 1, "'<lambda>' cannot name a tool"),
        (3, "A tool is made of a function, not of 3"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_in_a_sentence(function: Any, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_tool(function)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("name", ["", "Search", "get-chunk", "1st", "a" * 65, "a b", "ä", "a\n"])
def test_a_name_that_some_host_refuses_is_refused_here(name: str) -> None:
    with pytest.raises(ConfigError, match="snake_case of at most 64 characters"):
        valid_name(name)


def test_a_name_of_64_characters_is_taken() -> None:
    assert valid_name("a" * 64) == "a" * 64


async def test_a_text_is_the_text_and_the_result() -> None:
    assert await echo.run({"text": 'sa"id'}, HERE) == ToolResult('sa"id', {"result": 'sa"id'})


async def test_an_object_is_compact_json_and_the_same_data() -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)

    def hit() -> Hit:
        """Find."""
        return Hit("ä.md", 0.5, at)

    def page() -> Page:
        """Open."""
        return Page(title="x")

    found = {"source": "ä.md", "score": 0.5, "seen": "2026-01-02T00:00:00Z"}
    assert await run(hit) == ToolResult('{"source":"ä.md","score":0.5,"seen":"2026-01-02T00:00:00Z"}', found)
    assert await run(page) == ToolResult('{"title":"x"}', {"title": "x"})


async def test_what_is_no_object_is_wrapped_in_one() -> None:
    def pages() -> list[Page]:
        """List."""
        return [Page(title="x")]

    def nothing() -> None:
        """Do nothing."""

    assert await run(pages) == ToolResult('[{"title":"x"}]', {"result": [{"title": "x"}]})
    assert await run(nothing) == ToolResult("null", {"result": None})


async def test_a_result_is_passed_on_with_data_that_json_can_say() -> None:
    def own() -> ToolResult:
        """Answer."""
        return ToolResult("short", {"at": datetime(2026, 1, 2, tzinfo=UTC), "score": float("nan")})

    result = await run(own)
    assert result == ToolResult("short", {"at": "2026-01-02T00:00:00Z", "score": None})
    assert json.loads(json.dumps(result.data, allow_nan=False)) == result.data


async def test_a_result_that_json_cannot_say_is_a_tool_error() -> None:
    def odd() -> object:
        """Answer oddly."""
        return threading.Lock()

    with pytest.raises(ToolError, match="odd failed: PydanticSerializationError"):
        await run(odd)


async def test_wrong_arguments_never_reach_the_function() -> None:
    with pytest.raises(
        ToolArgumentsError, match=r'^echo: `text` must be text \(got 5\); right is, for example, \{"text": "text"\}\.$'
    ):
        await echo.run({"text": 5}, HERE)


async def test_a_tools_own_error_passes_as_it_is() -> None:
    own = ToolError("The printer is out of paper; fill it.")

    def printer() -> None:
        """Print."""
        raise own

    with pytest.raises(ToolError) as caught:
        await run(printer)
    assert caught.value is own


async def test_an_error_of_the_toolkit_keeps_its_sentence_and_is_the_cause() -> None:
    async def lookup() -> None:
        """Look up."""
        raise NotFound("There is no chunk 'x'.")

    with pytest.raises(ToolError, match=r"^There is no chunk 'x'\.$") as caught:
        await run(lookup)
    assert isinstance(caught.value.__cause__, NotFound)


@pytest.mark.parametrize("error", [ValueError("the key sk-abcdefghijkl is bad"), SystemExit(3)])
async def test_any_other_error_is_named_without_secrets_and_its_traceback_is_logged(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def boom() -> None:
        """Fail."""
        raise error

    with caplog.at_level(logging.ERROR), pytest.raises(ToolError) as caught:
        await run(boom)
    assert str(caught.value).startswith(f"boom failed: {type(error).__name__}")
    assert "abcdefghijkl" not in str(caught.value)
    assert caplog.records[0].exc_info


async def test_an_error_without_words_is_named_by_its_class() -> None:
    def boom() -> None:
        """Fail."""
        raise RuntimeError

    with pytest.raises(ToolError, match=r"^boom failed: RuntimeError$"):
        await run(boom)


async def test_cancelling_the_call_cancels_the_function() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        """Wait."""
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.create_task(run(wait))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_cancelling_the_call_of_a_plain_function_does_not_wait_for_its_thread() -> None:
    began, release = threading.Event(), threading.Event()

    def block() -> None:
        """Block."""
        began.set()
        release.wait()

    try:
        async with anyio.create_task_group() as group:  # a host's server cancels by scopes, which threads may resist
            group.start_soon(run, block)
            while not began.is_set():  # noqa: ASYNC110 - the thread cannot set an asyncio event
                await asyncio.sleep(0.001)
            group.cancel_scope.cancel()
    finally:
        release.set()
