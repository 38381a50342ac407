import asyncio
import gc
import inspect
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import pytest

from toolkit.bridge import Lane, awaitable, blocking, inside, open_sync, own_loop
from toolkit.errors import ConfigError, NotFound
from toolkit.stamps import freeze, new_id


class Room:
    """A room with one async method."""

    size = 3

    async def get(self, name: str) -> str:
        await asyncio.sleep(0)
        if name == "missing":
            raise NotFound("There is no model 'missing'.")
        return name.upper()

    def listed(self) -> list[str]:
        asyncio.get_running_loop()
        return ["a", "b"]


class House:
    """What a toolkit looks like to the bridge."""

    def __init__(self) -> None:
        self.models = Room()
        self.settings = {"a": 1}
        self.threads: set[int] = set()
        self.tasks: list[asyncio.Task[Any] | None] = []
        self.seen: list[str] = []
        self.cleaned = threading.Event()
        self.waiting = threading.Event()

    async def __aenter__(self) -> Self:
        self.tasks.append(asyncio.current_task())
        self.seen.append("opened")
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        self.tasks.append(asyncio.current_task())
        self.seen.append(f"closed after {type(error).__name__}")

    async def complete(self, prompt: str, *, suffix: str = "!") -> str:
        """The answer."""
        self.threads.add(threading.get_ident())
        await asyncio.sleep(0)
        return prompt + suffix

    async def forever(self) -> None:
        self.waiting.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            await asyncio.sleep(0.05)
            self.cleaned.set()

    async def stream(self, count: int) -> AsyncIterator[int]:
        self.tasks.append(asyncio.current_task())
        try:
            async with asyncio.timeout(30):
                for number in range(count):
                    yield number
                if count == 2:
                    self.waiting.set()
                    await asyncio.Event().wait()
        finally:
            self.tasks.append(asyncio.current_task())
            await asyncio.sleep(0.01)
            self.cleaned.set()

    async def leave(self) -> None:
        raise SystemExit(3)

    async def ids(self) -> list[str]:
        return [new_id(), new_id()]

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Room]:
        async with asyncio.timeout(30):
            yield self.models

    def tool(self, function: Any) -> Any:
        self.seen.append(function.__name__)
        return function


@pytest.fixture
def house() -> House:
    return House()


def test_an_async_method_is_called_without_await_on_another_thread(house: House) -> None:
    assert blocking(house).complete("yes", suffix="?") == "yes?"
    assert house.threads
    assert threading.get_ident() not in house.threads


def test_every_call_runs_on_the_same_event_loop(house: House) -> None:
    tk = blocking(house)
    for prompt in "abc":
        tk.complete(prompt)
    assert len(house.threads) == 1


def test_a_room_is_called_without_await_and_plain_attributes_pass_through(house: House) -> None:
    tk = blocking(house)
    assert tk.models.get("small") == "SMALL"
    assert tk.models.size == 3
    assert tk.settings is house.settings


def test_a_method_that_was_never_async_runs_on_the_loop_too(house: House) -> None:
    assert blocking(house).models.listed() == ["a", "b"]


async def test_a_method_that_was_never_async_is_not_awaited_on_the_awaitable_side(house: House) -> None:
    assert awaitable(house).models.listed() == ["a", "b"]


def test_a_decorator_gives_the_function_back(house: House) -> None:
    def add(x: int) -> int:
        return x + 1

    assert blocking(house).tool(add) is add
    assert house.seen == ["add"]


def test_an_async_generator_is_an_iterator_that_stays_in_one_task(house: House) -> None:
    assert list(blocking(house).stream(3)) == [0, 1, 2]
    assert len(set(house.tasks)) == 1


def test_leaving_an_iterator_halfway_cleans_up_its_generator(house: House) -> None:
    for _ in blocking(house).stream(3):
        break
    gc.collect()
    assert house.cleaned.wait(5)
    assert len(set(house.tasks)) == 1


def test_an_async_context_manager_is_a_context_manager_and_stays_in_one_task(house: House) -> None:
    with blocking(house) as tk:
        assert tk.complete("a") == "a!"
    assert house.seen == ["opened", "closed after NoneType"]
    assert house.tasks[0] is house.tasks[1]


def test_a_context_manager_given_by_a_method_gives_a_wrapped_room(house: House) -> None:
    with blocking(house).turn() as room:
        assert room.get("x") == "X"


def test_a_context_manager_is_told_of_the_error_in_its_block(house: House) -> None:
    with pytest.raises(KeyError), blocking(house):
        raise KeyError
    assert house.seen == ["opened", "closed after KeyError"]


def test_an_error_keeps_its_type_and_message(house: House) -> None:
    with pytest.raises(NotFound, match=r"^There is no model 'missing'\.$"):
        blocking(house).models.get("missing")


def test_a_system_exit_in_the_work_is_the_callers_and_the_loop_goes_on(house: House) -> None:
    with pytest.raises(SystemExit):
        blocking(house).leave()
    assert blocking(house).complete("still here") == "still here!"


def test_the_callers_frozen_clock_holds_in_the_work(house: House) -> None:
    with freeze():
        first = blocking(house).ids()
    with freeze():
        assert [new_id(), new_id()] == first


def test_an_interrupt_cancels_the_work_and_waits_for_its_cleanup(house: House) -> None:
    def interrupt() -> None:
        house.waiting.wait(5)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        blocking(house).forever()
    assert house.cleaned.is_set()
    thread.join()


