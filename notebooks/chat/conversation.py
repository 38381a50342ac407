"""A conversation on the toolkit's side: its turns, the session that keeps them, and its branches."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

from notebooks.chat.context import Given
from notebooks.chat.turn import Turn, turns_of
from toolkit.errors import Conflict, ToolkitError
from toolkit.messages import Message
from toolkit.search.answer import MOST_PASSAGES
from toolkit.sessions.filling import Filling
from toolkit.sessions.turn import Approve
from toolkit.usage.records import UsageStats

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit

ORIGIN = "notebook"

SECONDS = 120.0
"""What a question may take altogether; the time that a person takes to allow a tool does not count."""

_EVER = 36_500
_LONGEST_TITLE = 80


class Conversation:
    """A conversation; its coroutines are for the event loop on which the toolkit lives.

    Args:
        tk: the toolkit.
        session: the id of the session that it goes on in; None: the first question begins one.
        system: instructions for every turn.
        tools: names of tools that may be called.

    Attributes:
        turns: all of them, oldest first; those that are not kept in the session, too.
    """

    def __init__(self, tk: "Toolkit", session: str | None, *, system: str | None, tools: tuple[str, ...]) -> None:
        self._tk = tk
        self.session = session
        self.system, self.tools = system, tools
        self.turns: list[Turn] = []
        self._read, self._reading = session is None, asyncio.Lock()

    async def read(self) -> list[Turn]:
        """Read what the session has, once; gives the turns that were read now.

        Raises:
            NotFound, SessionExpired: there is no such session.
        """
        async with self._reading:
            if self._read or self.session is None:
                return []
            turns = turns_of(await self._tk.sessions.messages(self.session))
            self.turns[:0] = turns
            self._read = True
            return turns

    async def answer(self, turn: Turn, given: Given, *, model: str | None, approve: Approve | None) -> None:
        """Ask the question of `turn`, which hears the answer as it comes; what comes of it is kept, stopped or not."""
        if self.session is None:
            self.session = (await self._tk.sessions.create(title=turn.question[:_LONGEST_TITLE], origin=ORIGIN)).id
        turn.session = self.session
        try:
            async with aclosing(self._pieces(turn, given, model, approve)) as pieces:
                async for piece in pieces:
                    turn.add(piece)
            turn.kept = True
        except asyncio.CancelledError:
            turn.end("stopped")
            turn.kept = bool(turn.said.strip() or turn.steps)
            raise

    async def branch_before(self, left: Sequence[Turn], earlier: Sequence[Turn]) -> None:
        """Go on in a new session, which has what was said in the turns `earlier` and not what was in those `left`.

        Raises:
            Conflict: the session is not what it was when it was read.
        """
        gone = next((turn for turn in left if turn.kept), None)
        if self.session is not None and gone is not None:
            place = await self._place(sum(turn.kept for turn in earlier), gone)
            self.session = (await self._tk.sessions.fork(self.session, at=place - 1)).id

    async def branch_after(self, number: int) -> None:
        """Go on in a new session, which has what was said until the end of turn `number`, counted from 0.

        Raises:
            Conflict: nothing is kept yet, or the session is not what it was when it was read.
        """
        if self.session is None:
            raise Conflict("Nothing was kept of this conversation yet; ask something first.")
        earlier, left = self.turns[: number + 1], self.turns[number + 1 :]
        if any(turn.kept for turn in left):
            await self.branch_before(left, earlier)
        else:
            self.session = (await self._tk.sessions.fork(self.session)).id
        del self.turns[number + 1 :]

    async def drop_branch(self, before: str | None) -> None:
        """Forget the session of a branch in which nothing was said, and go on in the one `before`."""
        branch, self.session = self.session, before
        if branch is not None and branch != before:
            with suppress(ToolkitError):  # why nothing was said is what is to be told
                await self._tk.sessions.delete(branch)

    async def filling(self, model: str | None) -> Filling | None:
        """How much of the model's window it takes; None where that cannot be said."""
        if self.session is not None:
            with suppress(ToolkitError):
                return await self._tk.chat.filling(self.session, model=model, tools=self.tools)
        return None

    async def used(self) -> UsageStats | None:
        """What its session has used; None where that cannot be said."""
        if self.session is not None:
            with suppress(ToolkitError):
                return await self._tk.usage.stats(session_id=self.session, days=_EVER)
        return None

    def _pieces(self, turn: Turn, given: Given, model: str | None, approve: Approve | None) -> Any:
        asked: dict[str, Any] = {
            "session": self.session,
            "model": model,
            "system": given.instructions(self.system),
            "tools": self.tools,
            "approve": approve,
            "origin": ORIGIN,
            "timeout": SECONDS,
            "keep_partial": True,
        }
        if not given.rests_on_passages:
            return self._tk.stream(Message("user", turn.question, given.images), **asked)
        return self._tk.answer_stream(
            turn.question,
            collection=given.documents,
            top_k=MOST_PASSAGES if given.documents else 0,
            hits=given.hits,
            images=given.images,
            **asked,
        )

    async def _place(self, count: int, turn: Turn) -> int:
        """Where the question of `turn`, the one after `count` kept turns, stands in the session, counted from 1."""
        said = await self._tk.sessions.messages(self.session or "")
        places = [place for place, message in enumerate(said, 1) if message.role == "user"]
        if count >= len(places) or said[places[count] - 1].text != turn.question:
            raise Conflict(f"Session {self.session} went on elsewhere; open it again with `ChatPanel(tk, session)`.")
        return places[count]
