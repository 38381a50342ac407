"""`toolkit tools` and `toolkit prompts`."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_tools_are_listed_without_opening_a_database(run: Run, folder: Path) -> None:
    result = run("tools", "list", "--preset", "default")

    assert result.exit_code == 0, result.output
    assert "semantic_search" in result.stdout
    assert "delete_collection" not in result.stdout
    assert not (folder / "toolkit.db").exists()


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
