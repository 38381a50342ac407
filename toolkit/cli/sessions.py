"""`toolkit sessions`: the conversations that are kept."""

from collections import Counter
from typing import TYPE_CHECKING

import click

from toolkit.cli import terminal
from toolkit.cli.run import Commands, database, example, json_output, with_toolkit

if TYPE_CHECKING:
    from toolkit.messages import Message
    from toolkit.sessions.session import Session
    from toolkit.toolkit import Toolkit
    from toolkit.usage.records import Call


@click.group(cls=Commands, epilog=example("toolkit sessions list"))
def sessions() -> None:
    """Show and delete the conversations that are kept."""


@sessions.command("list", epilog=example("toolkit sessions list --user ada"))
@click.option("--user", help="Only this person's.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many at most.")
@json_output
@database
def list_(user: str | None, limit: int, as_json: bool) -> None:
    """List the live sessions, last used first."""
    found = with_toolkit(lambda tk: tk.sessions.list(user=user, limit=limit))
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


@sessions.command(epilog=example("toolkit sessions show 0198c2f0-6f6e-7d3a-9d3a-0123456789ab"))
@click.argument("session_id", metavar="ID")
@json_output
@database
def show(session_id: str, as_json: bool) -> None:
    """Show what was said in a session, and who was asked for each answer."""
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
