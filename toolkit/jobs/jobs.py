"""The door to batches and to what is answered in the background."""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeAlias

from toolkit.db import Database
from toolkit.display.shown import Listing
from toolkit.errors import ConfigError, Conflict, choices
from toolkit.jobs.batch import KeptBatch
from toolkit.jobs.generations import Generations
from toolkit.jobs.job import STATUSES, Generation, Job
from toolkit.jobs.lease import Lease
from toolkit.jobs.outcomes import Ask, Outcome, outcome_of
from toolkit.jobs.patience import queued
from toolkit.jobs.requests import (
    Request,
    Requests,
    check_keywords,
    each,
    fingerprint,
    kept_request,
    request_of,
    size_of,
)
from toolkit.jobs.store import JobStore, checked_name, missing, requested
from toolkit.jobs.vendor import VendorRun, checked_for_vendor
from toolkit.jobs.window import in_order
from toolkit.messages import Json
from toolkit.models.batches import VendorBatches
from toolkit.stamps import new_id

OnDone: TypeAlias = Callable[[int, int | None], None]
"""Told after each question how many have their outcome, and of how many; None where that is only known in the end."""

_MOST: Final = 2**31 - 1
"""Rows of a list, as far as every database can count; who says more means all."""

_Jobs: TypeAlias = Listing[Job]  # `list` is a method below


