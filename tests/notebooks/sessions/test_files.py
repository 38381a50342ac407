"""Conversations as files."""

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from notebooks.sessions.files import name_for
from notebooks.sessions.panel import SessionsPanel
from tests.notebooks.seeing import seen
from toolkit.errors import ConfigError, Conflict


async def test_a_conversation_is_written_as_its_ending_says(
    tk: Any, panel: SessionsPanel, paris: str, tmp_path: Path
) -> None:
    written = await panel.export(paris, tmp_path / "paris.md")
    assert written == tmp_path / "paris.md"
    assert "Where is the **Eiffel** tower?" in written.read_text(encoding="utf-8")
    lines = await panel.export(paris, str(tmp_path / "paris.jsonl"))
    again = await tk.sessions.import_(lines.read_text(encoding="utf-8"))
    assert await tk.sessions.messages(again.id) == await tk.sessions.messages(paris)
    notebook: Any = nbformat
    read = notebook.reads((await panel.export(paris, tmp_path / "paris.ipynb")).read_text(encoding="utf-8"), 4)
    notebook.validate(read)
    assert "Eiffel" in json.dumps(read)


async def test_a_file_that_is_there_is_written_over_only_where_that_is_said(
    panel: SessionsPanel, paris: str, tmp_path: Path
) -> None:
    path = tmp_path / "paris.md"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(Conflict, match="is there already"):
        await panel.export(paris, path)
    assert path.read_text(encoding="utf-8") == "mine"
    await panel.export(paris, path, replace=True)
    assert "Eiffel" in path.read_text(encoding="utf-8")


async def test_what_cannot_be_written_is_told(panel: SessionsPanel, paris: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ends in \.md, \.jsonl, \.ipynb, not in '\.doc'"):
        await panel.export(paris, tmp_path / "paris.doc")
    with pytest.raises(ConfigError, match="cannot be written: No such file"):
        await panel.export(paris, tmp_path / "nowhere" / "paris.md")


async def test_the_panel_says_where_the_file_is_and_asks_before_it_writes_over_one(
    panel: SessionsPanel, paris: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    await panel.read(paris)
    opened, file = panel._opened, tmp_path / "paris.md"
    opened.export.click()
    assert opened.path.text.value == "paris.md"
    opened.ending.value = ".jsonl"
    assert opened.path.text.value == "paris.jsonl"
    opened.ending.value = ".md"
    opened.path.button.click()
    await seen(panel, panel._said, "value", lambda html: f"It is written to {file}." in html)
    file.write_text("mine", encoding="utf-8")
    opened.export.click()
    opened.path.button.click()
    assert "is there already. Write over it?" in panel._question._text.value
    assert file.read_text(encoding="utf-8") == "mine"
    panel._said.value = ""
    panel._question.yes.click()
    await seen(panel, panel._said, "value", lambda html: "It is written to" in html)
    assert "Eiffel" in file.read_text(encoding="utf-8")


def test_a_name_is_made_of_the_words_of_a_title() -> None:
    assert name_for("Why did it cost <more>?", ".md") == "why-did-it-cost-more.md"
    assert name_for("../../etc/passwd", ".md") == "etc-passwd.md"
    assert name_for("???", ".ipynb") == "conversation.ipynb"
    assert len(name_for("word " * 100, ".jsonl")) <= 66
