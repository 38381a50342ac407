"""The router asks the models of a chain in order until one answers, within one deadline."""

import asyncio
from dataclasses import replace
from typing import Any

import anyio
import pytest

from tests.models.conftest import HELLO, Deaf, Stage, outcomes
from toolkit import providers
from toolkit.db import Statement
from toolkit.errors import (
    AllModelsFailed,
    AuthenticationFailed,
    BadAnswer,
    ConfigError,
    ContentRefused,
    ContextTooLong,
    DatabaseFull,
    DeadlineExceeded,
    InvalidRequest,
    ModelNotFound,
    NotFound,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
)
from toolkit.messages import Caller, Message, Source, Usage
from toolkit.models.candidates import Fallbacks
from toolkit.models.catalog import Catalog
from toolkit.models.router import Router
from toolkit.providers.scripted import Scripted


def error(kind: type[ProviderError], retry_after: float | None = None) -> ProviderError:
    return kind("It failed.", provider="scripted", status=418, request_id="req-9", retry_after=retry_after)


async def test_the_first_model_of_the_chain_answers(stage: Stage) -> None:
    await stage.add("a", "Hello.")
    other = await stage.add("b", "Never.")

    reply = await stage.router.complete(HELLO)

    assert (reply.text, reply.model, reply.finish_reason) == ("Hello.", "a", "stop")
    assert outcomes(reply.attempts) == [("a", None)]
    assert other.requests == []
    assert await stage.recorded() == [("a", "ok", None)]


@pytest.mark.parametrize(
    "kind", [RateLimited, QuotaExceeded, AuthenticationFailed, ModelNotFound, ContextTooLong, ProviderTimeout]
)
async def test_a_failing_model_hands_over_to_the_next(stage: Stage, kind: type[ProviderError]) -> None:
    first = await stage.add("a", error(kind))
    await stage.add("b", "Hello.")

    reply = await stage.router.complete(HELLO)

    assert (reply.text, reply.model) == ("Hello.", "b")
    assert outcomes(reply.attempts) == [("a", kind.__name__), ("b", None)]
    assert len(first.requests) == 1
    assert stage.clock.slept == []
    failed = reply.attempts[0]
    assert (failed.message, failed.status, failed.request_id) == ("It failed.", 418, "req-9")


@pytest.mark.parametrize("kind", [ProviderUnavailable, BadAnswer])
async def test_a_model_that_stumbled_is_asked_once_more_and_then_the_next(
    stage: Stage, kind: type[ProviderError]
) -> None:
    await stage.add("a", error(kind), error(kind), "Too late.")
    await stage.add("b", "Hello.")

    reply = await stage.router.complete(HELLO)

    assert outcomes(reply.attempts) == [("a", kind.__name__), ("a", kind.__name__), ("b", None)]
    assert [pause <= 0.25 for pause in stage.clock.slept] == [True]


async def test_a_retry_that_succeeds_is_the_answer(stage: Stage) -> None:
    await stage.add("a", error(ProviderUnavailable), "Hello.")

    reply = await stage.router.complete(HELLO)

    assert outcomes(reply.attempts) == [("a", "ProviderUnavailable"), ("a", None)]


async def test_the_last_model_is_waited_for_as_long_as_it_asked_if_that_fits(stage: Stage) -> None:
    await stage.add("a", error(RateLimited, 3600.0))
    await stage.add("b", error(RateLimited, 8.0), "Hello.")

    reply = await stage.router.complete(HELLO)

    assert outcomes(reply.attempts) == [("a", "RateLimited"), ("b", "RateLimited"), ("b", None)]
    assert stage.clock.slept == [8.0]


async def test_retry_after_beyond_the_deadline_is_not_waited_for(stage: Stage) -> None:
    await stage.add("a", error(RateLimited, 30.0), "Too late.")

    with pytest.raises(AllModelsFailed):
        await stage.router.complete(HELLO, timeout=10.0)
    assert stage.clock.slept == []


@pytest.mark.parametrize("kind", [InvalidRequest, ContentRefused])
async def test_what_every_vendor_would_refuse_fails_at_once_and_is_recorded(
    stage: Stage, kind: type[ProviderError]
) -> None:
    await stage.add("a", error(kind))
    other = await stage.add("b", "Never.")

    with pytest.raises(kind, match="It failed"):
        await stage.router.complete(HELLO)
    assert other.requests == []
    assert await stage.recorded() == [("a", "error", kind.__name__)]


