"""Webhooks are told of every event, in order and signed, whatever becomes of the receiver or of a process."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.webhooks.receiver import Delivery, receiving
from toolkit.db import Database, open_database
from toolkit.db.feed import Feed
from toolkit.errors import ConfigError
from toolkit.settings import Settings
from toolkit.webhooks import webhooks as module
from toolkit.webhooks.hook import Hook
from toolkit.webhooks.message import key_of
from toolkit.webhooks.webhooks import Webhooks

ROOT = Path(__file__).parent.parent.parent
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
QUICK = (0.01, 0.01, 0.01)
TELLER = """
import asyncio, sys
from toolkit.db import open_database
from toolkit.db.feed import Feed
from toolkit.settings import Settings
from toolkit.webhooks.webhooks import Webhooks

async def main():
    db = open_database(Settings(sys.argv[1]))
    hooks = Webhooks(db, Feed(db), [sys.argv[2]], sys.argv[3])
    await hooks.start()
    print("telling", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look more often whether a hook is free."""
    monkeypatch.setattr(module, "_LOOK", 0.05)


@asynccontextmanager
async def telling(db: Database, *addresses: str, pauses: Sequence[float] = QUICK) -> AsyncIterator[Feed]:
    feed = Feed(db)
    hooks = Webhooks(db, feed, addresses, SECRET, pauses=pauses)
    await hooks.start()
    try:
        yield feed
    finally:
        await hooks.close()
        feed.close()


def numbers(deliveries: Sequence[Delivery]) -> list[Any]:
    return [json.loads(each.body)["data"]["n"] for each in deliveries]


async def test_every_event_is_told_in_order_in_the_standard_form(db: Database) -> None:
    async with receiving() as receiver, telling(db, receiver.url) as feed:
        for n in range(5):
            await feed.publish("prices.changed", "list", {"n": n})
        deliveries = await receiver.wait(5)
    assert numbers(deliveries) == [0, 1, 2, 3, 4]
    body = json.loads(deliveries[0].body)
    assert body["type"] == "prices.changed"
    assert body["data"] == {"subject": "list", "n": 0}
    assert body["timestamp"]
    assert len({each.headers["webhook-id"] for each in deliveries}) == 5


async def test_another_library_for_the_standard_verifies_the_signature(db: Database) -> None:
    async with receiving() as receiver, telling(db, receiver.url) as feed:
        await feed.publish("prices.changed", "Größe", {"n": "日本"})
        (delivery,) = await receiver.wait(1)
    client = openai.OpenAI(api_key="none")
    client.webhooks.verify_signature(delivery.body, delivery.headers, secret=SECRET)
    with pytest.raises(openai.InvalidWebhookSignatureError):
        client.webhooks.verify_signature(delivery.body + b" ", delivery.headers, secret=SECRET)


@pytest.mark.parametrize("status", [0, 500, 404, 302])
async def test_an_event_that_was_not_taken_is_sent_again_with_the_same_id_before_the_next(
    db: Database, status: int
) -> None:
    async with receiving(status, status) as receiver, telling(db, receiver.url) as feed:
        await feed.publish("prices.changed", "list", {"n": 1})
        await feed.publish("prices.changed", "list", {"n": 2})
        deliveries = await receiver.wait(4)
    assert numbers(deliveries) == [1, 1, 1, 2]
    assert {each.path for each in deliveries} == {"/hook"}
    assert len({each.headers["webhook-id"] for each in deliveries}) == 2


async def test_an_event_that_is_never_taken_is_given_up_and_counted(db: Database) -> None:
    async with receiving(*[500] * 4) as receiver:
        feed = Feed(db)
        hooks = Webhooks(db, feed, [receiver.url], SECRET, pauses=QUICK)
        await hooks.start()
        await feed.publish("prices.changed", "list", {"n": 1})
        await feed.publish("prices.changed", "list", {"n": 2})
        assert numbers(await receiver.wait(5)) == [1, 1, 1, 1, 2]
        await hooks.close()
        (state,) = await hooks.states()
        assert state.dropped == 1
        feed.close()


async def test_a_receiver_that_was_down_gets_what_happened_meanwhile(db: Database) -> None:
    async with receiving() as receiver:
        port = receiver.port
        async with telling(db, receiver.url):
            pass
    feed = Feed(db)
    for n in range(3):
        await feed.publish("prices.changed", "list", {"n": n})
    async with receiving(port=port) as receiver, telling(db, receiver.url):
        assert numbers(await receiver.wait(3)) == [0, 1, 2]


async def test_a_hook_is_told_only_of_the_kinds_behind_its_address(db: Database) -> None:
    async with receiving() as receiver, telling(db, f"{receiver.url}#session.*+model.updated") as feed:
        for n, kind in enumerate(("session.created", "prices.changed", "model.updated", "session.deleted")):
            await feed.publish(kind, "one", {"n": n})
        assert numbers(await receiver.wait(3)) == [0, 2, 3]


async def test_two_processes_tell_each_event_once_and_one_goes_on_for_one_that_was_killed(
    database_url: str,
) -> None:
    db = open_database(Settings(database_url))
    await db.open()
    async with receiving() as receiver:
        command = [sys.executable, "-c", TELLER, database_url, receiver.url, SECRET]
        other = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
        try:
            assert other.stdout
            await other.stdout.readline()
            feed = Feed(db)
            await feed.publish("prices.changed", "list", {"n": 0})
            assert numbers(await receiver.wait(1)) == [0]
            async with telling(db, receiver.url):
                for n in range(1, 4):
                    await feed.publish("prices.changed", "list", {"n": n})
                assert numbers(await receiver.wait(4)) == [0, 1, 2, 3]
                other.kill()
                await other.wait()
                # The lease of the killed one ends at once for this test.
                await db.execute("UPDATE webhooks SET held_until = :at", at=_long_ago())
                await feed.publish("prices.changed", "list", {"n": 4})
                told = numbers(await receiver.wait(5))
                if told[-1] != 4:  # killed before it could note that it had told the one before
                    assert told == [0, 1, 2, 3, 3]
                    told = numbers(await receiver.wait(6))
                assert list(dict.fromkeys(told)) == [0, 1, 2, 3, 4]
        finally:
            if other.returncode is None:
                other.kill()
                await other.wait()
        feed.close()
    await db.close()


def _long_ago() -> Any:
    from datetime import UTC, datetime  # noqa: PLC0415 - only here

    return datetime(2020, 1, 1, tzinfo=UTC)


async def test_nothing_secret_of_an_address_is_kept_or_logged(db: Database, caplog: pytest.LogCaptureFixture) -> None:
    async with receiving(500) as receiver:
        address = f"http://user:hush@127.0.0.1:{receiver.port}/hook?token=hush"
        async with telling(db, address) as feed:
            await feed.publish("prices.changed", "list", {"n": 1})
            await receiver.wait(2)
    assert receiver.deliveries[0].path == "/hook?token=hush"
    rows = await db.fetch_all("SELECT * FROM webhooks")
    assert "hush" not in repr([dict(row) for row in rows])
    assert "hush" not in caplog.text
    assert "hush" not in repr(Hook.of(address))


@pytest.mark.parametrize("address", ["ftp://host/x", "host/path", "http://", "http://[::1", ""])
def test_an_address_that_is_none_is_refused_in_words(address: str) -> None:
    with pytest.raises(ConfigError, match="write https://host/path"):
        Hook.of(address)


@pytest.mark.parametrize(("secret", "words"), [("short", "at least 16 bytes"), ("whsec_%%%", "not base64")])
def test_a_secret_that_is_none_is_refused_in_words(secret: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        key_of(secret)


async def test_addresses_without_a_secret_are_refused(db: Database) -> None:
    with pytest.raises(ConfigError, match="TOOLKIT_WEBHOOK_SECRET"):
        Webhooks(db, Feed(db), ["http://127.0.0.1:9/"], None)
    await Webhooks(db, Feed(db), [], None).start()
