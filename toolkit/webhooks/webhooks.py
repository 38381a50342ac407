"""Tells webhooks what happens: each event at least once, in order, by one process at a time, and again if it fails."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Final

from toolkit.db import Database
from toolkit.db.feed import Event, Feed
from toolkit.display.shown import Listing
from toolkit.errors import ConfigError, DatabaseError
from toolkit.stamps import fresh_id, now
from toolkit.webhooks.hook import Hook, HookState
from toolkit.webhooks.message import body_of, headers_of, key_of
from toolkit.webhooks.store import HOLD, HookStore

if TYPE_CHECKING:
    import httpx2

PAUSES: Final = (1.0, 5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 3600.0, 3600.0)
"""Seconds before an event is sent again, by how often it failed; it is given up after the last, four hours later."""
LIMIT: Final = 10.0
"""Seconds that a receiver may take."""

_LOOK = HOLD / 3  # seconds between two looks whether the hook is still, or at last, ours
_log = logging.getLogger(__name__)


class Webhooks:
    """The webhooks of this process.

    An address that answers with a status of 2xx has taken the event. A redirect is not followed. One that is down gets
    the events when it is back, as far as the feed still has them; an event that is refused for hours is given up.

    Args:
        db: where it stands how far each was told.
        feed: what happens.
        addresses: see `Hook.of`.
        secret: signs what is sent; needed where there are addresses.
        pauses: see `PAUSES`.

    Raises:
        ConfigError: an address or the secret cannot be used.
    """

    def __init__(
        self,
        db: Database,
        feed: Feed,
        addresses: Sequence[str],
        secret: str | None,
        *,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self._hooks = [Hook.of(address) for address in addresses]
        if self._hooks and not secret:
            raise ConfigError("TOOLKIT_WEBHOOK_URLS needs TOOLKIT_WEBHOOK_SECRET, which signs what is sent; set it.")
        self._key = key_of(secret) if secret and self._hooks else b""
        self._store = HookStore(db, fresh_id())
        self._feed = feed
        self._pauses = pauses
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Tell the hooks of everything from now on, in the background; harmless where it has begun."""
        if self._tasks or not self._hooks:
            return
        place = await self._feed.last()
        for hook in self._hooks:
            await self._store.add(hook, place)
        self._tasks = [asyncio.create_task(self._serve(hook), name="toolkit webhook") for hook in self._hooks]

    async def close(self) -> None:
        """Stop; an event that is just being sent may be sent again by whoever goes on."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for hook in self._hooks if tasks else ():
            with suppress(DatabaseError):
                await self._store.release(hook.id)

    async def states(self) -> Listing[HookState]:
        """How the webhooks of this process fare."""
        return await self._store.states([hook.id for hook in self._hooks])

    async def _serve(self, hook: Hook) -> None:
        """Tell one hook, whenever it is this process's turn."""
        import httpx2  # noqa: PLC0415 - who has no webhook need not wait for it

        async with httpx2.AsyncClient(timeout=LIMIT, follow_redirects=False) as client:
            while True:
                try:
                    if state := await self._store.hold(hook.id):
                        await self._tell(hook, state, client)
                except DatabaseError as error:
                    _log.warning("The webhook %s waits for the database: %s", hook.address, error)
                except Exception:  # noqa: BLE001 - a mistake of ours must not silence a hook for good
                    _log.exception("The webhook %s failed and begins again.", hook.address)
                await asyncio.sleep(_LOOK)

    async def _tell(self, hook: Hook, state: HookState | None, client: "httpx2.AsyncClient") -> None:
        """Send event after event, until another process has the hook."""
        assert state is not None  # noqa: S101 - it is held when this begins
        async with aclosing(self._feed.subscribe(*hook.kinds, after=state.cursor)) as events:
            while state is not None:
                event = await self._next(events, hook)
                if event is None:
                    return
                state = await self._deliver(hook, event, state, client)

    async def _next(self, events: AsyncGenerator[Event, None], hook: Hook) -> Event | None:
        """The next event, however long it takes; None once another process has the hook, or the feed is closed."""
        waiting = asyncio.ensure_future(anext(events, None))
        try:
            while not waiting.done():
                await asyncio.wait({waiting}, timeout=_LOOK)
                if not waiting.done() and await self._store.hold(hook.id) is None:
                    return None
            return waiting.result()
        finally:
            if not waiting.done():
                waiting.cancel()
                await asyncio.wait({waiting})

    async def _deliver(
        self, hook: Hook, event: Event, state: HookState, client: "httpx2.AsyncClient"
    ) -> HookState | None:
        """Send one event until it is taken or given up; None where another process has the hook by then."""
        left: HookState | None = state
        while left is not None:
            if not await self._rest(hook, (left.next_at - now()).total_seconds()):
                return None
            error = await self._send(hook, event, client)
            if error is None:
                return await self._store.note(hook.id, cursor=event.cursor)
            if left.failures >= len(self._pauses):
                _log.error("The webhook %s refused an event for hours; it is given up: %s", hook.address, error)
                return await self._store.note(hook.id, cursor=event.cursor, dropped=1, error=error)
            _log.warning("The webhook %s did not take an event: %s", hook.address, error)
            pause = self._pauses[left.failures]
            left = await self._store.note(
                hook.id, cursor=left.cursor, failures=left.failures + 1, error=error, pause=pause
            )
        return None

    async def _rest(self, hook: Hook, seconds: float) -> bool:
        """Wait, and go on holding the hook; False where another process has it."""
        while seconds > 0:
            pause = min(seconds, _LOOK)
            await asyncio.sleep(pause)
            seconds -= pause
            if await self._store.hold(hook.id) is None:
                return False
        return True

    async def _send(self, hook: Hook, event: Event, client: "httpx2.AsyncClient") -> str | None:
        """Why the receiver did not take it, in words without the address's secrets; None if it did."""
        import httpx2  # noqa: PLC0415 - as above

        body = body_of(event)
        headers = headers_of(event, body, at=now(), key=self._key)
        try:
            async with client.stream("POST", hook.url, content=body, headers=headers) as response:
                # What it says is not read: it may be long, and the status says all.
                return None if response.is_success else f"It answered with status {response.status_code}."
        except httpx2.TimeoutException:
            return f"It did not answer within {LIMIT:g} s."
        except httpx2.HTTPError as error:
            return f"It cannot be reached ({type(error).__name__})."
