"""`toolkit migrate`: the tables of the database."""

import asyncio
from typing import TYPE_CHECKING

import click

from toolkit.cli import terminal
from toolkit.cli.run import database, example, json_output, open_toolkit

if TYPE_CHECKING:
    from toolkit.db import MigrationStatus


@click.command(epilog=example("toolkit migrate --list --db postgresql://localhost/app", "toolkit migrate --dry-run"))
@click.option("--list", "only_list", is_flag=True, help="Only show what is applied and what is pending.")
@click.option("--dry-run", is_flag=True, help="Try what is pending, and undo it: nothing is changed.")
@json_output
@database
def migrate(only_list: bool, dry_run: bool, as_json: bool) -> None:
    """Bring the tables of the database up to date. Every other command does so by itself.

    With --dry-run SQLite tries it on a copy of the file, and Postgres in a transaction that is rolled back.
    """
    before, after = asyncio.run(_migrate(only_list=only_list, dry_run=dry_run))
    if as_json:
        terminal.data([m._asdict() for m in after])
        return
    if only_list:
        terminal.table(
            ["Migration", "Applied"],
            [[m.name, terminal.moment(m.applied_at) if m.applied_at else "pending"] for m in after],
        )
        return
    applied = [m.name for m in before if m.applied_at is None]
    if dry_run:
        tried = f"It was tried and would work: {', '.join(applied)}. Nothing was changed."
        terminal.say(tried if applied else "The tables are up to date; nothing would be applied.")
        return
    terminal.say(f"Applied {', '.join(applied)}." if applied else "The tables are up to date.")


async def _migrate(*, only_list: bool, dry_run: bool) -> "tuple[list[MigrationStatus], list[MigrationStatus]]":
    db = open_toolkit().db
    try:
        before = await db.migrations()
        if dry_run:
            await db.rehearse()
        if only_list or dry_run:
            return before, before
        await db.open()
        return before, await db.migrations()
    finally:
        await db.close()
