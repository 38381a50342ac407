"""The built wheel, installed elsewhere, works: everything that it needs is in it."""

import os
import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of its own that has the wheel, and borrows this one's dependencies but not its sources."""
    home = tmp_path_factory.mktemp("elsewhere")
    venv.create(home / "venv", with_pip=False, symlinks=True)
    site = next((home / "venv" / "lib").glob("python3*")) / "site-packages"
    with ZipFile(wheel) as archive:
        archive.extractall(site)
    # The other packages come from here, after the wheel's own; the editable install's finder is not among them,
    # because a path that a .pth file names has its own .pth files ignored.
    dependencies = next(p for p in sys.path if p.endswith("site-packages"))
    (site / "dependencies.pth").write_text(dependencies + "\n", encoding="utf-8")
    return home


def run(elsewhere: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(elsewhere / "venv/bin/python"), *command],
        capture_output=True,
        text=True,
        cwd=elsewhere,
        env={"PATH": os.environ["PATH"], "HOME": str(elsewhere)},
        check=False,
    )


def test_the_wheel_holds_every_migration_prompt_and_page_and_the_embedder(wheel: Path) -> None:
    names = set(ZipFile(wheel).namelist())
    migrations = {f"toolkit/migrations/{p.name}" for p in (ROOT / "migrations").glob("*.sql")}
    prompts = {f"toolkit/prompts/{p.name}" for p in (ROOT / "toolkit/prompts").glob("*.md")}
    assert migrations
    assert prompts
    folder = "toolkit/providers/bundled/minilm"
    embedder = {f"{folder}/{name}" for name in ("all-MiniLM-L6-v2.int8.onnx", "tokenizer.json", "README.md")}
    pages = {p.relative_to(ROOT).as_posix() for p in (ROOT / "mcp_server/admin").glob("[st]*/*.*")}
    assert {"mcp_server/admin/templates/llms.html", "mcp_server/admin/static/admin.css"} <= pages
    assert migrations | prompts | embedder | pages | {"toolkit/py.typed"} <= names


def test_the_wheel_holds_no_test(wheel: Path) -> None:
    assert not [name for name in ZipFile(wheel).namelist() if name.startswith(("tests/", "benchmarks/"))]


def test_the_installed_wheel_ingests_searches_and_answers(elsewhere: Path) -> None:
    notes = elsewhere / "notes.md"
    notes.write_text("# Boats\n\nThe harbour of Visby opens at seven in the morning.\n", encoding="utf-8")
    code = """
import asyncio, toolkit
from toolkit import Toolkit
async def main():
    async with Toolkit.open("sqlite:///own.db") as tk:
        await tk.ingest("notes.md")
        print(toolkit.__file__)
        print((await tk.answer("When does the harbour of Visby open?")).text)
asyncio.run(main())
"""
    done = run(elsewhere, "-c", code)
    assert done.returncode == 0, done.stderr
    origin, answer = done.stdout.split("\n", 1)
    assert str(elsewhere) in origin
    assert "seven" in answer


def test_the_installed_commands_answer(elsewhere: Path) -> None:
    assert "toolkit" in run(elsewhere, "-m", "toolkit.cli", "--version").stdout
    assert "--http" in run(elsewhere, "-m", "mcp_server", "--help").stdout
