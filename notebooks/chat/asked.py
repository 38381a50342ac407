"""A question on its way: asked, shown as the answer grows, and settled however it ends."""

import asyncio
import time
from functools import partial

from notebooks.chat.approval import approved
from notebooks.chat.context import Given
from notebooks.chat.conversation import Conversation
from notebooks.chat.log import Log
from notebooks.chat.turn import Turn
from notebooks.chat.view import TurnView
from notebooks.widgets.closing import discard
from notebooks.widgets.panel import sentence
from toolkit.sessions.turn import Approve

UPDATES_PER_SECOND = 15
"""How often a growing answer is shown; a notebook server drops what comes much faster."""

_SHARE = 4  # times as long as showing an answer took, nothing is shown: a long one must not keep the loop busy


class Asked:
    """A question that is shown at once, and has yet to be asked.

    Args:
        conversation: gets the turn.
        log: shows it.
        turn: the question.
        given: what goes with it.
        cut: the turn, counted from 0, in whose place it is asked, in a branch; None: after all others.

    Attributes:
        returned: the turns before are shown again, since nothing came of it; the error is to be told elsewhere.
    """

    def __init__(self, conversation: Conversation, log: Log, turn: Turn, given: Given, cut: int | None) -> None:
        self.turn, self.returned = turn, False
        self._conversation, self._log, self._given = conversation, log, given
        turns = conversation.turns
        self._cut = len(turns) if cut is None else cut
        self._left = turns[self._cut :]
        self._left_views = log.take(self._left)
        turns[self._cut :] = [turn]
        self._view = log.add(turn)

    async def run(self, model: str | None, approve: Approve | bool) -> None:
        """Ask it; on the event loop of the toolkit. What fails is shown, and raised."""
        conversation, turn = self._conversation, self.turn
        painting = asyncio.create_task(_paint(self._view))
        before = conversation.session
        try:
            self._log.put_before(await conversation.read())
            if self._left:
                earlier = conversation.turns[: conversation.turns.index(turn)]
                await conversation.branch_before(self._left, earlier)
            asking = partial(approved, self._view) if approve is True else approve or None
            await conversation.answer(turn, self._given, model=model, approve=asking)
        except BaseException as error:
            if turn.state == "running":
                stopped = isinstance(error, asyncio.CancelledError)
                turn.end("stopped" if stopped else "failed", "" if stopped else sentence(error))
            if self._left and not turn.said:
                await conversation.drop_branch(before)
            raise
        finally:
            painting.cancel()

    def settle(self) -> None:
        """Show what came of it, also where it was stopped before it ran; leave a branch that came to nothing."""
        if self.turn.state == "running":
            self.turn.end("stopped")
        if self._left and not self.turn.said:
            self._return()
        else:
            for view in self._left_views:
                discard(view)
            self._view.show()

    def _return(self) -> None:
        turns = self._conversation.turns
        turns[turns.index(self.turn) :] = self._left
        discard(*self._log.take([self.turn]))
        self._log.put_back(self._left_views)
        self.returned = True


async def _paint(view: TurnView) -> None:
    took = 0.0
    while True:
        await asyncio.sleep(max(1 / UPDATES_PER_SECOND, _SHARE * took))
        begun = time.perf_counter()
        view.show()
        took = time.perf_counter() - begun
