"""`toolkit prompts`: what is said on the toolkit's behalf."""

import asyncio
import difflib
import sys
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from toolkit.cli import terminal
from toolkit.cli.models.words import person
from toolkit.cli.run import Commands, database, example, json_output, open_toolkit, pairs, with_toolkit
from toolkit.errors import ConfigError, Conflict, NotFound

if TYPE_CHECKING:
    from toolkit.prompts.library import Prompt, PromptVersion
    from toolkit.toolkit import Toolkit

T = TypeVar("T")

_id = click.argument("name", metavar="ID")
_values = click.argument("arguments", nargs=-1, metavar="[NAME=VALUE]...")
_NEW = """\
---
title: {title}
description: What it is for.
arguments:
  - name: subject
    description: What to fill in.
---
Write about {{{{ subject }}}}.
"""


@click.group(cls=Commands, epilog=example("toolkit prompts list"))
def prompts() -> None:
    """Show, fill in and change the prompts.

    A prompt in the database counts before one in TOOLKIT_PROMPTS_DIR, and that before one of the toolkit's own.
    """


@prompts.command("list", epilog=example("toolkit prompts list"))
@json_output
@database
def list_(as_json: bool) -> None:
    """List the prompts, and where each comes from."""

    async def read(tk: "Toolkit") -> "tuple[list[Prompt], str | None]":
        return await tk.prompts.list(), tk.prompts.last_failure

    found, failure = _reading(read)
    if as_json:
        terminal.data(found)
    else:
        terminal.table(
            ["Prompt", "From", "Version", "Arguments", "Does"],
            [[p.id, p.source, p.version or "—", _arguments(p), p.description] for p in found],
        )
    if failure:
        terminal.note(f"Only the prompts of files are listed: {failure}")


def _reading(work: "Callable[[Toolkit], Awaitable[T]]") -> T:
    """What `work` gives, from a toolkit whose database need not be there."""

    async def inside() -> T:
        tk = open_toolkit()
        try:
            return await work(tk)
        finally:
            await tk.close()

    return asyncio.run(inside())


def _arguments(prompt: "Prompt") -> str:
    return ", ".join(a.name if a.required else f"[{a.name}]" for a in prompt.arguments) or "—"


@prompts.command(epilog=example("toolkit prompts show answer_from_sources"))
@_id
@click.option("--whole", is_flag=True, help="With its front matter, as it is written.")
@json_output
@database
def show(name: str, whole: bool, as_json: bool) -> None:
    """Show a prompt."""
    prompt = _reading(lambda tk: tk.prompts.get(name))
    if as_json:
        terminal.data(prompt)
    else:
        terminal.say(prompt.text.rstrip("\n") if whole else prompt.template)


@prompts.command(epilog=example("toolkit prompts render review_code code='print(1)'"))
@_id
@_values
@database
def render(name: str, arguments: tuple[str, ...]) -> None:
    """Fill in a prompt and print it."""
    terminal.say(_reading(lambda tk: tk.prompts.render(name, **pairs(arguments))))


@prompts.command(
    epilog=example("toolkit prompts validate review_code", "toolkit prompts validate mine.md subject=bees")
)
@click.argument("name", metavar="ID|FILE")
@_values
@click.option("--window", type=click.IntRange(1), help="How many tokens it may have at most.")
@click.option("--model", help="Whose tokens they are: the vendor's name of the model.")
@json_output
@database
def validate(name: str, arguments: tuple[str, ...], window: int | None, model: str | None, as_json: bool) -> None:
    """Say everything that is wrong with a prompt. The exit code is 1 if anything is.

    FILE is one that ends with .md, or `-` for standard input. Without arguments only how it is written is looked at.
    """
    text = _read(name) if _is_file(name) else None
    id_ = None if name == "-" else Path(name).stem if text is not None else name
    given = pairs(arguments) or None
    found = _reading(lambda tk: tk.prompts.validate(id_, text=text, arguments=given, window=window, model=model))
    if as_json:
        terminal.data(found)
    else:
        for problem in found.problems:
            terminal.say(f"{found.id}: {problem}", "red")
        for warning in found.warnings:
            terminal.say(f"{found.id}: {warning}", "yellow")
        if found.ok:
            length = "" if found.tokens is None else f", about {terminal.count(found.tokens, 'token')}"
            terminal.say(f"{found.id} can be used{length}.")
    if not found.ok:
        raise click.exceptions.Exit(1)


@prompts.command(epilog=example("toolkit prompts add greeting greeting.md", "toolkit prompts add greeting - < text.md"))
@_id
@click.argument("file")
@click.option("--after", type=click.IntRange(0), help="Only if this is the newest version; 0: only if there is none.")
@json_output
@database
def add(name: str, file: str, after: int | None, as_json: bool) -> None:
    """Keep a prompt in the database. If it is there already, this is a new version."""
    text = _read(file)
    _tell(with_toolkit(lambda tk: tk.prompts.add(name, text, by=person(), after=after)), as_json=as_json)


