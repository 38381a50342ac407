"""The official clients that are not Python's: the Inspector, and both lines of the TypeScript SDK."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mcp_server.presets import Offer
from tests.mcp_server.conformance import node
from tests.mcp_server.conftest import GREET
from tests.mcp_server.serving import FOLDER, MISBEHAVING, PLAIN, environment, over_http
from toolkit.toolkit import Toolkit

SPOKEN = {"legacy": "2025-11-25", "modern": "2026-07-28"}
FAILED, NOT_PORTABLE = 5, 6  # the Inspector's exit codes


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("prompts")
    (folder / "greet.md").write_text(GREET, encoding="utf-8")
    return {"TOOLKIT_PROMPTS_DIR": str(folder)}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, prompts: dict[str, str]) -> Iterator[str]:
    database = f"sqlite:///{tmp_path_factory.mktemp('clients') / 'toolkit.db'}"
    with over_http(database, command=MISBEHAVING, env=prompts) as (_, address):
        yield f"{address}/mcp"


def inspect(*args: str, era: str) -> tuple[int, Any]:
    """Run the Inspector; gives its exit code, and what it printed: on standard error where it failed."""
    command = [*node.command(node.INSPECTOR), "--cli", *args, "--protocol-era", era, "--format", "json", "--quiet"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={**environment(), **node.environment()}, check=False
    )
    said = (done.stdout or done.stderr).strip().splitlines()
    return done.returncode, json.loads(said[-1])


async def test_the_inspector_finds_every_tool_of_every_preset_portable(tmp_path: Path) -> None:
    async with Toolkit.open("sqlite://") as tk:
        presets = sorted({preset for tool in tk.tools.list() for preset in tool.presets})
        everything = [tool.name for tool in Offer.of(",".join(presets)).tools(tk.tools)]
    server = [*PLAIN, "--db", f"sqlite:///{tmp_path / 'toolkit.db'}", "--tools", ",".join(presets)]
    code, said = inspect(*server, "--method", "tools/list", "--strict", era="modern")
    assert code != NOT_PORTABLE, said
    assert code == 0
    assert set(everything) <= {tool["name"] for tool in said["result"]["tools"]}


@pytest.mark.parametrize("era", SPOKEN)
def test_the_inspector_is_told_who_answers_in_both_eras_over_stdio(era: str, tmp_path: Path) -> None:
    server = [*PLAIN, "--db", f"sqlite:///{tmp_path / 'toolkit.db'}"]
    code, said = inspect(*server, "--method", "initialize", era=era)
    assert code == 0
    assert said["result"]["serverInfo"]["name"] == "toolkit"
    assert said["result"]["protocolVersion"] == SPOKEN[era]
    assert "semantic_search" in said["result"]["instructions"]


@pytest.mark.parametrize("era", SPOKEN)
def test_the_inspector_calls_a_tool_in_both_eras_over_http(era: str, url: str) -> None:
    wish = ["--transport", "http", "--method", "tools/call", "--tool-name", "add", "--tool-arg", "a=1", "b=2"]
    code, said = inspect(url, *wish, era=era)
    assert code == 0
    assert said["result"]["structuredContent"]["sum"] == 3


def test_the_inspector_calls_what_a_tool_cannot_do_a_failure(url: str) -> None:
    wish = ["--transport", "http", "--method", "tools/call", "--tool-name", "add", "--tool-arg", "a=1", "c=2"]
    code, said = inspect(url, *wish, era="modern")
    assert code == FAILED
    assert "unknown" in json.dumps(said)


@pytest.mark.parametrize("transport", ["stdio", "http"])
@pytest.mark.parametrize("line", ["v1", "v2"])
def test_a_client_in_typescript_lists_calls_hears_progress_cancels_reads_and_prompts(
    line: str, transport: str, url: str, prompts: dict[str, str], tmp_path: Path
) -> None:
    here = {
        "command": MISBEHAVING[0],
        "args": [*MISBEHAVING[1:], "--db", f"sqlite:///{tmp_path / 'toolkit.db'}"],
        "env": environment(prompts),
        "cwd": str(FOLDER),
    }
    wish = {"line": line, "marks": str(tmp_path / "marks"), **(here if transport == "stdio" else {"url": url})}
    command = [*node.script(node.HERE / "client.mjs"), json.dumps(wish)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=node.environment(), check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["server"] == "toolkit"
    assert {"semantic_search", "add", "wait"} <= set(said["tools"])
    assert said["counted"] == "counted to 3 for typescript"
    assert said["heard"]  # not all of it: this SDK drops what arrives together with the answer
    assert said["failed"] == [True, "The moon is in the way; wait until it has set."]
    assert said["unknown"] == -32602
    assert said["given"] == "given up"
    assert "toolkit://chunks/{id}" in said["templates"]
    assert said["resource"] == "The zebrafinch sings at dawn."
    assert "greet" in said["prompts"]
    assert said["prompt"] == "Say hello to Ada."
