import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.tools.remote.web import Asked, response, web
from toolkit.errors import ToolArgumentsError, ToolError
from toolkit.messages import Json
from toolkit.tools.registry import ToolRegistry
from toolkit.tools.remote.file import ToolsFile
from toolkit.tools.tool import Tool, ToolResult

PRIVATE = {"TOOLKIT_TOOLS_ALLOW_PRIVATE": "1"}
NUMBER = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
JSON = "content-type: application/json"
TEXT = "content-type: text/plain; charset=utf-8"


def entry(url: str, parameters: Json | None = None, **handler: Any) -> Json:
    described = {"name": "there", "description": "Does it there.", "parameters": parameters or {}}
    return {**described, "handler": {"type": "http", "url": url, **handler}}


async def registry_of(tmp_path: Path, *entries: Json, environ: dict[str, str] | None = None) -> ToolRegistry:
    path = tmp_path / "tools.json"
    path.write_text(json.dumps({"tools": list(entries)}))
    registry = ToolRegistry()
    registry.attach(ToolsFile(path, PRIVATE | (environ or {})))
    return registry


async def call(tmp_path: Path, tool: Json, arguments: Json | None = None, **environ: str) -> ToolResult:
    registry = await registry_of(tmp_path, tool, environ=environ)
    try:
        assert await registry.refresh() == []
        return await registry.call("there", arguments or {})
    finally:
        await registry.close()


async def refused(tmp_path: Path, tool: Json, **environ: str) -> str:
    registry = await registry_of(tmp_path, tool, environ=environ)
    (problem,) = await registry.refresh()
    assert registry.list() == []
    return problem


async def made(tmp_path: Path, tool: Json) -> Tool:
    registry = await registry_of(tmp_path, tool)
    assert await registry.refresh() == []
    return registry.get("there")


async def test_the_arguments_are_posted_as_json_and_json_comes_back_as_data(tmp_path: Path) -> None:
    async with web(response("200 OK", '{"sum": 3, "unit": "ä"}', JSON)) as site:
        result = await call(tmp_path, entry(site.url("/execute"), NUMBER), {"a": "3"})
    assert result == ToolResult('{"sum":3,"unit":"ä"}', {"sum": 3, "unit": "ä"})
    (asked,) = site.asked
    assert (asked.method, asked.target, json.loads(asked.body)) == ("POST", "/execute", {"a": 3})
    assert asked.headers["host"] == f"127.0.0.1:{site.port}"
    assert asked.headers["content-type"] == "application/json"


async def test_a_get_sends_the_arguments_as_the_query_beside_what_stands_in_the_url(tmp_path: Path) -> None:
    parameters = {"type": "object", "properties": {"q": {"type": "string"}, "tags": {"type": "array"}}}
    async with web(response("200 OK", "found", TEXT)) as site:
        tool = entry(site.url("/search?v=2"), parameters, method="get")
        result = await call(tmp_path, tool, {"q": "a&b=c#d/ä", "tags": ["x", 1]})
    assert result == ToolResult("found", {"result": "found"})
    assert site.asked[0].target == "/search?v=2&q=a%26b%3Dc%23d%2F%C3%A4&tags=x&tags=1"
    assert site.asked[0].body == b""


PATH = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "n": {"type": "integer"}},
    "required": ["id", "n"],
}


@pytest.mark.parametrize(
    "value", ["a/b", "?x=1", "@evil.example", "#f", "\r\nHost: x", "%2e%2e", "..;", "\\..\\x", "ä"]
)
async def test_an_argument_in_the_path_stays_one_part_of_it(tmp_path: Path, value: str) -> None:

    async with web(response("204 No Content")) as site:
        await call(tmp_path, entry(site.url("/users/{id}/posts/{n}"), PATH, method="DELETE"), {"id": value, "n": 5})
    head, users, filled, posts, number = site.asked[0].target.split("/")
    assert (head, users, posts, number) == ("", "users", "posts", "5")
    assert not set(filled) & set("/?@#\\\r\n")
    assert unquote(filled) == value
    assert json.loads(site.asked[0].body) == {}


