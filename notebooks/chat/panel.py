"""A conversation in a notebook."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import aclosing
from functools import partial
from html import escape
from typing import Any

from ipywidgets import HTML, Box, VBox

from notebooks.chat.turn import Transcript, Turn, turns_of
from notebooks.widgets.entry import Entry
from notebooks.widgets.panel import Panel, named, sentence
from toolkit.bridge import Lane
from toolkit.display.words import dollars, tokens
from toolkit.errors import Conflict
from toolkit.messages import Reply, Usage, cost_of

UPDATES_PER_SECOND = 15
"""How often a growing answer is shown; a notebook server drops what comes much faster."""

TURNS_SHOWN = 100
"""Older turns leave the page, since a browser keeps every widget that is open; the transcript has them."""


class ChatPanel(Panel):
    """A conversation with the first model that answers.

    Send, or Enter, asks; the button is Stop until the answer is there. Below each answer stands who gave it, who was
    asked before and why they did not answer, the tokens, the cost and the time.

    Args:
        tk: a toolkit from `connect`, `connect_sync` or `Toolkit.open`.
        session: the id of a conversation to go on with; without it the first question begins one.
        model: as in `Toolkit.complete`.
        system: instructions for every turn.
        tools: names of tools that the model may have called.
    """

    def __init__(
        self,
        tk: Any,
        session: str | None = None,
        *,
        model: str | None = None,
        system: str | None = None,
        tools: Sequence[str] = (),
    ) -> None:
        self.session, self.model = session, model
        self._options = {"model": model, "system": system, "tools": tuple(tools), "origin": "notebook"}
        self._turns: list[Turn] = []
        self._read, self._reading = session is None, asyncio.Lock()
        self._head, self._views = HTML(), named(VBox(), "turns")
        self._entry = Entry(
            "Message", "Ask something…", "Send", partial(self._guard, self._send_question), self._stop_pressed
        )
        super().__init__(tk, "chat", self._head, named(Box([self._views]), "scroll"), self._entry)
        self._settle()
        if session is not None:
            with Lane(self._home) as lane:
                lane.call(self._read_session).add_done_callback(self._session_was_read)

    def __repr__(self) -> str:
        """The same at every run: without ids and times."""
        count = len(self._turns)
        return f"ChatPanel({self.model or 'whole chain'}, {count} turn{'' if count == 1 else 's'})"

    @property
    def transcript(self) -> Transcript:
        """The conversation so far: Markdown text, which a notebook shows as a page."""
        return Transcript(self._turns)

    async def ask(self, question: str) -> Reply | None:
        """Ask as if the question had been typed, and wait; None if it was stopped.

        Raises:
            Conflict: the answer before is not there yet.
            ToolkitError: there is no answer; the panel shows why as well.
        """
        lane, outcome = self._begin(question)
        try:
            reply: Reply | None = await lane.result(outcome)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return None  # stopped by the button, while the caller is to go on
        return reply

    def _stop_pressed(self) -> bool:
        running = self._lane is not None
        self.stop()
        return running

    def _send_question(self, question: str) -> None:
        if self._lane is None:
            self._entry.text.value = ""
            self._begin(question)

    def _begin(self, question: str) -> tuple[Lane, Future[Any]]:
        if self._lane is not None:
            raise Conflict("The answer before is not there yet; wait for it, or press Stop.")
        turn = Turn(question)
        view = HTML(turn.html())
        self._tell("")
        self._turns.append(turn)
        self._show([*self._views.children, view])
        self._entry.button.description = "Stop"
        self._entry.button.add_class("toolkit-stop")
        self._lane = lane = Lane(self._home)
        outcome = lane.call(partial(self._answer, turn, view))
        outcome.add_done_callback(partial(self._finish, turn, view))
        return lane, outcome

    async def _answer(self, turn: Turn, view: HTML) -> Reply | None:
        painting = asyncio.create_task(_paint(turn, view))
        try:
            await self._read_session()
            if self.session is None:
                self.session = (await self._tk.sessions.create(title=turn.question[:80], origin="notebook")).id
            async with aclosing(self._tk.stream(turn.question, session=self.session, **self._options)) as deltas:
                async for delta in deltas:
                    turn.add(delta)
        finally:
            painting.cancel()
        return turn.reply

    def _finish(self, turn: Turn, view: HTML, outcome: Future[Any]) -> None:
        error = outcome.exception()
        if isinstance(error, asyncio.CancelledError):
            turn.state = "stopped"
        elif error is not None:
            turn.state, turn.error = "failed", sentence(error)
        view.value = turn.html()
        if self._lane is not None:
            self._lane.end()
        self._lane = None
        self._settle()

    def _settle(self) -> None:
        attempts = [a for turn in self._turns if turn.reply for a in turn.reply.attempts]
        used = sum((a.usage for a in attempts if a.usage), Usage())
        total = (
            f"{tokens(used.input_tokens, used.output_tokens)} · {dollars(cost_of(attempts))}"
            if used.total_tokens
            else ""
        )
        self._head.value = (
            f'<div class="toolkit-head"><b>Chat</b><span>{escape(self.model or "first model that answers")}</span>'
            f'<span class="toolkit-total">{total}</span></div>'
        )
        self._entry.button.description = "Send"
        self._entry.button.remove_class("toolkit-stop")

    async def _read_session(self) -> None:
        async with self._reading:
            if not self._read:
                turns = turns_of(await self._tk.sessions.messages(self.session))
                self._turns[:0] = turns
                self._show([*(HTML(turn.html()) for turn in turns), *self._views.children])
                self._read = True

    def _session_was_read(self, outcome: Future[Any]) -> None:
        if error := outcome.exception():
            self._tell(sentence(error))

    def _show(self, views: Sequence[HTML]) -> None:
        self._views.children = views[-TURNS_SHOWN:]
        for view in views[:-TURNS_SHOWN]:
            view.close()


async def _paint(turn: Turn, view: HTML) -> None:
    while True:
        await asyncio.sleep(1 / UPDATES_PER_SECOND)
        view.value = turn.html()
