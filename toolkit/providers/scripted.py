"""A model that says what it was told to: for tests, and for demonstrations without a key.

    model = Scripted("Hello.", RateLimited("Slow down.", provider="scripted"), ["One ", "two ", "three."])
    model.say(lambda request: request.messages[-1].text.upper())

Each question takes the next line:

- a text, a `Message` or a `Completion` is the answer, streamed word by word;
- an instance of a pydantic model is the answer as JSON, or as the arguments of the one tool that must be called;
- a list of texts is an answer, streamed in just these pieces; an exception in it breaks it off there;
- an exception is raised;
- a `Pause` waits, then goes on with the next line; in a list, with the next piece;
- a function is given the request and returns any of these.
"""

import asyncio
import hashlib
import json
import re
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from pydantic import BaseModel

from toolkit import errors
from toolkit.errors import BadAnswer, ConfigError, InvalidRequest, ProviderError, ProviderTimeout
from toolkit.messages import ChatRequest, Completion, Delta, Embeddings, Message, ToolCall, ToolCallFragment, Usage
from toolkit.providers.base import Vendor

_PROVIDER = "scripted"


@dataclass(frozen=True, slots=True)
class Pause:
    """A moment in which nothing is said."""

    seconds: float


_Whole: TypeAlias = str | Message | Completion | BaseModel
_Answer: TypeAlias = _Whole | Sequence[str | Exception | Pause]
_Spoken: TypeAlias = _Answer | Exception | Pause
Line: TypeAlias = "_Spoken | Callable[[ChatRequest], Line]"


def connect(auth: Mapping[str, str], config: Mapping[str, Any]) -> "Scripted":  # noqa: ARG001 - it needs no key
    """The model of a row whose settings are its script; it says the last line again and again.

    Args:
        auth: not read.
        config: `{"say": [...]}`, each line a text, a list of texts, a message as JSON, or `{"error": "RateLimited"}`.

    Raises:
        ConfigError: there is no line, or one that cannot be read.
    """
    say = config.get("say")
    lines = [_line(value) for value in ([say] if isinstance(say, str) else say or ())]
    if not lines:
        raise ConfigError('A scripted model has nothing to say; set its config to {"say": ["…"]}.')
    return Scripted(*lines, repeat=True)


