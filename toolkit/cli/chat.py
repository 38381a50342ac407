"""`toolkit ask` and `toolkit chat`: questions to a model, from the documents or free."""

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli import terminal
from toolkit.cli.documents import place
from toolkit.cli.run import ORIGIN, database, example, json_output, open_toolkit, sentence, with_toolkit
from toolkit.errors import ToolkitError
from toolkit.messages import Attempt, Json, Reply

if TYPE_CHECKING:
    from toolkit.search.answer import Answer
    from toolkit.toolkit import Toolkit

_model = click.option("-m", "--model", help="A name in the table or provider/model; else the chain, by priority.")
_session = click.option("-s", "--session", metavar="ID", help="The conversation to go on with.")
_timeout = click.option(
    "--timeout", default=60.0, show_default=True, type=click.FloatRange(0, min_open=True), help="Seconds at most."
)


@click.command(epilog=example("toolkit ask How does the router choose a model? --collection handbook"))
@click.argument("words", nargs=-1, required=True, metavar="QUESTION")
@click.option("-c", "--collection", "collections", multiple=True, help="Where to look; repeat it; else everywhere.")
@_model
@_session
@_timeout
@json_output
@database
def ask(
    *,
    words: tuple[str, ...],
    collections: tuple[str, ...],
    model: str | None,
    session: str | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Answer a question from the ingested documents. The passages that the answer rests on follow it."""
    question = sentence(words)
    answer = with_toolkit(
        lambda tk: tk.answer(
            question, collection=collections or None, model=model, session=session, origin=ORIGIN, timeout=timeout
        )
    )
    if as_json:
        terminal.data({"answer": answer.text, "citations": answer.citations, **_reply_json(answer.reply)})
        return
    terminal.prose(answer.text)
    _show_citations(answer)
    terminal.say()
    terminal.say(provenance(answer.reply), "dim")


def _show_citations(answer: "Answer") -> None:
    if answer.citations:
        terminal.say()
    for citation in answer.citations:
        terminal.say(f"[{citation.number}] {place(citation.source, citation.lines)}")


@click.command(
    epilog=example("toolkit chat", 'toolkit chat "Why is the sky blue?"', "git diff | toolkit chat Review: -")
)
@click.argument("words", nargs=-1, metavar="[MESSAGE]")
@_model
@_session
@click.option("--system", metavar="TEXT", help="Instructions for the model.")
@click.option("--tool", "tools", multiple=True, metavar="NAME", help="A tool that the model may use; repeat it.")
@_timeout
@database
def chat(
    *,
    words: tuple[str, ...],
    model: str | None,
    session: str | None,
    system: str | None,
    tools: tuple[str, ...],
    timeout: float,
) -> None:
    """Talk with a model. The conversation is kept; its id is said at the start and at the end."""
    message = sentence(words or ("-",)) if words or not sys.stdin.isatty() else None
    options = {"model": model, "system": system, "tools": tools, "timeout": timeout}
    # One runner for the whole conversation: between its turns Ctrl-C reaches the prompt as Python means it to.
    with asyncio.Runner() as runner:
        conversation = Conversation(open_toolkit(), options)
        try:
            runner.run(conversation.open(session))
            if message is None:
                _talk(runner, conversation)
            else:
                runner.run(conversation.turn(message))
        finally:
            runner.run(conversation.close())


class Conversation:
    """One session of the toolkit, shown in the terminal as it goes on."""

    def __init__(self, tk: "Toolkit", options: dict[str, Any]) -> None:
        self._tk = tk
        self._options = options
        self._id = ""
        self._began_empty = False

    async def open(self, session: str | None) -> None:
        """Go on with `session`, or begin a new one, and say which.

        Raises:
            NotFound: there is no such session, or it expired.
        """
        await self._tk.start()
        if session:
            self._id = (await self._tk.sessions.get(session)).id
        else:
            self._id = (await self._tk.sessions.create(origin=ORIGIN)).id
            self._began_empty = True
        terminal.note(f"Session {self._id}")

    async def turn(self, message: str) -> None:
        """Say `message`, and show the answer as it comes and who gave it."""
        reply = None
        async for delta in self._tk.stream(message, session=self._id, origin=ORIGIN, **self._options):
            if delta.restarted:
                terminal.note("\n(That answer broke off; another model begins again.)")
            terminal.piece(delta.text)
            reply = delta.reply
        self._began_empty = False
        terminal.say()
        if reply:
            terminal.note(provenance(reply))

    async def close(self) -> None:
        """Say where the conversation is kept, or drop it if nothing was said, and close the toolkit."""
        try:
            if self._began_empty:
                await self._tk.sessions.delete(self._id)
            elif self._id:
                terminal.note(f"Kept: toolkit chat --session {self._id}")
        finally:
            await self._tk.close()


def _talk(runner: asyncio.Runner, conversation: Conversation) -> None:
    with suppress(ImportError):  # not on Windows
        import readline  # noqa: F401, PLC0415 - editing and history of what is typed, where something is
    terminal.note("/exit or Ctrl-D ends the conversation; Ctrl-C stops an answer.")
    while True:
        terminal.say()
        try:
            message = input("> ").strip()
        except (EOFError, KeyboardInterrupt) as end:
            terminal.note("")
            if isinstance(end, KeyboardInterrupt):
                raise
            return
        if message == "/exit":
            return
        if message:
            _turn(runner, conversation, message)


def _turn(runner: asyncio.Runner, conversation: Conversation, message: str) -> None:
    try:
        runner.run(conversation.turn(message))
    except KeyboardInterrupt:
        terminal.note("\nStopped. This turn is not kept; what was said before is.")
    except ToolkitError as error:
        terminal.say(f"Error: {error}", "red", stderr=True)


def provenance(reply: Reply) -> str:
    """Who answered, tokens, cost and time, and who failed before and why, in one line."""
    usage = reply.usage
    told = [
        f"{reply.model}, from the cache" if reply.cached else reply.model,
        f"{usage.input_tokens:,} + {usage.output_tokens:,} tokens",
        terminal.dollars(reply.cost_usd) if reply.cost_usd is not None else "cost unknown",
        f"{reply.milliseconds:,.0f} ms",
    ]
    failures = [attempt for attempt in reply.attempts if not attempt.ok]
    if reply.trimmed:
        told.append(f"without the {reply.trimmed} oldest messages")
    if failures:
        told.append("after " + "; ".join(f"{who} failed: {why}" for who, why in _reasons(failures)))
    return " · ".join(told)


def _reasons(failures: Sequence[Attempt]) -> list[tuple[str, str]]:
    """Name and reason of each model that failed; a model asked several times is named once."""
    times = Counter((a.name, a.message or a.error or "") for a in failures)
    return [(name if n == 1 else f"{name} ({n} times)", why.rstrip(".")) for (name, why), n in times.items()]


def _reply_json(reply: Reply) -> Json:
    return {
        "model": reply.model,
        "usage": reply.usage,
        "cost_usd": reply.cost_usd,
        "milliseconds": reply.milliseconds,
        "attempts": reply.attempts,
        "call_id": reply.call_id,
        "session_id": reply.session_id,
    }
