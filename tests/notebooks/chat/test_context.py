"""What goes to the model beside the question."""

import base64
from pathlib import Path
from typing import Any

import pytest

from notebooks.chat.context import picture
from notebooks.chat.panel import ChatPanel
from tests.notebooks.chat.said import buttons, shown
from toolkit.errors import ConfigError
from toolkit.testing.vendors import VendorServer

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def system(vendors: VendorServer) -> str:
    """The instructions of the last request."""
    return "\n".join(
        m["content"] for m in vendors.requests[-1].body["messages"] if m["role"] in ("system", "developer")
    )


def asked(vendors: VendorServer) -> Any:
    """What the last question was sent as."""
    return vendors.requests[-1].body["messages"][-1]["content"]


async def test_documents_are_searched_for_each_question_and_cited_beneath_the_answer(
    tk: Any, vendors: VendorServer
) -> None:
    await tk.ingest("The circuit breaker opens after five failures.", collection="handbook")
    vendors.say("After five failures [1].")
    panel = ChatPanel(tk, documents="handbook")
    await panel.ask("When does the circuit breaker open?")
    assert "opens after five failures" in asked(vendors)
    assert "1 source</summary>" in shown(panel)
    assert "opens after five failures" in shown(panel)
    assert "[1] " in panel.transcript
    assert (await tk.sessions.messages(panel.session))[0].text == "When does the circuit breaker open?"
    assert "answers from handbook" in panel.children[-2].value


async def test_a_cited_passage_goes_with_the_next_question_alone(tk: Any, vendors: VendorServer) -> None:
    await tk.ingest("The circuit breaker opens after five failures.", collection="handbook")
    (hit,) = await tk.search("circuit breaker")
    panel = ChatPanel(tk)
    panel.cite(hit)
    assert len(buttons(panel, f"{hit.title[:40]}:1–1 ✕")) == 1
    vendors.say("After five [1].")
    await panel.ask("When?")
    assert "opens after five failures" in asked(vendors)
    assert "1 source</summary>" in shown(panel)
    assert not panel._chips.children
    await panel.ask("And then?")
    assert asked(vendors) == "And then?"


async def test_data_is_described_with_every_question_and_kept_in_no_session(tk: Any, vendors: VendorServer) -> None:
    panel = ChatPanel(tk, system="Be short.", data={"sales": [{"day": 1, "cost": 2.5}]})
    await panel.ask("How much?")
    assert "sales" in system(vendors)
    assert "Be short." in system(vendors)
    await panel.ask("And now?", data={"other": [1, 2, 3]})
    assert "sales" in system(vendors)
    assert "other" in system(vendors)
    assert "<li>other</li>" in shown(panel)
    assert {m.role for m in await tk.sessions.messages(panel.session)} == {"user", "assistant"}


async def test_a_chip_takes_its_data_away(tk: Any, vendors: VendorServer) -> None:
    panel = ChatPanel(tk, data=[1, 2, 3])
    panel.attach([4, 5], name="more")
    assert panel._chips.layout.display == ""
    chips = buttons(panel._chips, "data ✕") + buttons(panel._chips, "more ✕")
    for chip in chips:
        chip.click()
    assert panel._chips.layout.display == "none"
    assert [chip.comm for chip in chips] == [None, None]
    await panel.ask("How much?")
    assert system(vendors) == ""


async def test_a_picture_goes_with_the_next_question(tk: Any, vendors: VendorServer, tmp_path: Path) -> None:
    (tmp_path / "chart.png").write_bytes(PIXEL)
    panel = ChatPanel(tk)
    panel.attach(str(tmp_path / "chart.png"))
    await panel.ask("What is it?")
    assert [part["type"] for part in asked(vendors)] == ["text", "image_url"]
    assert "<li>chart.png</li>" in shown(panel)
    again = ChatPanel(tk, panel.session)
    assert "<li>1 picture</li>" in shown(again)


def test_a_file_that_is_no_picture_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "large.png").write_bytes(b"x" * 5_000_001)
    for name, why in (("notes.txt", "no picture"), ("large.png", "at most 5 MB"), ("gone.png", "cannot be read")):
        with pytest.raises(ConfigError, match=why):
            picture(tmp_path / name)