@pytest.mark.parametrize("value", ["", ".", ".."])
async def test_an_argument_that_would_leave_its_place_in_the_path_is_refused(tmp_path: Path, value: str) -> None:
    async with web(response("200 OK")) as site:
        with pytest.raises(ToolArgumentsError, match="`id` must be a name, not"):
            await call(tmp_path, entry(site.url("/users/{id}/posts/{n}"), PATH), {"id": value, "n": 5})
    assert site.asked == []


@pytest.mark.parametrize(
    ("tool", "sentence"),
    [
        (entry("ftp://x/y"), "`url` must begin with http:// or https:// and a host"),
        (entry("http:///y"), "`url` must begin with http:// or https:// and a host"),
        (entry("http://x:99999/"), "`url` must begin with http:// or https:// and a host"),
        (entry("http://{host}/y", PATH), "`url` may have {…} in its path only"),
        (entry("http://x:{n}/y", PATH), "`url` m"),
        (entry("http://x/y?z={id}", PATH), "`url` may have {…} in its path only"),
        (entry("http://ada:secretpw@x/y"), "`url` holds a secret"),
        (entry("http://x/y?key=sk-abcdefghijklmnop"), "`url` holds a secret"),
        (entry("http://x/${HOST}"), "`url` takes no `#` and no ${NAME}"),
        (entry("http://x/{who}", PATH), "{who} stands in the `url`, so `parameters` must have it as a required"),
        (entry("http://x/y", {"type": "array"}), "`parameters` must be a JSON Schema of type object"),
        (
            entry("http://x/y", {"properties": {"a": {"type": "int"}}}),
            "`parameters` is no JSON Schema: at `properties.a",
        ),
        (
            entry("http://x/y", headers={"Authorization": "Bearer abc"}),
            "holds a secret in the file; put it into an env",
        ),
        (entry("http://x/y", headers={"X-Trace": "sk-abcdefghijklmnop"}), "holds a secret in the file"),
        (entry("http://x/y", headers={"X-Key": "${NOT_SET}"}), "needs the environment variable NOT_SET, which is not"),
        (entry("http://x/y", headers={"X-A": "${BAD}"}), "cannot be sent; use letters, digits"),
        (entry("http://x/y", headers={"X A": "b"}), "cannot be sent; use letters, digits"),
        ({**entry("http://x/y"), "name": "Bad-Name"}, "'Bad-Name' cannot name a tool"),
    ],
)
async def test_an_entry_that_cannot_be_called_safely_is_refused_in_a_sentence(
    tmp_path: Path, tool: Json, sentence: str
) -> None:
    problem = await refused(tmp_path, tool, BAD="a\r\nX-B: c")
    assert sentence in problem
    assert "tools.json" in problem
    for secret in ("secretpw", "abcdefghijklmnop", "Bearer abc", "X-B"):
        assert secret not in problem


