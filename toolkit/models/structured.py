"""How a model is made to answer in a form: natively, by a tool that it must call, or told in words.

A vendor's own way is the surest: the model cannot but answer in the form. A tool that must be called has the form as
its parameters, and every model that has tools can be asked so. Words are for those that have neither.
"""

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from itertools import count, islice
from typing import Any, Final

from toolkit.errors import InvalidRequest
from toolkit.messages import (
    ChatRequest,
    Completion,
    Delta,
    Embeddings,
    Json,
    Message,
    OutputSchema,
    ToolCallFragment,
    ToolSpec,
)
from toolkit.models.json_text import JsonText, json_in
from toolkit.providers.base import Provider, Structured

_IN_WORDS = (
    "Your final answer must be one JSON object and nothing else, without a code fence. It must fit this JSON Schema:\n"
)
_BY_TOOL = "Gives your final answer; call it as soon as you have it."

_UNABLE = re.compile(
    r"response_?format|json_?schema|json mode|output_config|output_format|structured|text\.format|schema|grammar|tool"
)
"""What a vendor names when it refuses a request because of the way in which it asks for a form."""

_ON_CONTENT: Final = (
    "properties",
    "patternProperties",
    "additionalProperties",
    "required",
    "$ref",
    "anyOf",
    "oneOf",
    "allOf",
)
"""Where a schema says what is in an object."""

_MOST_REMEMBERED: Final = 1000


def shaped(provider: Provider, how: Structured) -> Provider:
    """`provider`, able to answer in a form (`ChatRequest.output`) where its model is asked for it in the way `how`.

    The answer's text is the JSON and nothing else, streamed or not; the call of a tool that stood for it is gone. Other
    tools may be called before. Whether the JSON fits is for the caller to see.

    A vendor that refuses the request because of the way in which the form was asked for (a local server does not know
    `response_format`) is asked once more, in words, within the same attempt: a refusal costs no tokens. This is
    remembered for the model and the form as long as this object lives, so keep it with the connection.

    A form with free keys, or one that contains itself, cannot be said natively to all vendors: a tool is used for it.
    One that is any object at all is asked for in words: OpenAI takes no tool whose parameters are not listed, and other
    vendors' models call it with none.
    A request without a form goes through as it is.
    """
    return _Shaped(provider, how)


class _Shaped:
    def __init__(self, provider: Provider, how: Structured) -> None:
        self._provider = provider
        self._how = how
        self._in_words: set[tuple[str, str]] = set()  # models and the forms for which they must be told in words

    def complete(self, request: ChatRequest, /, model: str, *, timeout: float) -> Coroutine[Any, Any, Completion]:
        if request.output is None:
            return self._provider.complete(request, model, timeout=timeout)
        return self._complete(request, request.output, model, timeout)

    def stream(self, request: ChatRequest, /, model: str, *, timeout: float) -> AsyncIterator[Delta]:
        if request.output is None:
            return self._provider.stream(request, model, timeout=timeout)
        return self._stream(request, request.output, model, timeout)

    async def embed(self, texts: Sequence[str], /, model: str, *, timeout: float) -> Embeddings:
        return await self._provider.embed(texts, model, timeout=timeout)

    async def close(self) -> None:
        await self._provider.close()

    async def _complete(self, request: ChatRequest, output: OutputSchema, model: str, seconds: float) -> Completion:
        asked = self._asked(request, output, model)
        try:
            return asked.read(await self._provider.complete(asked.request, model, timeout=seconds))
        except InvalidRequest as error:
            asked = self._asked_otherwise(asked, request, output, model, error)
        return asked.read(await self._provider.complete(asked.request, model, timeout=seconds))

    async def _stream(
        self, request: ChatRequest, output: OutputSchema, model: str, seconds: float
    ) -> AsyncGenerator[Delta, None]:
        asked = self._asked(request, output, model)
        while True:
            pieces = self._provider.stream(asked.request, model, timeout=seconds)
            answer = _Answer(asked)
            try:
                async for piece in pieces:
                    for delta in answer.take(piece):
                        yield delta
                return
            except InvalidRequest as error:
                if answer.begun:
                    raise
                asked = self._asked_otherwise(asked, request, output, model, error)
            finally:
                if close := getattr(pieces, "aclose", None):
                    await close()

    def _asked(self, request: ChatRequest, output: OutputSchema, model: str) -> "_Asked":
        how = self._how
        if how == "native" and not is_closed(output.schema):
            how = "tool"
        if (model, output.name) in self._in_words or not _says_anything(output.schema):
            how = "instruction"
        return _asked(request, output, how)

    def _asked_otherwise(
        self, asked: "_Asked", request: ChatRequest, output: OutputSchema, model: str, error: InvalidRequest
    ) -> "_Asked":
        if asked.how == "instruction" or not _UNABLE.search(str(error).lower()):
            raise error
        if len(self._in_words) < _MOST_REMEMBERED:
            self._in_words.add((model, output.name))
        return _asked(request, output, "instruction")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a provider is asked for a form.

    Attributes:
        how: the way.
        tool: the name of the tool that stands for the answer, empty without one.
        sole: nothing else can be called, so that every call is the answer, whatever the model names it.
    """

    request: ChatRequest
    how: Structured
    tool: str = ""
    sole: bool = False

    def read(self, completion: Completion) -> Completion:
        """The answer with the JSON as its text; one that asks for other tools as it is."""
        said = completion.message
        answers = [call for call in said.tool_calls if self.is_answer(call.name)]
        if answers:
            return _as_json(completion, json.dumps(answers[0].arguments, ensure_ascii=False))
        return completion if said.tool_calls else _as_json(completion, json_in(said.text))

    def is_answer(self, name: str) -> bool:
        """Whether the call of a tool of this name is the answer."""
        return bool(self.tool) and (self.sole or name == self.tool)


def _asked(request: ChatRequest, output: OutputSchema, how: Structured) -> _Asked:
    plain = replace(request, output=None)
    if how == "native":
        return _Asked(request, how)
    if how == "instruction":
        return _Asked(replace(plain, messages=_instructed(request.messages, output.schema)), how)
    name = _unlike(output.name, [tool.name for tool in request.tools])
    described = " ".join(filter(None, (_BY_TOOL, output.schema.get("description"))))
    tools = (*request.tools, ToolSpec(name, described, output.schema))
    choice = "required" if request.tools else name
    return _Asked(replace(plain, tools=tools, tool_choice=choice), how, tool=name, sole=not request.tools)


class _Answer:
    """A streamed answer, as its pieces come.

    What a model says before its JSON, or before it calls the tool that stands for it, is no part of the answer. It is
    held back until it is clear what it was: the words before the call of another tool are passed on.

    Attributes:
        begun: whether anything was passed on.
    """

    def __init__(self, asked: _Asked) -> None:
        self.begun = False
        self._asked = asked
        self._found = JsonText()
        self._said: list[str] = []  # the text beside a tool that stands for the answer
        self._shown: list[str] = []
        self._answers: list[int] = []  # the calls that are the answer, by their index; the first one counts
        self._calls = False  # other tools are called

    def take(self, piece: Delta) -> Iterator[Delta]:
        """What the reader gets for a provider's `piece`."""
        text = self._json(piece.text) if piece.text else ""
        others: list[ToolCallFragment] = []
        for fragment in piece.tool_calls:
            if fragment.name and self._asked.is_answer(fragment.name):
                self._answers.append(fragment.index)
            if fragment.index not in self._answers:
                others.append(fragment)
            elif fragment.index == self._answers[0]:
                text += fragment.arguments
        if others and not self._calls:
            self._calls = True
            text = self._before() + text
        if text or others:
            self.begun = True
            yield self._show(text, tuple(others))
        elif piece.completion is None:
            yield Delta()  # it is speaking, if not to the reader
        if piece.completion:
            yield from self._end(piece.completion)

    def _json(self, text: str) -> str:
        if not self._asked.tool:
            return self._found.feed(text)
        self._said.append(text)
        return ""

    def _before(self) -> str:
        """The words before the call of another tool."""
        text = "".join(self._said) or self._found.held
        self._said, self._found.held = [], ""
        return text

    def _show(self, text: str, calls: tuple[ToolCallFragment, ...] = ()) -> Delta:
        self._shown.append(text)
        return Delta(text, calls)

    def _end(self, completion: Completion) -> Iterator[Delta]:
        if completion.message.tool_calls and not self._answers:
            yield Delta(completion=completion)
            return
        if not "".join(self._shown).strip():
            rest = "{}" if self._answers else json_in("".join(self._said) or self._found.held)
            yield self._show(rest)
        yield Delta(completion=_as_json(completion, "".join(self._shown)))


