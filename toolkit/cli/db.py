"""`toolkit db`: the database itself: moved, backed up, looked after."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from toolkit.cli import terminal
from toolkit.cli.run import Commands, chosen_settings, database, example, json_output, open_toolkit
from toolkit.errors import ConfigError, DatabaseUnavailable
from toolkit.retention import KINDS, Kind
from toolkit.stamps import now

if TYPE_CHECKING:
    from toolkit.db import Database, Problem
    from toolkit.db.moving import CopyReport
    from toolkit.retention import Forgotten

T = TypeVar("T")

_AGE = re.compile(r"([1-9][0-9]{0,4})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 7 * 24}
_LONGEST = 100 * 366 * 24  # hours
_KINDS: Mapping[Kind, tuple[str, str]] = {
    "sessions": ("session", "sessions"),
    "calls": ("call", "calls"),
    "events": ("event", "events"),
    "jobs": ("job", "jobs"),
}


@click.group(cls=Commands, epilog=example("toolkit db stats"))
def db() -> None:
    """Move the database, back it up, and look after it."""


@db.command(epilog=example("toolkit db copy sqlite:///toolkit.db postgresql://ada@localhost/app"))
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@json_output
def copy(source: str, target: str, as_json: bool) -> None:
    """Copy everything to an empty database, and compare both.

    Either may be SQLite or Postgres; they are compared row by row.

    FROM and TO are URLs as for --db. FROM is only read; stop the programs that write to it before you go over to TO.
    If the command is interrupted, the same one goes on where it was.
    """
    started = now()
    report = _run(_copy(source, target), "The same command goes on where it was.")
    seconds = (now() - started).total_seconds()
    if as_json:
        terminal.data({"tables": report.tables, "written": report.written, "mended": report.mended})
        return
    terminal.table(
        ["Table", "Rows", "Checksum"],
        [[each.table, f"{each.rows:,}", each.checksum[:16]] for each in report.tables],
        right=["Rows"],
    )
    terminal.say(_told(report, seconds))
    terminal.note("Events were not copied: they tell listeners of FROM what happened there.")


def _told(report: "CopyReport", seconds: float) -> str:
    rows = sum(each.rows for each in report.tables)
    if not report.written and not report.mended:
        return f"Both sides are equal already: {terminal.count(rows, 'row')}."
    mended = f", {terminal.count(report.mended, 'row')} of it again because FROM was changed" if report.mended else ""
    return f"Copied {terminal.count(report.written, 'row')} in {seconds:,.1f} s{mended}. Both sides are equal."


async def _copy(source: str, target: str) -> "CopyReport":
    settings = chosen_settings()
    from toolkit.db import open_database  # noqa: PLC0415 - drivers, which `toolkit --help` does not need
    from toolkit.db.moving import copy as copy_all  # noqa: PLC0415

    async with AsyncExitStack() as opened:
        both = []
        for url in (source, target):
            both.append(open_database(replace(settings, database_url=url)))
            opened.push_async_callback(both[-1].close)
        return await copy_all(both[0], both[1], terminal.progress)


@db.command(epilog=example("toolkit db backup toolkit-backup.db"))
@click.argument("file", type=click.Path(path_type=Path))
@database
def backup(file: Path) -> None:
    """Copy a SQLite database that is in use to a new file."""
    _with_database(lambda db: db.backup(file))
    terminal.say(f"The backup is in {file}, {_size(file.expanduser().stat().st_size)}.")


@db.command(epilog=example("toolkit db vacuum"))
@database
def vacuum() -> None:
    """Give the space of deleted rows back. On a large file it takes a while, and writers wait."""
    before, after = _with_database(_vacuum)
    if before is None or after is None:
        terminal.say("The space of deleted rows is given back.")
    else:
        terminal.say(f"The space of deleted rows is given back: {_size(before)} before, {_size(after)} now.")


async def _vacuum(db: "Database") -> tuple[int | None, int | None]:
    from toolkit.db.stats import size  # noqa: PLC0415 - see `_copy`

    before = await size(db)
    await db.vacuum()
    return before, await size(db)


@db.command(epilog=example("toolkit db check"))
@json_output
@database
def check(as_json: bool) -> None:
    """Read everything and say what is damaged. The exit code is 1 if something is."""
    url, problems = _with_database(_check)
    if as_json:
        terminal.data([problem._asdict() for problem in problems])
    elif problems:
        terminal.table(["Table", "Problem"], [[problem.table or "—", problem.message] for problem in problems])
    else:
        terminal.say(f"The database {url} is sound.")
    if problems:
        raise click.exceptions.Exit(1)


async def _check(db: "Database") -> "tuple[str, list[Problem]]":
    return db.url, await db.check()


@db.command(epilog=example("toolkit db stats --db postgresql://localhost/app"))
@json_output
@database
def stats(as_json: bool) -> None:
    """Say how many rows each table holds, and how much room they take."""
    from toolkit.db.stats import stats as stats_of  # noqa: PLC0415 - see `_copy`

    found = _with_database(stats_of)
    if as_json:
        terminal.data(found)
        return
    terminal.table(
        ["Table", "Rows", "Size"],
        [[each.table, f"{each.rows:,}", _size(each.bytes)] for each in found.tables],
        right=["Rows", "Size"],
    )
    terminal.say(f"{found.url}: {_size(found.bytes)} on disk." if found.bytes else f"{found.url}: size unknown.")


@db.command(
    epilog=example("toolkit db prune --older-than 90d --dry-run", "toolkit db prune --older-than 8w --only calls")
)
@click.option(
    "--older-than", "age", required=True, metavar="AGE", help="A number of hours, days or weeks: 12h, 90d, 8w."
)
@click.option("--only", "kinds", multiple=True, type=click.Choice(list(_KINDS)), help="Only these; repeat it.")
@click.option("--keep-sums", is_flag=True, help="What old calls cost stays known by day, model and user.")
@click.option("--dry-run", is_flag=True, help="Only count what would be forgotten.")
@json_output
@database
def prune(age: str, kinds: tuple[Kind, ...], keep_sums: bool, dry_run: bool, as_json: bool) -> None:
    """Forget old sessions, jobs, calls and events.

    Sessions and jobs go by when they were last used. Chats go on meanwhile.
    """
    before = now() - _age(age)
    found = _run(
        _prune(before, kinds or KINDS, keep_sums=keep_sums, dry_run=dry_run), "The same command forgets the rest."
    )
    if as_json:
        terminal.data({"before": found.before, "dry_run": dry_run, **found.counts})
        return
    told = [terminal.count(number, *_KINDS[kind]) for kind, number in found.counts.items()]
    verb = "Would forget" if dry_run else "Forgot"
    terminal.say(f"{verb} {_listed(told)} of {terminal.moment(found.before)} or earlier.")


async def _prune(before: datetime, kinds: Sequence[Kind], *, keep_sums: bool, dry_run: bool) -> "Forgotten":
    from toolkit.db.moving.places import pending  # noqa: PLC0415 - see `_copy`

    tk = open_toolkit()
    try:
        await pending(tk.db)  # a database that is not there is not made in order to be emptied
        if dry_run:
            return await tk.prune(before, only=kinds, dry_run=True)
        with terminal.progress("Forgetting") as advance:
            return await tk.prune(
                before, only=kinds, keep_sums=keep_sums, told=lambda kind, done: advance(done, None, kind)
            )
    finally:
        await tk.close()


def _age(text: str) -> timedelta:
    match = _AGE.fullmatch(text.strip().lower())
    if match is None:
        raise ConfigError(f"--older-than is {text!r}; write a number and its unit, e.g. 12h, 90d or 8w.")
    hours = int(match[1]) * _HOURS[match[2]]
    if hours > _LONGEST:
        raise ConfigError(f"--older-than is {text!r}, which is more than a hundred years; choose less.")
    return timedelta(hours=hours)


def _with_database(work: "Callable[[Database], Awaitable[T]]") -> T:
    """What `work` gives, from the database that `--db` names; one that is not there is not made."""

    async def inside() -> T:
        from toolkit.db.moving.places import pending  # noqa: PLC0415 - see `_copy`

        db = open_toolkit().db
        try:
            with suppress(DatabaseUnavailable):  # a damaged one is what `check` is for; anything else is said by `work`
                await pending(db)
            return await work(db)
        finally:
            await db.close()

    return asyncio.run(inside())


def _run(work: Coroutine[Any, Any, T], again: str) -> T:
    """Run `work` to its end; `again` says what becomes of it after Ctrl-C."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        terminal.note(f"Interrupted. {again}")
        raise


def _listed(parts: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *some, last = parts
    return f"{', '.join(some)} and {last}" if some else last


def _size(number: int | None) -> str:
    """Bytes as a person reads them."""
    if number is None:
        return "—"
    size = float(number)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:  # noqa: PLR2004 - the step between units
            return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"
