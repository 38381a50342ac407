"""What a batch is asked: each request as the keywords of `Toolkit.complete`, and as JSON where it has to be kept."""

import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterable, Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, TypeAlias

from toolkit.db.keepable import keepable
from toolkit.db.statements import json_text
from toolkit.errors import ConfigError, DatabaseError, choices
from toolkit.messages import Json, Message

Request: TypeAlias = str | Message | Sequence[Message | Mapping[str, Any]] | Mapping[str, Any]
"""A prompt, or the keywords of `Toolkit.complete`, of which `prompt` is one."""

Requests: TypeAlias = Iterable[Request] | AsyncIterable[Request]

ONLY_IN_MEMORY: Final = ("response_model", "validation_context", "approve")
"""Keywords whose values are Python's own and cannot be kept."""


def request_of(request: Any, common: Mapping[str, Any], known: Collection[str] | None = None) -> Json:
    """The keywords that `request` stands for.

    Args:
        request: one item of a batch.
        common: keywords of all items; those that the item has itself win.
        known: the keywords that there are; None does not check.

    Raises:
        ConfigError: it is no request.
    """
    if isinstance(request, Mapping):
        if "prompt" not in request:
            hint = "; write a single message as a list of one" if "role" in request else ""
            raise ConfigError(f'A request needs a "prompt" (it has {_named(request)}){hint}.')
        keywords = {**common, **request}
    elif isinstance(request, str | Message) or (isinstance(request, Sequence) and not isinstance(request, bytes)):
        keywords = {**common, "prompt": request}
    else:
        raise ConfigError(f"A request is a text, messages, or a mapping with a prompt (got {type(request).__name__}).")
    prompt = keywords["prompt"]
    if isinstance(prompt, bytes) or not isinstance(prompt, str | Message | Sequence):
        raise ConfigError(f"A prompt is a text or a list of messages (got {type(prompt).__name__}).")
    check_keywords("A request", keywords, known)
    return keywords


def check_keywords(whose: str, keywords: Iterable[str], known: Collection[str] | None) -> None:
    """See that there are such keywords.

    Args:
        whose: the beginning of the sentence, e.g. "A request".
        keywords: those that are given.
        known: the keywords that there are; None does not check.

    Raises:
        ConfigError: there is no such one; the message names the nearest.
    """
    for name in keywords:
        if known is not None and name not in known:
            near = get_close_matches(str(name), known, n=1)
            instead = f"the nearest is {near[0]!r}" if near else choices(sorted(set(known) - {*ONLY_IN_MEMORY}))
            raise ConfigError(f"{whose} cannot have {name!r}; {instead}.")


def kept_request(keywords: Mapping[str, Any]) -> Json:
    """`keywords` as JSON, from which the same question can be asked again after a restart.

    Raises:
        ConfigError: a value is Python's own, as a `response_model` is.
    """
    kept: Json = {}
    for name, value in keywords.items():
        if value is None:
            continue
        if name in ONLY_IN_MEMORY:
            raise ConfigError(
                f"A job that outlives its process cannot keep {name!r}; leave it out, or ask without a job."
            )
        plain = keepable(_prompt(value) if name == "prompt" else value)
        try:
            kept[name] = json.loads(json_text(name, plain))
        except DatabaseError as error:
            raise ConfigError(f"A job that outlives its process keeps its requests as JSON. {error}") from None
    return kept


class Fingerprint:
    """Grows with each request that it is shown; the same requests in the same order give the same one."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, request: Json) -> None:
        """Show it the next request."""
        line = json.dumps(request, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        self._digest.update(line.encode() + b"\n")

    @property
    def text(self) -> str:
        """What it is by now, in hexadecimal."""
        return self._digest.hexdigest()


def fingerprint(requests: Iterable[Json]) -> str:
    """The fingerprint of a batch."""
    grown = Fingerprint()
    for request in requests:
        grown.add(request)
    return grown.text


async def each(requests: Requests) -> AsyncGenerator[Request, None]:
    """The items of a list, or of an iterable of either kind, one by one.

    Raises:
        ConfigError: it is a single request instead.
    """
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield request
    elif isinstance(requests, str | bytes | Mapping | Message) or not isinstance(requests, Iterable):
        raise ConfigError(f"A batch is a list of requests (got one {type(requests).__name__}); put it into a list.")
    else:
        for request in requests:
            yield request


def size_of(requests: Requests) -> int | None:
    """How many there are, None where that is only known in the end."""
    return len(requests) if isinstance(requests, Collection) else None


def _prompt(prompt: Any) -> Any:
    """A prompt in a form that JSON has."""
    if isinstance(prompt, Message):
        return [prompt.to_json()]
    if isinstance(prompt, str):
        return prompt
    return [message.to_json() if isinstance(message, Message) else message for message in prompt]


def _named(request: Mapping[str, Any]) -> str:
    return ", ".join(map(repr, list(request)[:5])) or "nothing"
