"""What a place for answers must be able to do, in the database or in Redis."""

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from toolkit.display.shown import Shown
from toolkit.errors import ConfigError
from toolkit.redaction import redact
from toolkit.usage.cache.vectors import Candidate

CANDIDATES = 500
"""Answers whose questions are compared with a new one, the newest first."""

_QUESTION = 500  # characters of a question that are kept
_READ = 4000  # characters of a question that are looked through for secrets


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer to be kept, and what it is found and forgotten by.

    Attributes:
        key: `CacheKey.exact`.
        rest: `CacheKey.rest`.
        model: the name of the model that answered.
        prompt: the id of the prompt that it was asked with.
        question: shortened, without secrets.
        vector: of the question; None without one.
        body: the answer.
        created_at: when the model was asked.
        kept_at: when it had answered.
        ttl: seconds from then on that it may be given again.
    """

    key: str
    rest: str
    model: str
    prompt: str | None
    question: str
    vector: str | None
    body: str
    created_at: datetime
    kept_at: datetime
    ttl: int

    @property
    def bytes(self) -> int:
        """Of its texts in UTF-8."""
        texts = (self.key, self.rest, self.model, self.prompt or "", self.question, self.vector or "", self.body)
        return sum(len(text) if text.isascii() else len(text.encode()) for text in texts)


class Found(NamedTuple):
    """An answer that was kept: its key, its text, and when the model was asked."""

    key: str
    body: str
    created_at: datetime


class Used(NamedTuple):
    """How often an answer was given since that was last written down, and when last."""

    hits: int
    at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class CacheStats(Shown):
    """What is kept.

    Attributes:
        entries: answers that may be given again.
        bytes: of these.
        max_bytes: at which the least recently used are forgotten.
        hits: how often these were given again, since `oldest`.
        oldest: when the first of these was asked; None without any.
    """

    entries: int
    bytes: int
    max_bytes: int
    hits: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which answers are meant: all that fit everything that is given.

    Attributes:
        model: the name of the model that answered.
        prompt: the id of the prompt.
        pattern: what the question looks like; None is any.
    """

    model: str | None
    prompt: str | None
    pattern: re.Pattern[str] | None

    @classmethod
    def of(cls, *, model: str | None, prompt: str | None, pattern: str | None) -> "Selection":
        """Read a caller's words.

        In a pattern `*` is any text and `?` any character; all else is itself, in any case of letters.

        Raises:
            ConfigError: nothing is given, or a pattern that is empty or longer than a kept question.
        """
        if model is None and prompt is None and pattern is None:
            raise ConfigError("Say which answers to forget: model=, prompt= or pattern=; clear() forgets all.")
        if pattern is not None and not 0 < len(pattern) <= _QUESTION:
            raise ConfigError(f"A pattern has 1 to {_QUESTION} characters, e.g. *refund*; this one has {len(pattern)}.")
        # Its regular expressions do not go back behind a part that was found, so that no pattern takes long.
        made = pattern and re.compile(fnmatch.translate(pattern.casefold().replace("[", "[[]")))
        return cls(model, prompt, made or None)

    def fits(self, model: str, prompt: str | None, question: str) -> bool:
        """Whether an answer is meant."""
        if self.model not in (None, model) or self.prompt not in (None, prompt):
            return False
        return self.pattern is None or bool(self.pattern.match(question.casefold()))


class Store(Protocol):
    """Where answers and the leases of those who make them are kept. It raises `DatabaseError`s.

    A lease is the right to make an answer, until its seconds are over by the store's own clock.
    """

    async def look(self, key: str, at: datetime) -> Found | None:
        """The answer, unless it is too old at that moment or its model was changed since."""
        ...

    async def candidates(self, rest: str, at: datetime) -> list[Candidate]:
        """The newest `CANDIDATES` answers with a vector that differ in their question at most."""
        ...

    async def acquire(self, key: str, maker: str, seconds: float, *, by_force: bool = False) -> bool:
        """Take the lease if nobody has it; `by_force` also from another."""
        ...

    async def held(self, key: str) -> bool:
        """Whether somebody has the lease."""
        ...

    async def renew(self, key: str, maker: str, seconds: float) -> bool:
        """Keep the lease for so long from now; False if it is not `maker`'s any more."""
        ...

    async def release(self, key: str, maker: str) -> None:
        """Give the lease back, if it is `maker`'s."""
        ...

    async def keep(self, entry: Entry, maker: str) -> bool:
        """Keep an answer and give the lease back; False, and nothing is done, if it is not `maker`'s any more."""
        ...

    async def touch(self, used: Mapping[str, Used]) -> None:
        """Count hits, by key."""
        ...

    async def forget(self, selection: Selection) -> int:
        """Forget what is meant, and end every lease; gives the number of answers."""
        ...

    async def clear(self) -> int:
        """Forget everything, and end every lease; gives the number of answers."""
        ...

    async def sweep(self, at: datetime, limit: int) -> int:
        """Forget what is too old, `limit` answers at most; gives their number."""
        ...

    async def trim(self, most: int) -> int:
        """If all together have more than `most` bytes, forget the least recently used, until nine tenths are left."""
        ...

    async def stats(self, at: datetime, most: int) -> CacheStats:
        """What is kept."""
        ...


def shortened(question: str) -> str:
    """A question as it is kept: no secrets, no control characters, and not long.

    What was cut off might be the end of a secret, so the last word before the cut goes with it.
    """
    text = question[:_READ]
    if len(question) > _READ:
        text = re.sub(r"\S+\Z", "", text)
    safe = redact(text).encode("utf-8", "replace").decode()
    return "".join(char if char.isprintable() else " " for char in safe)[:_QUESTION].strip()
