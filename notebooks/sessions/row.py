"""A conversation in the list."""

import re
from html import escape
from typing import TYPE_CHECKING

from ipywidgets import HTML, HBox

from notebooks.widgets.controls import button
from notebooks.widgets.panel import named
from notebooks.widgets.when import when
from toolkit.sessions.session import Session

if TYPE_CHECKING:
    from notebooks.sessions.panel import SessionsPanel


class Row(HBox):  # type: ignore[misc] # ipywidgets ships no types
    """Its title, which opens it; whose it is, who began it and when it was used; and what was found in it.

    Args:
        panel: does what is asked here.
        session: the conversation.
    """

    def __init__(self, panel: "SessionsPanel", session: Session) -> None:
        self.title = named(button("", panel.guarded(lambda: panel.press(session.id)), look="link"), "session-title")
        self._about = HTML()
        super().__init__([self.title, named(self._about, "session-about")])
        named(self, "session")

    def show(self, session: Session, *, excerpt: str, looked_for: str, chosen: bool) -> None:
        """Show how the conversation stands now.

        Args:
            session: the conversation.
            excerpt: where it has the text that is looked for; may be empty.
            looked_for: that text.
            chosen: it is the one that is open.
        """
        self.title.description = title_of(session)
        self.title.tooltip = f"Open {title_of(session)}"
        found = f"<div>{marked(excerpt, looked_for)}</div>" if excerpt else ""
        self._about.value = f"<small>{escape(about(session))}</small>{found}"
        (self.add_class if chosen else self.remove_class)("toolkit-chosen")


def title_of(session: Session) -> str:
    """What a conversation is called."""
    return " ".join((session.title or "").split()) or "Untitled"


def about(session: Session) -> str:
    """Whose a conversation is, who began it, and when it was used."""
    told = [
        session.user or "",
        f"from {session.origin}" if session.origin else "",
        "a fork" if session.parent_id else "",
        when(session.used_at),
    ]
    return " · ".join(filter(None, told))


def marked(text: str, wanted: str) -> str:
    """`text` as HTML, with every occurrence of `wanted` marked."""
    parts = re.split(f"({re.escape(wanted)})", text, flags=re.IGNORECASE) if wanted else [text]
    return "".join(f"<mark>{escape(part)}</mark>" if n % 2 else escape(part) for n, part in enumerate(parts))
