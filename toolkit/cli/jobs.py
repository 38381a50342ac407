"""`toolkit jobs`: batches that are kept, and what is answered in the background."""

from typing import TYPE_CHECKING

import click

from toolkit.cli import terminal
from toolkit.cli.run import Commands, database, example, json_output, with_toolkit

if TYPE_CHECKING:
    from toolkit.jobs.job import Job
    from toolkit.messages import Json
    from toolkit.toolkit import Toolkit

_HEADINGS = ["Job", "Kind", "Status", "Done", "Failed", "User", "Begun"]


@click.group(cls=Commands, epilog=example("toolkit jobs list"))
def jobs() -> None:
    """Show, cancel, and go on with batches and background questions."""


@jobs.command("list", epilog=example("toolkit jobs list --status running"))
@click.option("--user", help="Only this person's.")
@click.option(
    "--status",
    type=click.Choice(["pending", "running", "completed", "failed", "cancelled"]),
    help="Only those that are so.",
)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many at most.")
@json_output
@database
def list_(user: str | None, status: str | None, limit: int, as_json: bool) -> None:
    """List jobs, last begun first."""
    found = with_toolkit(lambda tk: tk.jobs.list(user=user, status=status, limit=limit))
    if as_json:
        terminal.data([told(job) for job in found])
    elif found:
        terminal.table(_HEADINGS, [_row(job) for job in found], right=["Done", "Failed"])
    else:
        terminal.note("There are none; `toolkit batch FILE.jsonl --job NAME` begins one.")


@jobs.command(epilog=example("toolkit jobs show night"))
@click.argument("job_id", metavar="ID")
@json_output
@database
def show(job_id: str, as_json: bool) -> None:
    """Show how far a job is, and the answer of a single question."""
    _show(with_toolkit(lambda tk: tk.jobs.get(job_id)), as_json=as_json)


@jobs.command(epilog=example("toolkit jobs cancel night"))
@click.argument("job_ids", nargs=-1, required=True, metavar="ID…")
@database
def cancel(job_ids: tuple[str, ...]) -> None:
    """Cancel jobs. What was answered is kept."""

    async def each(tk: "Toolkit") -> None:
        for job_id in job_ids:
            job = await tk.jobs.cancel(job_id)
            terminal.say(f"Job {job_id} is {job.status}.")

    with_toolkit(each)


@jobs.command(epilog=example("toolkit jobs resume night --failed"))
@click.argument("job_id", metavar="[ID]", required=False)
@click.option("--failed", is_flag=True, help="Ask those again that failed.")
@click.option("--concurrency", default=8, show_default=True, type=click.IntRange(1, 1000), help="Questions at once.")
@json_output
@database
def resume(job_id: str | None, failed: bool, concurrency: int, as_json: bool) -> None:
    """Go on with a job that was left, killed or cancelled.

    Without ID, with all background questions that were left behind.
    """
    if job_id is None:
        taken = with_toolkit(_resume_all)
        if as_json:
            terminal.data({"taken_up": taken})
        else:
            terminal.say(f"{terminal.count(taken, 'question')} taken up.")
        return

    async def run(tk: "Toolkit") -> "Job":
        with terminal.progress("Asking") as advance:

            def show(done: int, total: int | None) -> None:
                advance(done, total, "questions")

            return await tk.jobs.run(job_id, failed=failed, concurrency=concurrency, progress=show)

    _show(with_toolkit(run), as_json=as_json)


@jobs.command(epilog=example("toolkit jobs delete night"))
@click.argument("job_ids", nargs=-1, required=True, metavar="ID…")
@database
def delete(job_ids: tuple[str, ...]) -> None:
    """Forget jobs with their questions and answers."""

    async def each(tk: "Toolkit") -> None:
        for job_id in job_ids:
            await tk.jobs.delete(job_id)
            terminal.say(f"Job {job_id} is deleted.")

    with_toolkit(each)


def told(job: "Job") -> "Json":
    """A job as JSON, with the answer or the error of a single question."""
    out = {name: getattr(job, name) for name in ("id", "kind", "status", "total", "answered", "failed", "user")}
    times = {name: getattr(job, name) for name in ("created_at", "updated_at", "ended_at")}
    out |= {"origin": job.origin, "error": job.error, "working": job.working, "options": job.options, **times}
    if reply := getattr(job, "reply", None):
        out["reply"] = reply.to_json()
    return out


async def _resume_all(tk: "Toolkit") -> int:
    taken = await tk.jobs.resume()
    await tk.jobs.drained()
    return taken


def _show(job: "Job", *, as_json: bool) -> None:
    if as_json:
        terminal.data(told(job))
        return
    terminal.table(_HEADINGS, [_row(job)], right=["Done", "Failed"])
    if job.error:
        terminal.say(job.error, "red")
    if reply := getattr(job, "reply", None):
        terminal.prose(reply.text)


def _row(job: "Job") -> list[str]:
    done = f"{job.answered:,} of {job.total:,}"
    status = job.status if job.working or job.status != "running" else "left"
    return [job.id, job.kind, status, done, f"{job.failed:,}", job.user or "—", terminal.moment(job.created_at)]
