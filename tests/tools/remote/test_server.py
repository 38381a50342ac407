import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.tools.remote.web import response, web
from toolkit.errors import CassetteMiss, ToolArgumentsError, ToolError
from toolkit.messages import Json
from toolkit.tools.registry import ToolRegistry
from toolkit.tools.remote.file import ToolsFile
from toolkit.tools.remote.server import own_names
from toolkit.tools.remote.through import Through
from toolkit.tools.tool import ToolContext, ToolResult

CHILD = Path(__file__).with_name("mcp_child.py")
ENVIRON = {"CHILD_TOKEN": "hush-hush-1"}

# The SDK leaves a child that was killed to the event loop, which may be closed before it has heard of its end.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:Exception ignored in. <function (Popen|BaseSub.+)\.__del__:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """What the children note of what they did."""
    file = tmp_path / "state"
    file.touch()
    return file


def program(state: Path, **env: str) -> Json:
    env = {"TOOLS_STATE": str(state), "TOKEN": "${CHILD_TOKEN}", **env}
    return {"command": sys.executable, "args": [str(CHILD), "stdio"], "env": env}


@pytest.fixture
async def connect(tmp_path: Path) -> AsyncIterator[Callable[..., ToolRegistry]]:
    """A registry over servers of a file; every child is ended with the test."""
    opened: list[ToolRegistry] = []

    def connect(**servers: Json) -> ToolRegistry:
        path = tmp_path / "tools.json"
        path.write_text(json.dumps({"mcpServers": servers}))
        registry = ToolRegistry()
        registry.attach(ToolsFile(path, ENVIRON))
        opened.append(registry)
        return registry

    yield connect
    for registry in opened:
        await registry.close()


@pytest.fixture
async def child(connect: Callable[..., ToolRegistry], state: Path) -> ToolRegistry:
    registry = connect(child=program(state))
    assert await registry.refresh(60) == []
    return registry


def noted(state: Path) -> str:
    return state.read_text()


def write(path: Path, **servers: Json) -> None:
    path.write_text(json.dumps({"mcpServers": servers}))


