"""Equal questions at once make one call of a model, in one process and in several."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import _emptied
from tests.usage.cache.conftest import Place, answer, ask, asked
from toolkit.db.redis import Redis
from toolkit.usage.cache import ResponseCache

KEY = asked("Why?")


async def _calling(cache: ResponseCache, calls: list[str], **options: object) -> tuple[str, bool]:
    """Ask; a call of the model takes a moment."""
    async with cache.once(KEY, **{"ttl": 60, "within": 20.0} | options) as flight:  # type: ignore[arg-type]
        if flight.found:
            return flight.found.message.text, True
        calls.append("")
        await asyncio.sleep(0.05)
        made = answer(f"{len(calls)}")
        await flight.keep(made)
        return made.message.text, False


@pytest.mark.parametrize("refresh", [False, True])
async def test_fifty_equal_questions_in_one_process_make_one_call(place: Place, refresh: bool) -> None:
    cache = place.cache()
    calls: list[str] = []
    said = await asyncio.gather(*(_calling(cache, calls, refresh=refresh) for _ in range(50)))
    assert len(calls) == 1
    assert sorted(said) == [("1", False)] + [("1", True)] * 49


async def test_equal_questions_of_several_caches_make_one_call(place: Place) -> None:
    caches = [place.cache() for _ in range(3)]
    calls: list[str] = []
    said = await asyncio.gather(*(_calling(cache, calls) for cache in caches for _ in range(10)))
    assert len(calls) == 1
    assert sorted(said) == [("1", False)] + [("1", True)] * 29


async def test_several_caches_that_refresh_at_once_make_one_call(place: Place) -> None:
    caches = [place.cache() for _ in range(3)]
    await ask(caches[0], KEY, lambda: answer("Old."))
    calls: list[str] = []
    said = await asyncio.gather(*(_calling(cache, calls, refresh=True) for cache in caches for _ in range(5)))
    assert len(calls) == 1
    assert {text for text, _ in said} == {"1"}


async def test_questions_that_differ_do_not_wait_for_each_other(place: Place) -> None:
    cache = place.cache()
    async with cache.once(KEY, ttl=60, within=20):
        assert await ask(cache, asked("How?"), lambda: answer("So.")) == ("So.", False)


class _Failed(Exception):
    pass


@pytest.mark.parametrize("same_process", [True, False])
@pytest.mark.parametrize("way", ["error", "cancel"])
async def test_if_the_first_fails_or_is_cancelled_another_goes_on(place: Place, way: str, same_process: bool) -> None:
    cache = place.cache()
    other = cache if same_process else place.cache()
    began = asyncio.Event()
    calls: list[str] = []

    async def first() -> None:
        async with cache.once(KEY, ttl=60, within=20) as flight:
            assert flight.found is None
            began.set()
            await asyncio.sleep(0.05 if way == "error" else 1000)
            raise _Failed

    task = asyncio.create_task(first())
    await began.wait()
    waiting = [asyncio.create_task(_calling(other, calls)) for _ in range(5)]
    await asyncio.sleep(0.02)
    if way == "cancel":
        task.cancel()
    said = await asyncio.gather(*waiting)
    await asyncio.gather(task, return_exceptions=True)
    assert len(calls) == 1
    assert sorted(said) == [("1", False)] + [("1", True)] * 4


@pytest.mark.parametrize("same_process", [True, False])
async def test_whose_patience_ends_asks_for_itself_and_its_answer_is_kept(place: Place, same_process: bool) -> None:
    cache = place.cache()
    other = cache if same_process else place.cache()
    async with cache.once(KEY, ttl=60, within=20) as slow:
        patient = asyncio.create_task(ask(other, KEY, lambda: answer("Patient.")))
        await asyncio.sleep(0.02)
        assert await ask(other, KEY, lambda: answer("Quick."), within=0.05) == ("Quick.", False)
        assert await patient == ("Quick.", True)
        assert await ask(place.cache(), KEY, lambda: answer("?")) == ("Quick.", True)
        await slow.keep(answer("Slow."))
    assert await ask(place.cache(), KEY, lambda: answer("?")) == ("Quick.", True)


async def test_an_answer_that_takes_longer_than_a_lease_is_still_waited_for(place: Place) -> None:
    cache, other = place.cache(lease=0.3), place.cache(lease=0.3)
    calls: list[str] = []
    async with cache.once(KEY, ttl=60, within=20) as flight:
        waiting = asyncio.create_task(_calling(other, calls))
        await asyncio.sleep(1.0)
        assert not waiting.done()
        await flight.keep(answer("Late."))
    assert await waiting == ("Late.", True)
    assert not calls


async def test_an_abandoned_lease_ends_by_itself(place: Place) -> None:
    dead = place.cache(lease=0.3)
    assert await dead._store.acquire(KEY.exact, "dead", 0.3)
    assert await ask(place.cache(), KEY, lambda: answer("Mine.")) == ("Mine.", False)
    assert await ask(place.cache(), KEY, lambda: answer("?")) == ("Mine.", True)


async def test_an_answer_that_came_between_the_look_and_the_lease_is_found(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, other = place.cache(), place.cache()
    acquire = cache._store.acquire

    async def late(key: str, maker: str, seconds: float, *, by_force: bool = False) -> bool:
        await ask(other, KEY, lambda: answer("Meanwhile."))
        return await acquire(key, maker, seconds, by_force=by_force)

    monkeypatch.setattr(cache._store, "acquire", late)
    assert await ask(cache, KEY, lambda: answer("?")) == ("Meanwhile.", True)


async def test_no_lease_is_left_when_all_is_answered(place: Place) -> None:
    cache = place.cache(max_bytes=2000)
    for make in ("Short.", "x" * 5000):
        await ask(cache, KEY, partial(answer, make), refresh=True)
        assert not await cache._store.held(KEY.exact)


@pytest.fixture(params=["sqlite-file", "postgres", "redis"])
async def addresses(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """URLs of an empty database, and of an empty Redis or `-`."""
    if request.param == "postgres":
        dsn: str = request.getfixturevalue("postgres_dsn")
        await (await _emptied(dsn)).close()
        return dsn, "-"
    if request.param == "sqlite-file":
        return f"sqlite:///{tmp_path / 'toolkit.db'}", "-"
    url: str = request.getfixturevalue("redis_url")
    redis = Redis(url)
    await redis.command("FLUSHALL")
    await redis.close()
    return f"sqlite:///{tmp_path / 'toolkit.db'}", url


@asynccontextmanager
async def _started(addresses: tuple[str, str], folder: Path, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.usage.cache.asking",
        *addresses,
        str(folder),
        *words,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        while not (folder / f"ready-{process.pid}").exists():
            assert process.returncode is None
            await asyncio.sleep(0.01)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _said(process: asyncio.subprocess.Process) -> list[str]:
    out, _ = await process.communicate()
    assert process.returncode == 0
    said: list[str] = json.loads(out)
    return said


async def test_three_processes_with_ten_tasks_each_make_one_call(addresses: tuple[str, str], tmp_path: Path) -> None:
    async with (
        _started(addresses, tmp_path, "10") as one,
        _started(addresses, tmp_path, "10") as two,
        _started(addresses, tmp_path, "10") as three,
    ):
        (tmp_path / "go").touch()
        said = [text for process in (one, two, three) for text in await _said(process)]
    calls = (tmp_path / "calls").read_text().split()
    assert len(calls) == 1
    assert said == [f"It was {calls[0]}."] * 30


async def test_if_the_first_process_is_killed_another_goes_on(addresses: tuple[str, str], tmp_path: Path) -> None:
    async with _started(addresses, tmp_path, "3", "die") as first:
        (tmp_path / "go").touch()
        while not (tmp_path / "calls").exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)
        async with _started(addresses, tmp_path, "3") as other:
            await asyncio.sleep(0.1)
            first.kill()
            said = await _said(other)
            assert said == [f"It was {other.pid}."] * 3
    assert len((tmp_path / "calls").read_text().split()) == 2
