"""`toolkit tools` and `toolkit prompts`."""

import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_tools_are_listed_where_there_is_no_database(run: Run) -> None:
    result = run("tools", "list", "--preset", "default", "--db", "postgresql://127.0.0.1:9/none")

    assert result.exit_code == 0, result.output
    assert "semantic_search" in result.stdout
    assert "delete_collection" not in result.stdout


def test_tools_json_holds_the_schema_of_each(run: Run) -> None:
    tools = {tool["name"]: tool for tool in json.loads(run("tools", "list", "--json").stdout)}

    assert tools["semantic_search"]["parameters"]["type"] == "object"
    assert tools["semantic_search"]["read_only"] is True


@pytest.mark.usefixtures("handbook")
def test_a_tool_is_called_with_names_and_values_or_with_json(run: Run) -> None:
    named = run("tools", "call", "semantic_search", "query=circuit breaker", "top_k=1")
    as_json = run("tools", "call", "semantic_search", '{"query": "circuit breaker", "top_k": 1}', "--json")

    assert named.exit_code == 0, named.output
    assert "breaker.md" in named.stdout
    assert "breaker.md" in json.dumps(json.loads(as_json.stdout))


@pytest.mark.usefixtures("handbook")
def test_a_number_in_a_text_argument_stays_text(run: Run) -> None:
    assert run("tools", "call", "semantic_search", "query=404").exit_code == 0


@pytest.mark.usefixtures("handbook")
def test_a_wrong_argument_is_named_in_one_line(run: Run) -> None:
    result = run("tools", "call", "semantic_search", "query=x", "top_k=400")

    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "top_k" in result.stderr
    assert "50" in result.stderr


CHILD = Path(__file__).parent.parent / "tools" / "remote" / "mcp_child.py"


@pytest.fixture
def tools_file(folder: Path) -> Path:
    """An HTTP tool, a server that works, and one that does not."""
    there = {"name": "there", "description": "Does it there.", "handler": {"url": "http://nowhere.invalid/"}}
    servers = {
        "child": {"command": sys.executable, "args": [str(CHILD), "stdio"]},
        "dead": {"command": "/there/is/no/such/program"},
    }
    path = folder / "tools.json"
    path.write_text(json.dumps({"tools": [there], "mcpServers": servers}))
    return path


def test_remote_tools_are_listed_with_where_they_come_from_and_problems_apart(run: Run, tools_file: Path) -> None:
    result = run("tools", "list", "--json", TOOLKIT_TOOLS_FILE=str(tools_file))

    sources = {tool["name"]: tool["source"] for tool in json.loads(result.stdout)}
    assert (sources["semantic_search"], sources["there"], sources["child__add"]) == ("", "tools.json", "mcp:child")
    assert result.stderr.count("Problem: ") == 1
    assert "The MCP server dead cannot be started" in result.stderr


def test_a_remote_tool_is_called_like_any_other(run: Run, tools_file: Path) -> None:
    environ = {"TOOLKIT_TOOLS_FILE": str(tools_file)}

    assert run("tools", "call", "child__add", "a=2", **environ).stdout == "3\n"
    failed = run("tools", "call", "there", **environ)
    assert failed.exit_code == 1
    assert "nowhere.invalid cannot be found" in failed.stderr


def test_checking_a_file_tries_every_source_and_says_what_is_wrong(run: Run, tools_file: Path) -> None:
    result = run("tools", "check", str(tools_file))

    assert result.exit_code == 1
    assert "child__add" in result.stdout
    assert "The MCP server dead cannot be started" in result.stderr


def test_checking_a_file_without_a_fault_says_so(run: Run, tools_file: Path) -> None:
    entry = {"name": "there", "description": "Does it there.", "handler": {"url": "http://nowhere.invalid/"}}
    tools_file.write_text(json.dumps({"tools": [entry]}))

    result = run("tools", "check", str(tools_file))

    assert result.exit_code == 0, result.output
    assert "has 1 tool and no fault" in " ".join(result.stdout.split())


def test_checking_a_file_that_is_no_json_names_the_line(run: Run, tools_file: Path) -> None:
    tools_file.write_text("{\n'tools': []}")

    result = run("tools", "check", str(tools_file))

    assert result.exit_code == 1
    assert "line 2 column 1" in result.stderr


def test_prompts_are_listed_shown_and_filled_in(run: Run, folder: Path) -> None:
    (folder / "hello.md").write_text("---\ndescription: Greets.\narguments: [name]\n---\nHello {{ name }}!\n")
    env = {"TOOLKIT_PROMPTS_DIR": str(folder)}

    listed = run("prompts", "list", **env).stdout

    assert "answer_from_sources" in listed
    assert "Greets." in listed
    assert run("prompts", "show", "hello", **env).stdout == "Hello {{ name }}!\n"
    assert run("prompts", "render", "hello", "name=Ada", **env).stdout == "Hello Ada!\n"
    assert json.loads(run("prompts", "show", "hello", "--json", **env).stdout)["arguments"][0]["name"] == "name"


def test_a_prompt_that_lacks_an_argument_names_it(run: Run, folder: Path) -> None:
    (folder / "hello.md").write_text("---\narguments: [name]\n---\nHello {{ name }}!\n")

    result = run("prompts", "render", "hello", TOOLKIT_PROMPTS_DIR=str(folder))

    assert result.exit_code == 1
    assert "'name'" in result.stderr
