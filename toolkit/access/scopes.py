"""What a caller may do."""

from typing import Final, Literal, TypeAlias

Scope: TypeAlias = Literal["chat", "search", "admin"]

CHAT: Final = "chat"
"""May ask models, and keep conversations."""
SEARCH: Final = "search"
"""May search what is known, and add to it."""
ADMIN: Final = "admin"
"""May see and change what is everyone's: figures, documents, files of the server's machine."""
EVERY_SCOPE: Final[frozenset[str]] = frozenset({CHAT, SEARCH, ADMIN})