async def test_a_headers_value_comes_from_the_environment_and_never_comes_back(tmp_path: Path) -> None:
    async def echo(asked: Asked, writer: asyncio.StreamWriter) -> None:
        status = "401 Unauthorized" if asked.target == "/bad" else "200 OK"
        writer.write(response(status, json.dumps(asked.headers), JSON))

    headers = {"Authorization": "Token ${SERVICE_TOKEN}"}
    async with web(echo) as site:
        result = await call(tmp_path, entry(site.url("/good"), headers=headers), SERVICE_TOKEN="hush-hush-1")
        with pytest.raises(ToolError) as caught:
            await call(tmp_path, entry(site.url("/bad"), headers=headers), SERVICE_TOKEN="hush-hush-1")
    assert site.asked[0].headers["authorization"] == "Token hush-hush-1"
    assert "hush-hush" not in result.text + json.dumps(result.data) + str(caught.value)
    assert "Token ***" in result.text


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            response("500 Internal Server Error", "boom  at\nline 3", TEXT),
            "answered 500 Internal Server Error: boom at line 3.",
        ),
        (
            response("404 Not Found", "<html><title> Not here </title>…", "content-type: text/html"),
            "a page titled 'Not here'",
        ),
        (response("400 Bad Request", json.dumps({"e": "x" * 999}), JSON), "…"),
        (response("599 What", b"\xff\xfe\x00", "content-type: image/png"), "the server answered 599."),
        (
            response("302 Found", "", "location: http://169.254.169.254/latest?token=x"),
            "points to http://169.254.169.254/latest, which",
        ),
        (response("307 T", "", "location: file:///etc/passwd"), "points to file:///etc/passwd, which is not followed"),
        (response("301 M", "", "location: /elsewhere"), "points to /elsewhere, which is not followed"),
        (
            response("200 OK", b"\x89PNG", "content-type: image/png"),
            "answered with image/png, which a model cannot read",
        ),
        (response("200 OK", b"\xff\xfe\xfa", TEXT), "answered with 3 bytes that are no text"),
        (response("200 OK", b"a\0b"), "answered with 3 bytes that are no text"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc", "broke off or is no HTTP; try again later"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nabc", "broke off or is no HTTP"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "broke off or is no HTTP; try again later"),
        (b"", "broke off or is no HTTP; try again later"),
    ],
)
async def test_an_answer_that_is_none_is_a_sentence(tmp_path: Path, answer: bytes, sentence: str) -> None:
    async with web(answer) as site:
        with pytest.raises(ToolError) as caught:
            await call(tmp_path, entry(site.url()))
    assert str(caught.value).startswith("there: ")
    assert sentence in str(caught.value)
    assert len(str(caught.value)) < 500
    assert len(site.asked) == 1


async def test_a_redirect_reaches_nobody_else(tmp_path: Path) -> None:
    async with web(response("200 OK", "secret of the neighbour")) as neighbour:
        moved = response("307 Temporary Redirect", "", f"location: {neighbour.url()}")
        async with web(moved) as site:
            with pytest.raises(ToolError, match="which is not followed"):
                await call(tmp_path, entry(site.url()))
    assert neighbour.asked == []


