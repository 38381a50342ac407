"""What is assembled and opened, and when."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_server.house import House
from mcp_server.presets import Offer
from mcp_server.server import create_server
from toolkit.errors import DatabaseUnavailable
from toolkit.settings import Settings
from toolkit.toolkit import Toolkit

HEAVY = {
    "openai",
    "anthropic",
    "sqlite3",
    "sqlite_utils",
    "asyncpg",
    "jinja2",
    "genai_prices",
    "rich",
    "toolkit.toolkit",
}


def test_nothing_heavy_is_imported_before_the_handshake() -> None:
    code = "import sys, mcp_server.__main__, mcp_server.server, mcp_server.stdio; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not HEAVY & set(loaded)
    assert "mcp" in loaded


def test_help_and_a_wrong_option_do_not_wait_for_the_protocol() -> None:
    code = "import sys, mcp_server.__main__; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"mcp", "pydantic", "uvicorn"} & set(loaded)


def test_the_usual_server_is_made_without_a_toolkit_and_a_chosen_offer_with_one() -> None:
    assembled: list[Toolkit] = []

    def assemble() -> Toolkit:
        assembled.append(Toolkit.open(settings=Settings("sqlite://")))
        return assembled[-1]

    create_server(House(assemble))
    assert not assembled
    create_server(House(assemble), Offer.of("models"))
    assert len(assembled) == 1


async def test_a_database_that_cannot_be_opened_is_tried_again_by_the_next_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = House(lambda: Toolkit.open(settings=Settings("sqlite://")))
    with monkeypatch.context() as broken:

        async def unavailable() -> None:
            raise DatabaseUnavailable("Not yet.")

        broken.setattr(house.toolkit.db, "open", unavailable)
        with pytest.raises(DatabaseUnavailable):
            await house.opened()
    opened = await house.opened()
    assert await opened.sessions.list() == []
    await house.close()


async def test_first_calls_at_the_same_time_open_the_database_once(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(lambda: Toolkit.open(settings=Settings("sqlite://")))
    opened: list[str] = []
    really_open = house.toolkit.db.open

    async def open_and_count() -> None:
        opened.append("opened")
        await really_open()

    monkeypatch.setattr(house.toolkit.db, "open", open_and_count)
    await asyncio.gather(*(house.opened() for _ in range(10)))
    assert opened == ["opened"]
    await house.close()


async def test_a_first_call_that_is_cancelled_does_not_spoil_the_next(tmp_path: Path) -> None:
    house = House(lambda: Toolkit.open(settings=Settings(f"sqlite:///{tmp_path / 'toolkit.db'}")))
    first = asyncio.create_task(house.opened())
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await (await house.opened()).sessions.list() == []
    await house.close()


async def test_closing_what_was_never_needed_is_harmless() -> None:
    def assemble() -> Toolkit:
        raise AssertionError("nobody needed it")

    await House(assemble).close()
