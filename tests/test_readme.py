"""What the README shows is run as it stands there."""

import ast
import asyncio
import json
import re
import subprocess
import sys
import textwrap
from inspect import iscoroutine
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """A user's machine without a key; what the toolkit keeps goes to a folder of the test."""
    home = {
        "HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
    }
    monkeypatch.setenv("TOOLKIT_DATABASE_URL", f"sqlite:///{tmp_path / 'readme.db'}")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.chdir(ROOT)
    return home


def test_the_first_program_finds_and_answers_from_the_documents(bare_environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", blocks("python")[0]],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=bare_environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "docs/" in done.stdout
    assert re.search(r"\[\d\]", done.stdout)
    assert "Citation(" in done.stdout


def test_the_first_program_has_at_most_twelve_lines() -> None:
    assert len([line for line in blocks("python")[0].splitlines() if line]) <= 12


@pytest.mark.usefixtures("bare_environment")
def test_the_notebook_cell_connects_and_shows_a_panel() -> None:
    namespace: dict[str, Any] = {}
    code = compile(ast.parse(blocks("python")[1]), "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    async def cell() -> list[str]:
        result = eval(code, namespace)  # a cell is code with `await` in it; only eval runs such
        if iscoroutine(result):
            await result
        return [model.name for model in await namespace["tk"].models.chain()]

    assert "ChatPanel(tk)" in blocks("python")[1]
    assert asyncio.run(cell()) == ["offline"], "what the cell connected to works in the cells that follow"


def test_the_host_configuration_is_json_that_names_an_installed_command() -> None:
    servers = json.loads(blocks("json")[0])["mcpServers"]
    command = Path(sys.executable).parent / servers["toolkit"]["command"]
    assert command.exists()


def test_every_command_shown_is_one_that_exists() -> None:
    shown = [
        line[2:].split() for block in blocks("console") for line in block.splitlines() if line.startswith("$ toolkit")
    ]
    assert shown
    known = {
        command: subprocess.run(
            [sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=True
        ).stdout
        for command, module in (("toolkit", "toolkit.cli"), ("toolkit-mcp", "mcp_server"))
    }
    for words in shown:
        assert re.search(rf"^\s+{re.escape(words[1])}\b", known[words[0]], flags=re.MULTILINE), words


def test_every_make_target_shown_is_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^\$ make (\w+)", README, flags=re.MULTILINE):
        assert f"\n{target}: " in makefile


def test_every_linked_file_is_there() -> None:
    linked = re.findall(r"\]\(([^)#]+)\)", README)
    missing = [link for link in linked if not link.startswith("http") and not (ROOT / link).exists()]
    assert not missing, textwrap.dedent(str(missing))
