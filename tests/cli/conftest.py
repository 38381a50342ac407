"""A command line of its own for each test: its own folder, database and environment."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from toolkit.cli import cli
from toolkit.testing.vendors import VendorServer

Run = Callable[..., Result]

_VENDORS = ("OPENAI_", "ANTHROPIC_", "AZURE_", "AWS_", "GOOGLE_", "GEMINI_", "GROQ_", "FIREWORKS_", "OLLAMA_")
_OURS = ("TOOLKIT_", *_VENDORS, "DATABASE_URL", "FORCE_COLOR", "NO_COLOR")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, empty; nothing of the developer's own environment reaches the command."""
    for name in os.environ:
        if name.startswith(_OURS):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TOOLKIT_DATABASE_URL", f"sqlite:///{tmp_path / 'toolkit.db'}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:  # noqa: ARG001 - asked for its effect
    """Runs `toolkit` with words, as `main` does, in this process."""

    def run(*words: str, input: str | bytes | None = None, **environ: str) -> Result:  # noqa: A002 - click's own word
        return CliRunner(env=environ).invoke(cli, words, input=input, prog_name="toolkit")

    return run


@pytest.fixture
def handbook(folder: Path, run: Run) -> Path:
    """A small folder of documents that was read in."""
    docs = folder / "docs"
    docs.mkdir()
    (docs / "breaker.md").write_text(
        "# Circuit breaker\n\nA circuit breaker opens after five failures in a row.\n\n"
        "It closes again when one probe succeeds.\n"
    )
    (docs / "sessions.md").write_text("# Sessions\n\nA session expires after a day without use.\n")
    result = run("ingest", str(docs), "--collection", "handbook")
    assert result.exit_code == 0, result.output
    return docs


@pytest.fixture
def vendors() -> Iterator[VendorServer]:
    """Both vendors, on this machine."""
    with VendorServer() as server:
        yield server
