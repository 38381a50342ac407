"""Files that are followed: nothing falls between, an error is told, and the end is the end."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from toolkit.errors import ConfigError, IngestError
from toolkit.search import following
from toolkit.search.documents import IngestReport
from toolkit.search.following import follow

REPORT = IngestReport(1, 0, 0, 0, (), 1, 1)


class Changes:
    """Changes that a test makes up; whose iterators are open."""

    def __init__(self) -> None:
        self.queues: dict[Path, asyncio.Queue[set[Path] | Exception]] = {}

    async def __call__(self, folder: Path) -> AsyncIterator[set[Path]]:
        self.queues[folder] = asyncio.Queue()
        try:
            while True:
                found = await self.queues[folder].get()
                if isinstance(found, Exception):
                    raise found
                yield found
        finally:
            del self.queues[folder]


@pytest.fixture
def changes(monkeypatch: pytest.MonkeyPatch) -> Changes:
    made = Changes()
    monkeypatch.setattr(following, "changes", made)
    return made


A, B = Path("a"), Path("b")


async def test_all_paths_are_read_and_then_those_that_change(changes: Changes) -> None:
    asked: list[list[Path]] = []

    async def ingest(paths: Sequence[Path]) -> IngestReport:
        asked.append(list(paths))
        assert set(changes.queues) == {A, B}, "they are watched before they are read"
        return REPORT

    async with asyncio.timeout(5), aclosing(follow(ingest, [A, B])) as told:
        assert await anext(told) == REPORT
        changes.queues[B].put_nowait({B / "x"})
        assert await anext(told) == REPORT
        changes.queues[B].put_nowait({B / "x"})
        changes.queues[A].put_nowait({A / "y"})
        await anext(told)

    assert asked[:2] == [[A, B], [B]]
    assert A in asked[2] or B in asked[2]
    assert not changes.queues


async def test_what_changes_while_it_is_read_is_read_again(changes: Changes) -> None:
    asked = 0

    async def ingest(paths: Sequence[Path]) -> IngestReport:
        nonlocal asked
        asked += len(paths)
        if asked == 1:
            changes.queues[A].put_nowait({A / "x"})
            await asyncio.sleep(0)
        return REPORT

    async with asyncio.timeout(5), aclosing(follow(ingest, [A])) as told:
        await anext(told)
        await anext(told)

    assert asked == 2


async def test_an_error_later_on_is_told_and_watching_goes_on(changes: Changes) -> None:
    answers: Iterator[IngestReport | IngestError] = iter([REPORT, IngestError("gone"), REPORT])

    async def ingest(_paths: Sequence[Path]) -> IngestReport:
        answer = next(answers)
        if isinstance(answer, IngestError):
            raise answer
        return answer

    async with asyncio.timeout(5), aclosing(follow(ingest, [A])) as told:
        await anext(told)
        changes.queues[A].put_nowait({A})
        assert str(await anext(told)) == "gone"
        changes.queues[A].put_nowait({A})
        assert await anext(told) == REPORT


async def test_an_error_at_first_is_raised(changes: Changes) -> None:
    async def ingest(_paths: Sequence[Path]) -> IngestReport:
        raise IngestError("nothing there")

    async with asyncio.timeout(5), aclosing(follow(ingest, [A])) as told:
        with pytest.raises(IngestError, match="nothing there"):
            await anext(told)
    assert not changes.queues


async def test_a_watch_that_fails_is_raised(changes: Changes) -> None:
    async def ingest(_paths: Sequence[Path]) -> IngestReport:
        return REPORT

    async with asyncio.timeout(5), aclosing(follow(ingest, [A])) as told:
        await anext(told)
        changes.queues[A].put_nowait(ConfigError("the drive went away"))
        with pytest.raises(ConfigError, match="the drive went away"):
            await anext(told)


async def test_a_real_change_of_a_file_is_followed(tmp_path: Path) -> None:
    pytest.importorskip("watchfiles", reason="the extra `watch` is not installed")
    (tmp_path / "a.md").write_text("# One\n")

    async def ingest(paths: Sequence[Path]) -> IngestReport:
        return IngestReport(0, 0, 0, 0, (), len([*paths[0].iterdir()]), 0)

    async with asyncio.timeout(20), aclosing(follow(ingest, [tmp_path])) as told:
        first = await anext(told)
        assert isinstance(first, IngestReport)
        assert first.documents == 1
        (tmp_path / "b.md").write_text("# Two\n")
        second = await anext(told)
        assert isinstance(second, IngestReport)
        assert second.documents == 2


async def test_a_path_that_does_not_exist_is_said(tmp_path: Path) -> None:
    pytest.importorskip("watchfiles", reason="the extra `watch` is not installed")

    async def ingest(_paths: Sequence[Path]) -> IngestReport:
        return REPORT

    async with asyncio.timeout(5), aclosing(follow(ingest, [tmp_path / "nowhere"])) as told:
        with pytest.raises(ConfigError, match="does not exist"):
            await anext(told)