class Jobs:
    """Batches, and questions that are answered in the background.

    Args:
        db: where they are kept.
        ask: answers one question, given keywords as JSON has them.
        keywords: those that `ask` knows; None: any are passed on.
        concurrency: background questions at once.
        queue: seconds that a question waits for its turn, at most, where our own limits are reached.
        vendors: the vendors' own batches; None: there are none.
        vendor_pause: seconds between two looks at what a vendor works on.
    """

    def __init__(
        self,
        db: Database,
        ask: Ask,
        *,
        keywords: Collection[str] | None = None,
        concurrency: int = 8,
        queue: float = 300.0,
        vendors: VendorBatches | None = None,
        vendor_pause: float = 30.0,
    ) -> None:
        self._db = db
        self._store = JobStore(db)
        self._ask = ask
        self._keywords = keywords
        self._queue = queue
        self._generations = Generations(
            self._store, ask, concurrency=_at_least_one("concurrency", concurrency), queue=queue
        )
        self._vendors = vendors
        self._vendor_pause = vendor_pause
        self._leases: dict[str, set[Lease]] = {}

    async def batch(
        self,
        requests: Requests,
        *,
        concurrency: int = 8,
        job: str | None = None,
        progress: OnDone | None = None,
        vendor_batch: bool = False,
        **common: Any,
    ) -> AsyncGenerator[Outcome, None]:
        """Ask many questions, several at once; what came of each is given in their order, an error as such.

        Leaving the generator cancels what is under way. Of an endless iterable, no more is read than a few dozen
        requests beyond what was given.

        With `job` the requests and what came of them are kept under that name, and the same call goes on where an
        earlier one was left or killed: what was answered is given again and not asked again. Only what was under way
        at that moment is asked a second time. If two processes run the same job at once, one of them works, and the
        other gives what that one has done.

        Args:
            requests: prompts, or mappings with a `prompt` and other keywords of `Toolkit.complete`.
            concurrency: questions at once, at least 1.
            job: the name under which it is kept.
            progress: told after each question.
            vendor_batch: the vendor of `model`, which must be named, works on it by its own batch API: within a day,
                for half the price. Answers come when all are there. With `job` the vendor goes on while nobody waits;
                without, leaving the generator cancels it there.
            common: keywords for all of them; a request's own win.

        Raises:
            ConfigError: what was given is no batch; with `job`, also a request that is none or cannot be kept.
            Conflict: the job was begun with other requests, or was cancelled.
        """
        _at_least_one("concurrency", concurrency)
        check_keywords("A batch", common, self._keywords)
        if vendor_batch:
            outcomes = self._by_vendor(job, requests, progress, common)
        elif job is None:
            outcomes = self._plain(requests, concurrency, progress, common)
        else:
            outcomes = self._kept(checked_name(job), requests, concurrency, progress, common)
        async with aclosing(outcomes):
            async for outcome in outcomes:
                yield outcome

    async def generate(self, request: Request, *, user: str | None = None, origin: str | None = None) -> Generation:
        """Accept a question and answer it in the background; it survives a restart.

        Args:
            request: a prompt, or a mapping with a `prompt` and other keywords of `Toolkit.complete`.
            user: on whose behalf; wins over the request's.
            origin: the application that asks; wins over the request's.

        Raises:
            ConfigError: it is no request, or cannot be kept.
        """
        given = {name: value for name, value in {"user": user, "origin": origin}.items() if value is not None}
        kept = kept_request({**request_of(request, {}, self._keywords), **given})
        job_id = new_id()
        await self._store.add(
            job_id,
            "generation",
            worker=self._generations.worker,
            user=kept.get("user"),
            origin=kept.get("origin"),
            options={},
            requests=[kept],
            fingerprint=fingerprint([kept]),
            also=[requested(job_id, kept.get("user"), kept.get("origin"))],
        )
        generation = await self.generation(job_id)
        self._generations.begin(job_id)
        return generation

    async def resume(self) -> int:
        """Take up the generations of processes that have ended, now and as long as this one lives; how many now.

        For programs that live long. Batches go on when they are called again, or with `run`.
        """
        return await self._generations.resume()

    async def run(
        self, job_id: str, *, failed: bool = False, progress: OnDone | None = None, concurrency: int = 8
    ) -> Job:
        """Go on with a job that was left, killed or cancelled, to its end; what another process works on is waited for.

        Args:
            job_id: which one.
            failed: its failed questions are asked again.
            progress: told after each question.
            concurrency: questions at once.

        Raises:
            NotFound: there is none.
            Conflict: it is cancelled meanwhile.
        """
        job = await self._store.get(job_id)
        again = failed or job.kind == "generation"
        if job.status != "completed" or again:
            await self._store.reopen(job_id, failed=again)
        if job.kind == "generation":
            self._generations.begin(job_id)
            return await self.wait(job_id, math.inf)
        if not job.total:
            raise Conflict(f"The job {job_id!r} was killed before it had all its requests; begin it again with them.")
        count = _Count(progress, job.total)
        batch = KeptBatch(self._store, job_id, answer=self._answer, told=count.one)
        if job.kind == "vendor_batch" and self._vendors is not None:
            await self._run_by_vendor(batch, self._vendors)
        async with self._working(batch), aclosing(batch.outcomes(concurrency)) as outcomes:
            async for _outcome in outcomes:
                pass
        return await self._store.get(job_id)

    async def _run_by_vendor(self, batch: KeptBatch, vendors: VendorBatches) -> None:
        """Go on with what a vendor works on."""
        model = (await self._store.page(batch.id, 0, 1))[0].request["model"]
        async with self._working(batch):
            await VendorRun(self._store, batch, vendors, model, self._vendor_pause).done()

    async def drained(self) -> None:
        """Until the background work of this process is done."""
        await self._generations.drained()

    async def get(self, job_id: str, owner: str | None = None) -> Job:
        """A job as it is now; a `Generation` where it is one.

        Args:
            job_id: which one.
            owner: a proven user, to whom other people's jobs are not there; None is everyone.

        Raises:
            NotFound: there is none.
        """
        return await self._store.get(job_id, owner)

    async def generation(self, job_id: str, owner: str | None = None) -> Generation:
        """A generation as it is now.

        Raises:
            NotFound: there is none; a batch of that name is none.
        """
        job = await self._store.get(job_id, owner)
        if not isinstance(job, Generation):
            raise missing(job_id)
        return job

    async def list(
        self,
        *,
        user: str | None = None,
        status: str | None = None,
        kind: str | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> _Jobs:
        """Jobs without their answers, last created first.

        Args:
            user: only this person's; None is everyone.
            status: only those in it.
            kind: only `batch`, `generation` or `vendor_batch`.
            limit: at most this many, at least 1.
            after: the id of a job: those that follow it in the list.

        Raises:
            ConfigError: there is no such status.
        """
        if status is not None and status not in STATUSES:
            raise ConfigError(f"There is no status {status!r}; {choices(STATUSES)}.")
        return await self._store.list(
            user=user, status=status, kind=kind, limit=_at_least_one("limit", limit), after=after
        )

    async def cancel(self, job_id: str, owner: str | None = None) -> Job:
        """Cancel a job: at once where this process works on it, within some seconds where another does.

        What has ended stays as it is. Answers that were kept are kept.

        Raises:
            NotFound: there is none.
        """
        job = await self._store.get(job_id, owner)
        if await self._store.end(job_id, "cancelled"):
            self._generations.stop(job_id)
            for lease in self._leases.get(job_id, ()):
                lease.stop()
            if job.kind == "vendor_batch" and self._vendors is not None and "model" in job.options:
                batch = KeptBatch(self._store, job_id, answer=self._answer, told=lambda: None)
                await VendorRun(self._store, batch, self._vendors, job.options["model"], self._vendor_pause).cancel()
        return await self._store.get(job_id, owner)

    async def wait(self, job_id: str, within: float, owner: str | None = None) -> Job:
        """A job once it has ended, or as it is after `within` seconds.

        Raises:
            NotFound: there is none.
        """
        job = await self._store.get(job_id, owner)
        with suppress(TimeoutError):
            async with asyncio.timeout(within), aclosing(self._db.changes()) as changes:
                async for _ in changes:
                    job = await self._store.get(job_id, owner)
                    if job.ended:
                        break
        return job

    async def delete(self, job_id: str, owner: str | None = None) -> None:
        """Forget a job, its questions and its answers.

        Raises:
            NotFound: there is none.
            Conflict: a process works on it.
        """
        await self._store.get(job_id, owner)
        if not await self._store.delete(job_id):
            raise Conflict(f"The job {job_id!r} is being worked on; cancel it first with `toolkit jobs cancel`.")

    async def count_before(self, before: datetime) -> int:
        """How many jobs were last heard of at `before` or earlier, ended or left."""
        return await self._store.count_before(before)

    async def prune(self, before: datetime, limit: int = 500) -> int:
        """Forget some jobs that were last heard of at `before` or earlier; gives their number, 0 when none is left.

        Args:
            before: a moment.
            limit: about this many questions, at least 1; a job that has more is forgotten a few at a time.
        """
        gone = rows = 0
        for row in await self._store.old(before, _at_least_one("limit", limit)):
            rows += 1 + row["total"]
            if gone and rows > limit:
                break
            gone += await self._store.delete(row["id"], before=before)
        return gone

    async def close(self) -> None:
        """Cancel what is under way in the background, and leave it to the next process."""
        await self._generations.close()

    async def _plain(
        self, requests: Requests, concurrency: int, progress: OnDone | None, common: Mapping[str, Any]
    ) -> AsyncGenerator[Outcome, None]:
        count = _Count(progress, size_of(requests))

        async def work(request: Request) -> Outcome:
            try:
                keywords = request_of(request, common, self._keywords)
            except ConfigError as error:
                outcome: Outcome = error
            else:
                outcome = await self._answer(keywords)
            count.one()
            return outcome

        async with aclosing(in_order(each(requests), work, concurrency=concurrency)) as outcomes:
            async for outcome in outcomes:
                yield outcome

    async def _kept(
        self, job_id: str, requests: Requests, concurrency: int, progress: OnDone | None, common: Mapping[str, Any]
    ) -> AsyncGenerator[Outcome, None]:
        count = _Count(progress, None)
        batch = KeptBatch(self._store, job_id, answer=self._answer, told=count.one, known=self._keywords)
        async with self._working(batch):
            count.total = await batch.begin(requests, common)
            async with aclosing(batch.outcomes(concurrency)) as outcomes:
                async for outcome in outcomes:
                    yield outcome

    async def _by_vendor(
        self, job: str | None, requests: Requests, progress: OnDone | None, common: Mapping[str, Any]
    ) -> AsyncGenerator[Outcome, None]:
        model = common.get("model")
        if self._vendors is None or not isinstance(model, str):
            raise ConfigError("A vendor's batch needs a `model` by name, from a vendor that has batches.")
        count = _Count(progress, None)
        job_id = new_id() if job is None else checked_name(job)
        batch = KeptBatch(self._store, job_id, answer=self._answer, told=count.one, known=self._keywords)
        run = VendorRun(self._store, batch, self._vendors, model, self._vendor_pause)
        async with self._working(batch):
            check = partial(checked_for_vendor, model=model)
            count.total = await batch.begin(requests, common, "vendor_batch", check)
            try:
                await run.done()
            except BaseException:
                if job is None:  # nobody can name it, and so nobody goes on with it
                    await run.cancel()
                    await self._store.end(job_id, "cancelled")
                raise
            async with aclosing(batch.outcomes(1)) as outcomes:
                async for outcome in outcomes:
                    yield outcome

    @asynccontextmanager
    async def _working(self, batch: KeptBatch) -> AsyncGenerator[None, None]:
        """Keep hold of a batch meanwhile; whoever cancels it here finds it."""
        leases = self._leases.setdefault(batch.id, set())
        leases.add(batch.lease)
        try:
            async with batch.lease.kept_alive():
                try:
                    yield
                finally:
                    await self._store.finish(batch.id)
        finally:
            leases.discard(batch.lease)
            if not leases:
                self._leases.pop(batch.id, None)

    async def _answer(self, keywords: Json) -> Outcome:
        return await outcome_of(queued(self._ask, keywords, self._queue))


class _Count:
    """Counts what is done, and tells it."""

    def __init__(self, progress: OnDone | None, total: int | None) -> None:
        self.total = total
        self._progress = progress
        self._done = 0

    def one(self) -> None:
        self._done += 1
        if self._progress:
            self._progress(self._done, self.total)


def _at_least_one(name: str, value: int) -> int:
    if value < 1:
        raise ConfigError(f"`{name}` must be at least 1 (got {value}).")
    return min(value, _MOST)
