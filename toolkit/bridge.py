"""The toolkit without `await`: one event loop of its own for the process, and one proxy over every object.

`open_sync` is the way in for scripts and plain cells. `blocking` and `awaitable` wrap any object that has async
methods; what its methods and attributes give is wrapped in the same way where it is async, and passes through as it is
where it is not. So there is no second set of methods to keep up.

The loop is never the notebook kernel's, which stands still while a cell computes. A caller that is interrupted or
cancelled cancels the work, and waits until it has cleaned up.
"""

import asyncio
import concurrent.futures.thread  # noqa: F401 - it must have registered its own end before we register ours
import inspect
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from contextlib import AbstractContextManager, ExitStack
from functools import cache, partial, wraps
from typing import Any, Self, TypeAlias, cast

from anyio.from_thread import start_blocking_portal

from toolkit.toolkit import Toolkit

Work: TypeAlias = Callable[[], Any]

CLEANUP_SECONDS = 5.0
"""How long a cancelled caller waits for its work to clean up."""

logger = logging.getLogger(__name__)

_TICK_SECONDS = 0.1
_END = object()
_tasks: set[asyncio.Task[None]] = set()  # those of all lanes: a loop holds its tasks by weak references only


def open_sync(url: str | None = None) -> AbstractContextManager[Any]:
    """A toolkit whose methods are called without `await`.

        with open_sync("sqlite:///work.db") as tk:
            print(tk.complete("What is the capital of France?").text)

    Args:
        url: as in `Toolkit.open`.

    Raises:
        ConfigError: the URL or a variable of the environment cannot be used as written.
    """
    return cast("AbstractContextManager[Any]", blocking(Toolkit.open(url)))


def blocking(target: object) -> Any:
    """`target` with methods that wait: its async iterators are iterators, its async context managers plain ones.

    A function handed in, e.g. to be told of progress, is called on the toolkit's own loop and must not wait for it.
    """
    return Blocking(target, own_loop())


def awaitable(target: object) -> Any:
    """`target` with methods to await on any event loop, while their work runs on the toolkit's own.

    Methods that were not async before are not async now.
    """
    return Awaitable(target, own_loop())


def inside(target: object) -> tuple[Any, asyncio.AbstractEventLoop]:
    """What stands behind a proxy, and the event loop that it lives on; for anything else the loop that runs now.

    Raises:
        RuntimeError: it is no proxy, and no event loop runs here.
    """
    if isinstance(target, Proxy):
        return target._target, target._loop  # noqa: SLF001 - any public name would hide one of the target's
    return target, asyncio.get_running_loop()


@cache
def own_loop() -> asyncio.AbstractEventLoop:
    """The toolkit's own event loop, in a thread that ends with the process."""
    stack = ExitStack()
    portal = stack.enter_context(start_blocking_portal("asyncio", name="toolkit"))
    at_exit(stack.close)  # cancels what still runs on it, and lets it clean up
    return portal.call(asyncio.get_running_loop)


def at_exit(act: Callable[[], object]) -> None:
    """Have `act` called when the process ends, the last one first; what it raises goes to the log."""

    def acted() -> None:
        try:
            act()
        except Exception:
            logger.exception("Closing at exit failed.")

    # The atexit of all others comes after the end of asyncio.to_thread, without which a database cannot be closed.
    threading._register_atexit(acted)  # type: ignore[attr-defined] # noqa: SLF001 - there is no public one this early


