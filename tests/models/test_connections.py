"""A vendor is connected when it is first asked, in a thread, once per row, and anew when the row changes."""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.models.conftest import Deaf
from toolkit.errors import AuthenticationFailed, ConfigError
from toolkit.models.connections import Connections
from toolkit.models.keys import Key
from toolkit.models.model import Model
from toolkit.providers.base import Provider
from toolkit.stamps import now

ROW = Model("id-1", "a", "scripted", "x", created_at=now(), config={"base_url": "http://a"})
EDITED = replace(ROW, config={"base_url": "http://b"})
OTHER = replace(EDITED, id="id-2")
KEY = Key({"api_key": "k1"})


class Switchboard:
    """Connects, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.made: list[Deaf] = []
        self.threads: set[int] = set()
        self.fault: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def connect(self, provider: str, auth: Mapping[str, str], config: Mapping[str, Any]) -> Provider:
        assert provider
        assert config is not None
        self.threads.add(threading.get_ident())
        self.asked.append(dict(auth))
        self.gate.wait(10)
        if self.fault:
            raise self.fault
        self.made.append(Deaf())
        return self.made[-1]


@pytest.fixture
def board() -> Switchboard:
    return Switchboard()


@pytest.fixture
async def connections(board: Switchboard) -> AsyncIterator[Connections]:
    made = Connections(board.connect)
    yield made
    board.gate.set()
    await made.close()


async def use(connections: Connections, model: Model = ROW, key: Key = KEY, *, within: float = 10.0) -> Provider:
    async with connections.use(model, key, within=within) as provider:
        return provider


async def test_many_who_come_at_once_connect_once_and_off_the_event_loop(
    connections: Connections, board: Switchboard
) -> None:
    found = await asyncio.gather(*(use(connections) for _ in range(10)))

    assert len({id(provider) for provider in found}) == 1
    assert board.asked == [{"api_key": "k1"}]
    assert board.threads.isdisjoint({threading.get_ident()})


async def test_rows_that_are_reached_alike_share_a_connection(connections: Connections, board: Switchboard) -> None:
    await use(connections)
    await use(connections, replace(ROW, id="id-2", model="y"))
    await use(connections, Model.unlisted("scripted", "z"))
    assert len(board.asked) == 2

    await use(connections, OTHER)
    await use(connections, key=Key({"api_key": "k2"}, "KEYS[2]"))
    assert [auth["api_key"] for auth in board.asked] == ["k1", "k1", "k1", "k2"]


async def test_an_edited_row_is_connected_anew_and_the_old_connection_closed(
    connections: Connections, board: Switchboard
) -> None:
    async with connections.use(ROW, KEY, within=10.0):
        await use(connections, EDITED)
        old, new = board.made
        await asyncio.sleep(0)
        closed_while_used = old.closed

    await connections.close()
    assert not closed_while_used
    assert (old.closed, new.closed) == (True, True)


async def test_the_old_connection_of_an_edited_row_is_closed_by_its_last_user(
    connections: Connections, board: Switchboard
) -> None:
    async with connections.use(ROW, KEY, within=10.0):
        await use(connections, EDITED)
    for _ in range(5):
        await asyncio.sleep(0)

    assert [made.closed for made in board.made] == [True, False]


async def test_a_connection_that_another_row_is_reached_by_outlives_the_edit_of_the_first(
    connections: Connections, board: Switchboard
) -> None:
    await use(connections)
    await use(connections, replace(ROW, id="id-2"))
    await use(connections, EDITED)
    for _ in range(5):
        await asyncio.sleep(0)

    assert [made.closed for made in board.made] == [False, False]


async def test_a_key_that_changed_is_connected_anew_and_the_old_connection_closed(
    connections: Connections, board: Switchboard
) -> None:
    await use(connections)
    await use(connections, key=Key({"api_key": "k2"}))
    for _ in range(5):
        await asyncio.sleep(0)

    assert [auth["api_key"] for auth in board.asked] == ["k1", "k2"]
    assert [made.closed for made in board.made] == [True, False]


async def test_a_connection_that_failed_is_tried_again(connections: Connections, board: Switchboard) -> None:
    board.fault = AuthenticationFailed("Set A_KEY.", provider="scripted")
    with pytest.raises(AuthenticationFailed):
        await use(connections)
    board.fault = None

    await use(connections)
    await use(connections)
    assert (len(board.asked), len(board.made)) == (2, 1)


async def test_a_provider_that_cannot_be_set_up_is_an_error_of_the_row(
    connections: Connections, board: Switchboard
) -> None:
    board.fault = ImportError("No module named 'vendor'")

    with pytest.raises(ConfigError, match=r"'a' cannot be set up.*vendor"):
        await use(connections)


async def test_one_who_does_not_wait_leaves_the_connection_to_the_next(
    connections: Connections, board: Switchboard
) -> None:
    board.gate.clear()
    with pytest.raises(TimeoutError):
        await use(connections, within=0.01)
    board.gate.set()

    await use(connections)
    assert len(board.asked) == 1


async def test_a_row_whose_settings_cannot_be_used_is_not_connected(
    connections: Connections, board: Switchboard
) -> None:
    with pytest.raises(ConfigError, match="temperature"):
        await use(connections, replace(ROW, config={"temperature": "hot"}))
    assert board.asked == []


async def test_close_closes_every_connection(connections: Connections, board: Switchboard) -> None:
    await use(connections)
    await use(connections, OTHER)

    await connections.close()

    assert [made.closed for made in board.made] == [True, True]


async def test_a_vendor_that_cannot_say_goodbye_does_not_keep_the_others_open(
    connections: Connections, board: Switchboard, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise OSError("The line is dead.")

    await use(connections)
    await use(connections, OTHER)
    board.made[0].close = fail  # type: ignore[method-assign]  # a fault is injected where it would occur

    await connections.close()

    assert board.made[1].closed
    assert "did not close cleanly: OSError" in caplog.text
