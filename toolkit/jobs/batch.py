"""A batch that is kept: what was answered before is read, the rest is asked and kept before it is given."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from toolkit.errors import ConfigError, Conflict
from toolkit.jobs.job import JobKind
from toolkit.jobs.lease import Lease, cancelled
from toolkit.jobs.outcomes import Outcome
from toolkit.jobs.patience import insisting
from toolkit.jobs.requests import Fingerprint, Requests, each, kept_request, request_of
from toolkit.jobs.store import Item, JobStore
from toolkit.jobs.window import in_order
from toolkit.messages import Json

POLL = 0.5
"""Seconds between two looks at what another process works on."""

PAGE: Final = 100
"""Questions that are read, or kept, at once."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """A question as it was read, and whether it was ours to ask at that moment."""

    item: Item
    ours: bool


class KeptBatch:
    """One run over a batch that is kept under a name.

    Several may run over the same batch, in any processes: one works, the others give what it has done, and go on with
    it when it ends or is killed. What was under way in a process that is killed is asked again; whatever an answer
    cost that nobody kept is lost.

    Args:
        store: where it is kept.
        job_id: its name.
        answer: asks one question.
        told: hears after each question.
        known: the keywords that a request may have; None: any.
    """

    def __init__(
        self,
        store: JobStore,
        job_id: str,
        *,
        answer: Callable[[Json], Awaitable[Outcome]],
        told: Callable[[], None],
        known: Collection[str] | None = None,
    ) -> None:
        self.id = job_id
        self.lease = Lease(store, job_id)
        self._store = store
        self._answer = answer
        self._told = told
        self._known = known

    async def begin(
        self,
        requests: Requests,
        common: Mapping[str, Any],
        kind: JobKind = "batch",
        check: Callable[[Json], None] = lambda _request: None,
    ) -> int:
        """Keep the questions, or see that they are those that are kept; gives their number.

        The lease must be kept alive.

        Raises:
            ConfigError: a request cannot be kept; nothing was asked.
            Conflict: other questions are kept under this name, or it was cancelled.
        """
        user, origin = common.get("user"), common.get("origin")
        new = await self._store.add(self.id, kind, worker=self.lease.worker, user=user, origin=origin, options={})
        kept = each_kept(requests, common, self._known, check)
        async with aclosing(kept):
            if (new and await self.lease.take()) or not await self._is_filled():
                return await self._fill(kept)
            return await self._compare(kept, kind)

    async def outcomes(self, concurrency: int) -> AsyncGenerator[Outcome, None]:
        """What came of each question, in order. The lease must be kept alive."""
        async with aclosing(in_order(self._list(), self._settle, concurrency=concurrency)) as settled:
            async for outcome in settled:
                yield outcome

    async def _is_filled(self) -> bool:
        """Whether all questions are there; waits while another process keeps them. False: it is ours to do so."""
        while not (await self._store.state(self.id))["fingerprint"]:
            if await self.lease.take():
                await self._store.empty(self.id)
                return False
            await asyncio.sleep(POLL)
        return True

    async def _fill(self, kept: AsyncGenerator[Json, None]) -> int:
        grown, page, total = Fingerprint(), list[Json](), 0
        try:
            async for request in kept:
                grown.add(request)
                page.append(request)
                total += 1
                if len(page) == PAGE:
                    await self._store.extend(self.id, total - len(page), page)
                    page = []
            if page:
                await self._store.extend(self.id, total - len(page), page)
        except Exception:
            await self._store.delete(self.id, worker=self.lease.worker)
            raise
        await self._store.seal(self.id, self.lease.worker, total=total, fingerprint=grown.text)
        return total

    async def _compare(self, kept: AsyncGenerator[Json, None], kind: JobKind) -> int:
        grown = Fingerprint()
        async for request in kept:
            grown.add(request)
        state = await self._store.state(self.id)
        if state["kind"] != kind or state["fingerprint"] != grown.text:
            raise Conflict(
                f"The job {self.id!r} was begun with other requests; give this batch another name, or forget the other "
                f"one with `toolkit jobs delete {self.id}`."
            )
        if state["status"] == "cancelled":
            raise cancelled(self.id)
        return int(state["total"])

    async def _list(self) -> AsyncGenerator[_Listed, None]:
        first = 0
        while True:
            ours = self.lease.held or (await self._unfinished() and await self.lease.take())
            page = await self._store.page(self.id, first, PAGE)
            for item in page:
                yield _Listed(item, ours)
            if len(page) < PAGE:
                return
            first += PAGE

    async def _unfinished(self) -> bool:
        return (await self._store.state(self.id))["ended_at"] is None

    async def _settle(self, listed: _Listed) -> Outcome:
        item, ours = listed.item, listed.ours and self.lease.held
        while item.outcome is None and not ours:
            ours = await self.lease.take()
            if not ours:
                await asyncio.sleep(POLL)
            (item,) = await self._store.page(self.id, item.position, 1)
        outcome = item.outcome or await self._ask(item)
        self._told()
        return outcome

    async def _ask(self, item: Item) -> Outcome:
        """Ask, and keep what came of it."""
        outcome = await self.lease.during(self._answer(item.request))
        if await insisting(lambda: self._store.keep(self.id, item.position, outcome)):
            return outcome
        # Another process has taken over meanwhile and was first: all must give the same answer.
        (kept,) = await self._store.page(self.id, item.position, 1)
        return kept.outcome or outcome


async def each_kept(
    requests: Requests, common: Mapping[str, Any], known: Collection[str] | None, check: Callable[[Json], None]
) -> AsyncGenerator[Json, None]:
    """The requests as they are kept.

    Raises:
        ConfigError: one cannot be kept; the message says which.
    """
    position = 0
    async with aclosing(each(requests)) as all_of_them:
        async for request in all_of_them:
            try:
                kept = kept_request(request_of(request, common, known))
                check(kept)
            except ConfigError as error:
                raise ConfigError(f"Request {position}: {error}") from None
            yield kept
            position += 1