async def test_a_body_without_end_is_cut_while_it_comes(tmp_path: Path) -> None:
    sent = 0

    async def pour(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n")
        while True:
            writer.write(b"0123456789" * 100)
            await writer.drain()
            sent += 1000

    async with web(pour) as site:
        result = await call(tmp_path, entry(site.url(), max_bytes=2500))
    assert result.text.startswith("0123456789")
    assert result.text.endswith("[Cut: these are the first 2,500 bytes of a longer answer; ask for less at once.]")
    assert result.data == {"result": ("0123456789" * 250), "truncated": True}
    assert sent < 50_000_000


async def test_a_cut_in_the_middle_of_a_character_or_of_json_is_text(tmp_path: Path) -> None:
    async with web(response("200 OK", '{"a":"' + "ä" * 50 + '"}', JSON)) as site:
        result = await call(tmp_path, entry(site.url(), max_bytes=9))
    assert result.data == {"result": '{"a":"ä', "truncated": True}


async def test_a_server_that_does_not_answer_costs_the_handlers_timeout(tmp_path: Path) -> None:
    async def silent(_asked: Asked, _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async def drip(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n")
        while True:  # each byte comes soon; the answer never does
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.01)

    for answer in (silent, drip):
        async with web(answer) as site:
            with pytest.raises(ToolError, match=r"^there took longer than 0\.2 s"):
                await call(tmp_path, entry(site.url(), timeout=0.2))


async def test_what_is_empty_or_not_quite_json_is_still_an_answer(tmp_path: Path) -> None:
    for answer, expected in (
        (
            response("204 No Content"),
            ToolResult("The server answered 204 No Content, with nothing else.", {"result": None}),
        ),
        (response("200 OK", "{oops", JSON), ToolResult("{oops", {"result": "{oops"})),
        (response("200 OK", "[1,NaN]", JSON), ToolResult("[1,null]", {"result": [1, None]})),
        (response("200 OK", "[" * 100_000, JSON), ToolResult("[" * 100_000, {"result": "[" * 100_000})),
        (response("200 OK", '{"a":1}'), ToolResult('{"a":1}', {"a": 1})),
        (response("200 OK", "<p>hi</p>", "content-type: text/html"), ToolResult("<p>hi</p>", {"result": "<p>hi</p>"})),
        (response("200 OK", b"\xe4", "content-type: text/plain; charset=latin-1"), ToolResult("ä", {"result": "ä"})),
        (response("200 OK", "ä", "content-type: text/plain; charset=klingon"), ToolResult("ä", {"result": "ä"})),
    ):
        async with web(answer) as site:
            assert await call(tmp_path, entry(site.url())) == expected


async def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    async with web(b"") as site:
        url = site.url()
    with pytest.raises(ToolError, match=r"^there: 127\.0\.0\.1 cannot be reached; try again later"):
        await call(tmp_path, entry(url))
    with pytest.raises(ToolError, match=r"The host nowhere\.invalid cannot be found"):
        await call(tmp_path, entry("http://nowhere.invalid/"))


async def test_a_cookie_of_one_call_is_not_sent_with_the_next(tmp_path: Path) -> None:
    async with web(response("200 OK", "x", "set-cookie: user=ada; path=/")) as site:
        registry = await registry_of(tmp_path, entry(site.url()))
        await registry.call("there", {})
        await registry.call("there", {})
        await registry.close()
    assert ["cookie" in asked.headers for asked in site.asked] == [False, False]


async def test_a_tool_says_what_it_does_and_takes_only_what_it_lists(tmp_path: Path) -> None:
    tool = await made(tmp_path, {**entry("http://x.example/", NUMBER, timeout=7), "read_only": True, "title": "There!"})
    assert (tool.title, tool.description, tool.source) == ("There!", "Does it there.", "tools.json")
    assert (tool.read_only, tool.destructive, tool.idempotent, tool.open_world) == (True, False, False, True)
    assert tool.timeout == 7
    deleting = await made(tmp_path, entry("http://x.example/", method="DELETE"))
    assert (deleting.title, deleting.destructive) == ("There", True)
    with pytest.raises(ToolArgumentsError, match=r"`b` is unknown, use `a`|`b` is unknown, there are `a`"):
        await call(tmp_path, entry("http://x.example/", NUMBER), {"a": 1, "b": 2})


async def test_every_call_goes_through_the_recorder_without_headers(tmp_path: Path) -> None:
    seen: list[tuple[str, str, Json]] = []

    async def through(server: str, name: str, arguments: Json, _do: object) -> ToolResult:
        seen.append((server, name, arguments))
        return ToolResult("recorded", {"result": "recorded"})

    path = tmp_path / "tools.json"
    path.write_text(json.dumps({"tools": [entry("http://nowhere.invalid/", NUMBER, headers={"X-Key": "${KEY}"})]}))
    registry = ToolRegistry()
    registry.attach(ToolsFile(path, {"KEY": "hush-hush"}, through=through))
    assert (await registry.call("there", {"a": "4"})).text == "recorded"
    assert seen == [("tools.json", "there", {"a": 4})]


async def test_a_header_literal_that_is_no_secret_is_taken(tmp_path: Path) -> None:
    async with web(response("200 OK", "x")) as site:
        await call(tmp_path, entry(site.url(), headers={"Accept": "text/csv", "X-Team": "docs"}))
    assert (site.asked[0].headers["accept"], site.asked[0].headers["x-team"]) == ("text/csv", "docs")


async def test_cancelling_the_caller_ends_the_request(tmp_path: Path) -> None:
    gone = asyncio.Event()
    began = asyncio.Event()

    async def watch(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        began.set()
        while not writer.transport.is_closing():
            await asyncio.sleep(0.01)
            writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
        gone.set()

    async with web(watch) as site:
        registry = await registry_of(tmp_path, entry(site.url()))
        task = asyncio.create_task(registry.call("there", {}))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(30):
            await gone.wait()
        await registry.close()
