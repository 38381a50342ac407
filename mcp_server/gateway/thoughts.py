"""What a vendor wants back with an answer, given to the client in the shape of its own wire's hidden thoughts.

A client of Messages or Responses keeps the conversation itself, and brings back blocks that it cannot read, as these
wires demand of it. So it carries what the toolkit would keep in a session: `Message.opaque`, sealed, so that nobody can
change it on the way. What cannot be opened is left out: another server has sealed it, or it is too old.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from mcp_server.sealing import Sealer
from toolkit.errors import ToolError
from toolkit.messages import Json, Message

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit

_MARK: Final = "toolkit."
_SECRET: Final = "TOOLKIT_SECRET_KEY"  # noqa: S105 - a name
_AUDIENCE: Final = "thoughts"
_SECONDS: Final = 7 * 86_400
"""How long a conversation can be gone on with without losing what its models thought."""


def sealed(message: Message, tk: "Toolkit") -> str | None:
    """What the client has to bring back with `message`; None where there is nothing."""
    return _MARK + _of(tk).seal(message.opaque) if message.opaque else None


def is_ours(text: str | None) -> bool:
    """Whether a server like this one has sealed it."""
    return bool(text and text.startswith(_MARK))


def unsealed(text: str, tk: "Toolkit") -> Json:
    """`Message.opaque` again; empty where it cannot be opened."""
    try:
        return _of(tk).unseal(text.removeprefix(_MARK))
    except ToolError:
        return {}


def _of(tk: "Toolkit") -> Sealer:
    return _sealer(tk.settings.environ.get(_SECRET))


@lru_cache(maxsize=8)
def _sealer(secret: str | None) -> Sealer:
    return Sealer.of({_SECRET: secret} if secret else {}, seconds=_SECONDS, audience=_AUDIENCE)
