"""The key of a request: two requests share it exactly if a model would be sent the same."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from toolkit.errors import ConfigError
from toolkit.messages import BEFORE_QUESTION, ChatRequest, Message

_FORM = "1"  # of what is hashed; another number makes every answer of an earlier version one that nobody finds
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


@dataclass(frozen=True, slots=True)
class CacheKey:
    """What an answer is found by.

    Attributes:
        exact: SHA-256 of the whole request.
        rest: SHA-256 of the request without `question`, for answers to similar questions.
        question: what the last message of a user asks, without the passages before it; empty without such a message.
    """

    exact: str
    rest: str
    question: str


def key_of(request: ChatRequest, asked: Mapping[str, Any]) -> CacheKey:
    """The key of `request`, asked as `asked` says.

    The order of a mapping's names does not matter, that of a list does. `1`, `1.0` and `true` are three values inside
    what is passed on as it is; the temperature is a number. Texts are compared character by character. Whether a
    message is pinned or was stopped no model is told, so it does not count.

    Args:
        request: what the model would be sent.
        asked: what else decides on the answer, as JSON has it: the model, the scope, a partition, …

    Raises:
        ConfigError: something in it has no form in JSON.
    """
    place, question = _question(request.messages)
    try:
        around = _encode(
            {
                "form": _FORM,
                "asked": _plain(asked),
                "tools": [[tool.name, tool.description, _plain(tool.parameters)] for tool in request.tools],
                "sources": [[source.id, source.title, source.text] for source in request.sources],
                "temperature": None if request.temperature is None else _float(request.temperature),
                "max_tokens": request.max_tokens,
                "stop": list(request.stop),
                "seed": request.seed,
                "extra": _plain(request.extra),
                "tool_choice": request.tool_choice,
                "output": [request.output.name, _plain(request.output.schema)] if request.output else None,
                "messages": [
                    _message(message, message.text[: len(message.text) - len(question)] if n == place else message.text)
                    for n, message in enumerate(request.messages)
                ],
            }
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"The request cannot be looked up in the cache, because a value in it has no form in JSON ({error}); "
            "ask with cache=False."
        ) from error
    rest = sha256(around.encode("utf-8", "surrogatepass"))
    exact = rest.copy()
    exact.update(b"\0" + question.encode("utf-8", "surrogatepass"))  # JSON has no NUL: nothing before it ends so
    return CacheKey(exact.hexdigest(), rest.hexdigest(), question)


def _question(messages: tuple[Message, ...]) -> tuple[int, str]:
    """Where the last message of a user stands, and the question at its end; -1 without such a message."""
    for place in range(len(messages) - 1, -1, -1):
        if messages[place].role == "user":
            return place, messages[place].text.rpartition(BEFORE_QUESTION)[2]
    return -1, ""


def _message(message: Message, text: str) -> list[Any]:
    calls = [[call.id, call.name, _plain(call.arguments)] for call in message.tool_calls]
    images = [image.url for image in message.images]
    return [message.role, text, images, calls, message.tool_call_id, _plain(message.opaque)]


def _plain(value: Any) -> Any:
    """`value` as plain dicts and lists; a name that is no text becomes the text that JSON makes of it."""
    match value:
        case None | str() | bool() | int():
            return value
        case float():
            return _float(value)
        case Mapping():
            return {name if isinstance(name, str) else _name(name): _plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case _:
            raise TypeError(f"{type(value).__name__} is none of its types")


def _float(value: float) -> float:
    return float(value) or 0.0  # one zero


def _name(name: Any) -> str:
    if name is None or isinstance(name, bool | int | float):
        return json.dumps(name)
    raise TypeError(f"{type(name).__name__} cannot be a name")
