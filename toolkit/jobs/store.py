"""The tables of jobs: their state, who works on them, and what came of each question."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from toolkit.db import Database, Row, Statement, as_json, as_time, as_time_or_none
from toolkit.db.feed import event
from toolkit.display.shown import Listing
from toolkit.errors import ConfigError, Conflict, NotFound
from toolkit.jobs import sql
from toolkit.jobs.job import Generation, Job, JobKind, Status
from toolkit.jobs.outcomes import Outcome, error_from_json, error_json, reply_json
from toolkit.messages import Json, Reply
from toolkit.stamps import now

LEASE = 15.0
"""Seconds for which a job belongs to its worker without a sign of life; the clocks of all hosts must agree to less."""

_PAUSE = 0.01  # seconds between two deletions, for programs that wait for the lock
_LONGEST_NAME = 200  # characters of an id, a user or an origin in an event


class _Unmatched(Exception):
    """A list was undone because another process was first."""


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a job.

    Attributes:
        position: 0 is the first.
        request: the keywords that it is asked with.
        outcome: None while there is none.
    """

    position: int
    request: Json
    outcome: Outcome | None

    @classmethod
    def from_row(cls, row: Row) -> "Item":
        """The item that a row of the table `job_items` is."""
        outcome: Outcome | None = None
        if row["status"] == "completed":
            outcome = Reply.from_json(as_json(row["reply"]))
        elif row["status"] == "failed":
            outcome = error_from_json(as_json(row["error"]))
        return cls(row["position"], as_json(row["request"]), outcome)


