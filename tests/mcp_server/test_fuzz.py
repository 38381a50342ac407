"""Every tool, called with right and wrong arguments made from what the server says that it takes.

No vendor is asked: the model that comes with the package answers. Nothing outside an empty folder is read.
"""

import asyncio
import copy
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis_jsonschema import from_schema
from mcp import Client
from mcp.types import CallToolResult, Tool

from mcp_server.house import House
from mcp_server.presets import Offer
from mcp_server.server import create_server
from tests.mcp_server.serving import held, text_of
from toolkit.search.documents import Document
from toolkit.settings import Settings
from toolkit.toolkit import Toolkit

NAMES = sorted(tool.name for tool in Toolkit.open(settings=Settings("sqlite://")).tools.list())
CALLS = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
SECONDS = 30
TRACES = ("Traceback", 'File "', "NoneType", "object at 0x", "errors.pydantic.dev", "for a reason that is not yours")

Json: TypeAlias = dict[str, Any]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def fitting(schema: Json) -> st.SearchStrategy[Json]:
    """Arguments that fit; the library makes each by itself, for its objects do not work with this Hypothesis."""
    made = {name: from_schema(each) for name, each in schema["properties"].items()}
    needed = {name: made.pop(name) for name in schema.get("required", ())}
    return st.fixed_dictionaries(needed, optional=made)


class Calling:
    """A client of a server with every tool, to be called from tests that are not coroutines."""

    def __init__(self, runner: asyncio.Runner, client: Client, tools: dict[str, Tool]) -> None:
        self._runner = runner
        self._client = client
        self._tools = tools

    def schema(self, name: str) -> Json:
        """What a tool takes; a path is a name in the empty folder, and what is destroyed is confirmed."""
        schema = copy.deepcopy(self._tools[name].input_schema)
        for path in (each for argument, each in schema["properties"].items() if argument == "path"):
            path["pattern"] = "^[a-z]{0,8}$"
        return schema

    def __call__(self, name: str, arguments: Json) -> CallToolResult:
        async def call() -> CallToolResult:
            async with asyncio.timeout(SECONDS):
                return await self._client.call_tool(name, arguments)

        return self._runner.run(call())


@pytest.fixture(scope="module")
def calling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calling]:
    folder, before = tmp_path_factory.mktemp("empty"), Path.cwd()
    os.chdir(folder)
    tk = Toolkit.open(settings=Settings("sqlite://"))

    async def connected() -> tuple[Any, Client, dict[str, Tool]]:
        await tk.start()
        await tk.ingest(Document("birds.md", "The heron fishes at dawn."))
        holding = held(Client(create_server(House(lambda: tk), Offer.of("all"))))
        client = await holding.__aenter__()
        return holding, client, {tool.name: tool for tool in (await client.list_tools()).tools}

    with asyncio.Runner() as runner:
        holding, client, tools = runner.run(connected())
        yield Calling(runner, client, tools)
        runner.run(holding.__aexit__(None, None, None))
        runner.run(tk.close())
    os.chdir(before)


def check(result: CallToolResult) -> None:
    """A model can go on from here."""
    text = text_of(result) if len(result.content) == 1 else result.content[0].text  # type: ignore[union-attr]
    assert text.strip()
    assert not any(trace in text for trace in TRACES), text
    assert bool(result.is_error) == (result.structured_content is None)


@pytest.mark.parametrize("name", [*NAMES, "read_more"])
def test_a_call_that_fits_the_schema_is_answered_or_refused_in_words(calling: Calling, name: str) -> None:
    @CALLS
    @given(fitting(calling.schema(name)))
    def call(arguments: Json) -> None:
        result = calling(name, arguments)
        check(result)
        if result.is_error:
            said = text_of(result)
            assert "must be" not in said or "`" not in said, f"{said} although {arguments} fits what is listed"

    call()


@pytest.mark.parametrize("name", [*NAMES, "read_more"])
def test_a_call_that_does_not_fit_is_refused_in_one_sentence_that_names_what_is_wrong(
    calling: Calling, name: str
) -> None:
    schema = calling.schema(name)
    known = schema["properties"]
    wrong = st.dictionaries(st.sampled_from([*known, "confirm"]) | st.text(max_size=10), anything, max_size=4)

    @CALLS
    @given(wrong)
    def call(arguments: Json) -> None:
        path = arguments.get("path")
        arguments = {**arguments, "path": "nowhere"} if isinstance(path, str) else arguments
        result = calling(name, arguments)
        check(result)
        if unknown := [each for each in arguments if each not in {*known, "confirm"}]:
            assert result.is_error, f"{unknown} went through"
            assert "is unknown" in text_of(result)

    call()
