"""How jobs are run on a SQLite connection: writes in groups that share a commit, reads one by one."""

from toolkit.db.sqlite.driver import Connection, sqlite3
from toolkit.db.sqlite.failures import translate
from toolkit.db.sqlite.thread import Job, Outcome


def commit_together(connection: Connection, jobs: list[Job], *, where: str) -> list[Outcome]:
    """Run writing jobs in one transaction, each in a savepoint of its own; nobody is acknowledged before the commit.

    A job that fails is undone alone. An error that destroys the whole transaction (no space, a broken disk) is
    nobody's verdict: each job is then run again on its own.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        # Not tried again job by job: each would wait for the same lock, one after the other.
        return [Outcome(job, error=translate(error, where)) for job in jobs]
    try:
        if len(jobs) == 1:
            outcomes = [Outcome(jobs[0], jobs[0].work(connection))]
        else:
            outcomes = [_run_in_savepoint(connection, job, where) for job in jobs]
        connection.execute("COMMIT")
        return outcomes
    except Exception as error:  # noqa: BLE001 - every job gets its verdict, whatever went wrong
        if connection.conn.in_transaction:
            connection.execute("ROLLBACK")
        if len(jobs) == 1:
            return [Outcome(jobs[0], error=translate(error, where))]
        return [outcome for job in jobs for outcome in commit_together(connection, [job], where=where)]


def _run_in_savepoint(connection: Connection, job: Job, where: str) -> Outcome:
    connection.execute("SAVEPOINT job")
    try:
        outcome = Outcome(job, job.work(connection))
    except Exception as error:
        if not connection.conn.in_transaction:  # SQLite itself has undone everything
            raise
        connection.execute("ROLLBACK TO job")
        outcome = Outcome(job, error=translate(error, where))
    connection.execute("RELEASE job")
    return outcome


def read_each(connection: Connection, jobs: list[Job], *, where: str) -> list[Outcome]:
    """Run reading jobs in order, each on the newest committed state."""
    outcomes = []
    for job in jobs:
        try:
            outcomes.append(Outcome(job, job.work(connection)))
        except Exception as error:  # noqa: BLE001 - every job gets its verdict, whatever went wrong
            outcomes.append(Outcome(job, error=translate(error, where)))
    return outcomes