@prompts.command(epilog=example("toolkit prompts edit answer_from_sources"))
@_id
@database
def edit(name: str) -> None:
    """Change a prompt in your editor ($VISUAL or $EDITOR).

    It is kept in the database as a new version. One that is a file is copied into the database so; one that is not
    there yet is begun.
    """
    text, newest = with_toolkit(lambda tk: _as_it_is(tk, name))
    edited = text
    while True:
        edited = _in_editor(edited) or text
        if edited == text:
            terminal.note("Nothing was changed.")
            return
        try:
            kept = with_toolkit(lambda tk, edited=edited: tk.prompts.add(name, edited, by=person(), after=newest))  # type: ignore[misc]
        except (ConfigError, Conflict) as error:
            terminal.say(str(error), "red", stderr=True)
            if not click.confirm("Go on editing?", default=True, err=True):
                raise
        else:
            _tell(kept, as_json=False)
            return


def _in_editor(text: str) -> str | None:
    """What the editor left of a text; None if nothing was saved.

    Raises:
        ConfigError: there is no such editor, or it failed.
    """
    try:
        return click.edit(text, extension=".md")
    except click.ClickException as error:
        raise ConfigError(f"{error.message}. Name an editor in VISUAL or EDITOR, e.g. EDITOR=nano.") from None


async def _as_it_is(tk: "Toolkit", name: str) -> tuple[str, int]:
    """A prompt as it is written, and its newest version in the database, 0 for none."""
    try:
        newest = (await tk.prompts.history(name, limit=1))[0].version
    except NotFound:
        newest = 0
    try:
        return (await tk.prompts.get(name)).text, newest
    except NotFound:
        return _NEW.format(title=name.replace("_", " ").capitalize()), newest


@prompts.command(epilog=example("toolkit prompts history greeting", "toolkit prompts history greeting --diff"))
@_id
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many versions at most.")
@click.option("--diff", is_flag=True, help="Show what each version changed.")
@json_output
@database
def history(name: str, limit: int, diff: bool, as_json: bool) -> None:
    """Show who kept which version of a prompt, newest first. `toolkit prompts restore` takes one back."""
    versions = with_toolkit(
        lambda tk: tk.prompts.history(name, limit=limit + diff)
    )  # the one before tells what changed
    if as_json:
        terminal.data(versions[:limit])
    elif diff:
        terminal.say("\n".join(_differences(versions)[:limit]))
    else:
        terminal.table(
            ["Version", "When", "Who", "What", "Lines"],
            [
                [
                    *(str(v.version), terminal.moment(v.changed_at), v.changed_by or "—"),
                    *(("removed", "—") if v.text is None else ("kept", str(len(v.text.splitlines())))),
                ]
                for v in versions
            ],
            right=["Version", "Lines"],
        )


def _differences(versions: "list[PromptVersion]") -> list[str]:
    """What each version changed of the one before it, as a patch; newest first."""
    shown = []
    first = [None] if versions[-1].version == 1 else []
    for new, old in pairwise([*versions, *first]):
        if new is None:
            continue
        before, after = (old.text or "" if old else "", new.text or "")
        names = (f"{new.id} {new.version - 1}", f"{new.id} {new.version} ({new.changed_by or '—'})")
        lines = difflib.unified_diff(before.splitlines(), after.splitlines(), *names, lineterm="")
        shown.append("\n".join(lines))
    return shown


@prompts.command(epilog=example("toolkit prompts restore greeting 2"))
@_id
@click.argument("version", type=click.IntRange(1))
@json_output
@database
def restore(name: str, version: int, as_json: bool) -> None:
    """Let a former version of a prompt count again, as a new one."""
    _tell(with_toolkit(lambda tk: tk.prompts.restore(name, version, by=person())), as_json=as_json)


@prompts.command(epilog=example("toolkit prompts remove greeting"))
@_id
@database
def remove(name: str) -> None:
    """Take a prompt out of the database. Its history stays, and a file of the same id counts again."""
    left = with_toolkit(lambda tk: tk.prompts.remove(name, by=person()))
    counts = f"; the one of the {left.source} counts again" if left else ""
    terminal.say(f"{name!r} is removed{counts}.")


def _tell(kept: "PromptVersion", *, as_json: bool) -> None:
    if as_json:
        terminal.data(kept)
    else:
        terminal.say(f"{kept.id!r} is kept: version {kept.version}.")


def _is_file(name: str) -> bool:
    return name == "-" or name.endswith(".md")


def _read(file: str) -> str:
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise ConfigError(f"The file {file} cannot be read ({error.strerror}); name a text file, or `-`.") from error
    except UnicodeDecodeError:
        where = "Standard input" if file == "-" else f"The file {file}"
        raise ConfigError(f"{where} is not UTF-8 text; save the prompt as UTF-8.") from None