class JobStore:
    """Reads and writes jobs; knows nothing of how a question is answered."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(
        self,
        job_id: str,
        kind: JobKind,
        *,
        worker: str,
        user: str | None,
        origin: str | None,
        options: Mapping[str, Any],
        requests: Sequence[Json] = (),
        fingerprint: str = "",
        also: Sequence[Statement] = (),
    ) -> bool:
        """Keep a new job of which `worker` takes care; False if the id is there already, and then nothing is changed.

        Args:
            job_id: a new id, or a name.
            kind: of the job.
            worker: who takes care of it.
            user: on whose behalf.
            origin: the application.
            options: what else to keep.
            requests: its questions, unless they follow with `extend`.
            fingerprint: of the questions; empty while they are not all there.
            also: what is written with it.
        """
        at = now()
        values = {
            "id": job_id,
            "kind": kind,
            "status": "pending",
            "total": len(requests),
            "options": dict(options),
            "fingerprint": fingerprint,
            "user": user,
            "origin": origin,
            "worker": worker,
            "at": at,
            **_clock(),
        }
        items = [_items(job_id, 0, requests, at)] if requests else []
        try:
            await self._db.write(Statement(sql.INSERT, values, unmatched=_Unmatched()), *items, *also, subject=job_id)
        except _Unmatched:
            return False
        return True

    async def extend(self, job_id: str, first: int, requests: Sequence[Json]) -> None:
        """Add questions from the position `first` on."""
        await self._db.write(_items(job_id, first, requests, now()), subject=job_id)

    async def seal(self, job_id: str, worker: str, *, total: int, fingerprint: str) -> None:
        """Say that all questions are there.

        Raises:
            Conflict: another worker has taken the job meanwhile.
        """
        seal = "UPDATE jobs SET total = :total, fingerprint = :fp WHERE id = :id AND worker = :worker RETURNING id"
        values = {"id": job_id, "worker": worker, "total": total, "fp": fingerprint}
        lost = Conflict(f"Another process has taken the job {job_id!r} meanwhile; begin it again.")
        await self._db.write(Statement(seal, values, unmatched=lost), subject=job_id)

    async def empty(self, job_id: str) -> None:
        """Forget a job's questions, a few at a time so that nobody waits long for the lock."""
        some = """
            DELETE FROM job_items
             WHERE job_id = :id
               AND position IN (SELECT position FROM job_items WHERE job_id = :id ORDER BY position LIMIT 500)
            RETURNING position
            """
        while await self._db.execute(some, id=job_id):  # noqa: ASYNC110 - it waits for nobody, it lets others in
            await asyncio.sleep(_PAUSE)

    async def take(self, job_id: str, worker: str) -> bool:
        """Make `worker` the one who works on the job; False while somebody else does, or when it has ended."""
        values = {"id": job_id, "worker": worker, "at": now(), **_clock()}
        return await self._changed(job_id, Statement(sql.TAKE, values, unmatched=_Unmatched()), "running")

    async def adopt(self, worker: str, limit: int) -> list[str]:
        """Take up to `limit` generations of which nobody takes care, oldest first; gives their ids."""
        rows = await self._db.execute(sql.ADOPT, worker=worker, limit=limit, at=now(), **_clock())
        return sorted(row["id"] for row in rows)

    async def renew(self, worker: str) -> set[str]:
        """Give a sign of life; the ids of the jobs that are still the worker's."""
        rows = await self._db.execute(sql.RENEW, worker=worker, **_clock())
        return {row["id"] for row in rows}

    async def release(self, worker: str) -> None:
        """Give back what the worker has not finished."""
        await self._db.execute(sql.RELEASE, worker=worker, at=now())

    async def keep(self, job_id: str, position: int, outcome: Outcome, also: Sequence[Statement] = ()) -> bool:
        """Keep what came of a question, `also` with it; False if something has been kept already, which then stands."""
        kept = _kept(job_id, position, outcome)._replace(unmatched=_Unmatched())
        try:
            # No row of the table `jobs` is touched: the items of one job may share a commit.
            await self._db.write(kept, *also, subject=f"{job_id}/{position}")
        except _Unmatched:
            return False
        return True

    async def finish(self, job_id: str) -> bool:
        """End a job of which every question has its outcome; False if some have none, or it has ended."""
        finished = Statement(sql.FINISH, {"id": job_id, "at": now()}, unmatched=_Unmatched())
        return await self._changed(job_id, finished, "completed")

    async def conclude(self, job_id: str, outcome: Outcome) -> bool:
        """Keep the outcome of a generation, and end it; False if it has ended already."""
        failed = not isinstance(outcome, Reply)
        status: Status = "failed" if failed else "completed"
        values = {"id": job_id, "status": status, "error": _sentence(outcome), "at": now()}
        ended = Statement(sql.END, values, unmatched=_Unmatched())
        call_id = outcome.call_id if isinstance(outcome, Reply) else None
        return await self._changed(job_id, ended, status, _kept(job_id, 0, outcome), call_id=call_id)

    async def end(self, job_id: str, status: Status, error: str | None = None) -> bool:
        """End a job as it is; False if it has ended already."""
        values = {"id": job_id, "status": status, "error": error, "at": now()}
        return await self._changed(job_id, Statement(sql.END, values, unmatched=_Unmatched()), status)

    async def reopen(self, job_id: str, *, failed: bool) -> bool:
        """Let a job go on that has ended, or that nobody works on; False if somebody does.

        Args:
            job_id: which one.
            failed: its failed questions are asked again, too.
        """
        again = """
            UPDATE job_items SET status = 'pending', error = NULL, updated_at = :at
             WHERE job_id = :id AND status = 'failed'
            """
        values = {"id": job_id, "at": now(), **_clock()}
        statements = [Statement(again, values)] if failed else []
        try:
            await self._db.write(Statement(sql.REOPEN, values, unmatched=_Unmatched()), *statements, subject=job_id)
        except _Unmatched:
            return False
        return True

    async def note(self, job_id: str, options: Mapping[str, Any]) -> None:
        """Replace what else is kept with the job."""
        update = "UPDATE jobs SET options = :options, updated_at = :at WHERE id = :id"
        await self._db.write(Statement(update, {"id": job_id, "options": dict(options), "at": now()}), subject=job_id)

    async def delete(self, job_id: str, *, before: datetime | None = None, worker: str = "") -> bool:
        """Forget a job, unless somebody but `worker` works on it, or it was heard of after `before`."""
        at = now()
        # It ends first: nobody may go on with a batch of which a part is gone.
        if not await self._db.execute(sql.STOP, id=job_id, at=at, before=before or at, worker=worker, **_clock()):
            return False
        await self.empty(job_id)
        return bool(await self._db.execute("DELETE FROM jobs WHERE id = :id RETURNING id", id=job_id))

    async def old(self, before: datetime, limit: int) -> list[Row]:
        """The first jobs that were last heard of at `before` or earlier and that nobody works on: id and total."""
        return await self._db.fetch_all(sql.OLD, before=before, limit=limit, **_clock())

    async def count_before(self, before: datetime) -> int:
        """How many jobs `old` would give without a limit."""
        row = await self._db.fetch_one(sql.COUNT_OLD, before=before, **_clock())
        return int(row["n"]) if row else 0

    async def page(self, job_id: str, first: int, limit: int) -> list[Item]:
        """The questions from the position `first` on, in order."""
        rows = await self._db.fetch_all(
            """
            SELECT position, status, request, reply, error
              FROM job_items
             WHERE job_id = :id AND position >= :first
             ORDER BY position
             LIMIT :limit
            """,
            id=job_id,
            first=first,
            limit=limit,
        )
        return [Item.from_row(row) for row in rows]

    async def state(self, job_id: str) -> Row:
        """The row of a job.

        Raises:
            NotFound: there is none.
        """
        row = await self._db.fetch_one("SELECT * FROM jobs WHERE id = :id", id=job_id)
        if row is None:
            raise missing(job_id)
        return row

    async def get(self, job_id: str, owner: str | None = None) -> Job:
        """A job as it is now; that of another owner is not there.

        Raises:
            NotFound: there is none.
        """
        row = await self._db.fetch_one(sql.GET, id=job_id) if fits(job_id) else None
        if row is None or (owner is not None and row["user_id"] != owner):
            raise missing(job_id)
        if row["kind"] != "generation":
            return Job(**_values(row))
        item = (await self.page(job_id, 0, 1))[0]
        reply = item.outcome if isinstance(item.outcome, Reply) else None
        return Generation(**_values(row), reply=reply, failure=None if reply else item.outcome)  # type: ignore[arg-type]

    async def list(
        self, *, user: str | None, status: str | None, kind: str | None, limit: int, after: str | None
    ) -> "Listing[Job]":
        """Jobs, last created first."""
        rows = await self._db.fetch_all(
            sql.LIST,
            user=user,
            status=status,
            kind=kind,
            limit=limit,
            after=after,
        )
        return Listing(Job(**_values(row)) for row in rows)

    async def _changed(
        self, job_id: str, change: Statement, status: Status, *also: Statement, call_id: str | None = None
    ) -> bool:
        told = event("job.updated", job_id[:_LONGEST_NAME], {"status": status, "call_id": call_id})
        try:
            await self._db.write(change, *also, told, subject=job_id)
        except _Unmatched:
            return False
        return True


