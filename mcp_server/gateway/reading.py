"""From OpenAI's chat completions to the toolkit's words."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from mcp_server.asker import Asker
from mcp_server.gateway import asked
from mcp_server.gateway.hints import hints, one_at_a_time
from mcp_server.refusals import Refusal
from toolkit.messages import Image, Json, Message, ToolCall, ToolSpec

USUAL_TIMEOUT: Final = 600.0
"""Seconds that OpenAI's clients wait where nobody says otherwise."""

_CLAUDES: Final = frozenset({"thinking"})
_MESSAGES: Final = frozenset({"top_p", "top_k", "thinking"})
_RESPONSES: Final = frozenset(
    {"top_p", "parallel_tool_calls", "service_tier", "metadata", "store", "safety_identifier"}
    | {"prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"}
)
"""Which of what is passed on the other wires know by the same name."""

_NOTHING: Final = {"type": "object", "properties": {}}


def question(body: asked.ChatBody, who: Asker) -> Json:
    """What `Toolkit.complete` and `Toolkit.stream` are asked, but for the model.

    Raises:
        Refusal: two fields contradict each other, or cannot be used here.
    """
    _check(body)
    offered, choice = _tools(body)
    return {
        "prompt": [message(each, f"messages.{place}") for place, each in enumerate(body.messages)],
        "session": body.session_id,
        "user": who.user or (None if who.who.authenticated else body.user),
        "origin": who.origin,
        "authenticated": who.who.authenticated,
        "tools": body.toolkit_tools or (),
        "offered": offered,
        "tool_choice": choice,
        "response_model": _form(body.response_format),
        "temperature": body.temperature,
        "max_tokens": body.max_tokens or body.max_completion_tokens,
        "stop": body.stop or (),
        "seed": body.seed,
        "extra": _extra(body, choice),
        # Several answers to one question are to differ.
        "cache": False if (body.n or 1) > 1 else body.cache,
        "timeout": body.timeout or USUAL_TIMEOUT,
    }


def message(said: Any, place: str = "messages") -> Message:
    """A message in the toolkit's words.

    Raises:
        Refusal: the arguments of a call are no JSON object; `place` says where.
    """
    match said:
        case asked.UserMessage():
            pictures = tuple(Image(picture.image_url.url) for picture in _pictures(said))
            return Message("user", _named(said.name, _text(said.content)), images=pictures)
        case asked.Answer():
            calls = [_call(call, f"{place}.tool_calls.{n}") for n, call in enumerate(said.tool_calls or ())]
            text = _text(said.content or "") or said.refusal or ""
            return Message("assistant", _named(said.name, text), tool_calls=tuple(calls))
        case asked.Result():
            return Message("tool", _text(said.content), tool_call_id=said.tool_call_id)
        case _:
            return Message("system", _named(said.name, _text(said.content)))


def _check(body: asked.ChatBody) -> None:
    limits = {body.max_tokens, body.max_completion_tokens} - {None}
    if len(limits) > 1:
        raise Refusal(400, "`max_tokens` and `max_completion_tokens` differ; send one of them.", param="max_tokens")
    if body.n and body.n > 1 and body.session_id:
        raise Refusal(400, "A session has one answer to a question; leave out `n`.", param="n")
    if body.n and body.n > 1 and body.cache:
        raise Refusal(400, "Several answers to one question do not come from the cache; leave out `cache`.", param="n")
    if body.stream_options and not body.stream:
        raise Refusal(400, "`stream_options` are for streams; send `stream` too.", param="stream_options")
    if body.stream_options and body.stream_options.include_obfuscation:
        raise Refusal(400, "Nothing is obfuscated here.", param="stream_options.include_obfuscation")


def _text(content: str | Sequence[Any]) -> str:
    """All the text of a content, a line for each part."""
    if isinstance(content, str):
        return content
    texts = (getattr(part, "text", None) or getattr(part, "refusal", None) for part in content)
    return "\n".join(text for text in texts if text)


def _named(name: str | None, text: str) -> str:
    """The text with who says it: only OpenAI has a field for that."""
    return f"{name}: {text}" if name and text else text