def test_cancelling_again_does_not_interrupt_the_cleanup(house: House) -> None:
    lane = Lane(own_loop())
    lane.call(house.forever)
    assert house.waiting.wait(5)
    lane.cancel()
    lane.cancel().result(5)
    assert house.cleaned.is_set()


def test_an_interrupt_in_a_stream_ends_its_generator(house: House) -> None:
    def interrupt() -> None:
        house.waiting.wait(5)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    seen = []
    with pytest.raises(KeyboardInterrupt):
        seen.extend(blocking(house).stream(2))
    assert house.cleaned.is_set()
    thread.join()


async def test_a_blocking_call_on_the_toolkits_own_loop_is_refused_in_words(house: House) -> None:
    tk = blocking(house)

    async def tool() -> None:
        tk.complete("a")

    with pytest.raises(RuntimeError, match="without await cannot be made on the toolkit's own event loop"):
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(tool(), own_loop()))


async def test_an_awaitable_method_is_awaited_here_and_runs_elsewhere(house: House) -> None:
    assert await awaitable(house).complete("yes") == "yes!"
    assert await awaitable(house).models.get("small") == "SMALL"
    assert threading.get_ident() not in house.threads


async def test_an_async_generator_is_iterated_here_and_stays_in_one_task_there(house: House) -> None:
    assert [n async for n in awaitable(house).stream(3)] == [0, 1, 2]
    assert len(set(house.tasks)) == 1


async def test_an_async_context_manager_is_entered_here_and_lives_there(house: House) -> None:
    async with awaitable(house) as tk, tk.turn() as room:
        assert await room.get("x") == "X"
    assert house.seen == ["opened", "closed after NoneType"]
    assert house.tasks[0] is house.tasks[1]


async def test_cancelling_the_awaiting_task_cancels_the_work_and_waits_for_its_cleanup(house: House) -> None:
    waiting = asyncio.create_task(awaitable(house).forever())
    await asyncio.to_thread(house.waiting.wait, 5)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert house.cleaned.is_set()


async def test_work_cancelled_before_it_began_keeps_nobody_waiting(house: House) -> None:
    waiting = asyncio.create_task(awaitable(house).complete("a"))
    await asyncio.sleep(0)
    waiting.cancel()
    async with asyncio.timeout(4):
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_closing_a_stream_early_closes_its_generator(house: House) -> None:
    stream = awaitable(house).stream(3)
    assert await anext(stream) == 0
    await stream.aclose()
    assert house.cleaned.is_set()
    assert len(set(house.tasks)) == 1


async def test_a_waiting_caller_wakes_often_enough_for_a_kernels_interrupt(house: House) -> None:
    # An interrupt does not wake the loop (ipykernel #881): only its own timers make it look again.
    waiting = asyncio.create_task(awaitable(house).forever())
    await asyncio.sleep(0.02)
    timers = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined] # asyncio shows its timers nowhere else
    assert any(not timer.cancelled() for timer in timers)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_function_called_on_the_own_loop_may_use_the_same_toolkit(house: House) -> None:
    tk = awaitable(house)

    async def tool() -> str:
        return str(await tk.complete(await tk.models.get(tk.models.listed()[0])))

    assert await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(tool(), own_loop())) == "A!"


def test_a_proxy_shows_the_methods_and_signatures_of_what_it_stands_for(house: House) -> None:
    tk = blocking(house)
    assert {"complete", "models", "stream"} <= set(dir(tk))
    assert str(inspect.signature(tk.complete)) == "(prompt: str, *, suffix: str = '!') -> str"
    assert inspect.getdoc(tk.complete) == "The answer."
    assert repr(tk) == "<House, called without await>"
    assert repr(awaitable(house).models) == "<Room, on its own event loop>"


async def test_inside_gives_the_object_and_the_loop_that_it_lives_on(house: House) -> None:
    assert inside(awaitable(house)) == (house, own_loop())
    assert inside(house) == (house, asyncio.get_running_loop())


def test_work_that_runs_at_the_exit_of_the_process_cleans_up() -> None:
    script = """
import asyncio, gc, threading
from toolkit.bridge import Lane, own_loop

begun = threading.Event()

async def work():
    begun.set()
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        print("cleaned up", flush=True)

Lane(own_loop()).call(work)
begun.wait()
gc.collect()  # nobody here holds the lane or its work
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("cleaned up\n", "", 0)


def test_a_real_toolkit_is_used_without_await(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'work.db'}"
    with open_sync(url) as tk:
        tk.models.add("scripted", "parrot", name="parrot", priority=1, config={"say": ["One two."]})
        session = tk.sessions.create()
        assert tk.complete("Count.", session=session.id).text == "One two."
        assert "".join(delta.text for delta in tk.stream("Count.", session=session.id)) == "One two."
        assert next(model.name for model in tk.models.chain()) == "parrot"
        with pytest.raises(NotFound):
            tk.sessions.get("00000000-0000-7000-8000-000000000000")
    with open_sync(url) as tk:
        assert len(tk.sessions.messages(session.id)) == 4


def test_an_address_that_cannot_be_used_is_refused_at_once() -> None:
    with pytest.raises(ConfigError):
        open_sync("mysql://localhost/x")