def requested(job_id: str, user: str | None, origin: str | None) -> Statement:
    """Tells that a generation was accepted."""
    body = {"user": user and user[:_LONGEST_NAME], "origin": origin and origin[:_LONGEST_NAME]}
    return event("generation.requested", job_id, body)


def checked_name(job_id: str) -> str:
    """`job_id`, if it may be the name of a job."""
    if not fits(job_id):
        raise ConfigError(f"The job's name {job_id[:50]!r} cannot be used; give it 1 to {_LONGEST_NAME} characters.")
    return job_id


def fits(job_id: str) -> bool:
    """Whether a job may be called so; a database refuses some of what a wire may bring instead."""
    return 0 < len(job_id) <= _LONGEST_NAME and job_id.isprintable() and job_id.strip() == job_id


def missing(job_id: str) -> NotFound:
    """What is raised where there is no such job."""
    return NotFound(f"There is no job {job_id[:_LONGEST_NAME]!r}; `toolkit jobs list` shows those that there are.")


def _items(job_id: str, first: int, requests: Sequence[Json], at: datetime) -> Statement:
    return Statement(sql.ADD, {"job_id": job_id, "first": first, "requests": list(requests), "at": at})


def _kept(job_id: str, position: int, outcome: Outcome) -> Statement:
    answered = isinstance(outcome, Reply)
    values = {
        "job_id": job_id,
        "position": position,
        "status": "completed" if answered else "failed",
        "reply": reply_json(outcome) if isinstance(outcome, Reply) else None,
        "error": None if isinstance(outcome, Reply) else error_json(outcome),
        "call_id": outcome.call_id if isinstance(outcome, Reply) else None,
        "at": now(),
    }
    return Statement(sql.KEEP, values)


def _clock() -> dict[str, datetime]:
    """The moment from which a worker is no longer alive, and until when one is that gives a sign of life now.

    By the clock on the wall also in a replay: what is true of other processes cannot be frozen.
    """
    alive = datetime.now(UTC)
    return {"alive": alive, "until": alive + timedelta(seconds=LEASE)}


def _sentence(outcome: Outcome) -> str | None:
    return None if isinstance(outcome, Reply) else error_json(outcome)["message"]


def _values(row: Row) -> dict[str, Any]:
    until = as_time_or_none(row["worker_until"])
    return {
        "id": row["id"],
        "kind": row["kind"],
        "status": row["status"],
        "total": row["total"],
        "answered": row["answered"],
        "failed": row["failures"],
        "user": row["user_id"],
        "origin": row["origin"],
        "error": row["error"],
        "options": as_json(row["options"]),
        "working": until is not None and until > datetime.now(UTC),
        "created_at": as_time(row["created_at"]),
        "updated_at": as_time(row["updated_at"]),
        "ended_at": as_time_or_none(row["ended_at"]),
    }