class Scripted:
    """A model with a script.

    Args:
        lines: what it says, in order.
        repeat: whether it says the last line again when there are no more; otherwise the next question is an error.

    Attributes:
        requests: what it was asked, oldest first; the form that an answer must have is its `output`, or its only tool.
    """

    def __init__(self, *lines: Line, repeat: bool = False) -> None:
        self.requests: list[ChatRequest] = []
        self._lines = deque(lines)
        self._repeat = repeat

    def say(self, *lines: Line) -> None:
        """Add to the script."""
        self._lines.extend(lines)

    async def complete(self, request: ChatRequest, /, model: str, *, timeout: float) -> Completion:  # noqa: ARG002 - the protocol's
        """The next line, at most `timeout` seconds later."""
        self.requests.append(request)
        try:
            async with asyncio.timeout(timeout), aclosing(self._perform(request)) as pieces:
                *_, last = [piece async for piece in pieces]
        except TimeoutError:
            raise _too_slow(timeout) from None
        return cast("Completion", last.completion)  # no performance ends without one

    async def stream(self, request: ChatRequest, /, model: str, *, timeout: float) -> AsyncGenerator[Delta, None]:  # noqa: ARG002 - the protocol's
        """The next line in pieces, each at most `timeout` seconds after the one before."""
        self.requests.append(request)
        async with aclosing(self._perform(request)) as pieces:
            while True:
                try:
                    async with asyncio.timeout(timeout):
                        piece = await anext(pieces, None)
                except TimeoutError:
                    raise _too_slow(timeout) from None
                if piece is None:
                    return
                yield piece

    async def embed(self, texts: Sequence[str], /, model: str, *, timeout: float) -> Embeddings:  # noqa: ARG002 - the protocol's
        """Eight numbers from -1 to 1 for each text, the same for the same text."""
        vectors = [[byte / 127.5 - 1.0 for byte in hashlib.sha256(text.encode()).digest()[:8]] for text in texts]
        return Embeddings(vectors, Usage(sum(len(text.split()) for text in texts)))

    async def close(self) -> None:
        """Nothing is open."""

    async def _perform(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        line = self._next(request)
        while isinstance(line, Pause):
            await asyncio.sleep(line.seconds)
            line = self._next(request)
        if isinstance(line, Exception):
            raise line
        completion = _completion(line, request)
        for piece in _words(completion.message.text) if isinstance(line, _Whole) else line:
            if isinstance(piece, Pause):
                await asyncio.sleep(piece.seconds)
            elif isinstance(piece, Exception):
                raise piece
            else:
                yield Delta(piece)
        for index, call in enumerate(completion.message.tool_calls):
            for fragment in _fragments(index, call):
                yield Delta(tool_calls=(fragment,))
        if not completion.message.text.strip() and not completion.message.tool_calls:
            raise BadAnswer(
                f"{_PROVIDER} gave no answer (it is empty); ask again or use another model.", provider=_PROVIDER
            )
        yield Delta(completion=completion)

    def _next(self, request: ChatRequest) -> _Spoken:
        if not self._lines:
            raise InvalidRequest("The script has no line left; add one with say(…).", provider=_PROVIDER)
        line = self._lines[0] if self._repeat and len(self._lines) == 1 else self._lines.popleft()
        while callable(line):
            line = line(request)
        return line


def _completion(line: _Answer, request: ChatRequest) -> Completion:
    if isinstance(line, Completion):
        return line
    if isinstance(line, Message):
        message = line
    elif isinstance(line, BaseModel):
        message = _instance(line, request)
    else:
        text = line if isinstance(line, str) else "".join(piece for piece in line if isinstance(piece, str))
        message = Message("assistant", text)
    asked = sum(len(said.text.split()) for said in request.messages)
    usage = Usage(asked, len(message.text.split()) + len(message.tool_calls))
    return Completion(message, "tool_calls" if message.tool_calls else "stop", usage)


def _instance(line: BaseModel, request: ChatRequest) -> Message:
    values = line.model_dump(mode="json", by_alias=True)
    if request.tool_choice in (None, "required", "none"):
        return Message("assistant", json.dumps(values, ensure_ascii=False))
    return Message("assistant", tool_calls=(ToolCall("call_1", request.tool_choice, values),))


def _words(text: str) -> list[str]:
    return re.findall(r"\s*\S+\s*$|\s*\S+|\s+", text)


def _fragments(index: int, call: ToolCall) -> list[ToolCallFragment]:
    arguments = json.dumps(call.arguments)
    half = len(arguments) // 2
    return [
        ToolCallFragment(index, call.id, call.name),
        ToolCallFragment(index, arguments=arguments[:half]),
        ToolCallFragment(index, arguments=arguments[half:]),
    ]


def _line(value: Any) -> Line:
    """A line of a row's settings, which are JSON."""
    match value:
        case str():
            return value
        case list() if all(isinstance(piece, str) for piece in value):
            return value
        case {"role": "assistant"}:
            return Message.from_json(value)
        case {"error": str(name)}:
            kind = getattr(errors, name, None)
            if isinstance(kind, type) and issubclass(kind, ProviderError):
                return kind(str(value.get("message", "The script says so.")), provider=_PROVIDER)
    raise ConfigError(
        f"A scripted model cannot say {value!r}; a line is a text, a list of texts, an assistant's message, "
        'or {"error": "RateLimited"}.'
    )


def _too_slow(seconds: float) -> ProviderTimeout:
    return ProviderTimeout(
        f"{_PROVIDER} took longer than {seconds:g} s; allow it more time or use another model.", provider=_PROVIDER
    )


VENDOR = Vendor(connect, free=True)
