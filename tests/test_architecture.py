"""The plan of the house, held to by the build: what may import what, and how long a file may be."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = {
    "toolkit.errors": 0,
    "toolkit.attempts": 0,
    "toolkit.messages": 0,
    "toolkit.stamps": 0,
    "toolkit.conversation": 0,
    "toolkit.display": 0,
    "toolkit.redaction": 0,
    "toolkit.settings": 0,
    "toolkit.terms": 0,
    "toolkit.db": 1,
    "toolkit.providers": 1,
    "toolkit.testing": 1,
    "toolkit.access": 2,
    "toolkit.usage": 2,
    "toolkit.tools": 2,
    "toolkit.models": 3,
    "toolkit.search": 4,
    "toolkit.sessions": 4,
    "toolkit.prompts": 4,
    "toolkit.jobs": 4,
    "toolkit.webhooks": 4,
    "toolkit.toolkit": 5,
    "toolkit.builtin": 5,
    "toolkit.answers": 5,
    "toolkit.health": 5,
    "toolkit.housekeeping": 5,
    "toolkit.code_tools": 5,
    "toolkit.inbox": 5,
    "toolkit.prompt_tools": 5,
    "toolkit.spending": 5,
    "toolkit.bridge": 5,
    "toolkit.retention": 5,
    "toolkit": 5,  # only re-exports
    "toolkit.testing.notebooks": 2,
    "toolkit.testing.plugin": 6,
    "toolkit.cli": 6,
    "mcp_server": 6,
    "notebooks": 6,
}
WORDS, HOUSE = 0, 5  # on these floors neighbours are one room
DRIVERS = {"sqlite3": "toolkit.db", "sqlite_utils": "toolkit.db", "asyncpg": "toolkit.db", "redis": "toolkit.db"}
SDKS = {"openai": "toolkit.providers", "anthropic": "toolkit.providers"}
MOST_LINES = 450

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("toolkit", "mcp_server", "notebooks")
    for path in sorted((ROOT / package).rglob("*.py"))
}


def room(module: str) -> str:
    """The longest prefix of `module` that has a floor."""
    parts = module.split(".")
    return next(r for n in range(len(parts), 0, -1) if (r := ".".join(parts[:n])) in FLOORS)


def imports(path: Path) -> Iterator[tuple[str, ast.stmt, bool]]:
    """Every module that a file imports, where, and whether only for the type checker."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node, id(node) in typing_only
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: import by full name"
            assert node.module
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from ((n if n in MODULES else node.module, node, id(node) in typing_only) for n in names)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_its_own_room_and_lower_floors_only(module: str) -> None:
    mine = room(module)
    for name, node, typing_only in imports(MODULES[module]):
        if typing_only or name.split(".")[0] not in ("toolkit", "mcp_server", "notebooks"):
            continue
        if name == "toolkit" and "__version__" in ast.unparse(node):
            continue  # a number, not a room
        theirs = room(name)
        same = theirs == mine or (FLOORS[theirs] == FLOORS[mine] and FLOORS[mine] in (WORDS, HOUSE))
        assert same or FLOORS[theirs] < FLOORS[mine], f"{module}:{node.lineno} imports {name}"


@pytest.mark.parametrize("module", MODULES)
def test_only_the_outside_rooms_know_a_driver_or_a_vendor(module: str) -> None:
    for name, node, typing_only in imports(MODULES[module]):
        owner = (DRIVERS | SDKS).get(name.split(".")[0])
        if owner and not typing_only:
            assert room(module) == owner, f"{module}:{node.lineno} imports {name}; only {owner} may"


@pytest.mark.parametrize("module", MODULES)
def test_a_file_is_read_in_one_sitting(module: str) -> None:
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) <= MOST_LINES