def _call(call: asked.Call, place: str) -> ToolCall:
    try:
        arguments = json.loads(call.function.arguments or "{}")
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        place += ".function.arguments"
        raise Refusal(400, f"`{place}` is not a JSON object as text.", param=place)
    return ToolCall(call.id, call.function.name, arguments)


def _tools(body: asked.ChatBody) -> tuple[tuple[ToolSpec, ...], str | None]:
    """The tools that the client runs, and whether one must be asked for."""
    if body.tools and body.toolkit_tools:
        raise Refusal(400, "Send `tools` or `toolkit_tools`, not both.", param="toolkit_tools")
    offered = tuple(_spec(tool.function) for tool in body.tools or ())
    names = [tool.name for tool in offered]
    if len(set(names)) < len(names):
        raise Refusal(400, "Two of the `tools` have the same name.", param="tools")
    choice = body.tool_choice
    if choice in (None, "auto"):
        return offered, None
    if not offered and not body.toolkit_tools:
        raise Refusal(400, "`tool_choice` needs `tools`.", param="tool_choice")
    if isinstance(choice, str):
        return offered, choice
    known = names or body.toolkit_tools or []
    if isinstance(choice, asked.NamedTool):
        _be_known([choice], known)
        return offered, choice.function.name
    assert isinstance(choice, asked.AllowedTools)  # noqa: S101 - for the type checker
    _be_known(choice.allowed_tools.tools, names)
    allowed = {tool.function.name for tool in choice.allowed_tools.tools}
    mode = None if choice.allowed_tools.mode == "auto" else "required"
    return tuple(tool for tool in offered if tool.name in allowed), mode


def _be_known(chosen: Iterable[asked.NamedTool], names: Sequence[str]) -> None:
    for tool in chosen:
        if tool.function.name not in names:
            raise Refusal(400, f"`tool_choice`: {tool.function.name!r} is none of the tools.", param="tool_choice")


def _spec(function: asked.Function) -> ToolSpec:
    return ToolSpec(function.name, function.description or "", function.parameters or dict(_NOTHING))


def _form(said: asked.AsText | asked.AsObject | asked.AsSchema | None) -> Json | None:
    match said:
        case asked.AsObject():
            return {"title": "object", "type": "object"}
        case asked.AsSchema(json_schema=form):
            told = {"description": form.description} if form.description else {}
            return {**told, **form.schema_, "title": form.name}
    return None


def _extra(body: asked.ChatBody, choice: str | None) -> Json:
    """What the models on each wire are told besides, by its own names."""
    given = {name: getattr(body, name) for name in body.model_fields_set & asked.PASSED_ON.keys()}
    said = {name: value for name, value in given.items() if value is not None and value != asked.PASSED_ON[name]}
    detail = _detail(body.messages)
    if not (said or detail):
        return body.extra or {}
    chat = {name: value for name, value in said.items() if name not in _CLAUDES}
    responses = {name: value for name, value in said.items() if name in _RESPONSES}
    messages = {name: value for name, value in said.items() if name in _MESSAGES}
    if body.reasoning_effort:
        responses["reasoning"] = {"effort": body.reasoning_effort}
    if body.verbosity:
        responses["text"] = {"verbosity": body.verbosity}
    if body.safety_identifier:
        messages["metadata"] = {"user_id": body.safety_identifier}
    if body.tools and body.parallel_tool_calls is False:
        messages |= one_at_a_time(choice).get("messages", {})
    if detail:
        chat["detail"] = responses["detail"] = detail
    return {**hints(chat=chat, responses=responses, messages=messages), **(body.extra or {})}


def _pictures(said: asked.UserMessage) -> list[asked.ImagePart]:
    if isinstance(said.content, str):
        return []
    return [part for part in said.content if isinstance(part, asked.ImagePart)]


def _detail(messages: Iterable[Any]) -> str | None:
    questions = (said for said in messages if isinstance(said, asked.UserMessage))
    found = {picture.image_url.detail for said in questions for picture in _pictures(said)}
    if len(found) > 1:
        raise Refusal(
            400, "Pictures of one request are looked at equally closely; send one `detail`.", param="messages"
        )
    return None if found <= {"auto"} else found.pop()
