"""A conversation in a notebook."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from contextlib import suppress
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from ipywidgets import HTML, Box, HBox

from notebooks.chat.asked import Asked
from notebooks.chat.context import Attachments, Collections
from notebooks.chat.conversation import Conversation
from notebooks.chat.editing import Editing
from notebooks.chat.export import export
from notebooks.chat.log import Log
from notebooks.chat.meters import head, hints, meters
from notebooks.chat.picker import ModelPicker, models_of
from notebooks.chat.transcript import Transcript
from notebooks.chat.turn import Turn
from notebooks.chat.view import Acts
from notebooks.widgets.closing import discard
from notebooks.widgets.entry import Entry
from notebooks.widgets.live import FIRST_LOOK, Following
from notebooks.widgets.panel import Panel, named, sentence
from toolkit.bridge import CLEANUP_SECONDS, Lane, Work, running
from toolkit.display.frame import table
from toolkit.errors import Conflict, NotFound, ToolkitError
from toolkit.messages import Reply
from toolkit.search.documents import Hit
from toolkit.sessions.turn import Approve


class ChatPanel(Panel):
    """A conversation with the first model that answers, or with the one that is chosen in its head.

    Send, or Enter, asks; the button is Stop until the answer is there. What was said until then is kept. A tool that
    changes or deletes something waits for Allow or Refuse. Below each answer stands who gave it, who was asked before
    and why they did not answer, the tokens, the cost and the time; and buttons to ask again, to say the question
    differently, and to go on from there in a new session. A branch leaves the session before as it is.

    After `connect` its methods are awaited, after `connect_sync` they are plain. An interrupt of a cell that asks
    stops the answer as the button does.

    Args:
        tk: a toolkit from `connect`, `connect_sync` or `Toolkit.open`.
        session: the id of a conversation to go on with; without it the first question begins one.
        model: as in `Toolkit.complete`.
        system: instructions for every turn.
        tools: names of tools that the model may have called.
        documents: collections that are searched for every question; the answer cites them as [1], [2], …
        data: values that the model is told the looks of, by name: `data={"sales": df}`; a single one is called data.
        approve: True: a person is asked before a destructive tool is called; False: nobody is; or a function, as in
            `Toolkit.complete`.
    """

    _following: Following | None = None

    def __init__(
        self,
        tk: Any,
        session: str | None = None,
        *,
        model: str | None = None,
        system: str | None = None,
        tools: Sequence[str] = (),
        documents: Collections = None,
        data: Any = None,
        approve: bool | Approve = True,
    ) -> None:
        self.documents, self._approve = documents, approve
        self._picker = ModelPicker(lambda _: self._guard(self._look_soon), model)
        self._title, self._meters = HTML(), HTML()
        self._chips = Attachments(self._guard, data)
        self._editing = Editing(lambda: self._guard(self._edit_no_longer))
        self._entry = Entry(
            "Message", "Ask something…", "Send", partial(self._guard, self._send_question), self._stop_pressed
        )
        self._acts = Acts(
            retry=lambda turn, model: self._guard(self._ask_again, turn, model or None),
            edit=lambda turn: self._guard(self._edit_in_line, turn),
            branch=lambda turn: self._guard(self._begin_branch, self._number(turn)),
            models=lambda: self._picker.choices,
        )
        self._log = Log(self._acts)
        self._looking = asyncio.Lock()
        top = named(HBox([self._title, self._picker.widget, self._meters]), "head")
        scroll = named(Box([self._log]), "scroll")
        names = (tools,) if isinstance(tools, str) else tuple(tools)
        below = named(HTML(hints(names, documents)), "hints")
        super().__init__(tk, "chat", top, scroll, self._editing, self._chips, self._entry, below)
        self._conversation = Conversation(self._tk, session, system=system, tools=names)
        self._settle()
        self._following = Following(
            self._tk.events, self._home, ("model.*",), self._look, lambda error: self._tell(sentence(error))
        )
        if running() is not self._home:
            with suppress(TimeoutError):
                self._following.looked.result(FIRST_LOOK)

    def __repr__(self) -> str:
        """The same at every run: without ids and times."""
        count = len(self._turns)
        return f"ChatPanel({self.model or 'whole chain'}, {count} turn{'' if count == 1 else 's'})"

    @property
    def session(self) -> str | None:
        """The id of the session that keeps the conversation; None before the first question."""
        return self._conversation.session

    @property
    def model(self) -> str | None:
        """The model that is asked; None is the whole chain."""
        return self._picker.model

    @model.setter
    def model(self, name: str | None) -> None:
        self._picker.choose(name)
        self._look_soon()

    @property
    def reply(self) -> Reply | None:
        """The last answer; of one that was stopped what came of it. None before the first one."""
        asked_here = (turn for turn in reversed(self._turns) if turn.reply or turn.attempts)
        return next((turn.so_far for turn in asked_here), None)

    @property
    def transcript(self) -> Transcript:
        """The conversation so far: Markdown text, which a notebook shows as a page."""
        return Transcript(self._turns)

    def ask(self, question: str, *, model: str | None = None, data: Any = None) -> Any:
        """Ask as if the question had been typed, and wait for the reply.

        Of an answer that is stopped, or whose cell is interrupted, it gives what came of it: `reply.message.stopped`
        is true then, and the session keeps it. An interrupt before the first word is raised.

        Args:
            question: any text.
            model: who answers this one question; None is the panel's.
            data: values for this one question, as in the panel's own `data`.

        Raises:
            Conflict: the answer before is not there yet.
            ToolkitError: there is no answer; the panel shows why as well.
        """
        return self._awaited(*self._begin(question, model=model, data=data))

    def retry(self, model: str | None = None) -> Any:
        """Ask the last question again in a branch, of `model` if one is given; as `ask`."""
        if not self._turns:
            raise NotFound("Nothing was asked yet; ask something first.")
        return self._awaited(*self._ask_again(self._turns[-1], model))

    def edit(self, number: int, question: str) -> Any:
        """Say question `number`, counted from 1, differently, in a branch; as `ask`."""
        return self._awaited(*self._begin(question, cut=self._checked(number)))

    def branch(self, number: int) -> Any:
        """Go on from the end of turn `number`, counted from 1, in a new session, and give its id."""
        return self._given(*self._begin_branch(self._checked(number)))

    def resume(self, session: str) -> Any:
        """Leave this conversation, and go on with another one; awaited or plain as the toolkit is.

        Args:
            session: its id. Where it is not there, the panel stays as it was.

        Raises:
            Conflict: an answer is not there yet.
            NotFound, SessionExpired: there is no such session.
        """

        async def resume() -> None:
            before = self._conversation
            other = Conversation(self._tk, session, system=before.system, tools=before.tools)
            turns = await other.read()
            self._conversation = other
            for view in self._log.take(before.turns):
                discard(view)
            self._log.put_before(turns)
            self._editing.end()
            await self._look()

        return self._given(*self._move(resume))

    def attach(self, thing: Any, name: str | None = None) -> None:
        """Attach a picture (a path, or an `Image`) or a passage to the next question, or any other value as data.

        Data goes with every question until it is taken away.

        Args:
            thing: a DataFrame, a list, a path to a picture, a hit of a search, …
            name: what the model reads it is called.

        Raises:
            ConfigError: the picture cannot be sent.
        """
        self._chips.add(thing, name)

    def cite(self, hit: Hit) -> None:
        """Attach a passage to the next question: the answer may rest on it, and cites it."""
        self._chips.add(hit)

    def export(self, path: str | PathLike[str]) -> Path:
        """Write the conversation as Markdown (`.md`) or as a notebook (`.ipynb`).

        Raises:
            ConfigError: the file is to be something else, or cannot be written.
        """
        return export(self._turns, path)

    def to_frame(self) -> Any:
        """The turns as a pandas DataFrame: question, answer, who gave it, tokens, dollars, seconds.

        Raises:
            ConfigError: pandas is not installed.
        """
        return table(turn.row() for turn in self._turns)

    def close(self) -> None:
        """Stop what runs, and take the panel off the page with everything in it."""
        if self._following is not None:  # a panel that could not be made has none
            self._following.end()
        super().close()

    @property
    def _turns(self) -> list[Turn]:
        return self._conversation.turns

    def _number(self, turn: Turn) -> int:
        return self._turns.index(turn)

    def _checked(self, number: int) -> int:
        """The index of turn `number`."""
        if not 1 <= number <= len(self._turns):
            raise NotFound(f"There is no turn {number}; there are {len(self._turns)}.")
        return number - 1

    def _stop_pressed(self) -> bool:
        running = self._lane is not None
        self.stop()
        return running

    def _send_question(self, question: str) -> None:
        if self._lane is None:
            edited = self._editing.turn
            self._begin(question, cut=self._turns.index(edited) if edited in self._turns else None)
            self._entry.text.value = ""

    def _edit_in_line(self, turn: Turn) -> None:
        self._editing.begin(turn, self._number(turn) + 1)
        self._entry.text.value = turn.question
        self._entry.text.focus()

    def _edit_no_longer(self) -> None:
        self._editing.end()
        self._entry.text.value = ""
        self._entry.text.focus()

    def _ask_again(self, turn: Turn, model: str | None) -> tuple[Lane, Future[Any], Turn]:
        return self._begin(turn.question, model=model, cut=self._number(turn))

    def _begin(
        self, question: str, *, model: str | None = None, data: Any = None, cut: int | None = None
    ) -> tuple[Lane, Future[Any], Turn]:
        """Show the question and have it asked; with `cut` in a branch, instead of that turn and those after it."""
        self._check_free()
        given = self._chips.take(self.documents, data)
        turn = Turn(question, given=given.labels, note="" if cut is None else "in a branch")
        self._editing.end()
        self._tell("")
        asked = Asked(self._conversation, self._log, turn, given, cut)
        self._entry.button.description = "Stop"
        self._entry.button.add_class("toolkit-stop")
        self._lane = lane = Lane(self._home)
        outcome = lane.call(partial(self._answer, lane, asked, model or self.model))
        outcome.add_done_callback(lambda _: self._finish(lane, asked))  # where it was stopped before it began
        return lane, outcome, turn

    async def _answer(self, lane: Lane, asked: Asked, model: str | None) -> None:
        try:
            await asked.run(model, self._approve)
        finally:
            with suppress(ToolkitError):  # what is to be told is what became of the question
                await self._look()
            self._finish(lane, asked)

    def _finish(self, lane: Lane, asked: Asked) -> None:
        """Once, and before whoever asked goes on."""
        if self._lane is lane:
            asked.settle()
            lane.end()
            self._lane = None
            self._settle()
            if asked.returned and asked.turn.error:
                self._tell(f"The answer before stays, since there is no other: {asked.turn.error}")

    def _begin_branch(self, number: int) -> tuple[Lane, Future[Any]]:
        async def branch() -> str | None:
            left = self._turns[number + 1 :]
            await self._conversation.branch_after(number)
            for view in self._log.take(left):
                discard(view)
            await self._look()
            return self.session

        return self._move(branch)

    def _move(self, work: Work) -> tuple[Lane, Future[Any]]:
        """Go on elsewhere: with what `work` does, and while nothing else is asked."""
        self._check_free()

        def finish(outcome: Future[Any]) -> None:
            error = outcome.exception()
            self._tell("" if error is None or isinstance(error, asyncio.CancelledError) else sentence(error))

        with Lane(self._home) as lane:
            outcome = lane.call(work)
            outcome.add_done_callback(finish)
        return lane, outcome

    def _awaited(self, lane: Lane, outcome: Future[Any], turn: Turn) -> Any:
        """What `ask` gives: the reply, or what came of it until it was stopped."""
        return _waited(lane, outcome, turn) if self._waits else _reply(lane, outcome, turn)

    def _check_free(self) -> None:
        if self._lane is not None:
            raise Conflict("The answer before is not there yet; wait for it, or press Stop.")

    def _look_soon(self) -> None:
        with Lane(self._home) as lane:
            lane.call(self._look)

    async def _look(self) -> None:
        """Show how the models fare, how full the window is, and what it has cost; and what a session had before."""
        async with self._looking:
            self._log.put_before(await self._conversation.read())
            self._settle()
            self._picker.show(await models_of(self._tk), self.model)
            self._meters.value = meters(await self._conversation.filling(self.model), await self._conversation.used())

    def _settle(self) -> None:
        self._title.value = head(len(self._turns), self.session)
        if self._lane is None:
            self._entry.button.description = "Send"
            self._entry.button.remove_class("toolkit-stop")


async def _reply(lane: Lane, outcome: Future[Any], turn: Turn) -> Reply:
    try:
        await lane.result(outcome)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling() and not turn.said:
            raise
    return turn.so_far


def _waited(lane: Lane, outcome: Future[Any], turn: Turn) -> Reply:
    try:
        outcome.result()
    except asyncio.CancelledError:  # stopped by the button
        pass
    except KeyboardInterrupt:
        wait_for([lane.cancel()], CLEANUP_SECONDS)
        if not turn.said:
            raise
    return turn.so_far
