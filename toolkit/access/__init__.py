"""Who may call over HTTP: API keys and what each is good for."""

from toolkit.access.key import ADMIN, CHAT, EVERY_SCOPE, SEARCH, ApiKey
from toolkit.access.keys import ApiKeys

__all__ = ["ADMIN", "CHAT", "EVERY_SCOPE", "SEARCH", "ApiKey", "ApiKeys"]
