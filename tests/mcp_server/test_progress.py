"""What a client hears of a call that takes long; `test_server` has it on each transport."""

import asyncio
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp import Client

from mcp_server import progress
from mcp_server.house import House
from mcp_server.progress import Telling
from mcp_server.server import create_server
from tests.mcp_server.serving import ERAS
from toolkit.toolkit import Toolkit

Told = list[tuple[float, float | None, str | None]]


class Request:
    """A request, as far as its progress is concerned."""

    def __init__(self, *, token: int | None = 1) -> None:
        self.meta = None if token is None else {"progress_token": token}
        self.session = self
        self.told: Told = []
        self.heard = asyncio.Event()

    async def report_progress(self, done: float, total: float | None, message: str | None) -> None:
        self.told.append((done, total, message))
        self.heard.set()


def telling(request: Request, tell: Telling) -> Any:
    return tell.to(cast(Any, request))


steps = st.lists(
    st.tuples(st.floats(0, 20) | st.integers(0, 20), st.none() | st.integers(0, 20), st.booleans()), max_size=40
)


@settings(max_examples=60, deadline=None)
@given(steps)
def test_the_numbers_grow_with_each_message_whatever_the_tool_says(steps: list[tuple[float, int | None, bool]]) -> None:
    async def run() -> Told:
        request, tell = Request(), Telling("work")
        with telling(request, tell):
            for done, total, by_itself in steps:
                if by_itself:
                    tell.say("asking")
                    await asyncio.sleep(0)
                else:
                    await tell(done, total)
        return request.told

    told = asyncio.run(run())
    numbers = [number for number, _, _ in told]
    assert len(numbers) == len(steps)
    assert numbers == sorted(set(numbers))
    assert all(total is None or number <= total for number, total, _ in told)


async def test_a_silent_call_repeats_what_is_being_done_with_the_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.01)
    request, tell = Request(), Telling("work")
    with telling(request, tell):
        await tell(1, 3, "reading")
        for _ in range(3):
            request.heard.clear()
            await request.heard.wait()
    assert request.told[0][:2] == (1, 3)
    assert [message for _, _, message in request.told[:4]] == ["reading", *["reading (0 s)"] * 3]


async def test_nothing_is_told_after_the_end_of_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.01)
    request, tell = Request(), Telling("work")
    with telling(request, tell):
        tell.say("asking")
    await tell(5)
    tell.say("asking again")
    await asyncio.sleep(0.05)
    assert request.told == []


async def test_who_asked_for_no_progress_is_not_told_that_a_call_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.01)
    request, tell = Request(token=None), Telling("work")
    with telling(request, tell):
        await asyncio.sleep(0.05)
    assert request.told == []


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_hears_which_model_is_asked_and_which_one_failed_before(era: str) -> None:
    heard: list[str | None] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001 - the SDK's
        heard.append(message)

    tk = Toolkit.open("sqlite://")
    async with tk:
        broken = {"say": [{"error": "QuotaExceeded"}]}
        await tk.models.add("scripted", "broken", name="broken", priority=1, config=broken)
        await tk.models.add("scripted", "m", name="next", priority=2, config={"say": ["Hello."]})
        async with Client(create_server(House(lambda: tk)), mode=ERAS[era]) as client:
            await client.call_tool("chat", {"message": "Who are you?"}, progress_callback=hear)
    assert heard == ["asking", "asking broken", "asking next; broken failed (QuotaExceeded)"]