class Lane:
    """Calls made one after another in one task of an event loop, from any thread.

    One task, because what an async generator or context manager opened, e.g. a timeout, can only be closed by the same
    task. It is cancelled once, as asyncio does it, so that its cleanup may await; a portal's own cancelling would
    interrupt that cleanup at each await.

    Args:
        loop: where the calls are made.
        at_end: called last, whether the lane is ended or cancelled.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, at_end: Work | None = None) -> None:
        self._loop = loop
        self._at_end = at_end
        self._calls: asyncio.Queue[tuple[Work, Future[Any]] | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._ended: Future[None] = Future()
        loop.call_soon_threadsafe(self._start)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        self.end() if kind is None else self.cancel()

    def call(self, work: Work) -> Future[Any]:
        """The future result of `work`, awaited where it can be awaited."""
        outcome: Future[Any] = Future()
        self._loop.call_soon_threadsafe(self._put, work, outcome)
        return outcome

    def end(self) -> Future[None]:
        """Take no more calls; the future is done after the last one and its cleanup."""
        self._soon(self._put_end)
        return self._ended

    def cancel(self) -> Future[None]:
        """Cancel the call that runs and those that wait; the future is done after the cleanup."""
        self._soon(self._cancel)
        return self._ended

    async def result(self, outcome: Future[Any]) -> Any:
        """What a call gave, on the caller's loop; cancelling the caller cancels the work, and waits for its cleanup."""
        future = asyncio.wrap_future(outcome)
        try:
            while not future.done():
                # A kernel's Interrupt reaches an idle loop only when it wakes (ipykernel #881), so it wakes often.
                await asyncio.wait([future], timeout=_TICK_SECONDS)
        except asyncio.CancelledError:
            future.add_done_callback(lambda it: it.cancelled() or it.exception())  # else asyncio logs it as unseen
            await _until(self.cancel())
            raise
        return future.result()

    def _soon(self, callback: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:  # the loop ended with the process, and cancelled everything
            if not self._ended.done():
                self._ended.set_result(None)

    def _start(self) -> None:
        self._task = self._loop.create_task(self._serve())
        _tasks.add(self._task)
        # Not at the end of `_serve`, which never begins where it is cancelled at once.
        self._task.add_done_callback(self._finish)

    def _put(self, work: Work, outcome: Future[Any]) -> None:
        if self._ended.done():
            outcome.set_exception(asyncio.CancelledError())
        else:
            self._calls.put_nowait((work, outcome))

    def _put_end(self) -> None:
        self._calls.put_nowait(None)

    def _cancel(self) -> None:
        task = cast("asyncio.Task[None]", self._task)
        if not task.cancelling():  # a second time would interrupt the cleanup
            task.cancel()

    async def _serve(self) -> None:
        try:
            while call := await self._calls.get():
                await _settle(*call)
        finally:
            if self._at_end:
                await _settle(self._at_end, Future())

    def _finish(self, task: asyncio.Task[None]) -> None:
        _tasks.discard(task)
        self._ended.set_result(None)
        while not self._calls.empty():
            if waiting := self._calls.get_nowait():
                waiting[1].set_exception(asyncio.CancelledError())


class BlockingLane(Lane):
    """The same for a thread that waits. An interrupt cancels the work, and waits for its cleanup."""

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        super().__exit__(kind, error, trace)
        # A forgotten iterator may be collected on any thread, also on that of the loop.
        if kind is not None and running() is not self._loop:
            wait_for([self._ended], CLEANUP_SECONDS)

    def wait(self, work: Work) -> Any:
        """The result of `work`; blocks.

        Raises:
            RuntimeError: the lane's own loop would have to wait for itself.
        """
        if running() is self._loop:
            raise RuntimeError(
                "A call without await cannot be made on the toolkit's own event loop; use the toolkit of "
                "`await notebooks.connect()` in functions that the toolkit calls, and make them async."
            )
        return self.call(work).result()


class Proxy:
    """An object of the toolkit, to be called from outside its event loop."""

    __slots__ = ("_lane", "_loop", "_target")

    def __init__(self, target: object, loop: asyncio.AbstractEventLoop) -> None:
        self._target: Any = target
        self._loop = loop
        self._lane: Lane | None = None

    def __dir__(self) -> list[str]:
        return dir(self._target)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        return self._method(value) if inspect.isroutine(value) else self._outside(value)

    def _outside(self, value: Any) -> Any:
        if isinstance(value, AsyncIterator):
            return self._iterate(value)
        return type(self)(value, self._loop) if _is_async(value.__class__) else value

    def _method(self, method: Callable[..., Any]) -> Callable[..., Any]:
        raise NotImplementedError

    def _iterate(self, source: AsyncIterator[Any]) -> Any:
        raise NotImplementedError


class Blocking(Proxy):
    """A proxy whose methods wait for their result."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self._target).__name__}, called without await>"

    def __enter__(self) -> Any:
        with ExitStack() as undo:
            self._lane = lane = undo.enter_context(BlockingLane(self._loop))
            value = self._outside(lane.wait(self._target.__aenter__))
            undo.pop_all()
        return value

    def __exit__(self, *error: object) -> bool | None:
        with cast("BlockingLane", self._lane) as lane:
            return cast("bool | None", lane.wait(partial(self._target.__aexit__, *error)))

    def _method(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            with BlockingLane(self._loop) as lane:
                return self._outside(lane.wait(partial(method, *args, **kwargs)))

        return call

    def _iterate(self, source: AsyncIterator[Any]) -> Iterator[Any]:
        with BlockingLane(self._loop, at_end=getattr(source, "aclose", None)) as lane:
            while (item := lane.wait(partial(_next, source))) is not _END:
                yield self._outside(item)


class Awaitable(Proxy):
    """A proxy whose async methods are awaited on the caller's event loop."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self._target).__name__}, on its own event loop>"

    async def __aenter__(self) -> Any:
        with ExitStack() as undo:
            self._lane = lane = undo.enter_context(Lane(self._loop))
            value = self._outside(await lane.result(lane.call(self._target.__aenter__)))
            undo.pop_all()
        return value

    async def __aexit__(self, *error: object) -> bool | None:
        with cast("Lane", self._lane) as lane:
            return cast("bool | None", await lane.result(lane.call(partial(self._target.__aexit__, *error))))

    def _method(self, method: Callable[..., Any]) -> Callable[..., Any]:
        if running() is self._loop:
            return method  # a tool that was written in a notebook is at home already

        @wraps(method)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            with Lane(self._loop) as lane:
                return self._outside(await lane.result(lane.call(partial(method, *args, **kwargs))))

        @wraps(method)
        def called(*args: Any, **kwargs: Any) -> Any:
            with BlockingLane(self._loop) as lane:
                return self._outside(lane.wait(partial(method, *args, **kwargs)))

        return awaited if inspect.iscoroutinefunction(method) else called

    async def _iterate(self, source: AsyncIterator[Any]) -> AsyncIterator[Any]:
        lane = Lane(self._loop, at_end=getattr(source, "aclose", None))
        try:
            while (item := await lane.result(lane.call(partial(_next, source)))) is not _END:
                yield self._outside(item)
        finally:
            await _until(lane.end())


@cache
def _is_async(kind: type) -> bool:
    """Whether objects of this class have a method that is awaited or iterated with `async for`."""
    return any(
        inspect.iscoroutinefunction(member) or inspect.isasyncgenfunction(member)
        for ancestor in kind.__mro__
        for member in vars(ancestor).values()
    )


async def _settle(work: Work, outcome: Future[Any]) -> None:
    try:
        value = work()
        if inspect.isawaitable(value):
            value = await value
    except BaseException as error:
        # The caller's, whatever it is: a SystemExit raised here would end the loop that all share.
        outcome.set_exception(error)
        if isinstance(error, asyncio.CancelledError):
            raise
    else:
        outcome.set_result(value)


async def _next(source: AsyncIterator[Any]) -> Any:
    try:
        return await anext(source)
    except StopAsyncIteration:
        return _END


async def _until(ended: Future[None]) -> None:
    await asyncio.wait([asyncio.wrap_future(ended)], timeout=CLEANUP_SECONDS)


def running() -> asyncio.AbstractEventLoop | None:
    """The event loop that runs in this thread; None if none does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
