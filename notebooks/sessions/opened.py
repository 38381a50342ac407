"""The conversation that is open: what can be done with it, and what was said in it."""

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ipywidgets import HTML, HBox, VBox

from notebooks.chat.turn import turns_of
from notebooks.sessions.files import KINDS, name_for
from notebooks.sessions.row import about, title_of
from notebooks.widgets.controls import button, dropdown
from notebooks.widgets.entry import Entry
from notebooks.widgets.panel import named
from toolkit.messages import Message
from toolkit.sessions.session import Session

if TYPE_CHECKING:
    from notebooks.sessions.panel import SessionsPanel

TURNS_SHOWN: Final = 40
"""Turns in the panel, the last ones; an export has them all."""


class Opened(VBox):  # type: ignore[misc] # ipywidgets ships no types
    """Rename, fork, export and delete one conversation, and read it.

    Args:
        panel: does what is asked here.
        readable: whether what was said is shown here.
    """

    def __init__(self, panel: "SessionsPanel", *, readable: bool) -> None:
        self.session: Session | None = None
        self.readable = readable
        self._panel = panel
        self._head, self._said = HTML(), HTML()
        self.rename = self._button("Rename", self._press_rename)
        self.fork = self._button("Fork", lambda: panel.press_fork(self._id))
        self.export = self._button("Export", self._press_export)
        self.delete = self._button("Delete", lambda: panel.ask_to_delete(self._id))
        self.leave = self._button("Close", panel.press_close)
        self.title = Entry("Title", "A title", "Save", panel.guarded(self._save_title))
        self.ending = dropdown("Kind of file", [(what, end) for end, what in KINDS.items()], self._choose_ending)
        self.path = Entry("Path of the file", "conversation.md", "Write", panel.guarded(self._write))
        self._file = HBox([self.ending, self.path])
        acts = HBox([self._head, self.rename, self.fork, self.export, self.delete, self.leave])
        super().__init__([named(acts, "bar"), named(self.title, "under"), named(self._file, "file"), self._said])
        named(self, "opened")
        self.hide()

    def show(self, session: Session, messages: Sequence[Message]) -> None:
        """Show a conversation, or how it stands now."""
        if self.session is None or session.id != self.session.id:
            self._fold()
        self.session = session
        count = f"{len(messages)} message{'' if len(messages) == 1 else 's'}"
        self._head.value = (
            f'<div class="toolkit-title"><b>{escape(title_of(session))}</b>'
            f"<span>{escape(f'{count} · {about(session)}')}</span></div>"
        )
        self._said.value = _transcript(messages) if self.readable else ""
        self.layout.display = ""

    def hide(self) -> None:
        """Nothing is open."""
        self.session = None
        self._said.value = ""
        self._fold()
        self.layout.display = "none"

    def written(self) -> None:
        """The file is written, or the title saved."""
        self._fold()

    @property
    def _id(self) -> str:
        return self.session.id if self.session else ""

    def _fold(self) -> None:
        self.title.layout.display = self._file.layout.display = "none"

    def _press_rename(self) -> None:
        self._fold()
        if self.session:
            self.title.text.value = self.session.title or ""
        self.title.layout.display = ""
        self.title.text.focus()

    def _press_export(self) -> None:
        self._fold()
        self._choose_ending(self.ending.value)
        self._file.layout.display = ""
        self.path.text.focus()

    def _choose_ending(self, ending: str) -> None:
        if self.session:
            self.path.text.value = name_for(title_of(self.session), ending)

    def _save_title(self, title: str) -> None:
        self._panel.press_rename(self._id, title)

    def _write(self, path: str) -> None:
        self._panel.press_export(self._id, Path(path))

    def _button(self, label: str, act: Callable[[], object]) -> Any:
        return button(label, self._panel.guarded(act))


def _transcript(messages: Sequence[Message]) -> str:
    turns = turns_of(messages)
    older = len(turns) - TURNS_SHOWN
    note = (
        f'<div class="toolkit-note">{older} older turns are not shown; an export has them.</div>' if older > 0 else ""
    )
    said = "".join(f'<div class="toolkit-turn">{turn.html(timed=False)}</div>' for turn in turns[-TURNS_SHOWN:])
    if not turns:
        said = '<div class="toolkit-note">Nothing was said yet.</div>'
    return f'{note}<div class="toolkit-read" role="region" aria-label="What was said" tabindex="0">{said}</div>'
