"""`toolkit sessions`: the conversations that are kept."""

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from toolkit.cli import terminal
from toolkit.cli.run import Commands, database, example, json_output, sentence, with_toolkit
from toolkit.errors import ConfigError

if TYPE_CHECKING:
    from toolkit.messages import Message
    from toolkit.sessions.session import Session
    from toolkit.toolkit import Toolkit
    from toolkit.usage.records import Call


@click.group(cls=Commands, epilog=example("toolkit sessions list"))
def sessions() -> None:
    """Show, find, change and carry away conversations."""


@sessions.command("list", epilog=example("toolkit sessions list --user ada", "toolkit sessions list --search copper"))
@click.option("--user", help="Only this person's.")
@click.option("--origin", help="Only those that this application began.")
@click.option("--search", metavar="TEXT", help="Only those with this text in the title or in what was said.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many at most.")
@json_output
@database
def list_(user: str | None, origin: str | None, search: str | None, limit: int, as_json: bool) -> None:
    """List the live sessions, last used first."""
    found = with_toolkit(lambda tk: tk.sessions.list(user=user, origin=origin, search=search, limit=limit))
    if as_json:
        terminal.data(found)
    elif found:
        terminal.table(
            ["Session", "Title", "User", "Origin", "Used", "Expires"],
            [
                [s.id, s.title or "—", s.user or "—", s.origin or "—", *map(terminal.moment, (s.used_at, s.expires_at))]
                for s in found
            ],
        )
    else:
        terminal.note("There are none; `toolkit chat` begins one.")


