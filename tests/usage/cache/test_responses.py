"""Answers are kept, given again, and forgotten; in each place where they can be kept."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from tests.usage.cache.conftest import Place, answer, ask, asked
from toolkit import stamps
from toolkit.db import Statement
from toolkit.db.feed import Feed
from toolkit.errors import ConfigError
from toolkit.messages import Message, ToolCall
from toolkit.stamps import now
from toolkit.usage.cache import Cached, ResponseCache


async def _keep(cache: ResponseCache, question: str, text: str = "Yes.", **more: Any) -> None:
    options = {name: more.pop(name) for name in ("ttl", "refresh", "prompt") if name in more}
    assert not (await ask(cache, asked(question), lambda: answer(text, **more), **options))[1]


async def _kept(cache: ResponseCache, *questions: str) -> list[bool]:
    """Whether each question has an answer, without making one."""
    found = []
    for question in questions:
        async with cache.once(asked(question), ttl=60, within=5) as flight:
            found.append(flight.found is not None)
    return found


async def test_a_question_that_was_answered_is_not_asked_again(place: Place) -> None:
    await _keep(place.cache(), "Why?")
    assert await ask(place.cache(), asked("Why?"), lambda: answer("No.")) == ("Yes.", True)
    assert await ask(place.cache(), asked("Why not?"), lambda: answer("No.")) == ("No.", False)


async def test_an_answer_comes_back_equal_whatever_is_in_it(place: Place) -> None:
    message = Message(
        "assistant", "\0 half \ud800", tool_calls=(ToolCall("1", "f", {"a": "\0"}),), opaque={"messages": ["\udfff"]}
    )
    made = Cached(message, "small", "openai", "gpt", "tool_calls", None, 12, (3, 6))
    async with place.cache().once(asked("q"), ttl=9, within=5) as flight:
        await flight.keep(made)
    async with place.cache().once(asked("q"), ttl=9, within=5) as flight:
        assert flight.found == made


async def test_what_is_asked_otherwise_is_another_question(cache: ResponseCache) -> None:
    ada, bob = asked("Why?", partition="ada"), asked("Why?", partition="bob")
    await ask(cache, ada, lambda: answer("Hello Ada."))
    assert await ask(cache, bob, lambda: answer("Hello Bob.")) == ("Hello Bob.", False)


async def test_an_answer_that_is_too_old_is_asked_anew(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = place.cache()
    await _keep(cache, "Why?", ttl=1)
    await _keep(cache, "How?", ttl=100)
    if place.redis:  # it has a clock of its own
        await asyncio.sleep(1.1)
    else:
        monkeypatch.setattr("toolkit.usage.cache.responses.now", _later(2))
    assert await _kept(cache, "Why?", "How?") == [False, True]
    assert await cache.sweep() == 1
    assert await cache.sweep() == 0


def _later(seconds: float) -> Any:
    from datetime import timedelta  # noqa: PLC0415 - only here

    return lambda: stamps.now() + timedelta(seconds=seconds)


async def test_a_refresh_asks_anew_and_replaces(place: Place) -> None:
    cache = place.cache()
    await _keep(cache, "Why?", "Old.")
    assert await _kept(cache, "Why?") == [True]
    assert (await cache.stats()).hits == 1
    await _keep(cache, "Why?", "New.", refresh=True)
    stats = await cache.stats()
    assert (stats.entries, stats.hits) == (1, 0)
    assert await ask(place.cache(), asked("Why?"), lambda: answer("?")) == ("New.", True)


async def test_while_it_is_refreshed_others_get_the_old_answer(place: Place) -> None:
    cache = place.cache()
    await _keep(cache, "Why?", "Old.")
    async with cache.once(asked("Why?"), ttl=60, refresh=True, within=5) as flight:
        assert flight.found is None
        for other in (cache, place.cache()):
            assert await ask(other, asked("Why?"), lambda: answer("?")) == ("Old.", True)
        await flight.keep(answer("New."))
    assert await ask(cache, asked("Why?"), lambda: answer("?")) == ("New.", True)


@pytest.mark.parametrize("ttl", [0, -1, 10**12])
async def test_a_time_that_cannot_be_is_refused(cache: ResponseCache, ttl: int) -> None:
    with pytest.raises(ConfigError, match="1 to"):
        async with cache.once(asked("Why?"), ttl=ttl, within=5):
            pass


async def test_the_least_recently_used_are_forgotten_when_it_is_full(place: Place) -> None:
    cache = place.cache(max_bytes=20_000)
    text = "x" * 1500
    for n in range(8):
        await _keep(cache, f"{n}", text)
    for _ in range(2):
        assert (await _kept(cache, "0", "1")) == [True, True]
    await cache.flush()
    for n in range(8, 14):
        await _keep(cache, f"{n}", text)
    stats = await cache.stats()
    assert stats.bytes <= 20_000
    assert stats.max_bytes == 20_000
    assert 5 < stats.entries < 12
    assert await _kept(cache, "0", "1", "13") == [True, True, True]
    assert await _kept(cache, "2", "3") == [False, False]


async def test_the_size_is_that_of_what_is_kept(place: Place) -> None:
    cache = place.cache()
    assert (await cache.stats()).bytes == 0
    await _keep(cache, "Why?", "x" * 1000)
    before = await cache.stats()
    assert 1000 < before.bytes < 2000
    await _keep(cache, "Why?", "x" * 3000, refresh=True)
    assert (await cache.stats()).bytes == before.bytes + 2000
    await cache.clear()
    assert (await cache.stats()).bytes == 0


async def test_one_answer_that_would_fill_an_eighth_is_not_kept_but_given_to_who_waits(place: Place) -> None:
    cache = place.cache(max_bytes=10_000)
    key = asked("Why?")
    async with cache.once(key, ttl=60, within=5) as flight:
        waiting = asyncio.create_task(ask(cache, key, lambda: answer("?")))
        await asyncio.sleep(0.5)  # long enough to be waiting on a busy machine
        await flight.keep(answer("x" * 2000))
    assert await waiting == ("x" * 2000, True)
    assert await _kept(place.cache(), "Why?") == [False]


async def test_hits_are_counted_and_written_together(place: Place) -> None:
    cache = place.cache()
    before = now()
    await _keep(cache, "Why?")
    await _keep(cache, "How?")
    commits = place.db.pool_stats().commits
    for _ in range(7):
        await _kept(cache, "Why?")
    assert place.db.pool_stats().commits == commits
    stats = await cache.stats()
    assert (stats.entries, stats.hits) == (2, 7)
    assert stats.oldest is not None
    assert before <= stats.oldest <= now()
    await _kept(cache, "How?")
    await cache.close()
    assert (await place.cache().stats()).hits == 8


async def test_many_hits_are_written_without_being_asked_for(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.usage.cache.responses._MOST_UNWRITTEN", 2)
    cache = place.cache()
    await _keep(cache, "Why?")
    await _keep(cache, "How?")
    assert await _kept(cache, "Why?", "How?") == [True, True]
    while cache._working:
        await asyncio.wait(set(cache._working))
    assert not cache._unwritten
    assert (await place.cache().stats()).hits == 2


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        ({"model": "small"}, ["How?"]),
        ({"prompt": "p1"}, ["How?", "Über 100%"]),
        ({"pattern": "über*"}, ["Why a_b?", "How?"]),
        ({"pattern": "*100%"}, ["Why a_b?", "How?"]),
        ({"pattern": "%"}, ["Why a_b?", "How?", "Über 100%"]),
        ({"pattern": "Why a?b[?]"}, ["Why a_b?", "How?", "Über 100%"]),
        ({"pattern": "WHY ???"}, ["Why a_b?", "How?", "Über 100%"]),
        ({"pattern": "WHY ????"}, ["How?", "Über 100%"]),
        ({"pattern": "*", "model": "large"}, ["Why a_b?", "Über 100%"]),
        ({"pattern": "H_w*"}, ["Why a_b?", "How?", "Über 100%"]),
        ({"model": "unknown"}, ["Why a_b?", "How?", "Über 100%"]),
    ],
)
async def test_what_fits_is_forgotten_and_told(place: Place, chosen: dict[str, str], left: list[str]) -> None:
    cache = place.cache()
    await _keep(cache, "Why a_b?", prompt="p1")
    await _keep(cache, "Über 100%", prompt="p2")
    await _keep(cache, "How?", model="large")
    feed = Feed(place.db)
    events = feed.subscribe("cache.invalidated", after=await feed.last())
    questions = ["Why a_b?", "How?", "Über 100%"]
    assert await cache.invalidate(**chosen) == 3 - len(left)
    told = await asyncio.wait_for(anext(events), 10)
    assert told.body["entries"] == 3 - len(left)
    await events.aclose()
    assert await _kept(place.cache(), *questions) == [question in left for question in questions]


async def test_everything_is_forgotten_and_told(place: Place) -> None:
    cache = place.cache()
    for question in ("Why?", "How?"):
        await _keep(cache, question)
    feed = Feed(place.db)
    events = feed.subscribe("cache.*", after=await feed.last())
    assert await cache.clear() == 2
    told = await asyncio.wait_for(anext(events), 10)
    assert (told.kind, told.subject, told.body) == ("cache.invalidated", "all", {"entries": 2})
    await events.aclose()
    assert await _kept(cache, "Why?", "How?") == [False, False]


@pytest.mark.parametrize("chosen", [{}, {"pattern": ""}, {"pattern": "x" * 501}])
async def test_an_order_to_forget_that_means_nothing_is_refused(cache: ResponseCache, chosen: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"pattern"):
        await cache.invalidate(**chosen)


async def test_no_pattern_takes_long(cache: ResponseCache) -> None:
    await _keep(cache, "a" * 500)
    assert await asyncio.wait_for(cache.invalidate(pattern="*a" * 249 + "b"), 20) == 0


async def test_an_answer_that_was_being_made_when_all_was_forgotten_is_not_kept(place: Place) -> None:
    cache, other = place.cache(), place.cache()
    for forget in (cache.clear, other.clear, lambda: other.invalidate(pattern="*")):
        async with cache.once(asked("Why?"), ttl=60, within=5) as flight:
            assert flight.found is None
            await forget()
            await flight.keep(answer("Yes."))
        assert await _kept(other, "Why?") == [False]


async def test_who_asks_after_all_was_forgotten_does_not_get_what_was_being_made_before(place: Place) -> None:
    cache = place.cache()
    for forget in (cache.clear, lambda: cache.invalidate(pattern="*")):
        async with cache.once(asked("Why?"), ttl=60, within=5) as flight:
            await forget()
            async with asyncio.timeout(10):  # else it would wait for the other until its patience ends
                assert await ask(cache, asked("Why?"), lambda: answer("New.")) == ("New.", False)
            await flight.keep(answer("Old."))
        assert await ask(cache, asked("Why?"), lambda: answer("?")) == ("New.", True)


@pytest.mark.parametrize("moment", ["before", "while"])
async def test_an_answer_of_a_model_that_was_changed_since_is_none(place: Place, moment: str) -> None:
    cache = place.cache()
    async with cache.once(asked("Why?"), ttl=60, within=5) as flight:
        if moment == "while":
            await _change(place, "small")
        await flight.keep(answer("Yes."))
    if moment == "before":
        await _change(place, "small")
    await _keep(cache, "How?", model="large")
    assert await _kept(place.cache(), "Why?", "How?") == [False, True]
    await _keep(place.cache(), "Why?")
    assert await _kept(place.cache(), "Why?") == [True]


async def _change(place: Place, name: str) -> None:
    await place.db.execute(
        """
        INSERT INTO model_changes (id, model_id, name, action, changed_at)
        VALUES (:id, 'm', :name, 'set', :at)
        """,
        id=stamps.new_id(),
        name=name,
        at=now(),
    )


async def test_what_is_kept_of_a_question_is_short_and_without_secrets(place: Place) -> None:
    if place.redis:
        return  # the same code as for the database
    secret = "sk-" + "a" * 40
    cache = place.cache()
    for question in (f"My key is {secret}, why\0?\ud800", "y " * 1990 + secret, "z" * 9000):
        await _keep(cache, question)
    rows = await place.db.fetch_all("SELECT question FROM cache ORDER BY question")
    assert [row["question"] for row in rows] == ["", "My key is ***, why ?" + "?", ("y " * 250).strip()]
    assert max(len(row["question"]) for row in rows) <= 500


async def _embed(texts: Sequence[str]) -> list[list[float]]:
    """Two directions: how much a text speaks of cats, and of dogs."""
    return [[text.lower().count("cat") + 0.01, float(text.lower().count("dog")), 0.0] for text in texts]


async def test_without_a_threshold_only_the_very_same_question_counts(place: Place) -> None:
    cache = place.cache(embed=_embed)
    await _keep(cache, "A cat?")
    assert await _kept(cache, "The cat?") == [False]


async def test_a_similar_question_gets_the_answer_of_the_most_similar(place: Place) -> None:
    cache = place.cache(similarity=0.95, embed=_embed)
    await ask(cache, asked("cat cat cat dog"), lambda: answer("Mostly cats."))
    await ask(cache, asked("A cat?"), lambda: answer("Cats."), refresh=False)
    assert await ask(cache, asked("The cat?"), lambda: answer("?")) == ("Cats.", True)
    assert await ask(cache, asked("A dog?"), lambda: answer("Dogs.")) == ("Dogs.", False)
    assert await ask(cache, asked("The dog?"), lambda: answer("?")) == ("Dogs.", True)
    assert (await cache.stats()).hits == 2


async def test_a_refreshed_answer_is_given_to_similar_questions_too(place: Place) -> None:
    cache = place.cache(similarity=0.95, embed=_embed)
    for said in ("Old.", "New."):
        assert await ask(cache, asked("A cat?"), partial(answer, said), refresh=True) == (said, False)
    assert await ask(cache, asked("The cat?"), lambda: answer("?")) == ("New.", True)


async def test_a_similar_question_asked_otherwise_gets_nothing(place: Place) -> None:
    cache = place.cache(similarity=0.5, embed=_embed)
    await ask(cache, asked("A cat?"), lambda: answer("Cats."))
    assert not (await ask(cache, asked("The cat?", model="large"), lambda: answer("?")))[1]
    assert not (await ask(cache, asked("The cat?", Message("assistant", "!")), lambda: answer("?")))[1]


async def test_a_similar_question_gets_nothing_that_is_stale(place: Place) -> None:
    cache = place.cache(similarity=0.5, embed=_embed)
    await ask(cache, asked("A cat?"), lambda: answer("Cats."))
    await _change(place, "small")
    assert not (await ask(place.cache(similarity=0.5, embed=_embed), asked("The cat?"), lambda: answer("?")))[1]


async def test_an_embedder_that_fails_is_done_without(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    broken = True

    async def embed(texts: Sequence[str]) -> list[list[float]]:
        if broken:
            raise ConnectionError("no embedder")
        return await _embed(texts)

    cache = place.cache(similarity=0.9, embed=embed)
    for question in ("A cat?", "Any cat?"):
        assert await ask(cache, asked(question), lambda: answer("Cats.")) == ("Cats.", False)
    assert await ask(cache, asked("A cat?"), lambda: answer("?")) == ("Cats.", True)
    assert caplog.text.count("no embedder") == 1
    broken = False
    await ask(cache, asked("One cat?"), lambda: answer("Again."))
    assert await ask(cache, asked("The cat?"), lambda: answer("?")) == ("Again.", True)


@pytest.mark.parametrize("vectors", [[], [[]], [[0.0, 0.0]], [[float("nan"), 1.0]], [[float("inf")]]])
async def test_a_vector_without_a_direction_is_done_without(place: Place, vectors: list[list[float]]) -> None:
    async def embed(_: Sequence[str]) -> list[list[float]]:
        return vectors

    cache = place.cache(similarity=0.9, embed=embed)
    assert await ask(cache, asked("A cat?"), lambda: answer("Cats.")) == ("Cats.", False)
    assert await ask(cache, asked("A cat?"), lambda: answer("?")) == ("Cats.", True)
    assert await ask(cache, asked("A dog?"), lambda: answer("Dogs.")) == ("Dogs.", False)


async def test_a_damaged_row_is_asked_anew_and_replaced(place: Place) -> None:
    cache = place.cache(similarity=0.9, embed=_embed)
    for body in ("{", '{"form": 0}', "[]"):
        await ask(cache, asked("A cat?"), lambda: answer("Old."), refresh=True)
        if place.redis:
            entry = place.redis.key("cache", "entry", asked("A cat?").exact)
            await place.redis.command("HSET", entry, "body", body, "vector", "?")
        else:
            await place.db.write(Statement("UPDATE cache SET body = :body, vector = '?'", {"body": body}))
        assert await ask(cache, asked("The cat?"), lambda: answer("Other.")) == ("Other.", False)
        assert await ask(cache, asked("A cat?"), lambda: answer("New.")) == ("Other.", True)
        assert cache.last_failure is None
        await cache.clear()
