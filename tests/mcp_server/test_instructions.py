"""What a host tells its model about the server."""

import re

import pytest

from mcp_server.instructions import USUAL, instructions
from mcp_server.presets import Offer
from toolkit.settings import Settings
from toolkit.toolkit import Toolkit

CLAUDE_CODE_CUTS_AT = 2048


@pytest.fixture(scope="module")
def tk() -> Toolkit:
    return Toolkit.open(settings=Settings("sqlite://"))


def test_the_usual_tools_are_those_of_the_default_preset(tk: Toolkit) -> None:
    assert {tool.name for tool in Offer().tools(tk.tools)} == USUAL


@pytest.mark.parametrize("text", ["default", "search", "models", "sessions", "search-admin", "chat"])
def test_instructions_speak_only_of_tools_that_are_offered(tk: Toolkit, text: str) -> None:
    every = {tool.name for tool in tk.tools.list()}
    offered = {tool.name for tool in Offer.of(text).tools(tk.tools)}
    # `ask` and `chat` are words as well as tools: as a tool, `ask` opens its paragraph.
    spoken_of = {
        name
        for name in every
        if re.search(
            rf"^{name}\b" if name in {"ask", "chat", "ingest"} else rf"\b{name}\b", instructions(offered), re.MULTILINE
        )
    }
    assert spoken_of <= offered


def test_no_host_cuts_the_instructions(tk: Toolkit) -> None:
    assert len(instructions([tool.name for tool in tk.tools.list()])) < CLAUDE_CODE_CUTS_AT