async def test_when_nobody_answers_the_error_tells_of_every_attempt_and_is_chained_to_the_last(stage: Stage) -> None:
    await stage.add("a", error(RateLimited, 3600.0))
    last = error(QuotaExceeded)
    await stage.add("b", last)

    with pytest.raises(AllModelsFailed, match=r"a: RateLimited.*b: QuotaExceeded") as caught:
        await stage.router.complete(HELLO)
    assert outcomes(caught.value.attempts) == [("a", "RateLimited"), ("b", "QuotaExceeded")]
    assert caught.value.__cause__ is last
    assert await stage.recorded() == [("a", "error", "RateLimited"), ("b", "error", "QuotaExceeded")]


async def test_a_model_that_is_named_is_tried_alone(stage: Stage) -> None:
    await stage.add("a", error(RateLimited, 3600.0))
    other = await stage.add("b", "Never.")

    with pytest.raises(AllModelsFailed) as caught:
        await stage.router.complete(HELLO, model="a")
    assert outcomes(caught.value.attempts) == [("a", "RateLimited")]
    assert other.requests == []


@pytest.mark.parametrize(
    ("fallbacks", "asked"),
    [(["c"], ["b", "c"]), ("chain", ["b", "a", "c"]), (["off", "c"], ["b", "c"]), (["b", "c", "c"], ["b", "c"])],
)
async def test_fallbacks_are_names_or_the_rest_of_the_chain_each_asked_once_and_disabled_ones_not_at_all(
    stage: Stage, fallbacks: Fallbacks, asked: list[str]
) -> None:
    for name in ("a", "b", "c"):
        await stage.add(name, error(QuotaExceeded), "Never.")
    await stage.add("off", "Never.", enabled=False)

    with pytest.raises(AllModelsFailed) as caught:
        await stage.router.complete(HELLO, model="b", fallbacks=fallbacks)
    assert [attempt.name for attempt in caught.value.attempts] == asked


async def test_a_name_that_is_not_there_is_an_error_and_no_attempt(stage: Stage) -> None:
    await stage.add("a", "Hello.")

    with pytest.raises(NotFound):
        await stage.router.complete(HELLO, model="b")
    with pytest.raises(NotFound):
        await stage.router.complete(HELLO, model="a", fallbacks=["b"])
    assert await stage.recorded() == []


async def test_without_any_model_the_error_says_what_to_set(stage: Stage) -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        await stage.router.complete(HELLO)


async def test_the_chain_is_that_of_the_scope(stage: Stage) -> None:
    await stage.add("a", "Everyone's.")
    await stage.add("b", "The team's.", scope="team")

    assert (await stage.router.complete(HELLO, scope="team")).text == "The team's."


async def test_a_missing_key_is_an_attempt_without_any_request(stage: Stage) -> None:
    await stage.catalog.add("openai", "gpt-4o-mini", auth={"api_key_env": "NOBODY_SET_THIS"})
    await stage.catalog.add("scripted", "x", name="next", priority=200, config={"say": ["Hello."]})
    router = Router(stage.catalog, stage.ledger, {}, connect=providers.connect)

    reply = await router.complete(HELLO)

    assert outcomes(reply.attempts) == [("gpt-4o-mini", "AuthenticationFailed"), ("next", None)]
    await router.close()


async def test_a_row_that_cannot_be_used_is_an_attempt_and_the_chain_goes_on(stage: Stage) -> None:
    await stage.add("unknown", "Never.")
    await stage.add("hot", "Never.")
    await stage.add("good", "Hello.")
    await stage.db.write(
        Statement("UPDATE models SET provider = 'martian' WHERE name = 'unknown'"),
        Statement("UPDATE models SET config = :config WHERE name = 'hot'", {"config": {"timeout": "long"}}),
    )
    stage.vendors["good"] = Scripted("Hello.")

    def connect(provider: str, *settings: object) -> Scripted:
        assert settings
        if provider == "martian":
            providers.connect(provider, {}, {})
        return Scripted("Hello.")

    router = Router(stage.catalog, stage.ledger, {}, connect=connect)
    reply = await router.complete(HELLO)

    assert outcomes(reply.attempts) == [("unknown", "ConfigError"), ("hot", "ConfigError"), ("good", None)]
    assert "'timeout'" in str(reply.attempts[1].message)
    await router.close()


async def test_a_provider_that_breaks_its_promises_breaks_no_chain(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: object) -> str:
        raise TypeError("a mistake in the code, with sk-1234567890abcdef")

    await stage.add("a", broken, broken)
    await stage.add("b", "Hello.")

    reply = await stage.router.complete(HELLO)

    assert reply.attempts[0].error == "BadAnswer"
    assert "TypeError" in str(reply.attempts[0].message)
    assert "sk-" not in str(reply.attempts[0].message)
    assert "a mistake in the code" in caplog.text


