"""Chunks that a model described."""

import logging
from collections.abc import Sequence

import pytest

from toolkit.errors import CassetteMiss, ConfigError
from toolkit.search.describing import MOST_TEXT, MOST_WORDS, TOGETHER, described
from toolkit.search.documents import Chunk, Document

DOCUMENT = Document("guide.md", "x" * (MOST_TEXT + 9))


def chunk(number: int, heading: str = "Guide") -> Chunk:
    return Chunk(f"d-{number}", "d", "default", number, heading, f"text {number}", 1, 2, "guide.md", "Guide")


async def test_what_a_chunk_is_about_stands_after_its_heading() -> None:
    async def describe(text: str, passages: Sequence[str]) -> list[str]:
        asked.append((len(text), len(passages)))
        return [f"About\n {passage}" for passage in passages]

    asked: list[tuple[int, int]] = []
    chunks = [chunk(n) for n in range(TOGETHER)] + [chunk(99, "")]
    found = await described(DOCUMENT, chunks, describe)
    assert [each.heading for each in found[:2]] == ["Guide — About text 0", "Guide — About text 1"]
    assert found[-1].heading == "About text 99"
    assert [each.id for each in found] == [each.id for each in chunks]
    assert asked == [(MOST_TEXT, TOGETHER), (MOST_TEXT, 1)]


async def test_a_description_is_bounded_and_an_empty_one_changes_nothing() -> None:
    async def describe(_text: str, _passages: Sequence[str]) -> list[str]:
        return ["word " * 200, " "]

    long, empty = await described(DOCUMENT, [chunk(1), chunk(2)], describe)
    assert len(long.heading) <= len("Guide — ") + MOST_WORDS
    assert long.heading.endswith("word…")
    assert empty == chunk(2)


@pytest.mark.parametrize("answer", [ConfigError("nobody answers"), ["one for two"]])
async def test_chunks_that_nobody_described_stay_as_they_are(answer: object, caplog: pytest.LogCaptureFixture) -> None:
    async def describe(_text: str, _passages: Sequence[str]) -> Sequence[str]:
        if isinstance(answer, Exception):
            raise answer
        return ["one for two"]

    with caplog.at_level(logging.WARNING):
        assert await described(DOCUMENT, [chunk(1), chunk(2)], describe) == [chunk(1), chunk(2)]
    assert "keep their headings" in caplog.text


async def test_a_replay_that_lacks_a_description_fails() -> None:
    async def describe(_text: str, _passages: Sequence[str]) -> Sequence[str]:
        raise CassetteMiss("not recorded")

    with pytest.raises(CassetteMiss):
        await described(DOCUMENT, [chunk(1)], describe)
