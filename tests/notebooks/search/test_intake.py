import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from notebooks.search.panel import SearchPanel
from toolkit.errors import Conflict, IngestError
from toolkit.search.documents import IngestProgress, IngestReport
from toolkit.toolkit import Toolkit


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "birds.md").write_text("# Birds\n\nA kestrel hovers.\n", encoding="utf-8")
    (folder / "photo.jpg").write_bytes(b"\x00\x01\x02")
    return folder


async def pressed(panel: SearchPanel, what: str) -> None:
    """Write `what` into the line, press the button, and wait until the ingest has ended."""
    button, loop, ended = panel._intake.entry.button, asyncio.get_running_loop(), asyncio.Event()

    def tell(change: dict[str, str]) -> None:
        if change["new"] == "Ingest":
            loop.call_soon_threadsafe(ended.set)

    button.observe(tell, "description")
    panel._intake.entry.text.value = what
    button.click()
    async with asyncio.timeout(10):
        await ended.wait()


async def test_an_empty_store_says_how_to_fill_it_until_it_is_filled(tk: Any, docs: Path) -> None:
    panel = SearchPanel(tk)
    assert "Nothing to search yet." in panel._found.value
    assert "await panel.ingest(" in panel._found.value
    assert panel._intake.entry.layout.display == ""
    await panel.ingest(docs)
    assert panel._found.value == ""
    assert "All collections: 1 document · 1 passage" in panel._intake.holding.value


async def test_a_folder_is_taken_in_by_the_button_and_the_result_is_told(tk: Any, docs: Path) -> None:
    panel = SearchPanel(tk, "birds")
    await pressed(panel, str(docs))
    assert "birds: 1 document (1 added), 1 passage." in panel._intake.state.value
    assert "1 file left out, and why" in panel._intake.state.value
    assert "photo.jpg" in panel._intake.state.value
    assert [hit.collection for hit in await panel.search("kestrel")] == ["birds"]


async def test_a_collection_that_a_browser_sends_after_the_press_is_the_one(tk: Any, docs: Path) -> None:
    panel = SearchPanel(tk)
    pressing = asyncio.create_task(pressed(panel, str(docs)))
    await asyncio.sleep(0)
    await tk.documents.status()  # the toolkit's loop has begun with it by now
    panel._intake.collection.value = "birds"
    await pressing
    assert "birds: 1 document" in panel._intake.state.value


@pytest.mark.parametrize(
    ("what", "why"), [("no such folder", "does not exist"), ("ftp://127.0.0.1/x", "an address that is not fetched")]
)
async def test_a_path_or_address_that_cannot_be_read_is_said_below_the_line(tk: Any, what: str, why: str) -> None:
    panel = SearchPanel(tk)
    await pressed(panel, what)
    assert why in panel._intake.state.value
    assert 'role="alert"' in panel._intake.state.value
    assert panel._intake.entry.button.description == "Ingest"
    assert (await tk.documents.status()).documents == 0


async def test_a_cell_gets_the_report_or_the_error(tk: Any, docs: Path) -> None:
    panel = SearchPanel(tk)
    report: IngestReport = await panel.ingest(docs, collection="birds")
    assert (report.added, len(report.skipped)) == (1, 1)
    with pytest.raises(IngestError, match="does not exist"):
        await panel.ingest(docs / "nothing.md")


async def test_while_it_reads_it_says_how_far_it_is_and_stop_ends_it(
    tk: Any, toolkit: Toolkit, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = threading.Event()

    async def endless(what: Any, *, collection: str, progress: Any) -> IngestReport:
        progress(IngestProgress(3, 40, "docs/<b>.md"))
        reads.set()
        await asyncio.Event().wait()
        raise NotImplementedError(what, collection)

    monkeypatch.setattr(toolkit, "ingest", endless)
    panel = SearchPanel(tk)
    reading = asyncio.ensure_future(panel.ingest(docs))
    await asyncio.to_thread(reads.wait, 10)
    assert "3 of 40 documents · docs/&lt;b&gt;.md" in panel._intake.state.value
    assert '<progress max="40" value="3"' in panel._intake.state.value
    assert panel._intake.entry.button.description == "Stop"
    with pytest.raises(Conflict):
        panel.ingest(docs)
    panel._intake.entry.button.click()
    assert await reading is None
    assert "Stopped; what was read is kept" in panel._intake.state.value
    assert panel._intake.entry.button.description == "Ingest"


async def test_the_lines_for_adding_are_folded_where_there_is_something_to_search(tk: Any, docs: Path) -> None:
    await tk.ingest(docs)
    panel = SearchPanel(tk)
    assert panel._intake.entry.layout.display == "none"
    panel._intake._toggle.click()
    assert panel._intake.entry.layout.display == ""
