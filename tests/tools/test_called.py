import asyncio
import logging
import threading
import time

import anyio
import pytest

from toolkit.errors import ConfigError, NotFound, ToolArgumentsError, ToolError
from toolkit.tools.called import ToolCalled
from toolkit.tools.registry import ToolRegistry
from toolkit.tools.tool import Tool, ToolContext, ToolResult, make_tool


class Heard:
    def __init__(self) -> None:
        self.calls: list[ToolCalled] = []

    async def __call__(self, called: ToolCalled) -> None:
        await asyncio.sleep(0)  # as a database would have it wait
        self.calls.append(called)

    @property
    def one(self) -> ToolCalled:
        (called,) = self.calls
        return called


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def registry(heard: Heard) -> ToolRegistry:
    return ToolRegistry(on_call=heard)


async def test_an_answered_call_is_told_with_its_sizes_and_nothing_of_what_was_said(
    registry: ToolRegistry, heard: Heard
) -> None:
    @registry.tool
    def greet(name: str) -> str:
        """Greet."""
        return f"hëllo {name}"

    context = ToolContext(session_id="s", user="ada", origin="o", authenticated=True, call_id="c")
    await registry.call("greet", {"name": "Zoë"}, context)

    called = heard.one
    assert (called.tool, called.status, called.error, called.message) == ("greet", "ok", None, None)
    assert called.context == context
    assert (called.argument_bytes, called.result_bytes) == (len('{"name": "Zoë"}'.encode()), len("hëllo Zoë".encode()))
    assert called.milliseconds > 0
    assert "Zoë" not in repr(called)


async def test_refused_arguments_are_told_and_an_unknown_tool_is_not(registry: ToolRegistry, heard: Heard) -> None:
    registry.add(make_tool(greet_nobody))
    with pytest.raises(ToolArgumentsError):
        await registry.call("greet_nobody", {"x": "sk-abcdefghijklmnop"})
    with pytest.raises(ToolArgumentsError):
        await registry.call("greet_nobody", [])  # type: ignore[arg-type] # a wire may bring anything
    with pytest.raises(NotFound):
        await registry.call("greet_noboby", {})
    assert [(c.status, c.error, c.result_bytes) for c in heard.calls] == [("refused", "ToolArgumentsError", None)] * 2


def greet_nobody() -> str:
    """Greet nobody."""
    return "hello"


async def test_a_failure_is_told_without_secrets(registry: ToolRegistry, heard: Heard) -> None:
    @registry.tool
    def ask() -> str:
        """Ask."""
        raise ToolError("The key sk-abcdefghijklmnop is refused.")

    with pytest.raises(ToolError):
        await registry.call("ask", {})
    assert (heard.one.status, heard.one.error, heard.one.message) == ("error", "ToolError", "The key *** is refused.")


async def test_a_call_that_was_not_allowed_is_told_as_refused(registry: ToolRegistry, heard: Heard) -> None:
    registry.add(greet_nobody)
    await registry.refused("greet_nobody", {}, ToolContext(user="ada"), "The user said no.")
    assert (heard.one.status, heard.one.error, heard.one.message) == ("refused", "Refused", "The user said no.")
    assert heard.one.context.user == "ada"


async def test_a_coroutine_that_takes_too_long_is_cancelled_and_says_what_to_do(
    registry: ToolRegistry, heard: Heard
) -> None:
    ended = asyncio.Event()
    contexts: list[ToolContext] = []

    async def wait(context: ToolContext) -> None:
        """Wait."""
        contexts.append(context)
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    registry.add(wait, timeout=0.01, read_only=True)
    with pytest.raises(ToolError) as caught:
        await registry.call("wait", {})
    assert str(caught.value) == "wait took longer than 0.01 s; ask it for less at once, or go on without it."
    assert ended.is_set()
    assert contexts[0].cancelled.is_set()
    assert (heard.one.status, heard.one.error, heard.one.message) == ("timeout", "Timeout", str(caught.value))


async def test_a_plain_function_that_takes_too_long_is_left_to_itself_and_sees_that_nobody_waits() -> None:
    saw = threading.Event()

    def block(context: ToolContext) -> None:
        """Block."""
        if context.cancelled.wait(60):
            saw.set()

    registry = ToolRegistry([make_tool(block, timeout=0.5)])  # long enough to begin on a busy machine
    with pytest.raises(ToolError, match="may be changed all the same"):
        await registry.call("block", {})
    assert await asyncio.to_thread(saw.wait, 60)