def _says_anything(schema: Json) -> bool:
    return any(schema.get(key) not in (None, True, {}, []) for key in _ON_CONTENT)


def is_closed(schema: Json) -> bool:
    """Whether every object of a schema lists its keys, and none contains itself: what all vendors take natively."""
    definitions: Mapping[str, Any] = schema.get("$defs", {})
    root = {key: value for key, value in schema.items() if key != "$defs"}
    references = {name: list(_references(each)) for name, each in definitions.items()}
    try:
        TopologicalSorter(references).prepare()
    except CycleError:
        return False
    return all(_lists_its_keys(each) for each in (root, *definitions.values()))


def _lists_its_keys(schema: Any) -> bool:
    if not isinstance(schema, Mapping) or not schema.keys() - {"title", "description", "default", "examples"}:
        return False  # anything goes
    if schema.get("type") == "object" and ("properties" not in schema or schema.get("additionalProperties")):
        return False
    if schema.get("type") == "array" and not schema.keys() & {"items", "prefixItems"}:
        return False
    return all(_lists_its_keys(inner) for inner in _parts(schema))


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            yield str(schema["$ref"]).removeprefix("#/$defs/")
        for inner in _parts(schema):
            yield from _references(inner)


def _parts(schema: Mapping[str, Any]) -> list[Any]:
    parts = [*schema.get("properties", {}).values()]
    parts += [branch for key in ("anyOf", "oneOf", "allOf", "prefixItems") for branch in schema.get(key, ())]
    return [*parts, schema["items"]] if isinstance(schema.get("items"), Mapping) else parts


def _as_json(completion: Completion, text: str) -> Completion:
    # What a vendor wants back with a tool's call is of no use without the call.
    reason = "stop" if completion.finish_reason == "tool_calls" else completion.finish_reason
    opaque = {} if completion.message.tool_calls else completion.message.opaque
    return replace(completion, message=Message("assistant", text, opaque=opaque), finish_reason=reason)


def in_words(schema: Json) -> str:
    """What a model is told of a form that it must answer in."""
    return _IN_WORDS + json.dumps(schema, ensure_ascii=False, separators=(",", ":"))


def _instructed(messages: Sequence[Message], schema: Json) -> tuple[Message, ...]:
    """`messages`, the form told in the first of the instructions: not all local models take several."""
    words = in_words(schema)
    if messages and messages[0].role == "system":
        return (replace(messages[0], text=f"{messages[0].text}\n\n{words}"), *messages[1:])
    return (Message("system", words), *messages)


def _unlike(name: str, names: Sequence[str]) -> str:
    others = (f"{name[:60]}_{number}" for number in count(2))
    return next(each for each in (name, *islice(others, len(names))) if each not in names)
