"""Which tools a host is offered."""

import pytest

from mcp_server.presets import Offer
from toolkit.errors import ConfigError
from toolkit.settings import Settings
from toolkit.toolkit import Toolkit
from toolkit.tools.registry import ToolRegistry

PRESETS = {
    "default": {"semantic_search", "get_chunk", "list_collections", "ingest", "ask", "chat"},
    "search": {"semantic_search", "get_chunk", "list_collections", "ingest", "ask"},
    "models": {"chat", "list_models", "compare_models", "usage_report"},
    "sessions": {"create_session", "get_session", "list_sessions", "extend_session", "delete_session"},
    "search-admin": {"delete_document", "delete_collection"},
    "code": {"analyze_architecture", "review_code", "generate_docs"},
}


@pytest.fixture(scope="module")
def tools() -> ToolRegistry:
    return Toolkit.open(settings=Settings("sqlite://")).tools


def names(text: str, tools: ToolRegistry, *, read_only: bool = False) -> set[str]:
    return {tool.name for tool in Offer.of(text, read_only=read_only).tools(tools)}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_offers_its_tools_and_no_other(preset: str, tools: ToolRegistry) -> None:
    assert names(preset, tools) == PRESETS[preset]


def test_tools_can_be_named_one_by_one_and_beside_presets(tools: ToolRegistry) -> None:
    assert names("chat, get_session", tools) == {"chat", "get_session"}
    assert names("search-admin,chat", tools) == PRESETS["search-admin"] | {"chat"}


def test_all_offers_every_tool(tools: ToolRegistry) -> None:
    assert names("all", tools) == {tool.name for tool in tools.list()} == set().union(*PRESETS.values())


def test_tools_and_presets_can_be_left_out(tools: ToolRegistry) -> None:
    assert names("default,-ingest", tools) == PRESETS["default"] - {"ingest"}
    assert names("-ingest", tools) == PRESETS["default"] - {"ingest"}
    assert names("all, -code, -search-admin,-chat", tools) == set().union(*PRESETS.values()) - PRESETS[
        "code"
    ] - PRESETS["search-admin"] - {"chat"}


def test_read_only_offers_only_what_changes_nothing(tools: ToolRegistry) -> None:
    offered = names("search,sessions", tools, read_only=True)
    assert offered == {"semantic_search", "get_chunk", "list_collections", "get_session", "list_sessions"}
    assert all(tools.get(name).read_only for name in offered)


def test_a_tool_of_the_users_own_stands_beside_those_of_a_preset() -> None:
    tools = Toolkit.open(settings=Settings("sqlite://")).tools

    @tools.tool
    def mine() -> str:
        """Be mine."""
        return "mine"

    assert names("sessions", tools) == PRESETS["sessions"] | {"mine"}
    assert names("chat", tools) == {"chat"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("serch", "nearest is 'search'"),
        ("chatt", "nearest is 'chat'"),
        ("", "none was named"),
        ("all,-chatt", "nearest is 'chat'"),
        ("chat,-chat", "none was named"),
    ],
)
def test_an_offer_that_cannot_be_made_says_why(text: str, sentence: str, tools: ToolRegistry) -> None:
    with pytest.raises(ConfigError, match=sentence):
        names(text, tools)