async def test_a_last_resort_is_not_asked_while_the_chain_has_another_model(stage: Stage) -> None:
    await stage.add("offline", "Never.", provider="offline", priority=-1)
    await stage.add("a", error(QuotaExceeded))

    with pytest.raises(AllModelsFailed) as caught:
        await stage.router.complete(HELLO)
    assert outcomes(caught.value.attempts) == [("a", "QuotaExceeded")]


async def test_a_last_resort_is_asked_where_the_request_brings_its_sources(stage: Stage) -> None:
    await stage.add("a", error(QuotaExceeded))
    await stage.add("offline", "From the sources.", provider="offline")

    reply = await stage.router.complete(replace(HELLO, sources=(Source("1", "t", "x"),)))

    assert outcomes(reply.attempts) == [("a", "QuotaExceeded"), ("offline", None)]
    assert stage.limits[0] == 58.0


async def test_a_last_resort_is_asked_where_there_is_nobody_else(stage: Stage) -> None:
    await stage.add("offline", "Alone.", provider="offline")

    assert (await stage.router.complete(HELLO)).text == "Alone."
    assert stage.limits == [60.0]


async def test_a_last_resort_is_asked_where_it_is_named_as_a_fallback(stage: Stage) -> None:
    await stage.add("a", error(QuotaExceeded), error(QuotaExceeded))
    await stage.add("offline", "As you wish.", provider="offline")

    reply = await stage.router.complete(HELLO, model="a", fallbacks=["offline"])

    assert outcomes(reply.attempts) == [("a", "QuotaExceeded"), ("offline", None)]
    with pytest.raises(AllModelsFailed):
        await stage.router.complete(HELLO, model="a", fallbacks="chain")


async def test_the_row_gives_what_the_request_leaves_open_and_the_request_wins(stage: Stage) -> None:
    config = {"temperature": 0.3, "max_tokens": 50, "extra": {"a": 1, "b": 1}}
    vendor = await stage.add("a", "Hello.", "Hello.", config=config)

    await stage.router.complete(HELLO)
    await stage.router.complete(replace(HELLO, temperature=0.0, max_tokens=5, extra={"b": 2}))

    assert [(r.temperature, r.max_tokens, r.extra) for r in vendor.requests] == [
        (0.3, 50, {"a": 1, "b": 1}),
        (0.0, 5, {"a": 1, "b": 2}),
    ]


async def test_an_attempt_gets_its_own_limit_or_a_share_of_what_is_left_and_the_last_gets_the_rest(
    stage: Stage,
) -> None:
    passing = stage.clock.passing
    await stage.add("a", passing(30.0, error(ProviderTimeout)))
    await stage.add("b", passing(5.0, error(ProviderTimeout)), config={"timeout": 5.0})
    await stage.add("c", passing(12.5, error(ProviderTimeout)))
    await stage.add("d", "Hello.")

    await stage.router.complete(HELLO)

    assert stage.limits == [30.0, 5.0, 12.5, 12.5]


async def test_when_the_time_runs_out_nobody_else_is_asked(stage: Stage) -> None:
    await stage.add("a", stage.clock.passing(20.0, error(ProviderTimeout)))
    other = await stage.add("b", "Never.")

    with pytest.raises(DeadlineExceeded, match="within 20 s") as caught:
        await stage.router.complete(HELLO, timeout=20.0)
    assert outcomes(caught.value.attempts) == [("a", "ProviderTimeout")]
    assert other.requests == []


async def test_one_model_that_uses_up_the_time_is_a_deadline_too(stage: Stage) -> None:
    await stage.add("a", stage.clock.passing(20.0, error(ProviderTimeout)))

    with pytest.raises(DeadlineExceeded) as caught:
        await stage.router.complete(HELLO, timeout=20.0)
    assert isinstance(caught.value.__cause__, ProviderTimeout)


async def test_a_provider_that_ignores_its_limit_is_cut_off(stage: Stage) -> None:
    deaf = Deaf()
    await stage.put("deaf", deaf, config={"timeout": 0.01})
    await stage.add("b", "Hello.")

    reply = await stage.router.complete(HELLO)

    assert outcomes(reply.attempts) == [("deaf", "ProviderTimeout"), ("b", None)]
    assert deaf.cancelled


async def test_a_timeout_that_is_none_is_refused(stage: Stage) -> None:
    with pytest.raises(ConfigError, match="above 0"):
        await stage.router.complete(HELLO, timeout=0)


