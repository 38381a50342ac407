"""A limit on each of many waits, at the cost of one timer."""

import asyncio
from types import TracebackType


class Patience:
    """So many seconds from one `begin` to the next, counted while somebody waits inside `with`.

    `asyncio.timeout` arms and disarms a timer for every wait; here one timer is armed, and looks at the clock when it
    is due. It cancels only a task that is waiting: between two waits, when a generator has handed a piece to whoever
    asked for it, that task is doing something else.

        patience = Patience(30.0)
        try:
            while True:
                with patience:
                    piece = await anext(pieces)
                yield piece
                patience.begin()
        finally:
            patience.close()

    All waits must be of one task at a time. Leaving `with` raises TimeoutError when the time is over.

    Args:
        seconds: for each wait.
    """

    __slots__ = ("_due", "_expired", "_loop", "_requests", "_seconds", "_task", "_timer")

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._task: asyncio.Task[object] | None = None
        self._requests = 0  # to cancel the task, made by others before the wait began
        self._expired = False
        self._due = self._loop.time() + seconds
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Count anew."""
        self._due = self._loop.time() + self._seconds

    def close(self) -> None:
        """Disarm the timer."""
        if self._timer:
            self._timer.cancel()

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("Only a task can wait.")
        self._requests = task.cancelling()
        self._task = task
        if self._timer is None:
            self._timer = self._loop.call_at(self._due, self._look)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if self._expired and task is not None:
            self._expired = False
            # If somebody else wants the task cancelled as well, it is cancelled.
            if task.uncancel() <= self._requests and kind is asyncio.CancelledError:
                raise TimeoutError from error

    def _look(self) -> None:
        self._timer = None
        if self._task is None:
            return  # the next wait arms it again
        if self._loop.time() < self._due:
            self._timer = self._loop.call_at(self._due, self._look)
        else:
            self._expired = True
            self._task.cancel()
