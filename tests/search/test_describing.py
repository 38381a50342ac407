"""Chunks that a model described."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from toolkit.db import Database
from toolkit.errors import CassetteMiss, ConfigError
from toolkit.search.describing import DESCRIBED, MOST_TEXT, MOST_WORDS, TOGETHER, Describing
from toolkit.search.documents import Chunk, Document, IngestReport
from toolkit.search.ingest import Documents
from toolkit.search.keeping import Prepared
from toolkit.search.retriever import Retriever

DOCUMENT = Document("guide.md", "x" * (MOST_TEXT + 9))


def chunk(number: int, heading: str = "Guide") -> Chunk:
    return Chunk(f"d-{number}", "d", "default", number, heading, f"text {number}", 1, 2, "guide.md", "Guide")


def prepared(*chunks: Chunk) -> Prepared:
    return Prepared(DOCUMENT, chunks, "d", "default", "hash", 9)


def changes(report: IngestReport) -> tuple[int, int, int]:
    return report.added, report.updated, report.unchanged


async def test_what_a_chunk_is_about_stands_after_its_heading() -> None:
    async def describe(text: str, passages: Sequence[str]) -> list[str]:
        asked.append((len(text), len(passages)))
        return [f"About\n {passage}" for passage in passages]

    asked: list[tuple[int, int]] = []
    chunks = [chunk(n) for n in range(TOGETHER)] + [chunk(99, "")]
    found = await Describing(describe).described(prepared(*chunks))
    assert [each.heading for each in found.chunks[:2]] == ["Guide — About text 0", "Guide — About text 1"]
    assert found.chunks[-1].heading == "About text 99"
    assert [each.id for each in found.chunks] == [each.id for each in chunks]
    assert asked == [(MOST_TEXT, TOGETHER), (MOST_TEXT, 1)]
    assert found.content_hash == "hash" + DESCRIBED


async def test_a_description_is_bounded_and_an_empty_one_changes_nothing() -> None:
    async def describe(_text: str, _passages: Sequence[str]) -> list[str]:
        return ["word " * 200, " "]

    long, empty = (await Describing(describe).described(prepared(chunk(1), chunk(2)))).chunks
    assert len(long.heading) <= len("Guide — ") + MOST_WORDS
    assert long.heading.endswith("word…")
    assert empty == chunk(2)


@pytest.mark.parametrize("answer", [ConfigError("nobody answers"), ["one for two"]])
async def test_chunks_that_nobody_described_stay_as_they_are(answer: object, caplog: pytest.LogCaptureFixture) -> None:
    async def describe(_text: str, _passages: Sequence[str]) -> Sequence[str]:
        if isinstance(answer, Exception):
            raise answer
        return ["one for two"]

    given = prepared(chunk(1), chunk(2))
    with caplog.at_level(logging.WARNING):
        found = await Describing(describe).described(given)
    assert (list(found.chunks), found.content_hash) == (list(given.chunks), "hash")
    assert "keep their headings" in caplog.text


async def test_a_replay_that_lacks_a_description_fails() -> None:
    async def describe(_text: str, _passages: Sequence[str]) -> Sequence[str]:
        raise CassetteMiss("not recorded")

    with pytest.raises(CassetteMiss):
        await Describing(describe).described(prepared(chunk(1)))


async def test_an_ingest_asks_a_few_questions_at_a_time(db: Database, tmp_path: Path) -> None:
    going = most = 0

    async def describe(_text: str, passages: Sequence[str]) -> list[str]:
        nonlocal going, most
        going += 1
        most = max(most, going)
        await asyncio.sleep(0.01)
        going -= 1
        return [""] * len(passages)

    for n in range(20):
        (tmp_path / f"{n}.md").write_text(f"Text {n}.")
    await Documents(db).ingest(tmp_path, describe=describe)
    assert most == 4


async def test_a_passage_is_found_by_what_it_does_not_say_itself(db: Database, tmp_path: Path) -> None:
    async def describe(_text: str, passages: Sequence[str]) -> list[str]:
        return ["how long a breaker stays open"] * len(passages)

    documents = Documents(db)
    (tmp_path / "guide.md").write_text("# Guide\n\nIt then closes again after a minute.")
    await documents.ingest(tmp_path, describe=describe)
    (hit,) = await Retriever(db, documents).search("breaker")
    assert "breaker" not in hit.text
    assert hit.heading == "Guide — how long a breaker stays open"


async def test_what_is_described_is_not_described_again_and_what_is_not_is(db: Database, tmp_path: Path) -> None:
    asked, fails = 0, True

    async def describe(_text: str, passages: Sequence[str]) -> list[str]:
        nonlocal asked
        asked += 1
        if fails:
            raise ConfigError("nobody answers")
        return ["about"] * len(passages)

    how: dict[str, Any] = {"describe": describe}
    documents = Documents(db)
    (tmp_path / "guide.md").write_text("# Guide\n\nText.")

    async def ingest(**how: Any) -> tuple[int, int, int]:
        return changes(await documents.ingest(tmp_path, **how))

    assert await ingest() == (1, 0, 0)
    assert await ingest(**how) == (0, 1, 0)  # it is tried
    fails = False
    assert await ingest(**how) == (0, 1, 0)  # and again, as nobody answered
    assert await ingest(**how) == (0, 0, 1)
    assert await ingest() == (0, 0, 1)  # and is not lost
    assert asked == 2
    (tmp_path / "guide.md").write_text("# Guide\n\nOther text.")
    assert await ingest() == (0, 1, 0)
