"""A piece of work that is kept: a batch under a name, or a question that is answered in the background."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal, TypeAlias

from toolkit.display import said
from toolkit.display.card import Card, Cell, State
from toolkit.display.shown import Shown
from toolkit.errors import ToolkitError
from toolkit.messages import Json, Reply

Status: TypeAlias = Literal["pending", "running", "completed", "failed", "cancelled"]
JobKind: TypeAlias = Literal["batch", "generation", "vendor_batch"]

STATUSES: Final[tuple[Status, ...]] = ("pending", "running", "completed", "failed", "cancelled")
ENDED: Final = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True, slots=True, repr=False)
class Job(Shown):
    """A job, without its questions.

    Attributes:
        id: a UUIDv7, or the name that the caller gave.
        kind: `batch`; `vendor_batch`, which a vendor works on; `generation`, a single question.
        status: `pending` (nobody works on it), `running`, `completed` (every question has its answer or its error),
            `failed`, `cancelled`.
        total: how many questions; 0 while they are still being read in.
        answered: how many have an answer.
        failed: how many have an error.
        user: on whose behalf.
        origin: the application that asked for it.
        error: why it failed, in one sentence.
        options: what else is kept with it, e.g. the vendor's id of a batch.
        working: a process worked on it when it was last looked at.
        updated_at: when something was last heard of it.
        ended_at: None while it is pending or running.
    """

    id: str
    kind: JobKind
    status: Status
    total: int
    answered: int
    failed: int
    user: str | None
    origin: str | None
    error: str | None
    options: Json
    working: bool
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it by itself."""
        return self.status in ENDED

    def _shown(self) -> Card:
        return _card(self)


@dataclass(frozen=True, slots=True, repr=False)
class Generation(Job):
    """A single question that is answered in the background.

    Attributes:
        reply: the answer, once it is `completed`.
        failure: the error, once it has `failed`; raise it, or read it.
    """

    reply: Reply | None = None
    failure: ToolkitError | None = None

    def _shown(self) -> Card:
        return replace(_card(self), body=(said.reply(self.reply),)) if self.reply else _card(self)


def _card(job: Job) -> Card:
    facts: dict[str, Cell] = {
        "kind": job.kind.replace("_", " "),
        "state": State(job.status, good=job.status not in ("failed", "cancelled")),
        "questions": job.total,
        "answered": job.answered,
        "failed": job.failed or None,
        "user": job.user,
        "origin": job.origin,
        "why": job.error,
    }
    # The id of a question is another one each time; that of a batch is its name.
    return Card("" if job.kind == "generation" else job.id, facts, kind="Job")
