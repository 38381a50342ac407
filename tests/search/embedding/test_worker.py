"""The background embedder."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from tests.search.embedding.fake_index import Collection, FakeIndex
from toolkit.errors import BadAnswer, ConfigError, InvalidRequest, ProviderUnavailable
from toolkit.search.embedding import Embedders, progress
from toolkit.search.embedding.worker import Worker

Vectors = list[list[float]]


def texts(count: int, kind: str = "text") -> dict[str, str]:
    return {f"{kind}-{n}": f"The {kind} number {n}." for n in range(count)}


def vectors(some: Sequence[str]) -> Vectors:
    return [[1.0, float(len(text)), 2.0] for text in some]


async def unasked(texts: Sequence[str], *, model: str, timeout: float) -> Vectors:
    raise AssertionError(f"{model} was asked to embed {texts}, within {timeout}")


async def until(true: Callable[[], object]) -> None:
    """Wait for what another task brings about; pytest's own limit ends it if it never comes."""
    while not true():  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0.001)


def worker_of(index: FakeIndex, function: Callable[[Sequence[str]], object] = vectors, name: str = "mine") -> Worker:
    embedders = Embedders(unasked, default="mine")
    embedders.register(name, function)  # type: ignore[arg-type]
    return Worker(lambda: index, embedders, again=0.01)


@pytest.fixture
def index() -> FakeIndex:
    return FakeIndex(birds=Collection(texts(100)), boats=Collection(texts(7, "boat")))


@pytest.fixture
async def worker(index: FakeIndex) -> AsyncIterator[Worker]:
    made = worker_of(index)
    yield made
    await made.close()


@pytest.fixture
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_REST", 0.001)


async def test_everything_that_is_pending_is_embedded_and_nothing_twice(worker: Worker, index: FakeIndex) -> None:
    await worker.settled("birds", "boats")
    assert [collection.pending for collection in index.collections.values()] == [0, 0]
    assert sum(index.writes) == 107
    assert not index.claims
    assert (worker.progress("birds").embedded, worker.progress("birds").pending) == (100, 0)


async def test_a_collection_that_nobody_touched_is_left_alone(worker: Worker, index: FakeIndex) -> None:
    await worker.settled("boats")
    assert index.collections["birds"].pending == 100
    assert worker.progress("birds").pending is None


async def test_what_comes_later_is_embedded_once_somebody_says_so(worker: Worker, index: FakeIndex) -> None:
    await worker.settled("boats")
    index.collections["boats"].texts |= texts(3, "ship")
    await worker.settled("boats")
    assert index.collections["boats"].pending == 0


async def test_two_processes_share_the_work_and_do_nothing_twice(index: FakeIndex) -> None:
    async def slowly(some: Sequence[str]) -> Vectors:
        await asyncio.sleep(0.005)
        return vectors(some)

    one, two = worker_of(index, slowly), worker_of(index, slowly)
    await asyncio.gather(one.settled("birds"), two.settled("birds"))
    done = [each.progress("birds").embedded for each in (one, two)]
    assert sum(done) == 100
    assert min(done) > 0
    await one.close()
    await two.close()


async def test_what_another_process_has_claimed_is_waited_for_and_taken_over_when_it_is_free(index: FakeIndex) -> None:
    boats = index.collections["boats"]
    index.claims = {("boats", boats.hash(chunk)) for chunk in list(boats.texts)[:3]}
    worker = worker_of(index)
    worker.touch("boats")
    await until(lambda: boats.pending == 3)
    index.claims.clear()
    await worker.settled("boats")
    assert boats.pending == 0
    await worker.close()


async def test_paused_it_begins_nothing_and_resumed_it_goes_on(worker: Worker, index: FakeIndex) -> None:
    worker.pause()
    worker.touch("boats")
    await asyncio.sleep(0.02)
    assert (index.writes, worker.progress("boats").paused) == ([], True)
    worker.resume()
    await worker.settled("boats")
    assert (worker.paused, index.collections["boats"].pending) == (False, 0)


