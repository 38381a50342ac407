"""Lists of statements as transactions: each is kept once or not at all, however often the connection is lost."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import asyncpg

from toolkit.db.database import Row, Rows, Statement
from toolkit.db.postgres.failures import Doubtful, is_lost
from toolkit.db.postgres.lease import HURRY, Lease
from toolkit.db.postgres.line import Line
from toolkit.db.postgres.sql import Form, Renderer
from toolkit.stamps import fresh_id

Results: TypeAlias = list[list[Row]]
Outcome: TypeAlias = Results | Exception  # an exception: its statement was not matched, and nothing of it was done

# Milliseconds after which the server undoes what a program has begun whose machine or network is gone.
_IDLE = "SET LOCAL idle_in_transaction_session_timeout = 8000; "
LEAST_WAIT = 1.0  # seconds that a lock is waited for, however late it is


class Job:
    """A list of statements, and who waits for it.

    Equal statements that follow one another are one step: they are sent together.

    Attributes:
        forms: the text of each step.
        shape: what lists must have in common to be run together.
        executions: for each step the values of each time it is run.
        sizes: their bytes, at most.
        unmatched: by number of the statement what is raised when it gives no row.
        repeatable: may be run twice.
        wakes: listeners are woken after it.
        subject: see `Database.write`.
        deadline: the loop's time when patience is over.
        answer: its rows or its error.
        then: called with the job once it is settled, whether anybody still waits for its answer or not.
    """

    __slots__ = (
        "answer",
        "deadline",
        "executions",
        "forms",
        "repeatable",
        "shape",
        "sizes",
        "subject",
        "then",
        "unmatched",
        "wakes",
    )

    def __init__(
        self, renderer: Renderer, statements: Sequence[Statement | Rows], subject: str | None, patience: float
    ) -> None:
        forms: list[Form] = []
        self.executions: list[list[Sequence[Any]]] = []
        self.sizes: list[list[int]] = []
        self.unmatched: dict[int, Exception] = {}
        self.repeatable = True
        self.wakes = False
        for number, statement in enumerate(statements):
            if isinstance(statement, Rows):
                form, values, size = renderer.prepare_rows(statement)
                self.repeatable = False
            else:
                form, values, size = renderer.prepare(statement.sql, statement.values)
                if statement.unmatched is not None:
                    self.unmatched[number] = statement.unmatched
                self.repeatable &= statement.repeatable
                self.wakes |= statement.wakes
            if forms and forms[-1] is form:
                self.executions[-1].append(values)
                self.sizes[-1].append(size)
            else:
                forms.append(form)
                self.executions.append([values])
                self.sizes.append([size])
        self.forms = tuple(forms)
        self.shape = (*forms, self.repeatable)
        self.subject = subject
        loop = asyncio.get_running_loop()
        self.deadline = loop.time() + patience
        self.answer: asyncio.Future[Results] = loop.create_future()
        self.then: Callable[[Job], None] | None = None

    def verdict(self, number: int, found: Sequence[list[Row]]) -> Exception | None:
        """What is raised because a statement gave no row, None if nothing is.

        Args:
            number: the place of the first one of these statements in the list.
            found: their rows.
        """
        verdicts = (self.unmatched.get(place) for place, rows in enumerate(found, number) if not rows)
        return next((verdict for verdict in verdicts if verdict), None)

    def settle(self, outcome: Outcome) -> None:
        """Tell whoever still waits."""
        if not self.answer.done():
            if isinstance(outcome, Exception):
                self.answer.set_exception(outcome)
            else:
                self.answer.set_result(outcome)
        then, self.then = self.then, None
        if then:
            then(self)


class Unfit(Exception):
    """Some lists met a statement that was not matched after others of theirs were run; all was undone.

    Attributes:
        verdicts: by place of the list what is raised for it.
    """

    def __init__(self, verdicts: dict[int, Exception]) -> None:
        self.verdicts = verdicts


class Transaction:
    """Lists of one shape in one transaction, which may be tried again when the connection is lost.

    A row of the table `commits` goes with it. If that row is there already when the transaction is tried again, an
    earlier try was kept, and its rows are the answer; if an earlier try still runs, its row is waited for.

    Args:
        jobs: lists of one shape.
        schema: where the table `commits` is; None where there is none: what was lost at its commit stays in doubt.
        clock: the loop's time.
        hurried: others wait for these lists; a lock that is not to be had soon is given up.
    """

    def __init__(self, jobs: Sequence[Job], schema: str | None, clock: Callable[[], float], *, hurried: bool) -> None:
        self._jobs = jobs
        self._forms = jobs[0].forms
        self._clock = clock
        self._hurried = hurried
        self._deadline = max(job.deadline for job in jobs)
        self._sent: list[Outcome] | None = None  # the outcomes of the last try whose commit was sent
        repeatable = jobs[0].repeatable
        # One step is a transaction by itself; with several lists in it none may have to be undone alone.
        self._bare = (
            repeatable
            and len(self._forms) == 1
            and not any(job.unmatched and len(job.executions[0]) > 1 for job in jobs)
        )
        token = f"INSERT INTO \"{schema}\".commits (id, at) VALUES ('{fresh_id()}', CURRENT_TIMESTAMP); "  # noqa: S608 - our own words
        self._begin = "BEGIN; " + ("" if repeatable or not schema else token)
        self._in_doubt_for_good = not (repeatable or schema)

    async def run(self, line: Line) -> list[Outcome]:
        """Run it until it is known to be kept; raises what undid it.

        Raises:
            Unfit: the lists that are not named in it would have been kept.
            Doubtful: the server did not come back to say whether it was kept.
        """
        try:
            if self._bare:
                return await line.insist(self._try_bare, self._deadline, hurried=self._hurried)
            return await line.insist(self._try, self._deadline)
        except Exception as error:
            if self._sent is not None:
                raise Doubtful from error
            raise

    async def _try_bare(self, lease: Lease) -> list[Outcome]:
        outcomes = await self._steps(lease, in_transaction=False)
        self._sent = None
        return outcomes

    async def _try(self, lease: Lease) -> list[Outcome]:
        if self._sent is not None and self._in_doubt_for_good:
            raise Doubtful
        try:
            try:
                # A lock on the row of an earlier try is waited for as long as it takes; others are not.
                await lease.script(f"{self._begin}{_IDLE}SET LOCAL lock_timeout = {self._lock_timeout()}")
            except asyncpg.UniqueViolationError:
                if self._sent is None:
                    raise
                return self._sent
            self._sent = None  # no earlier try was kept
            outcomes = await self._steps(lease, in_transaction=True)
            if all(isinstance(outcome, Exception) for outcome in outcomes):
                await lease.undo()
                return outcomes
            await self._commit(lease, outcomes)
        except asyncio.CancelledError:  # the loop ends: there is no time to be polite
            lease.end()
            raise
        finally:
            await lease.undo()
        return outcomes

    async def _commit(self, lease: Lease, outcomes: list[Outcome]) -> None:
        self._sent = outcomes
        try:
            status = await lease.script("COMMIT")
        except asyncpg.PostgresError as error:
            if not is_lost(error):
                self._sent = None
            raise
        if status != "COMMIT":
            self._sent = None
            raise asyncpg.InternalServerError(f"COMMIT was answered with {status}")
        self._sent = None

    def _lock_timeout(self) -> int:
        """Milliseconds: a list that nobody waits for is patient to the end."""
        left = self._deadline - self._clock()
        wait = min(HURRY, max(LEAST_WAIT, left) / 4) if self._hurried else max(LEAST_WAIT, left)
        return round(wait * 1000)

    async def _steps(self, lease: Lease, *, in_transaction: bool) -> list[Outcome]:
        outcomes: list[Results] = [[] for _ in self._jobs]
        left_out: dict[int, Exception] = {}
        live = list(range(len(self._jobs)))
        for step, form in enumerate(self._forms):
            executions = [values for place in live for values in self._jobs[place].executions[step]]
            sizes = [size for place in live for size in self._jobs[place].sizes[step]]
            rows = await lease.run(form, executions, sizes)
            verdicts: dict[int, Exception] = {}
            first = 0
            for place in live:
                job, results = self._jobs[place], outcomes[place]
                found = rows[first : first + len(job.executions[step])]
                first += len(found)
                if job.unmatched and not all(found):
                    verdict = job.verdict(len(results), found)
                    if verdict:
                        verdicts[place] = verdict
                results += found
            if not verdicts:
                continue
            # A statement that matched nothing changed nothing: a list of which it was the first is just left out.
            if in_transaction and any(step or len(self._jobs[place].executions[0]) > 1 for place in verdicts):
                raise Unfit(verdicts)
            left_out |= verdicts
            live = [place for place in live if place not in verdicts]
            if not live:
                break
        return [left_out.get(place, results) for place, results in enumerate(outcomes)]
