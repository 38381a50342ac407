"""`toolkit demo`: the main job from end to end, as a person runs it."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from toolkit.cli import demonstration
from toolkit.cli.demonstration import Demonstration, own_corpora
from toolkit.errors import ToolError
from toolkit.search.documents import Document

_DEMO = [sys.executable, "-m", "toolkit.cli", "demo"]


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A small corpus, so that reading it takes no time."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "chain.md").write_text(
        "# The chain\n\nWhen a model fails, the next one of the chain is asked.\n\nThe ledger keeps every attempt.\n"
    )
    return folder


def _environ(tmp_path: Path, **more: str) -> dict[str, str]:
    """The developer's environment with keys of their own, which the demo must not touch."""
    return os.environ | {
        "TMPDIR": str(tmp_path),
        "OPENAI_API_KEY": "sk-the-persons-own-key",
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "TOOLKIT_DATABASE_URL": f"sqlite:///{tmp_path / 'own.db'}",
        **more,
    }


def test_the_demo_shows_the_whole_path_and_leaves_nothing(docs: Path, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TOOLKIT_DEFAULT_MODEL=gone\n")  # of the folder it is started in

    done = subprocess.run(
        [*_DEMO, str(docs), "--question", "What happens when a model fails?"],
        capture_output=True,
        text=True,
        env=_environ(tmp_path),
        cwd=tmp_path,
        timeout=100,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    steps = re.findall(r"^(\d)  ", done.stdout, re.MULTILINE)
    assert steps == ["1", "2", "3", "4", "5", "6", "7"]
    _, reading, server, asking, failing, dying, kept, following = re.split(r"^\d  ", done.stdout, flags=re.MULTILINE)
    assert "1 document in 1 passage" in reading
    assert "over stdio" in server
    for tool in ("semantic_search", "get_chunk", "list_collections", "ingest", "ask", "chat"):
        assert re.search(rf"^{tool} ", server, re.MULTILINE)
    tokens = re.search(r"take ([\d,]+) tokens", server)
    assert tokens
    assert int(tokens[1].replace(",", "")) < 2000
    assert asking.index("▸ semantic_search") < asking.index("▸ get_chunk") < asking.index("▸ ask")
    assert "the next one of the chain is asked" in asking
    assert "answered by offline" in asking
    assert "stand-in" in failing
    told = " ".join(failing.split())
    assert re.search(r"answered by claude-\S+; gpt-\S+ failed .*ProviderUnavailable.*503", told)
    assert "Then what was said so far is kept, and the next model goes on from there.\n" in dying
    assert re.search(r"claude-\S+ · .* after gpt-\S+ failed: The connection", " ".join(dying.split()))
    assert kept.count("What happens when a model fails?") == 1
    assert kept.count("Then what was said so far is kept, and the next model goes on from there.") == 1
    assert re.search(r"gpt-\S+ +ProviderUnavailable \(503\)", kept)
    assert re.search(r"claude-\S+ +answered +\d+ +\d+ +\$0\.\d+", kept)
    assert re.search(r"^gpt-\S+ +3 +3 ", kept, re.MULTILINE)
    assert '"mcpServers"' in following
    assert "make test" in following
    assert "sk-the-persons" not in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env", "docs"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="children are found in /proc")
def test_ctrl_c_ends_the_child_and_leaves_nothing(docs: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*_DEMO, str(docs)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environ(tmp_path),
        bufsize=1,
    )
    assert process.stdout
    for line in process.stdout:
        if line.startswith("3  "):
            break
    children = _children(process.pid)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)

    assert process.returncode == 130
    assert err.strip() == "Stopped. The server is ended and nothing is left."
    assert len(children) == 1
    deadline = time.monotonic() + 5
    while any(map(_alive, children)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert [path.name for path in tmp_path.iterdir()] == ["docs"]


async def test_a_tool_that_fails_in_the_demo_is_told_in_one_sentence(
    docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Demonstration(tmp_path, docs, "What happens when a model fails?", kept=False)
    monkeypatch.setattr(demonstration, "_DOCS", "not-there")

    with pytest.raises(ToolError, match=r"The server's semantic_search failed: .*not-there"):
        await shown.run()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="children are found in /proc")
async def test_a_server_that_dies_in_the_demo_is_told_with_its_last_words(
    docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die(*_: object) -> None:
        (tmp_path / "server.log").write_text("last words")
        for child in _children(os.getpid()):
            os.kill(child, signal.SIGKILL)

    monkeypatch.setattr(demonstration, "_enable_vendors", lambda *_, **__: die())

    with pytest.raises(ToolError, match=r"The server broke off \(.+\); its log ends: last words"):
        await Demonstration(tmp_path, docs, None, kept=False).run()


def test_a_folder_is_asked_about_its_first_heading(docs: Path, tmp_path: Path) -> None:
    (tmp_path / "otters.txt").write_text("They swim.")

    assert demonstration._something_in(docs) == "What is said about The chain?"
    assert demonstration._something_in(tmp_path) == "What is said about The chain?"
    assert demonstration._something_in(tmp_path / "otters.txt") == "What is said about otters?"


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_without_a_path_the_toolkit_reads_its_own_documentation_and_source() -> None:
    corpora = own_corpora()

    assert {"README.md", "docs"} <= {Path(str(path)).name for path in corpora["docs"]}
    assert {"toolkit", "mcp_server"} <= {Path(str(path)).name for path in corpora["source"]}


def test_an_installed_package_reads_its_readme_and_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("toolkit", "mcp_server"):
        (tmp_path / package).mkdir()
    monkeypatch.setattr("toolkit.__file__", str(tmp_path / "toolkit" / "__init__.py"))

    corpora = own_corpora()

    (readme,) = corpora["docs"]
    assert isinstance(readme, Document)
    assert readme.text.startswith("# toolkit-mcp")
    assert corpora["source"] == [tmp_path / "toolkit", tmp_path / "mcp_server"]
