import json
import os
from pathlib import Path

import pytest

from toolkit.messages import Json
from toolkit.tools.registry import ToolRegistry
from toolkit.tools.remote.file import ToolsFile

SEED = {
    "name": "my_custom_tool",
    "description": "Description of what this tool does",
    "parameters": {
        "type": "object",
        "properties": {
            "param1": {"type": "string", "description": "First parameter"},
            "param2": {"type": "integer", "description": "Second parameter"},
        },
        "required": ["param1"],
    },
    "handler": {"type": "http", "url": "http://my-service:8000/execute", "method": "POST"},
}


def registry_of(path: Path, text: str | Json) -> ToolRegistry:
    path.write_text(text if isinstance(text, str) else json.dumps(text))
    registry = ToolRegistry()
    registry.attach(ToolsFile(path, {}))
    return registry


def write(path: Path, text: str | bytes) -> None:
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def change_unseen(path: Path) -> None:
    marks = path.stat()
    path.write_text("x" * marks.st_size)
    os.utime(path, ns=(marks.st_atime_ns, marks.st_mtime_ns))


def names(registry: ToolRegistry) -> list[str]:
    return [tool.name for tool in registry.list()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tools.json"


async def test_a_tool_of_the_file_is_listed_as_it_is_written(path: Path) -> None:
    registry = registry_of(path, {"$schema": "https://x.example/tools.json", "tools": [SEED]})
    assert await registry.refresh() == []
    (tool,) = registry.list()
    assert (tool.name, tool.description) == (SEED["name"], SEED["description"])
    assert tool.parameters == {**SEED["parameters"], "additionalProperties": False}  # type: ignore[dict-item] # a mapping


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            '{"tools": [\n  {"name": "a",}\n]}',
            "is not JSON: Expecting property name enclosed in double quotes: line 2 column",
        ),
        ("[]", "is not an object; write"),
        ('{"tool": []}', "`tool` is unknown, use `tools`"),
        ('{"tools": {}}', "`tools` must be a list"),
        ('{"mcpServers": []}', "`mcpServers` must be an object"),
    ],
)
async def test_a_file_that_cannot_be_used_is_a_sentence_with_the_line_or_the_key(
    path: Path, text: str, sentence: str
) -> None:
    (problem,) = await registry_of(path, text).refresh()
    assert problem.startswith(str(path))
    assert sentence in problem


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({**SEED, "hander": {}}, "tools[0] (my_custom_tool): `hander` is unknown, use `handler`."),
        ({**SEED, "handler": {"url": "http://x/", "methd": "GET"}}, "`handler.methd` is unknown, use `handler.method`"),
        ({**SEED, "handler": {"url": "http://x/", "method": "FETCH"}}, "`handler.method` must be 'GET', 'POST', 'PUT'"),
        ({**SEED, "handler": {"type": "grpc", "url": "http://x/"}}, "`handler.type` must be 'http'"),
        ({**SEED, "handler": {"url": "http://x/", "timeout": 0}}, "`handler.timeout` must be more than 0.0 (got 0)"),
        (
            {**SEED, "handler": {"url": "http://x/", "allow_private": "yes"}},
            "`handler.allow_private` must be true or false",
        ),
        ({"name": "a", "handler": {"url": "http://x/"}}, "`description` is missing"),
        ({"name": "a", "description": "b"}, "`handler` is missing"),
        ("my_custom_tool", "tools[0] must be an object"),
    ],
)
async def test_a_tool_that_is_wrong_is_named_by_its_keys_and_hides_no_other(
    path: Path, entry: object, sentence: str
) -> None:
    registry = registry_of(path, {"tools": [entry, {**SEED, "name": "good"}]})
    (problem,) = await registry.refresh()
    assert sentence in problem
    assert names(registry) == ["good"]


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({}, "mcpServers.a: `command` is missing"),
        ({"command": "x", "arg": []}, "`arg` is unknown, use `args`"),
        ({"command": "x", "args": "y"}, "`args` must be a list"),
        ({"url": "http://x/", "header": {}}, "`header` is unknown, use `headers`"),
        ({"url": "http://x/", "type": "sse"}, "the transport sse is one of the past"),
        ({"url": "x/mcp"}, "`url` must begin with http:// or https://"),
        ({"url": "http://x/", "headers": {"Authorization": "Bearer abc"}}, "holds a secret in the file"),
        (
            {"command": "x", "env": {"T": "${NOT_SET}"}},
            "env T needs the environment variable NOT_SET, which is not set",
        ),
        ([], "mcpServers.a must be an object"),
    ],
)
async def test_a_server_that_is_wrong_is_named_by_its_keys(path: Path, entry: object, sentence: str) -> None:
    registry = registry_of(path, {"mcpServers": {"a": entry}, "tools": [SEED]})
    (problem,) = await registry.refresh()
    assert sentence in problem
    assert names(registry) == ["my_custom_tool"]


@pytest.mark.parametrize("key", ["headers", "env"])
async def test_what_stands_in_the_place_of_a_secret_is_not_repeated(path: Path, key: str) -> None:
    server = {"url": "http://x/"} if key == "headers" else {"command": "x"}
    (problem,) = await registry_of(path, {"mcpServers": {"a": {**server, key: {"T": 31415926}}}}).refresh()
    assert f"`{key}.T` must be text" in problem
    assert "31415926" not in problem


async def test_a_name_stands_once(path: Path) -> None:
    registry = registry_of(path, {"tools": [SEED, SEED]})
    assert await registry.refresh() == [
        f"{path}, tools[1]: there is a tool 'my_custom_tool' above already; rename one."
    ]
    assert names(registry) == ["my_custom_tool"]


async def test_a_file_that_has_changed_is_read_again_and_one_that_is_broken_keeps_what_it_said(path: Path) -> None:
    registry = registry_of(path, {"tools": [SEED]})
    await registry.refresh()
    version = registry.version
    write(path, json.dumps({"tools": [SEED, {**SEED, "name": "other"}]}))
    assert await registry.refresh() == []
    assert names(registry) == ["my_custom_tool", "other"]
    assert registry.version == version + 1
    write(path, "{")
    (problem,) = await registry.refresh()
    assert "is not JSON" in problem
    assert names(registry) == ["my_custom_tool", "other"]
    write(path, "{}")
    assert await registry.refresh() == []
    assert names(registry) == []


async def test_a_file_that_has_not_changed_is_not_read(path: Path) -> None:
    registry = registry_of(path, {"tools": [SEED]})
    await registry.refresh()
    change_unseen(path)
    assert await registry.refresh() == []


async def test_a_file_that_is_not_there_or_no_text_is_a_sentence(path: Path) -> None:
    registry = ToolRegistry()
    registry.attach(ToolsFile(path, {}))
    assert await registry.refresh() == [f"{path} cannot be read (No such file or directory); name a file of tools."]
    write(path, b"\xff\xfe\xff")
    assert await registry.refresh() == [f"{path} is not text in UTF-8; save it as such."]


async def test_a_server_that_is_switched_off_is_left_out(path: Path) -> None:
    registry = registry_of(path, {"mcpServers": {"a": {"command": "/nowhere", "disabled": True}}})
    assert await registry.refresh() == []