async def test_cancelling_the_caller_cancels_the_vendors_request_and_the_ledger_says_so(stage: Stage) -> None:
    deaf = Deaf()
    await stage.put("a", deaf)
    other = await stage.add("b", "Never.")
    asking = asyncio.create_task(stage.router.complete(HELLO))
    await deaf.asked.wait()

    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    await stage.ledger.flush()
    assert deaf.cancelled
    assert other.requests == []
    assert await stage.recorded() == [("a", "cancelled", "Cancelled")]


async def test_a_cancel_scope_that_cancels_again_and_again_does_not_keep_the_row_from_the_ledger(stage: Stage) -> None:
    deaf = Deaf()
    await stage.put("a", deaf)

    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(stage.router.complete, HELLO)
            await deaf.asked.wait()
            scope.cancel()

    await stage.router.close()
    assert await stage.recorded() == [("a", "cancelled", "Cancelled")]


async def test_every_attempt_is_a_row_with_its_tokens_and_its_cost(stage: Stage) -> None:
    await stage.add("a", error(QuotaExceeded))
    stage.vendors["b"] = Scripted("Four words are here.")
    await stage.catalog.add("openai", "gpt-4o-mini", name="b", config={"script": "b"})
    caller = Caller(user="ada", origin="test", session_id="s1")

    reply = await stage.router.complete(HELLO, caller=caller, call_id="the-call")

    second, first = await stage.ledger.calls(call_id="the-call")
    assert reply.call_id == "the-call"
    assert reply.attempts == (first.attempt, second.attempt)
    assert second.attempt.usage == Usage(1, 4)
    assert second.attempt.cost_nano_usd == 150 + 4 * 600
    assert reply.cost_usd == pytest.approx(2.55e-6)
    assert [(c.number, c.kind, c.user, c.origin, c.session_id) for c in (first, second)] == [
        (1, "chat", "ada", "test", "s1"),
        (2, "chat", "ada", "test", "s1"),
    ]


async def test_a_ledger_that_cannot_write_breaks_no_answer(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object, **__: object) -> None:
        raise DatabaseFull("No space is left.")

    await stage.add("a", "Hello.")
    monkeypatch.setattr(stage.db, "write", full)

    assert (await stage.router.complete(HELLO)).text == "Hello."
    assert stage.ledger.failures == 1


async def test_closing_waits_for_the_last_rows(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    write = stage.db.write
    written = []

    async def slow(*args: Any, **values: Any) -> None:
        await asyncio.sleep(0.01)
        written.append(await write(*args, **values))

    await stage.add("a", "Hello.")
    monkeypatch.setattr(stage.db, "write", slow)
    monkeypatch.setattr("toolkit.usage.ledger._PATIENCE", 0.0)
    await stage.router.complete(HELLO)

    before = len(written)
    await stage.router.close()

    assert (before, len(written)) == (0, 1)


async def test_an_attempts_message_repeats_no_key_and_nothing_a_database_refuses(stage: Stage) -> None:
    secret = "an-unusual-secret"
    bad = AuthenticationFailed(f"Key {secret} is\0 wrong \ud800.", provider="scripted")
    await stage.add("a", bad, auth={"api_key_env": "ODD_KEY"})
    router = Router(stage.catalog, stage.ledger, {"ODD_KEY": secret}, connect=stage.connect)

    with pytest.raises(AllModelsFailed) as caught:
        await router.complete(HELLO)
    assert caught.value.attempts[0].message == "Key *** is wrong ?."
    assert secret not in str(caught.value)
    assert stage.ledger.failures == 0
    await router.close()


async def test_a_model_without_a_row_is_asked_under_its_vendors_name(stage: Stage) -> None:
    vendor = Scripted("Hello.")
    router = Router(Catalog(stage.db, {}), stage.ledger, {}, connect=lambda *_: vendor)

    reply = await router.complete(HELLO, model="openai/gpt-4o-mini")

    assert (reply.model, reply.attempts[0].provider, reply.attempts[0].model) == (
        "openai/gpt-4o-mini",
        "openai",
        "gpt-4o-mini",
    )
    await router.close()


async def test_embedding_asks_one_model_and_is_recorded(stage: Stage) -> None:
    await stage.add("a", "Never.")

    vectors = await stage.router.embed(["x", "y"], model="a")

    assert len(vectors) == 2
    assert await stage.router.embed([], model="a") == []
    (call,) = await stage.ledger.calls()
    assert (call.kind, call.attempt.name, call.status) == ("embed", "a", "ok")


async def test_a_tool_call_is_an_answer(stage: Stage) -> None:
    wish = Message.from_json({"role": "assistant", "tool_calls": [{"id": "1", "name": "f", "arguments": {}}]})
    await stage.add("a", wish)

    reply = await stage.router.complete(HELLO)

    assert (reply.message, reply.finish_reason) == (wish, "tool_calls")
