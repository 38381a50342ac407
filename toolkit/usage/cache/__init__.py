"""The response cache: equal questions get the answer that was given, and one model call serves all who ask at once."""

from toolkit.usage.cache.cached import Cached
from toolkit.usage.cache.flight import Flight
from toolkit.usage.cache.key import CacheKey
from toolkit.usage.cache.responses import ResponseCache
from toolkit.usage.cache.store import CacheStats

__all__ = ["CacheKey", "CacheStats", "Cached", "Flight", "ResponseCache"]
