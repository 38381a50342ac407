"""The seeded chain over real vendors' clients and a server that fails on demand: the second vendor saves the answer."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.models.conftest import HELLO, outcomes
from toolkit.db import open_database
from toolkit.errors import DeadlineExceeded
from toolkit.messages import Reply
from toolkit.models.catalog import Catalog
from toolkit.models.router import Router
from toolkit.settings import Settings
from toolkit.testing.vendors import Fault, VendorServer
from toolkit.usage.ledger import Ledger

OPENAI, ANTHROPIC = "gpt-6-luna", "claude-haiku-5-5"
WHOLE = "The capital of France is Paris."


@pytest.fixture
async def vendors() -> AsyncIterator[VendorServer]:
    async with VendorServer() as server:
        yield server


@pytest.fixture
async def ledger() -> AsyncIterator[Ledger]:
    db = open_database(Settings("sqlite://"))
    yield Ledger(db)
    await db.close()


@pytest.fixture
async def router(vendors: VendorServer, ledger: Ledger) -> AsyncIterator[Router]:
    catalog = Catalog(ledger._db, vendors.environ())
    await catalog.seed()
    made = Router(catalog, ledger, vendors.environ())
    for name in (OPENAI, ANTHROPIC):  # their SDKs take seconds to import, which no test should count
        await made.complete(HELLO, model=name)
    yield made
    await made.close()


def seconds(fault: Fault) -> float:
    """For the whole call: few where the vendor is silent, which takes half of them."""
    return 4.0 if fault.kind in ("hang", "stall") else 60.0


async def streamed(router: Router, fault: Fault) -> tuple[str, Reply]:
    text, reply = "", None
    async for delta in router.stream(HELLO, timeout=seconds(fault)):
        text, reply = text + delta.text, delta.reply
    assert reply is not None
    return text, reply


BEFORE = [
    (Fault.status(500), "ProviderUnavailable"),
    (Fault.status(529), "ProviderUnavailable"),
    (Fault.status(429, headers={"retry-after": "8"}), "RateLimited"),
    (Fault.status(401), "AuthenticationFailed"),
    (Fault.status(404), "ModelNotFound"),
    (Fault.reset(), "ProviderUnavailable"),
    (Fault.hang(), "ProviderTimeout"),
    (Fault.not_json(), "BadAnswer"),
    (Fault.empty(), "BadAnswer"),
]
WITHIN = [
    (Fault.stall(3), "ProviderTimeout"),
    (Fault.cut(3), "ProviderUnavailable"),
    (Fault.end(3), "BadAnswer"),
    (Fault.error_event(error_type="server_error", after=3), "ProviderUnavailable"),
    (Fault.garbage(3), "BadAnswer"),
]


@pytest.mark.parametrize(("fault", "error"), BEFORE, ids=lambda value: getattr(value, "kind", None))
async def test_a_vendor_that_fails_to_answer_is_replaced_by_the_other(
    router: Router, vendors: VendorServer, fault: Fault, error: str
) -> None:
    vendors.say(WHOLE, vendor="anthropic")
    vendors.fail("openai", fault)

    reply = await router.complete(HELLO, timeout=seconds(fault))

    assert (reply.text, reply.model) == (WHOLE, ANTHROPIC)
    assert set(outcomes(reply.attempts[:-1])) == {(OPENAI, error)}
    assert len(reply.attempts) <= 3
    assert reply.attempts[-1].cost_nano_usd


@pytest.mark.parametrize(("fault", "error"), BEFORE, ids=lambda value: getattr(value, "kind", None))
async def test_a_vendor_that_fails_before_the_first_word_is_not_noticed_in_a_stream(
    router: Router, vendors: VendorServer, fault: Fault, error: str
) -> None:
    vendors.say(WHOLE, vendor="anthropic")
    vendors.fail("openai", fault)

    text, reply = await streamed(router, fault)

    assert text == reply.text == WHOLE
    assert set(outcomes(reply.attempts[:-1])) == {(OPENAI, error)}


@pytest.mark.parametrize(("fault", "error"), WITHIN, ids=lambda value: getattr(value, "kind", None))
async def test_a_vendor_that_dies_within_its_answer_is_continued_by_the_other(
    router: Router, vendors: VendorServer, fault: Fault, error: str
) -> None:
    vendors.say(WHOLE, vendor="openai")
    vendors.say("of France is Paris.", vendor="anthropic")
    vendors.fail("openai", fault)

    text, reply = await streamed(router, fault)

    assert text == reply.text == WHOLE
    assert outcomes(reply.attempts) == [(OPENAI, error), (ANTHROPIC, None)]


async def test_what_a_vendor_had_counted_when_it_broke_off_is_in_the_cost(
    router: Router, vendors: VendorServer
) -> None:
    vendors.say(WHOLE, vendor="anthropic")
    vendors.say("of France is Paris.", vendor="openai")
    vendors.fail("anthropic", Fault.cut(3))

    *_, last = [delta async for delta in router.stream(HELLO, model=ANTHROPIC, fallbacks=[OPENAI])]

    assert last.reply is not None
    broken, whole = last.reply.attempts
    assert broken.error == "ProviderUnavailable"
    assert broken.usage
    assert broken.usage.input_tokens > 0
    assert broken.cost_nano_usd
    assert broken.uncounted
    assert not whole.uncounted
    assert last.reply.cost_usd == (broken.cost_nano_usd + (whole.cost_nano_usd or 0)) / 1e9


async def test_vendors_that_all_hang_are_left_when_the_time_is_over(router: Router, vendors: VendorServer) -> None:
    vendors.fail("openai", Fault.hang())
    vendors.fail("anthropic", Fault.hang())

    with pytest.raises(DeadlineExceeded) as caught:
        await router.complete(HELLO, timeout=1.0)
    assert outcomes(caught.value.attempts) == [(OPENAI, "ProviderTimeout"), (ANTHROPIC, "ProviderTimeout")]


async def test_leaving_a_stream_early_ends_the_vendors_request(
    router: Router, vendors: VendorServer, ledger: Ledger
) -> None:
    vendors.say(WHOLE)
    vendors.fail("openai", Fault.stall(2))
    stream = router.stream(HELLO)
    await anext(stream)

    await stream.aclose()

    assert await asyncio.to_thread(vendors.requests[-1].abandoned.wait, 10)
    (call,) = await ledger.calls(limit=1)
    assert (call.status, call.attempt.name) == ("cancelled", OPENAI)
