"""`toolkit notebook`: notebooks that are tests."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from toolkit.cli import terminal
from toolkit.cli.run import Commands, example
from toolkit.errors import ConfigError, Conflict

if TYPE_CHECKING:
    from toolkit.testing.notebooks.checking import Checked
    from toolkit.testing.notebooks.references import Updated

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_MOST_AT_ONCE = 4


def _shared(command: Decorated) -> Decorated:
    """Give a command what both have."""
    for option in (
        click.option(
            "--sanitize",
            "rules",
            metavar="FILE",
            multiple=True,
            type=click.Path(path_type=Path),
            help="More of what may differ, as nbval writes it: lines `regex: …` and `replace: …`.",
        ),
        click.option(
            "--timeout", default=120.0, show_default=True, type=click.FloatRange(min=1), help="Seconds for each cell."
        ),
        click.argument("paths", metavar="PATH…", nargs=-1, required=True, type=click.Path(path_type=Path)),
    ):
        command = option(command)
    return command


@click.group(
    cls=Commands,
    epilog=example("toolkit notebook test notebooks/", "toolkit notebook update report.ipynb --record"),
)
def notebook() -> None:
    """Run notebooks as tests, offline."""


@notebook.command(epilog=example("toolkit notebook test report.ipynb", "toolkit notebook test notebooks/ -n 4"))
@_shared
@click.option(
    "-n",
    "at_once",
    metavar="N",
    type=click.IntRange(1, 64),
    help="Notebooks at once; without it as many as processors.",
)
@click.option("--only-run", is_flag=True, help="Do not compare outputs.")
def test(
    paths: tuple[Path, ...], *, rules: tuple[Path, ...], timeout: float, at_once: int | None, only_run: bool
) -> None:
    """Run notebooks and compare every output."""
    from toolkit.testing.notebooks import checking, files, telling  # noqa: PLC0415 - they come with an extra

    files.need_extra()
    found = files.find(paths)

    async def checked() -> list["Checked"]:
        done = []
        with terminal.progress("Testing") as advance:
            advance(0, len(found), "")
            async for each in checking.check(
                found,
                at_once=at_once or min(os.cpu_count() or 1, _MOST_AT_ONCE),
                timeout=timeout,
                own_rules=rules,
                only_run=only_run,
            ):
                done.append(each)
                advance(len(done), len(found), each.path.name)
                if each.ok:
                    terminal.say(
                        f"{each.path}: {terminal.count(len(each.cells), 'cell')} as they stand, {each.seconds:.1f} s."
                    )
                else:
                    terminal.say(telling.told(each, limit=timeout), stderr=True)
        return done

    failed = sum(not each.ok for each in asyncio.run(checked()))
    if failed:
        terminal.say(f"{failed} of {terminal.count(len(found), 'notebook')} failed.", "red", stderr=True)
        raise click.exceptions.Exit(1)


@notebook.command(epilog=example("toolkit notebook update report.ipynb", "toolkit notebook update notebooks/ --record"))
@_shared
@click.option(
    "--record", is_flag=True, help="Ask the models, with the keys of this environment, and record the cassette."
)
def update(paths: tuple[Path, ...], *, rules: tuple[Path, ...], timeout: float, record: bool) -> None:
    """Run notebooks and write their outputs."""
    from toolkit.testing.notebooks import files, references, telling  # noqa: PLC0415 - they come with an extra

    files.need_extra()
    refused = 0
    for path in files.find(paths):
        try:
            updated = asyncio.run(references.update(path, record=record, timeout=timeout, own_rules=rules))
        except (ConfigError, Conflict) as error:
            refused += 1
            terminal.say(str(error), stderr=True)
            continue
        if updated.refused:
            refused += 1
            terminal.say(telling.refused(updated.refused, limit=timeout), stderr=True)
        else:
            terminal.say(_sentence(updated))
    if refused:
        raise click.exceptions.Exit(1)


def _sentence(updated: "Updated") -> str:
    changed = f"{terminal.count(len(updated.changed), 'output')} changed" if updated.changed else "up to date"
    recorded = "".join(f", {each.name} recorded" for each in updated.cassettes)
    return f"{updated.path}: {changed}{recorded}."