async def test_paused_it_works_while_somebody_waits_for_it_and_then_stands_again(
    worker: Worker, index: FakeIndex
) -> None:
    worker.pause()
    async with asyncio.timeout(10):
        await asyncio.gather(worker.settled("boats"), worker.settled("birds"))
    assert (worker.paused, index.collections["boats"].pending) == (True, 0)
    await worker.close()


async def test_closed_in_the_middle_of_a_part_it_stops_at_once_and_frees_what_it_had_claimed(index: FakeIndex) -> None:
    begun = asyncio.Event()

    async def forever(_some: Sequence[str]) -> Vectors:
        begun.set()
        await asyncio.sleep(60)
        return []

    worker = worker_of(index, forever)
    worker.touch("birds")
    await begun.wait()
    assert index.claims
    await worker.close()
    assert (index.claims, index.writes) == (set(), [])


@pytest.mark.usefixtures("no_rest")
async def test_a_database_that_goes_away_is_waited_for(index: FakeIndex, caplog: pytest.LogCaptureFixture) -> None:
    def failing(some: Sequence[str]) -> Vectors:
        if len(index.writes) == 1 and not caplog.records:
            index.away = True
        return vectors(some)

    worker = worker_of(index, failing)
    worker.touch("birds")
    await until(lambda: caplog.records)
    assert worker.progress("birds").problem == "The database is away."
    index.away = False
    index.claims.clear()  # their time is over
    await until(lambda: not index.collections["birds"].pending)
    await worker.settled("birds")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert worker.progress("birds").problem is None
    await worker.close()


@pytest.mark.usefixtures("no_rest")
async def test_a_model_that_goes_away_is_waited_for_and_told_once(
    index: FakeIndex, caplog: pytest.LogCaptureFixture
) -> None:
    calls = 0

    def away_for_a_while(some: Sequence[str]) -> Vectors:
        nonlocal calls
        calls += 1
        if 2 <= calls <= 8:
            raise ProviderUnavailable("The model is away.", provider="mine")
        return vectors(some)

    worker = worker_of(index, away_for_a_while)
    worker.touch("birds")
    await until(lambda: not index.collections["birds"].pending)
    assert [record.message for record in caplog.records] == ["Embedding of 'birds' must wait: The model is away."]
    assert worker.progress("birds").skipped == 0
    await worker.close()


async def test_who_waits_is_told_what_is_wrong(index: FakeIndex) -> None:
    def broken(_some: Sequence[str]) -> Vectors:
        raise ValueError("no")

    worker = worker_of(index, broken)
    with pytest.raises(BadAnswer, match=r"'mine' failed \(ValueError: no\)"):
        await worker.settled("boats")
    assert index.claims == set()
    await worker.close()


async def test_an_embedder_that_is_not_there_is_told_in_words(index: FakeIndex) -> None:
    index.collections["boats"].embedder = "fastembed/"
    worker = worker_of(index)
    with pytest.raises(ConfigError, match="needs the name of a model"):
        await worker.settled("boats")
    await worker.close()


async def test_a_text_that_the_model_refuses_is_left_out_and_the_others_are_not(index: FakeIndex) -> None:
    def picky(some: Sequence[str]) -> Vectors:
        if any("number 3." in text for text in some):
            raise InvalidRequest("That one is not allowed.", provider="mine")
        return vectors(some)

    worker = worker_of(index, picky)
    await worker.settled("boats")
    at_end = worker.progress("boats")
    assert (at_end.embedded, at_end.pending, at_end.skipped) == (6, 1, 1)
    assert at_end.problem == "That one is not allowed."
    assert index.claims == set()
    await worker.close()