async def test_functions_that_never_end_leave_threads_to_others() -> None:
    release = threading.Event()

    def block() -> None:
        """Block."""
        release.wait()

    registry = ToolRegistry([make_tool(block, timeout=0.01)])
    try:
        calls = await asyncio.gather(*(registry.call("block", {}) for _ in range(41)), return_exceptions=True)
        assert {type(each) for each in calls} == {ToolError}
        with anyio.fail_after(30):
            assert await anyio.to_thread.run_sync(lambda: "free") == "free"
    finally:
        release.set()


async def test_the_callers_limit_wins_over_the_tools_and_the_tools_over_the_usual(
    registry: ToolRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wait() -> None:
        """Wait."""
        await asyncio.Event().wait()

    async def answer() -> str:
        """Answer after more than the usual time."""
        await asyncio.sleep(0.05)
        return "late"

    registry.add(wait, timeout=600)
    registry.add(answer, timeout=float("inf"))
    registry.add(wait, name="wait_usually")
    with pytest.raises(ToolError, match=r"longer than 0\.02 s"):
        await registry.call("wait", {}, timeout=0.02)
    monkeypatch.setattr("toolkit.tools.called.SECONDS", 0.01)
    with pytest.raises(ToolError, match=r"longer than 0\.01 s"):
        await registry.call("wait_usually", {})
    assert (await registry.call("answer", {})).text == "late"


async def test_a_tools_own_timeout_error_is_not_taken_for_the_registrys(registry: ToolRegistry, heard: Heard) -> None:
    @registry.tool
    async def ask() -> None:
        """Ask."""
        async with asyncio.timeout(0.001):
            await asyncio.Event().wait()

    with pytest.raises(ToolError, match="ask failed: TimeoutError"):
        await registry.call("ask", {})
    assert heard.one.status == "error"


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_limit_that_is_no_time_is_refused(timeout: float) -> None:
    with pytest.raises(ConfigError, match="Tool greet_nobody: its timeout is"):
        make_tool(greet_nobody, timeout=timeout)


async def test_a_cancelled_call_is_told_and_its_function_sees_it(registry: ToolRegistry, heard: Heard) -> None:
    contexts: list[ToolContext] = []

    @registry.tool
    async def wait(context: ToolContext) -> None:
        """Wait."""
        contexts.append(context)
        await asyncio.Event().wait()

    async with anyio.create_task_group() as group:  # a host's server cancels by scopes, which keep on cancelling
        group.start_soon(registry.call, "wait", {})
        while not contexts:  # noqa: ASYNC110 - the tool has no event of this loop
            await asyncio.sleep(0)
        group.cancel_scope.cancel()
    assert (heard.one.status, heard.one.error) == ("cancelled", "Cancelled")
    assert contexts[0].cancelled.is_set()


async def test_parallel_calls_do_not_share_their_cancellation(registry: ToolRegistry) -> None:
    contexts: dict[float, ToolContext] = {}

    @registry.tool
    async def wait(seconds: float, context: ToolContext) -> str:
        """Wait."""
        contexts[seconds] = context
        await asyncio.sleep(seconds)
        return "done"

    shared = ToolContext(user="ada")
    slow = asyncio.create_task(registry.call("wait", {"seconds": 600}, shared))
    assert (await registry.call("wait", {"seconds": 0.01}, shared)).text == "done"
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
    assert {seconds: context.cancelled.is_set() for seconds, context in contexts.items()} == {600: True, 0.01: False}
    assert not shared.cancelled.is_set()


async def test_a_listener_that_fails_costs_the_call_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(_called: ToolCalled) -> None:
        raise RuntimeError("the ledger is gone")

    registry = ToolRegistry([make_tool(greet_nobody)], on_call=broken)
    with caplog.at_level(logging.ERROR):
        assert (await registry.call("greet_nobody", {})).text == "hello"
    assert "could not be noted" in caplog.text


async def test_a_listener_that_hangs_holds_nobody_up_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hanging(_called: ToolCalled) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("toolkit.tools.called._TELLING", 0.01)
    registry = ToolRegistry([make_tool(greet_nobody)], on_call=hanging)
    assert (await registry.call("greet_nobody", {})).text == "hello"


async def test_a_tool_made_by_hand_that_raises_anything_is_told_too(heard: Heard) -> None:
    async def run(_arguments: object, _context: ToolContext) -> ToolResult:
        raise OSError("gone")

    registry = ToolRegistry([Tool("odd", "Odd", "Be odd.", {}, run)], on_call=heard)
    with pytest.raises(OSError, match="gone"):
        await registry.call("odd", {})
    assert (heard.one.status, heard.one.error) == ("error", "OSError")
    assert time.time() - heard.one.started_at.timestamp() < 60
