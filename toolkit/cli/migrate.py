"""`toolkit migrate`: the tables of the database."""

import asyncio
from typing import TYPE_CHECKING

import click

from toolkit.cli import terminal
from toolkit.cli.run import database, example, json_output, open_toolkit

if TYPE_CHECKING:
    from toolkit.db import MigrationStatus


@click.command(epilog=example("toolkit migrate --list --db postgresql://localhost/app"))
@click.option("--list", "only_list", is_flag=True, help="Only show what is applied and what is pending.")
@json_output
@database
def migrate(only_list: bool, as_json: bool) -> None:
    """Bring the tables of the database up to date. Every other command does so by itself."""
    before, after = asyncio.run(_migrate(only_list=only_list))
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
    terminal.say(f"Applied {', '.join(applied)}." if applied else "The tables are up to date.")


async def _migrate(*, only_list: bool) -> "tuple[list[MigrationStatus], list[MigrationStatus]]":
    db = open_toolkit().db
    try:
        before = await db.migrations()
        if only_list:
            return before, before
        await db.open()
        return before, await db.migrations()
    finally:
        await db.close()