async def test_a_chunk_that_was_changed_meanwhile_gets_no_vector_of_its_old_text(index: FakeIndex) -> None:
    boats = index.collections["boats"]
    original = index.texts

    async def changing(chunk_ids: Sequence[str], /) -> object:
        boats.texts["boat-2"] = "It was changed."
        del boats.texts["boat-5"]
        index.texts = original  # type: ignore[method-assign]
        return await original(chunk_ids)

    index.texts = changing  # type: ignore[method-assign, assignment]
    old = boats.hash("boat-2")
    worker = worker_of(index)
    await worker.settled("boats")
    assert ("mine", old) not in boats.kept
    assert ("mine", boats.hash("boat-2")) in boats.kept
    assert (boats.pending, len(boats.kept)) == (0, 6)
    await worker.close()


async def test_a_collection_that_changes_its_embedder_is_embedded_by_the_next_one(index: FakeIndex) -> None:
    index.collections["boats"].next_embedder = "other"
    worker = worker_of(index, name="other")
    await worker.settled("boats")
    assert {name for name, _ in index.collections["boats"].kept} == {"other"}
    await worker.close()


async def test_vectors_that_the_collection_does_not_take_are_not_made_again_and_again(index: FakeIndex) -> None:
    index.refuses = True
    worker = worker_of(index)
    with pytest.raises(ConfigError, match="makes vectors of 3 dimensions, but has made others"):
        await worker.settled("boats")
    assert worker.progress("boats").embedded == 0
    assert index.claims == set()
    await worker.close()


async def test_vectors_of_an_embedder_that_was_changed_meanwhile_are_dropped(index: FakeIndex) -> None:
    index.refuses = True

    def changing(some: Sequence[str]) -> Vectors:
        index.collections["boats"].next_embedder = "other"
        return vectors(some)

    def other(some: Sequence[str]) -> Vectors:
        index.refuses = False
        return vectors(some)

    embedders = Embedders(unasked)
    embedders.register("mine", changing)
    embedders.register("other", other)
    worker = Worker(lambda: index, embedders, again=0.01)
    await worker.settled("boats")
    assert {name for name, _ in index.collections["boats"].kept} == {"other"}
    await worker.close()


async def test_a_collection_without_an_embedder_gets_the_default_one(index: FakeIndex) -> None:
    index.collections["boats"].embedder = None
    worker = worker_of(index)
    await worker.settled("boats")
    assert {name for name, _ in index.collections["boats"].kept} == {"mine"}
    await worker.close()


async def test_a_mistake_in_one_collection_does_not_end_the_others(
    index: FakeIndex, caplog: pytest.LogCaptureFixture
) -> None:
    index.collections["boats"].unembedded = None  # type: ignore[method-assign, assignment]
    worker = worker_of(index)
    worker.touch("boats")
    await worker.settled("birds")
    assert index.collections["birds"].pending == 0
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "should not (TypeError)" in (worker.progress("boats").problem or "")
    await worker.close()


async def test_a_collection_that_was_deleted_is_done(worker: Worker, index: FakeIndex) -> None:
    del index.collections["boats"]
    await worker.settled("boats")
    assert worker.progress("boats").pending == 0


async def test_parts_grow_while_they_are_fast_and_shrink_when_they_are_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 0.5, 10.0, 30.0])
    monkeypatch.setattr(progress, "monotonic", lambda: next(moments))
    desk = progress.Desk()
    before = desk.size
    for pace in (200.0, 5.0):
        with desk.timed():
            desk.kept(100)
        assert desk.progress(paused=False).per_second == pytest.approx(pace if pace > 100 else 0.7 * 200 + 0.3 * 5)
    assert desk.size == before * 2 / 2


def test_how_long_it_still_takes_is_known_from_the_pace() -> None:
    told = progress.Progress(embedded=10, pending=50, per_second=5.0, skipped=0, paused=False, problem=None)
    assert told.seconds_left == 10
    assert progress.Desk().progress(paused=True).seconds_left is None


async def test_an_open_toolkit_that_embeds_nothing_has_no_task(index: FakeIndex) -> None:
    worker = worker_of(index)
    before = len(asyncio.all_tasks())
    await worker.close()
    assert len(asyncio.all_tasks()) == before