async def until(found: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not found():  # noqa: ASYNC110 - another process has no event of ours
            await asyncio.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_server_that_prints_a_banner_is_used_and_told_of_once(
    connect: Callable[..., ToolRegistry], caplog: pytest.LogCaptureFixture
) -> None:
    talks = f"import runpy; print('Welcome!\\n' * 5, flush=True); runpy.run_path({str(CHILD)!r}, run_name='__main__')"
    registry = connect(child={"command": sys.executable, "args": ["-c", talks, "stdio"]})
    assert await registry.refresh(60) == []
    assert (await registry.call("child__add", {"a": 2})).text == "3"
    (told,) = [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]
    assert told.getMessage().startswith("The MCP server child sent what is no message of the protocol")


async def test_a_server_that_answers_something_else_is_told_of_in_one_line(
    connect: Callable[..., ToolRegistry], caplog: pytest.LogCaptureFixture
) -> None:
    async with web(response("200 OK", '{"hello": "world"}', "content-type: application/json")) as site:
        (problem,) = await connect(other={"url": site.url("/mcp")}).refresh(60)
    assert re.fullmatch(r"The MCP server other cannot be used \(.+\)\.", problem)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_the_tools_of_a_server_are_named_after_it_and_say_what_they_do(child: ToolRegistry) -> None:
    add, read, plain = (child.get(name) for name in ("child__add", "child__get_issue", "child__environment"))
    assert (add.title, add.description, add.source) == ("add", "Add two numbers.", "mcp:child")
    assert add.parameters["properties"]["a"]["type"] == "integer"
    assert (add.read_only, add.destructive, add.idempotent, add.open_world) == (True, False, True, True)
    assert (read.read_only, read.open_world) == (True, False)
    assert (plain.read_only, plain.destructive) == (False, True)  # unsaid means the worst
    assert not child.get("child__die").destructive


async def test_text_structure_and_pictures_come_back(child: ToolRegistry) -> None:
    assert await child.call("child__add", {"a": "2"}) == ToolResult("3", {"result": 3})
    issue = await child.call("child__get_issue", {"number": 7})
    assert issue.data == {"number": 7, "title": "Broken"}
    assert json.loads(issue.text) == issue.data
    assert (await child.call("child__picture", {})).text == "a red dot:\n\n[Image, image/png, 102 bytes: not shown.]"


async def test_arguments_are_checked_before_the_server_is_asked(child: ToolRegistry) -> None:
    with pytest.raises(ToolArgumentsError, match=r"^child__add: `a` must be a whole number \(got \"x\"\);"):
        await child.call("child__add", {"a": "x"})


async def test_a_tool_that_failed_is_a_tool_error_in_its_own_words_without_secrets(child: ToolRegistry) -> None:
    with pytest.raises(ToolError) as caught:
        await child.call("child__fail", {"key": "sk-abcdefghijklmnop"})
    assert str(caught.value).endswith("the key *** is refused")


async def test_a_child_gets_the_variables_of_its_entry_and_no_others(
    child: ToolRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-parent")
    assert (await child.call("child__environment", {"name": "TOKEN"})).text == "hush-hush-1"
    assert (await child.call("child__environment", {"name": "OPENAI_API_KEY"})).text == "(not set)"


async def test_progress_of_the_server_reaches_whoever_called(child: ToolRegistry) -> None:
    heard: list[tuple[float, float | None, str]] = []

    async def progress(done: float, total: float | None = None, message: str = "") -> None:
        heard.append((done, total, message))

    await child.call("child__count", {"to": 2}, ToolContext(progress=progress))
    assert heard == [(1, 2, "at 1"), (2, 2, "at 2")]


async def test_cancelling_the_caller_or_running_out_of_time_cancels_the_server_s_work(
    child: ToolRegistry, state: Path
) -> None:
    with pytest.raises(ToolError, match="took longer than 0"):
        await child.call("child__wait", {}, timeout=0.2)
    task = asyncio.create_task(child.call("child__wait", {}))
    await until(lambda: noted(state).count("waiting") == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: noted(state).count("cancelled") == 2)


async def test_tools_that_come_later_are_heard_of(child: ToolRegistry) -> None:
    version = child.version
    changes = child.changes()
    heard = asyncio.ensure_future(anext(changes))
    await child.call("child__grow", {})
    async with asyncio.timeout(60):
        assert await heard > version
    assert (await child.call("child__grown", {})).text == "new"


async def test_a_call_that_may_have_been_done_is_not_repeated_and_the_next_one_finds_the_server_back(
    child: ToolRegistry, state: Path
) -> None:
    with pytest.raises(ToolError) as caught:
        await child.call("child__die", {})
    assert str(caught.value) == (
        "The MCP server child ended before it answered; it may have done what it was asked for."
    )
    assert noted(state).count("die\n") == 1
    assert (await child.call("child__add", {"a": 1})).text == "2"
    assert noted(state).count("started") == 2


async def test_a_call_that_does_no_harm_twice_is_repeated_once(child: ToolRegistry, state: Path) -> None:
    assert (await child.call("child__die_reading", {})).text == "alive"
    assert noted(state).count("die\n") == 2
    with pytest.raises(ToolError, match="ended before it answered"):
        await child.call("child__die_reading", {"times": 9})
    assert noted(state).count("die\n") == 4


async def test_a_server_that_was_killed_while_nobody_asked_is_started_again_for_the_next_call(
    child: ToolRegistry,
) -> None:
    pid = int((await child.call("child__process", {})).text)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not alive(pid))
    again = pid
    while again == pid:
        try:
            again = int((await child.call("child__process", {})).text)
        except ToolError as error:  # the end of the pipe was not seen yet
            assert "it may have done what it was asked for" in str(error)  # noqa: PT017 - not every time
            await asyncio.sleep(0.01)


async def test_closing_ends_the_child_and_a_later_call_starts_it_anew(child: ToolRegistry) -> None:
    pid = int((await child.call("child__process", {})).text)
    await child.close()
    assert not alive(pid)
    assert int((await child.call("child__process", {})).text) != pid


async def test_a_server_that_hangs_at_its_start_holds_nobody_up_and_leaves_no_orphan(
    child: ToolRegistry, tmp_path: Path, state: Path
) -> None:
    write(tmp_path / "tools.json", child=program(state), stuck=program(state, TOOLS_HANG="1"))
    assert await child.refresh(2) == ["mcp:stuck did not answer in time; its tools come when it does."]
    assert (await child.call("child__add", {"a": 1})).text == "2"
    await until(lambda: "hanging" in noted(state))
    pid = next(int(line.split()[1]) for line in noted(state).splitlines() if line.startswith("hanging"))
    assert alive(pid)
    await child.close()
    assert not alive(pid)


@pytest.mark.parametrize(
    ("server", "sentence"),
    [
        ({"command": "/there/is/no/such/program"}, "mcp server a cannot be started (no such file or directory)."),
        (
            {"command": sys.executable, "args": ["-c", "import sys; sys.exit('no licence, token ${CHILD_TOKEN}')"]},
            "it said: no licence, token",
        ),
        ({"command": sys.executable, "args": ["-c", "print('hello')"]}, "the mcp server a "),
        ({"url": "http://127.0.0.1:9/mcp"}, "the mcp server a cannot be reached."),
    ],
)
async def test_a_server_that_cannot_be_used_is_a_problem_in_words(
    connect: Callable[..., ToolRegistry], server: Json, sentence: str
) -> None:
    registry = connect(a=server)
    (problem,) = await registry.refresh(60)
    assert sentence in problem.lower()
    assert problem.endswith(".")


async def test_what_a_child_says_on_standard_error_stays_off_our_streams(
    connect: Callable[..., ToolRegistry], state: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    registry = connect(child=program(state))
    await registry.refresh(60)
    await registry.close()
    assert capfd.readouterr() == ("", "")


async def test_a_page_that_is_no_mcp_server_is_a_problem_in_words(connect: Callable[..., ToolRegistry]) -> None:
    async with web(response("404 Not Found", "<html>", "content-type: text/html")) as site:
        registry = connect(page={"url": site.url("/mcp")})
        (problem,) = await registry.refresh(60)
        assert problem.startswith("The MCP server page ")
        await registry.close()


@contextmanager
def serving(port: int, state: Path, *words: str) -> Iterator[None]:
    env = {**os.environ, "TOOLS_STATE": str(state)}
    process = subprocess.Popen(
        [sys.executable, str(CHILD), str(port), *words], env=env, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    try:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None
        yield
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_server_over_http_is_used_in_the_same_way_and_found_again_after_a_restart(
    connect: Callable[..., ToolRegistry], state: Path
) -> None:
    port = free_port()
    registry = connect(
        far={"url": f"http://127.0.0.1:{port}/mcp", "headers": {"Authorization": "Bearer ${CHILD_TOKEN}"}}
    )
    with serving(port, state):
        assert await registry.refresh(60) == []
        assert (await registry.call("far__add", {"a": 2})).text == "3"
        first = (await registry.call("far__process", {})).text
        with pytest.raises(ToolError, match="took longer"):
            await registry.call("far__wait", {}, timeout=0.3)
        await until(lambda: "cancelled" in noted(state))
    with pytest.raises(ToolError, match="The MCP server far") as caught:
        await registry.call("far__environment", {"name": "X"})
    assert "hush-hush" not in str(caught.value)
    with serving(port, state):
        assert (await registry.call("far__process", {})).text != first


async def test_a_server_that_comes_up_late_brings_its_tools_by_itself(
    connect: Callable[..., ToolRegistry], state: Path
) -> None:
    port = free_port()
    registry = connect(far={"url": f"http://127.0.0.1:{port}/mcp"})
    (problem,) = await registry.refresh(60)
    assert "cannot be reached" in problem
    changes = registry.changes()
    heard = asyncio.ensure_future(anext(changes))
    with serving(port, state):
        async with asyncio.timeout(60):
            await heard
        assert "far__add" in [tool.name for tool in registry.list()]
        assert registry.problems == []
        await registry.close()


async def test_a_server_whose_entry_changed_is_started_anew_and_one_whose_entry_went_is_ended(
    child: ToolRegistry, tmp_path: Path, state: Path
) -> None:
    pid = int((await child.call("child__process", {})).text)
    path = tmp_path / "tools.json"
    write(path, child=program(state, MORE="1"), same=program(state))
    assert await child.refresh(60) == []
    assert not alive(pid)
    changed = int((await child.call("child__process", {})).text)
    same = int((await child.call("same__process", {})).text)
    write(path, same=program(state))
    assert await child.refresh(60) == []
    assert not alive(changed)
    assert int((await child.call("same__process", {})).text) == same
    assert "child__add" not in [tool.name for tool in child.list()]


async def test_what_went_through_a_recorder_is_played_back_without_a_server(tmp_path: Path, state: Path) -> None:
    kept: dict[tuple[str, str, str], ToolResult] = {}

    async def record(server: str, name: str, arguments: Json, do: Callable[[], Awaitable[ToolResult]]) -> ToolResult:
        kept[server, name, json.dumps(arguments)] = result = await do()
        return result

    async def play(server: str, name: str, arguments: Json, _do: object) -> ToolResult:
        return kept[server, name, json.dumps(arguments)]

    async def add(through: Through, **server: Json) -> str:
        path = tmp_path / "tools.json"
        write(path, **server)
        registry = ToolRegistry()
        registry.attach(ToolsFile(path, ENVIRON, through=through))
        assert await registry.refresh(60) == []
        text = (await registry.call("child__add", {"a": "1"})).text
        await registry.close()
        return text

    assert await add(record, child=program(state)) == "2"
    assert [key[:2] for key in kept] == [("mcp:child", "tools/list"), ("mcp:child", "child__add")]
    assert "hush-hush" not in repr(kept)
    assert await add(play, child={"command": "/there/is/no/such/program"}) == "2"


async def test_a_recording_that_lacks_a_call_ends_the_question_not_only_the_call(
    child: ToolRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def missing(*_call: object) -> ToolResult:
        raise CassetteMiss("The call is not there.")

    assert child.get("child__add")
    for source in child._sources:
        for each in source.family():
            monkeypatch.setattr(each.source, "_through", missing)
    with pytest.raises(CassetteMiss):
        await child.call("child__add", {"a": 1})


def test_names_are_snake_case_at_most_64_long_and_each_its_own() -> None:
    assert own_names("GitHub", ["getIssue", "list-repos", "ping"]) == {
        "getIssue": "git_hub__get_issue",
        "list-repos": "git_hub__list_repos",
        "ping": "git_hub__ping",
    }
    assert own_names("1st", ["a"]) == {"a": "mcp_1st__a"}
    clashing = own_names("s", ["get_it", "get-it", "getIt"])
    assert clashing["get_it"] == "s__get_it"
    assert len(set(clashing.values())) == 3
    assert own_names("s", ["getIt", "get_it", "get-it"]) == clashing
    long = own_names("s", ["x" * 90, "x" * 91])
    assert len(set(long.values())) == 2
    assert {len(name) for name in long.values()} == {64}
    assert own_names("ü", ["日本"])["日本"].startswith("mcp__tool")
