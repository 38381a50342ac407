import pytest

from toolkit.errors import ConfigError, Conflict, NotFound, ToolArgumentsError
from toolkit.tools.registry import ToolRegistry
from toolkit.tools.tool import Tool, ToolContext, tool


@tool(read_only=True, presets=("default", "search"))
def semantic_search(query: str, context: ToolContext) -> str:
    """Search."""
    return f"{query} for {context.user}"


@tool(destructive=True, presets=("admin",))
def delete_document(document_id: str) -> str:
    """Delete."""
    return document_id


def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


def names(tools: list[Tool]) -> list[str]:
    return [each.name for each in tools]


@pytest.fixture
def registry() -> ToolRegistry:
    registry = ToolRegistry([semantic_search, delete_document])
    registry.add(add, read_only=True)
    return registry


def test_tools_are_listed_in_the_order_in_which_they_were_added(registry: ToolRegistry) -> None:
    assert names(registry.list()) == ["semantic_search", "delete_document", "add"]
    assert names(registry.list(["add", "semantic_search"])) == ["semantic_search", "add"]


def test_a_preset_has_its_tools_and_those_that_name_none(registry: ToolRegistry) -> None:
    assert names(registry.list(preset="default")) == ["semantic_search", "add"]
    assert names(registry.list(preset="admin")) == ["delete_document", "add"]


def test_read_only_leaves_out_what_changes_something(registry: ToolRegistry) -> None:
    assert names(registry.list(read_only=True)) == ["semantic_search", "add"]


def test_a_preset_or_a_name_that_there_is_not_is_refused_rather_than_empty(registry: ToolRegistry) -> None:
    with pytest.raises(NotFound, match="There is no preset 'defualt'; the nearest is 'default'"):
        registry.list(preset="defualt")
    with pytest.raises(NotFound, match="There is no preset 'x'; there are 'admin', 'default', 'search'"):
        registry.list(preset="x")
    with pytest.raises(NotFound, match="nearest is 'semantic_search'"):
        registry.list(["semantic_serach"])


def test_a_name_is_taken_once(registry: ToolRegistry) -> None:
    with pytest.raises(Conflict, match="There is a tool 'add' already; remove it first or choose another name"):
        registry.add(add)
    registry.remove("add")
    assert registry.add(add).name == "add"


def test_options_are_for_functions() -> None:
    with pytest.raises(ConfigError, match="read_only: a tool that is made already"):
        ToolRegistry().add(semantic_search, read_only=True)


def test_a_tool_made_by_hand_with_a_bad_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="snake_case"):
        ToolRegistry([Tool("Bad Name", "", "", {}, semantic_search.run)])


def test_the_decorator_registers_and_leaves_the_function_callable() -> None:
    registry = ToolRegistry()

    @registry.tool
    def double(number: int) -> int:
        """Double."""
        return number * 2

    @registry.tool(name="triple", read_only=True)
    def times_three(number: int) -> int:
        """Triple."""
        return number * 3

    assert (double(2), times_three(2)) == (4, 6)
    assert names(registry.list()) == ["double", "triple"]


async def test_a_tool_is_called_by_name_in_the_callers_context(registry: ToolRegistry) -> None:
    assert (await registry.call("add", {"a": "2"})).data == {"result": 3}
    assert (await registry.call("semantic_search", {"query": "x"}, ToolContext(user="ada"))).text == "x for ada"


async def test_an_unknown_tool_is_answered_with_the_nearest(registry: ToolRegistry) -> None:
    with pytest.raises(NotFound, match="There is no tool 'semantic_serach'; the nearest is 'semantic_search'"):
        await registry.call("semantic_serach", {})
    with pytest.raises(NotFound, match="There is no tool 'q'; there are 'semantic_search', 'delete_document', 'add'"):
        registry.remove("q")
    with pytest.raises(NotFound, match="there is none"):
        ToolRegistry().get("q")


@pytest.mark.parametrize("arguments", [None, [], "x", 3])
async def test_arguments_that_are_no_object_are_refused(registry: ToolRegistry, arguments: object) -> None:
    with pytest.raises(ToolArgumentsError, match="add: the arguments must be a JSON object"):
        await registry.call("add", arguments)  # type: ignore[arg-type] # a wire may bring anything
