import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from toolkit.tools.registry import ToolRegistry
from toolkit.tools.remote.packages import GROUP, Packages

MODULE = '''
from toolkit.tools.tool import tool

@tool(read_only=True)
def shout(text: str) -> str:
    """Shout."""
    return text.upper()

def whisper(text: str) -> str:
    """Whisper."""
    return text.lower()

both = [shout, whisper]

def all_of_them():
    return both

def nothing_said(text: str) -> str:
    return text

def leaves() -> list:
    raise SystemExit(3)

number = 3
'''


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ToolRegistry]:
    (tmp_path / "acme_tools.py").write_text(MODULE)
    (tmp_path / "acme_broken.py").write_text("import there_is_no_such_module")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("acme_tools", "acme_broken"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    def make(*values: str) -> ToolRegistry:
        made = ToolRegistry()
        made.attach(Packages(lambda: [EntryPoint(f"e{n}", value, GROUP) for n, value in enumerate(values)]))
        return made

    return make


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("acme_tools:shout", ["shout"]),
        ("acme_tools:whisper", ["whisper"]),
        ("acme_tools:both", ["shout", "whisper"]),
        ("acme_tools:all_of_them", ["shout", "whisper"]),
    ],
)
async def test_an_entry_point_names_a_tool_a_function_a_list_or_what_gives_one(
    registry: Callable[..., ToolRegistry], value: str, names: list[str]
) -> None:
    made = registry(value)
    assert await made.refresh() == []
    assert [tool.name for tool in made.list()] == names
    assert {tool.source for tool in made.list()} == {"package:e0"}
    assert (await made.call(names[0], {"text": "Ä"})).text in {"Ä", "ä"}


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (
            "acme_broken:tools",
            "cannot be loaded (ModuleNotFoundError: No module named 'there_is_no_such_module'); mend",
        ),
        ("acme_tools:missing", "cannot be loaded (AttributeError"),
        ("acme_tools:leaves", "cannot be loaded (SystemExit: 3)"),
        ("acme_tools:number", "3 is neither a tool nor a function"),
        ("acme_tools:nothing_said", "Tool nothing_said: the function has no docstring"),
    ],
)
async def test_a_package_that_is_broken_is_a_problem_in_words_and_hides_no_other(
    registry: Callable[..., ToolRegistry], value: str, sentence: str
) -> None:
    made = registry(value, "acme_tools:shout")
    (problem,) = await made.refresh()
    assert problem.startswith("package:e0, entry point 'e0'")
    assert sentence in problem
    assert [tool.name for tool in made.list()] == ["shout"]


async def test_an_installed_package_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acme_tools.py").write_text(MODULE)
    about = tmp_path / "acme-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[toolkit.tools]\nvoices = acme_tools:both\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "acme_tools", raising=False)
    made = ToolRegistry()
    made.attach(Packages())
    assert await made.refresh() == []
    assert {tool.source for tool in made.list(["shout", "whisper"])} == {"package:acme"}


def test_importing_the_registry_brings_no_protocol_and_looks_for_no_package() -> None:
    said = "import sys, toolkit.tools.registry; print(*sorted(sys.modules))"
    modules: Any = subprocess.run(
        [sys.executable, "-c", said], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not {"mcp", "httpx2", "jsonschema", "toolkit.tools.remote"} & set(modules)
