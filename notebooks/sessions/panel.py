"""The conversations in a notebook, wherever they were begun."""

import asyncio
import inspect
from collections.abc import Callable
from functools import partial
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any, Final

from ipywidgets import HTML, HBox, VBox

from notebooks.chat.transcript import Transcript
from notebooks.chat.turn import turns_of
from notebooks.sessions.files import text_of, write
from notebooks.sessions.opened import Opened
from notebooks.sessions.row import Row, title_of
from notebooks.widgets.closing import discard
from notebooks.widgets.controls import button
from notebooks.widgets.entry import Entry
from notebooks.widgets.live import LivePanel
from notebooks.widgets.panel import named
from notebooks.widgets.question import Question
from toolkit.display.frame import table
from toolkit.errors import NotFound
from toolkit.sessions.session import Session
from toolkit.stamps import now

PAGE: Final = 10
"""Conversations that are shown at once."""

_EXCERPTS = 200  # messages in which the text is looked for that is shown with a conversation
_LONGEST_WAIT = 3600.0  # seconds; a conversation that ends later is looked at again before


class SessionsPanel(LivePanel):
    """The conversations that are alive, last used first: found, read, renamed, forked, exported and deleted.

    What is begun or said elsewhere, in whatever process, is seen here.

    Args:
        tk: a toolkit from `connect`, `connect_sync` or `Toolkit.open`.
        chat: a `ChatPanel`: there a conversation is opened, instead of being shown to be read below the list.
        on_open: called with a conversation's id instead.
        user: only this person's; None is everyone's.
    """

    def __init__(
        self, tk: Any, *, chat: Any = None, on_open: Callable[[str], Any] | None = None, user: str | None = None
    ) -> None:
        self._chat, self._on_open = chat, on_open
        self._user, self._wanted = user, ""
        self._places: list[str | None] = [None]
        self._page: list[Session] = []
        self._more = False
        self._reading: str | None = None
        self._rows: dict[str, Row] = {}
        self._entry = Entry("Search", "Search titles and what was said…", "Search", self.guarded(self._search))
        self._all = button("Show all", self.guarded(lambda: self._search("")), look="link")
        self._count, self._said = HTML(), HTML()
        self._list = named(VBox(), "rows")
        self._newer = button("Newer", self.guarded(partial(self._turn_page, -1)), look="link")
        self._older = button("Older", self.guarded(partial(self._turn_page, 1)), look="link")
        self._question = Question(self._guard)
        self._opened = Opened(self, readable=chat is None and on_open is None)
        pages = named(HBox([self._count, self._all, self._newer, self._older]), "pages")
        parts = (pages, self._list, self._question, self._said, self._opened)
        super().__init__(tk, "sessions", named(self._entry, "first"), *parts)
        self._follow("session.*")

    def __repr__(self) -> str:
        """The same at every run: without ids and times."""
        count = f"{len(self._page)}{'+' if self._more else ''}"
        return f"SessionsPanel({count} session{'' if count == '1' else 's'})"

    def search(self, text: str) -> Any:
        """Look for a text in titles and in what was said, and give the conversations found, last used first.

        Awaited or plain as the toolkit is; at most `PAGE`. An empty text shows all.
        """

        async def found() -> list[Session]:
            self._look_for(text)
            await self._look()
            return list(self._page)

        return self._asked(found)

    def read(self, session: str) -> Any:
        """Open a conversation, and give what was said in it as a `Transcript`; awaited or plain as the toolkit is.

        Raises:
            SessionExpired, NotFound: it is gone.
        """

        async def read() -> Transcript:
            messages = await self._tk.sessions.messages(session)
            self._reading = session
            return Transcript(turns_of(messages))

        return self._asked(read)

    def rename(self, session: str, title: str) -> Any:
        """Give a conversation another title, and give it as it is then; awaited or plain as the toolkit is.

        Raises:
            SessionExpired, NotFound: it is gone.
        """
        return self._asked(lambda: self._tk.sessions.rename(session, title))

    def fork(self, session: str, *, at: int | None = None) -> Any:
        """A new conversation that begins with what was said in another, as `Sessions.fork` gives it; it is opened."""
        return self._asked(partial(self._fork, session, at))

    def export(self, session: str, path: str | PathLike[str], *, replace: bool = False) -> Any:
        """Write a conversation to a file, and give its whole path; awaited or plain as the toolkit is.

        Args:
            session: which one.
            path: ends in `.md`, `.jsonl` (all there is to it, for `Sessions.import_`) or `.ipynb`.
            replace: write over a file that is there.

        Raises:
            Conflict: the file is there already.
            ConfigError: it cannot be written, or has another ending.
            SessionExpired, NotFound: the conversation is gone.
        """
        return self._asked(partial(self._write, session, Path(path), replace=replace))

    def delete(self, session: str) -> Any:
        """Forget a conversation and what was said in it, without asking back; awaited or plain as the toolkit is.

        Raises:
            NotFound: there is none.
        """
        return self._asked(lambda: self._tk.sessions.delete(session))

    def to_frame(self) -> Any:
        """The conversations that are shown, as a DataFrame of pandas.

        Raises:
            ConfigError: pandas is not installed.
        """
        return table(
            {
                "id": each.id,
                "title": each.title,
                "user": each.user,
                "origin": each.origin,
                "created_at": each.created_at,
                "used_at": each.used_at,
                "expires_at": each.expires_at,
                "parent_id": each.parent_id,
            }
            for each in self._page
        )

    def guarded(self, act: Callable[..., object]) -> Callable[..., None]:
        """`act` for a widget to call: what it raises is told in the panel."""
        return partial(self._guard, act)

    def press(self, session: str) -> None:
        """Open a conversation: below the list, or where the panel was told to."""
        self._question.hide()
        self._reading = session
        self._pressed(_nothing)
        self._open_elsewhere(session)

    def press_close(self) -> None:
        """Open nothing."""
        self._question.hide()
        self._reading = None
        self._pressed(_nothing)

    def press_rename(self, session: str, title: str) -> None:
        """Rename a conversation."""

        def renamed(after: Session) -> None:
            self._opened.written()
            self._say(f"It is called {title_of(after)} now.")

        self._pressed(lambda: self._tk.sessions.rename(session, title), renamed)

    def press_fork(self, session: str) -> None:
        """Fork a conversation, and open the fork."""

        def forked(fork: Session) -> None:
            self._say("This is a fork; the other conversation stays as it is.")
            self._open_elsewhere(fork.id)

        self._pressed(partial(self._fork, session, None), forked)

    def press_export(self, session: str, path: Path) -> None:
        """Write a conversation to a file; ask first where the file is there already."""
        write_it = partial(self._pressed_write, session, path)
        if path.expanduser().exists():
            text = f"{path.expanduser().absolute()} is there already. Write over it?"
            self._question.ask(text, "Write over it", "Keep it", partial(write_it, replace=True), self._opened.export)
        else:
            write_it(replace=False)

    def ask_to_delete(self, session: str) -> None:
        """Say what would be lost, and delete a conversation where that is meant."""

        def ask(read: tuple[Session, list[Any]]) -> None:
            count = len(read[1])
            lost = (
                f"Its {count} message{' is' if count == 1 else 's are'}"
                if count
                else "Nothing was said in it, and it is"
            )
            text = f"Delete “{title_of(read[0])}”? {lost} gone for good then. What it cost stays known."
            delete = partial(self._tk.sessions.delete, session)
            act = partial(self._pressed, delete, lambda _: self._say("The conversation is deleted."))
            self._question.ask(text, "Delete it", "Keep it", act, self._opened.delete)

        self._do(lambda: self._tk.sessions.read(session), ask)

    async def _show(self) -> float | None:
        sessions, wanted = self._tk.sessions, self._wanted or None
        found = await sessions.list(user=self._user, search=wanted, limit=PAGE + 1, after=self._places[-1])
        said = await sessions.search(wanted, user=self._user, limit=_EXCERPTS) if wanted and found else ()
        excerpts: dict[str, str] = {}
        for each in said:
            excerpts.setdefault(each.session.id, each.excerpt)
        self._page, self._more = list(found[:PAGE]), len(found) > PAGE
        await self._show_opened()
        self._show_rows(excerpts)
        self._show_pages()
        ends = [(each.expires_at - now()).total_seconds() for each in self._page]
        return max(0.0, min(*ends, _LONGEST_WAIT)) if ends else None

    async def _show_opened(self) -> None:
        if self._reading is None:
            self._opened.hide()
            return
        shown = self._opened.session
        try:
            session = await self._tk.sessions.get(self._reading)
            if shown != session:
                session, messages = await self._tk.sessions.read(self._reading)
                self._opened.show(session, messages)
        except NotFound:
            self._reading = None
            self._opened.hide()
            self._question.hide()

    def _show_rows(self, excerpts: dict[str, str]) -> None:
        shown = self._opened.session
        gone = self._rows.keys() - {each.id for each in self._page}
        for each in self._page:
            row = self._rows.get(each.id)
            if row is None:
                row = self._rows[each.id] = Row(self, each)
            chosen = shown is not None and shown.id == each.id
            row.show(each, excerpt=excerpts.get(each.id, ""), looked_for=self._wanted, chosen=chosen)
        children = tuple(self._rows[each.id] for each in self._page)
        if children != self._list.children:  # a browser draws anew what is set, also where it is the same
            self._list.children = children
        for session in gone:
            discard(self._rows.pop(session))

    def _show_pages(self) -> None:
        first = (len(self._places) - 1) * PAGE
        what = f"with “{self._wanted}”, " if self._wanted else ""
        told = f"Conversations {what}{first + 1} to {first + len(self._page)}, last used first"
        if not self._page:
            told = f"No conversation {what.rstrip(', ') or 'is here'}" if not first else "There are no older ones"
        self._count.value = f'<div role="status">{escape(told)}.</div>'
        self._newer.disabled, self._older.disabled = len(self._places) == 1, not self._more
        self._newer.layout.display = self._older.layout.display = "" if first or self._more else "none"
        self._all.layout.display = "" if self._wanted else "none"

    def _open_elsewhere(self, session: str) -> None:
        chat, given = self._chat, None
        if self._on_open is not None:
            given = self._on_open(session)
        elif chat is not None:
            given = chat.resume(session)
        if inspect.isawaitable(given):  # of another panel whose toolkit is awaited
            self._do(lambda: given)

    def _search(self, text: str) -> None:
        self._look_for(text)
        self._pressed(_nothing)

    def _look_for(self, text: str) -> None:
        self._wanted, self._places = text.strip(), [None]
        if self._entry.text.value.strip() != self._wanted:
            self._entry.text.value = self._wanted

    def _turn_page(self, by: int) -> None:
        if by > 0 and self._more:
            self._places.append(self._page[-1].cursor)
        elif by < 0 and len(self._places) > 1:
            self._places.pop()
        self._pressed(_nothing)

    async def _fork(self, session: str, at: int | None) -> Session:
        fork: Session = await self._tk.sessions.fork(session, at=at)
        self._reading = fork.id
        return fork

    async def _write(self, session: str, path: Path, *, replace: bool) -> Path:
        text = await text_of(self._tk, session, path.suffix)
        return await asyncio.to_thread(write, text, path, replace=replace)

    def _pressed_write(self, session: str, path: Path, *, replace: bool) -> None:
        def written(whole: Path) -> None:
            self._opened.written()
            self._say(f"It is written to {whole}.")

        self._pressed(partial(self._write, session, path, replace=replace), written)

    def _say(self, sentence: str) -> None:
        self._said.value = f'<div class="toolkit-note" role="status">{escape(sentence)}</div>'


async def _nothing() -> None:
    """What is shown changes, and nothing else."""