@sessions.command("search", epilog=example("toolkit sessions search copper cable --user ada"))
@click.argument("words", nargs=-1, required=True, metavar="TEXT…")
@click.option("--user", help="Only in this person's.")
@click.option("--origin", help="Only in those that this application began.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="How many messages at most.")
@json_output
@database
def search_(words: tuple[str, ...], user: str | None, origin: str | None, limit: int, as_json: bool) -> None:
    """Find where something was said.

    Upper and lower case are the same, and the session that was used last comes first.
    """
    text = sentence(words)
    found = with_toolkit(lambda tk: tk.sessions.search(text, user=user, origin=origin, limit=limit))
    if as_json:
        terminal.data(found)
    elif found:
        rows = [[f.session.id, f.session.title or "—", str(f.position), f.role, f.excerpt] for f in found]
        terminal.table(["Session", "Title", "Message", "Who", "What"], rows, right=["Message"])
    else:
        terminal.note("It was not said in any live session.")


@sessions.command(epilog=example("toolkit sessions show 0198c2f0-6f6e-7d3a-9d3a-0123456789ab"))
@click.argument("session_id", metavar="ID")
@json_output
@database
def show(session_id: str, as_json: bool) -> None:
    """Show what was said in a session. Who was asked for each answer follows."""
    session, messages, calls = with_toolkit(lambda tk: _read(tk, session_id))
    if as_json:
        terminal.data({"session": session, "messages": [m.to_json() for m in messages], "calls": calls})
        return
    terminal.note(
        f"Session {session.id} · begun {terminal.moment(session.created_at)} · "
        f"expires {terminal.moment(session.expires_at)}"
    )
    for message in messages:
        show_message(message)
    if calls:
        terminal.title("Attempts")
        show_attempts(calls)


async def _read(tk: "Toolkit", session_id: str) -> "tuple[Session, list[Message], list[Call]]":
    session = await tk.sessions.get(session_id)
    calls = await tk.usage.calls(session_id=session_id, limit=1000)
    return session, await tk.sessions.messages(session_id), calls[::-1]


def show_message(message: "Message") -> None:
    """Show who said it and what, or which tool was called."""
    terminal.say()
    terminal.say(message.role, "bold")
    if message.text:
        terminal.say(message.text)
    for call in message.tool_calls:
        terminal.say(f"calls {call.name}({', '.join(f'{k}={v!r}' for k, v in call.arguments.items())})", "dim")


def show_attempts(calls: "list[Call]") -> None:
    """Show a row per attempt, oldest first: who was asked, what came of it, tokens, cost and time; then the reasons."""
    turns = {call_id: number for number, call_id in enumerate(dict.fromkeys(c.call_id for c in calls), 1)}
    terminal.table(
        ["Turn", "Model", "Outcome", "In", "Out", "Cost", "Time"],
        [[str(turns[call.call_id]), *_attempt(call)] for call in calls],
        right=["Turn", "In", "Out", "Cost", "Time"],
    )
    reasons = Counter(f"{c.attempt.name}: {c.attempt.message}" for c in calls if c.attempt.message)
    for reason, times in reasons.items():
        terminal.say(reason + (f" ({times} times)" if times > 1 else ""), "dim")


def _attempt(call: "Call") -> list[str]:
    attempt = call.attempt
    cost = None if attempt.cost_nano_usd is None else attempt.cost_nano_usd / 1e9
    tokens = [f"{attempt.usage.input_tokens:,}", f"{attempt.usage.output_tokens:,}"] if attempt.usage else ["—", "—"]
    outcome = "answered" if attempt.ok else f"{attempt.error}" + (f" ({attempt.status})" if attempt.status else "")
    return [
        attempt.name,
        outcome if call.status != "cancelled" else "cancelled",
        *tokens,
        terminal.dollars(cost),
        f"{attempt.milliseconds:,.0f} ms",
    ]


@sessions.command(epilog=example("toolkit sessions delete 0198c2f0-6f6e-7d3a-9d3a-0123456789ab"))
@click.argument("session_ids", nargs=-1, required=True, metavar="ID…")
@database
def delete(session_ids: tuple[str, ...]) -> None:
    """Delete sessions with everything that was said in them."""

    async def each(tk: "Toolkit") -> None:
        for session_id in session_ids:
            await tk.sessions.delete(session_id)
            terminal.say(f"Session {session_id} is deleted.")

    with_toolkit(each)


@sessions.command(epilog=example('toolkit sessions rename 0198c2f0-6f6e-7d3a-9d3a-0123456789ab "The plan"'))
@click.argument("session_id", metavar="ID")
@click.argument("title")
@json_output
@database
def rename(session_id: str, title: str, as_json: bool) -> None:
    """Give a session another title; an empty one takes it away."""
    renamed = with_toolkit(lambda tk: tk.sessions.rename(session_id, title))
    _show_session(renamed, f"is called {renamed.title!r}" if renamed.title else "has no title", as_json=as_json)


@sessions.command(epilog=example("toolkit sessions extend 0198c2f0-6f6e-7d3a-9d3a-0123456789ab --ttl 604800"))
@click.argument("session_id", metavar="ID")
@click.option("--ttl", type=int, metavar="SECONDS", help="Its new time to live after each use; else the one it has.")
@json_output
@database
def extend(session_id: str, ttl: int | None, as_json: bool) -> None:
    """Let a session live for its whole time again, from now on."""
    extended = with_toolkit(lambda tk: tk.sessions.extend(session_id, ttl=ttl))
    _show_session(extended, f"expires {terminal.moment(extended.expires_at)}", as_json=as_json)


@sessions.command(epilog=example("toolkit sessions fork 0198c2f0-6f6e-7d3a-9d3a-0123456789ab --at 4"))
@click.argument("session_id", metavar="ID")
@click.option("--at", type=int, metavar="N", help="How many messages are taken over; else all.")
@json_output
@database
def fork(session_id: str, at: int | None, as_json: bool) -> None:
    """Begin a new session with what was said in another. That one stays as it is."""
    made = with_toolkit(lambda tk: tk.sessions.fork(session_id, at=at))
    _show_session(
        made, f"begins with {terminal.count(made.parent_at or 0, 'message')} of {session_id}", as_json=as_json
    )


def _show_session(session: "Session", what: str, *, as_json: bool) -> None:
    if as_json:
        terminal.data(session)
    else:
        terminal.say(f"Session {session.id} {what}.")


_format = click.option(
    "--format",
    "format_",
    type=click.Choice(["jsonl", "markdown"]),
    help="JSON Lines, which lose nothing, or Markdown, for people; else by the file's name, .md is Markdown.",
)


@sessions.command(epilog=example("toolkit sessions export 0198c2f0-6f6e-7d3a-9d3a-0123456789ab plan.md"))
@click.argument("session_id", metavar="ID")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@_format
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@database
def export(session_id: str, file: Path | None, format_: Literal["jsonl", "markdown"] | None, force: bool) -> None:
    """Write a session to FILE, or to standard output."""
    if file and file.exists() and not force:
        raise _there_already(file)
    text = with_toolkit(lambda tk: tk.sessions.export(session_id, format=format_ or _by_name(file)))
    if file is None:
        click.echo(terminal.clean(text) if sys.stdout.isatty() else text, nl=False)
        return
    try:
        with file.open("w" if force else "x", encoding="utf-8", newline="\n") as opened:
            opened.write(text)
    except FileExistsError:
        raise _there_already(file) from None
    terminal.note(f"Session {session_id} is in {file}.")


@sessions.command("import", epilog=example("toolkit sessions import plan.md --user ada"))
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@_format
@click.option("--user", help="The person it belongs to; else the one in the file.")
@click.option("--ttl", type=int, metavar="SECONDS", help="Its time to live after each use; else the one in the file.")
@json_output
@database
def import_(
    file: Path, format_: Literal["jsonl", "markdown"] | None, user: str | None, ttl: int | None, as_json: bool
) -> None:
    """Make a new session of a file. It is what `export` wrote; `-` is standard input."""
    text = _read_file(file)
    made = with_toolkit(lambda tk: tk.sessions.import_(text, format=format_ or _by_name(file), user=user, ttl=ttl))
    _show_session(made, f"is made of {'standard input' if str(file) == '-' else file}", as_json=as_json)


def _by_name(file: Path | None) -> Literal["jsonl", "markdown"]:
    return "markdown" if file and file.suffix.lower() in (".md", ".markdown") else "jsonl"


def _there_already(file: Path) -> ConfigError:
    return ConfigError(f"The file {file} is there already; name another one, or overwrite it with --force.")


def _read_file(file: Path) -> str:
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(
            f"The file {file} is not UTF-8 text; it is not what `toolkit sessions export` wrote."
        ) from None
